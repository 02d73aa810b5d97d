use async_trait::async_trait;
use azure2neon_postgres::barrier;
use azure2neon_postgres::fence::FenceProof;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::context::Context;
use crate::direction::Direction;
use crate::error::Result;
use crate::operation::{Observed, Operation, Together};
use crate::plan::Effect;

/// Waits until the marker that was written behind the last write is applied on the other side, and durable there.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Drain {
    /// Which way the changes flow.
    #[serde(default)]
    pub direction: Direction,
}

#[async_trait]
impl Operation for Drain {
    fn effect(&self) -> Effect {
        Effect::Reads
    }

    fn describe(&self) -> String {
        format!("wait until the last write is applied on the {}, and durable there", self.direction.to())
    }

    async fn observe(&self, _cx: &Context) -> Result<Observed> {
        Ok(Observed::OnlyByDoing)
    }

    async fn apply(&self, cx: &Context) -> Result<Value> {
        let held = cx.held().await?;
        let FenceProof { marker, position, .. } = cx.folder.output(self.direction.fence())?;
        // The cut-over's own limit ends this wait earlier.
        let feed = self.direction.feed(cx);
        barrier::await_marker(&held.from, &held.to, &feed, (&marker, position), cx.max_pause()).await?;
        Ok(json!({ "lsn": position }))
    }

    fn together(&self, _cx: &Context) -> Option<Together> {
        Some(Together::Complete)
    }

    fn note(&self, output: &Value) -> String {
        format!("drained at {}", output.get("lsn").and_then(Value::as_str).unwrap_or_default())
    }
}
