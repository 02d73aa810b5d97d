use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::context::Context;
use crate::error::Result;
use crate::operation::{Observed, Operation};
use crate::plan::Effect;
use crate::way_back;

/// Makes ready what brings the target's changes back to the source: a publication and a slot on the target, and a subscription on the
/// source, which rests until the hand-over. That it can be made proves that the source reaches the target.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PrepareWayBack {
    /// Name of publication, slot and subscription.
    pub name: String,
    /// Whether the source applies changes as its administrator, who can't act as the tables' owners.
    pub as_subscriber: bool,
}

#[async_trait]
impl Operation for PrepareWayBack {
    fn effect(&self) -> Effect {
        Effect::Creates
    }

    fn describe(&self) -> String {
        format!("create publication, role and slot {} on Neon, and a subscription on the source that rests until the hand-over", self.name)
    }

    fn inverse(&self) -> Option<String> {
        Some(format!("drop subscription {0} on the source, and slot, role and publication {0} on Neon", self.name))
    }

    async fn observe(&self, cx: &Context) -> Result<Observed> {
        // Whether the source still reaches the target is only known by doing it.
        Ok(if cx.has_way_back() { Observed::OnlyByDoing } else { Observed::present() })
    }

    async fn apply(&self, cx: &Context) -> Result<Value> {
        way_back::prepare(cx).await?;
        Ok(Value::Null)
    }

    async fn undo(&self, cx: &Context) -> Result<()> {
        way_back::remove(cx).await
    }

    async fn left_over(&self, cx: &Context) -> Result<Option<String>> {
        way_back::left_over(cx).await
    }
}
