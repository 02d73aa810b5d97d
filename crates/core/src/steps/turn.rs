use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::context::Context;
use crate::direction::Direction;
use crate::error::Result;
use crate::operation::{Observed, Operation, Together};
use crate::plan::Effect;
use crate::way_back;

/// Puts the slot of the other direction at the present position: nothing that came one way goes the other. When all has come, before
/// anybody writes to where it came.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Turn {
    /// Which way the changes flowed until now.
    pub direction: Direction,
}

#[async_trait]
impl Operation for Turn {
    fn effect(&self) -> Effect {
        Effect::Changes
    }

    fn describe(&self) -> String {
        format!("let the {}'s changes flow to the {} from here on", self.direction.to(), self.direction.from())
    }

    async fn observe(&self, cx: &Context) -> Result<Observed> {
        Ok(if cx.has_way_back() { Observed::OnlyByDoing } else { Observed::present() })
    }

    async fn apply(&self, cx: &Context) -> Result<Value> {
        let held = cx.held().await?;
        Ok(json!({ "lsn": way_back::turn(cx, self.direction, held.turning()?).await? }))
    }

    fn together(&self, _cx: &Context) -> Option<Together> {
        Some(Together::Prove)
    }

    fn note(&self, output: &Value) -> String {
        format!("from {}", output.get("lsn").and_then(Value::as_str).unwrap_or_default())
    }
}
