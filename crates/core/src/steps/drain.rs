use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::catch_up::wait_applied;
use crate::context::Context;
use crate::error::Result;
use crate::operation::{Observed, Operation};
use crate::plan::Effect;

/// Waits until the last write before the fence is applied and confirmed on the target.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Drain {}

#[async_trait]
impl Operation for Drain {
    fn effect(&self) -> Effect {
        Effect::Reads
    }

    fn describe(&self) -> String {
        "wait until the last write is applied and confirmed on the target".into()
    }

    async fn observe(&self, _cx: &Context) -> Result<Observed> {
        Ok(Observed::OnlyByDoing)
    }

    async fn apply(&self, cx: &Context) -> Result<Value> {
        let (source, target) = tokio::try_join!(cx.source(), cx.target())?;
        // The cut-over's own limit ends this wait earlier.
        let lsn = wait_applied(cx, &source, &target, cx.max_pause()).await?;
        Ok(json!({ "lsn": lsn.to_string() }))
    }

    fn note(&self, output: &Value) -> String {
        format!("drained at {}", output.get("lsn").and_then(Value::as_str).unwrap_or_default())
    }
}
