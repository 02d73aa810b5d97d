use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::context::Context;
use crate::error::Result;
use crate::operation::{Observed, Operation};
use crate::plan::Effect;

/// Lets the target's compute suspend again when it is idle; a suspended subscriber would have stopped silently.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RestoreSuspendTimeout {}

#[async_trait]
impl Operation for RestoreSuspendTimeout {
    fn effect(&self) -> Effect {
        Effect::Changes
    }

    fn describe(&self) -> String {
        "let the Neon compute suspend when idle again (the account's default)".into()
    }

    async fn observe(&self, _cx: &Context) -> Result<Observed> {
        Ok(Observed::OnlyByDoing)
    }

    async fn apply(&self, cx: &Context) -> Result<Value> {
        cx.clouds.target.set_suspend_timeout(&cx.project()?, 0).await?;
        Ok(Value::Null)
    }
}
