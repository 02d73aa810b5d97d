use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Action;
use crate::context::{Context, FENCE};
use crate::error::{Error, ErrorKind, Result};
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
        fence.undo(cx).await?;
        Ok(Value::Null)
    }
}
