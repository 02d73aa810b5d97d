use async_trait::async_trait;
use azure2neon_postgres::subscription::{self, Publisher};
use azure2neon_postgres::{Session, barrier, replication};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::create_publication::{schema_drop, schema_exists};
use super::set_replica_identity::complete_on_target;
use super::{Action, StreamData};
use crate::context::Context;
use crate::epochs::{self, Epochs, SLOT_DEADLINE};
use crate::error::{Error, ErrorKind, Result};
use crate::held;
use crate::operation::{Observed, Operation, output};
use crate::plan::Effect;

/// Creates the subscription on the target: on a slot of its own, and it copies the data by itself; or on the slots of the copy,
/// whose subscriptions become one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Subscribe {
    /// Name of slot, subscription and publication.
    pub name: String,
    /// Whether it copies the data.
    pub copy_data: bool,
}

/// The step's output.
#[derive(Serialize, Deserialize)]
struct Made {
    /// The subscription's oid on the target.
    oid: u32,
}

impl Subscribe {
    /// Slots on the source that are this run's: its own, and those that a failed table synchronization left. The latter
    /// are named after the subscription's oid; other subscribers' are not ours to touch.
    async fn slots(&self, cx: &Context, source: &Session) -> Result<Vec<String>> {
        let mut slots = Vec::new();
        if let Some(Made { oid }) = cx.done("subscribe")? {
            let ours = format!("pg_{oid}_sync_");
            slots = replication::orphaned_sync_slots(source).await?;
            slots.retain(|slot| slot.starts_with(&ours));
        }
        slots.extend(epochs::slots(cx, source).await?);
        let proof = held::witness(cx, Vec::new()).slot;
        if replication::slot(source, &proof).await?.is_some() {
            slots.push(proof);
        }
        Ok(slots)
    }

    /// From where the copy was taken on, through one subscription.
    async fn follow(&self, cx: &Context) -> Result<()> {
        let epochs = Epochs::open(cx).await?;
        epochs.take_up().await?;
        loop {
            if !epochs.is_complete().await? {
                // A table had to be taken back.
                copying(cx)?.copy(cx).await?;
            }
            epochs.settle().await?;
            if epochs.is_settled().await? {
                return Ok(());
            }
        }
    }

    /// Which copies the data.
    async fn copy(&self, cx: &Context) -> Result<()> {
        let endpoint = cx.replication_endpoint().await?;
        // Before the subscription there can be no changes that anybody waits for: a slot of an earlier attempt is as good.
        replication::create_slot(&endpoint.connect().await?, &self.name, SLOT_DEADLINE).await?;
        let target = cx.target().await?;
        complete_on_target(cx, &target).await?;
        barrier::create_barrier(&target, &epochs::feed(cx, 1).barrier).await?;
        let conninfo = subscription::conninfo(&Publisher::from(&endpoint), &cx.settings.subscription_sslmode, &self.name);
        Ok(subscription::create_subscription(&target, &self.name, &conninfo, std::slice::from_ref(&self.name), true).await?)
    }
}

/// The step that copies through this machine.
fn copying(cx: &Context) -> Result<&StreamData> {
    match cx.plan.step("stream-data").map(|step| &step.action) {
        Some(Action::StreamData(step)) => Ok(step),
        _ => Err(Error::new(ErrorKind::Internal, "the plan has no step stream-data")),
    }
}

#[async_trait]
impl Operation for Subscribe {
    fn effect(&self) -> Effect {
        Effect::Creates
    }

    fn describe(&self) -> String {
        if self.copy_data {
            format!("create replication slot and subscription {} (copy_data, streaming, own slot)", self.name)
        } else {
            format!("create subscription {} from where the copy was taken (streaming, the copy's slot)", self.name)
        }
    }

    fn inverse(&self) -> Option<String> {
        Some(format!("drop subscription and replication slot {}", self.name))
    }

    async fn observe(&self, cx: &Context) -> Result<Observed> {
        if !self.copy_data && !Epochs::open(cx).await?.is_settled().await? {
            return Ok(Observed::Partial("not everything that was copied is carried by one subscription".into()));
        }
        let sql = "select oid from pg_catalog.pg_subscription where subname = $1";
        Ok(match cx.target().await?.query_opt(sql, &[&self.name]).await? {
            Some(row) => Observed::Present(output(&Made { oid: row.get(0) })?),
            None => Observed::Absent,
        })
    }

    async fn apply(&self, cx: &Context) -> Result<Value> {
        if self.copy_data {
            self.copy(cx).await?
        } else {
            self.follow(cx).await?
        }
        Ok(Value::Null)
    }

    async fn undo(&self, cx: &Context) -> Result<()> {
        let target = cx.target_unless_gone().await?;
        if let Some(target) = &target {
            for epoch in epochs::all() {
                subscription::drop_subscription(target, &epochs::feed(cx, epoch).name).await?;
            }
        }
        let source = cx.source().await?;
        let left = self.slots(cx, &source).await?;
        if !left.is_empty() {
            let owner = cx.source_as_replication().await?;
            for slot in left {
                replication::drop_slot(&owner, &slot).await?;
            }
        }
        if let Some(target) = &target {
            target.batch_execute(&schema_drop(&self.name)).await?;
        }
        Ok(())
    }

    async fn left_over(&self, cx: &Context) -> Result<Option<String>> {
        let mut left = Vec::new();
        if let Some(target) = cx.target_unless_gone().await? {
            for name in epochs::all().map(|epoch| epochs::feed(cx, epoch).name) {
                if subscription::subscription(&target, &name).await?.is_some() {
                    left.push(format!("subscription {name}"));
                }
            }
            if schema_exists(&target, &self.name).await? {
                left.push(format!("schema {} on the target", self.name));
            }
        }
        left.extend(self.slots(cx, &cx.source().await?).await?.into_iter().map(|slot| format!("replication slot {slot}")));
        Ok((!left.is_empty()).then(|| left.join(", ")))
    }
}
