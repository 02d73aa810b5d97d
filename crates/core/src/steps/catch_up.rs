use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::context::Context;
use crate::direction::Direction;
use crate::error::Result;
use crate::operation::{Observed, Operation};
use crate::plan::Effect;

/// Waits until a marker that was written now is on the target, which then confirms each commit at once.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CatchUp {}

/// Longer than this without coming into step, and the operator should know why.
const DEADLINE: Duration = Duration::from_secs(3600);

#[async_trait]
impl Operation for CatchUp {
    fn effect(&self) -> Effect {
        Effect::Reads
    }

    fn describe(&self) -> String {
        "wait until everything that was written by then is on the target".into()
    }

    async fn observe(&self, _cx: &Context) -> Result<Observed> {
        Ok(Observed::OnlyByDoing)
    }

    async fn apply(&self, cx: &Context) -> Result<Value> {
        let (source, target) = (cx.source().await?, cx.target().await?);
        let lsn = Direction::Forward.wait_applied(cx, (&source, &target), DEADLINE).await?;
        Ok(json!({ "lsn": lsn.to_string() }))
    }

    fn note(&self, output: &Value) -> String {
        format!("in step at {}", output.get("lsn").and_then(Value::as_str).unwrap_or_default())
    }
}
