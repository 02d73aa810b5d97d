use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Action, HandedOver};
use crate::context::{Context, FENCE};
use crate::direction::Direction;
use crate::error::{Error, ErrorKind, Result};
use crate::fencing;
use crate::handover::Connection;
use crate::operation::{Observed, Operation};
use crate::plan::Effect;

/// Opens the source again and gives the application its old connection string. From its start on there is only forward.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HandBack {}

#[async_trait]
impl Operation for HandBack {
    fn effect(&self) -> Effect {
        Effect::Changes
    }

    fn describe(&self) -> String {
        "open the source, and put back what the hand-over wrote".into()
    }

    async fn observe(&self, _cx: &Context) -> Result<Observed> {
        Ok(Observed::OnlyByDoing)
    }

    async fn apply(&self, cx: &Context) -> Result<Value> {
        let Some(Action::FenceWrites(fence)) = cx.plan.step(FENCE).map(|step| &step.action) else {
            return Err(Error::new(ErrorKind::Internal, "the plan has no fence"));
        };
        fencing::lower(cx, Direction::Forward, &fence.before).await?;
        let done: HandedOver = cx.folder.output("hand-over")?;
        let old = Connection::new(&cx.plan.run, cx.source_endpoint().await?);
        cx.clouds.places.restore_all(&done.places, &old).await?;
        Ok(Value::Null)
    }
}
