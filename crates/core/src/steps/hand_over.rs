use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{fence_target, warm_up};
use crate::context::{Context, FENCE_TARGET};
use crate::direction::Direction;
use crate::error::Result;
use crate::fencing;
use crate::handover::{Before, Connection};
use crate::journal::What;
use crate::operation::{Observed, Operation, output};
use crate::plan::Effect;

/// Gives the application its new connection string. From its start on there is no way back but a rollback.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HandOver {
    /// Every place, in words.
    #[serde(default)]
    pub to: Vec<String>,
}

/// What was handed over; not the string itself, which holds a password.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HandedOver {
    /// Host of the new connection string.
    pub host: String,
    /// Every place, with what it takes to put it back.
    pub places: Vec<Before>,
}

/// What the application connects with after the hand-over.
pub async fn new_connection(cx: &Context) -> Result<Connection> {
    Ok(Connection::new(&cx.plan.run, cx.target_endpoint().await?))
}

#[async_trait]
impl Operation for HandOver {
    fn effect(&self) -> Effect {
        Effect::Changes
    }

    fn describe(&self) -> String {
        format!("give the application its new connection string: {}", self.to.join("; "))
    }

    async fn observe(&self, _cx: &Context) -> Result<Observed> {
        Ok(Observed::OnlyByDoing)
    }

    async fn apply(&self, cx: &Context) -> Result<Value> {
        let to = new_connection(cx).await?;
        // A rollback left the target closed: a write there would have been lost.
        if cx.folder.touched(FENCE_TARGET) {
            fencing::lower(cx, Direction::Back, &fence_target::before(cx)?).await?;
            cx.folder.record(FENCE_TARGET, What::Undone)?;
        }
        cx.clouds.places.hand_over(&to).await?;
        output(&HandedOver { host: to.host().to_owned(), places: warm_up::places(cx)? })
    }

    fn note(&self, output: &Value) -> String {
        let done = serde_json::from_value::<HandedOver>(output.clone()).map(|done| done.places).unwrap_or_default();
        done.iter().map(|before| before.place.as_str()).collect::<Vec<_>>().join("; ")
    }
}
