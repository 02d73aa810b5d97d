use std::time::Duration;

use async_trait::async_trait;
use azure2neon_postgres::replication;
use azure2neon_postgres::walsender::{self, ExportedSlot};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::context::Context;
use crate::control::Listener;
use crate::error::Result;
use crate::operation::{Observed, Operation};
use crate::plan::Effect;

/// Creates the replication slot on the source, with the snapshot that the copy reads.
///
/// The snapshot lives as long as this process: a later one finds the slot, and [`super::StreamData`] makes it anew.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CreateSlot {
    /// Its name.
    pub name: String,
}

/// The slot waits for transactions that run when it is made; longer than this and the operator must know.
pub(super) const SLOT_DEADLINE: Duration = Duration::from_secs(120);

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
        let slot = create_afresh(cx, &self.name).await?;
        cx.hold_slot(slot).await;
        Ok(Value::Null)
    }

    async fn undo(&self, cx: &Context) -> Result<()> {
        if replication::slot(&cx.source().await?, &self.name).await?.is_some() {
            replication::drop_slot(&cx.replication_endpoint().await?.connect().await?, &self.name).await?;
        }
        Ok(())
    }

    async fn left_over(&self, cx: &Context) -> Result<Option<String>> {
        let slot = replication::slot(&cx.source().await?, &self.name).await?;
        Ok(slot.map(|_| format!("replication slot {}", self.name)))
    }
}

/// A new slot in place of one whose snapshot is lost. Only before the subscription: until then nobody waits for its changes.
pub(super) async fn create_afresh(cx: &Context, name: &str) -> Result<ExportedSlot> {
    // Azure's administrator has no REPLICATION of its own; the replication role has.
    let endpoint = cx.replication_endpoint().await?;
    replication::drop_slot(&endpoint.connect().await?, name).await?;
    Ok(walsender::create_exported_slot(&endpoint, name, SLOT_DEADLINE).await?)
}
