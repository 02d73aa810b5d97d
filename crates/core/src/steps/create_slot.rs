use async_trait::async_trait;
use azure2neon_postgres::replication;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::context::Context;
use crate::control::Listener;
use crate::epochs;
use crate::error::Result;
use crate::operation::{Observed, Operation};
use crate::plan::Effect;

/// Creates the replication slot on the source, with the snapshot that the copy reads.
///
/// The snapshot lives as long as this process: a later one makes another slot, for what is not copied by then.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CreateSlot {
    /// Its name.
    pub name: String,
}

#[async_trait]
impl Operation for CreateSlot {
    fn effect(&self) -> Effect {
        Effect::Creates
    }

    fn describe(&self) -> String {
        format!("create replication slot {} and export its snapshot; the source keeps WAL from here on", self.name)
    }

    fn inverse(&self) -> Option<String> {
        Some(format!("drop replication slot {}", self.name))
    }

    async fn observe(&self, cx: &Context) -> Result<Observed> {
        let slot = replication::slot(&cx.source().await?, &self.name).await?;
        Ok(if slot.is_some() { Observed::present() } else { Observed::Absent })
    }

    async fn apply(&self, cx: &Context) -> Result<Value> {
        // The snapshot would age while the copy may not begin.
        Listener::new(cx, "create-slot").unpaused().await;
        cx.hold_slot(epochs::begin(cx, 1).await?).await;
        Ok(Value::Null)
    }

    async fn undo(&self, cx: &Context) -> Result<()> {
        let source = cx.source().await?;
        for name in epochs::slots(cx, &source).await? {
            replication::drop_slot(&cx.replication_endpoint().await?.connect().await?, &name).await?;
        }
        Ok(())
    }

    async fn left_over(&self, cx: &Context) -> Result<Option<String>> {
        let slots = epochs::slots(cx, &cx.source().await?).await?;
        Ok((!slots.is_empty()).then(|| format!("replication slot {}", slots.join(", "))))
    }
}
