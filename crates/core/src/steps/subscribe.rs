use async_trait::async_trait;
use azure2neon_postgres::subscription::{self, Publisher};
use azure2neon_postgres::{Ident, Session, barrier, replication};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::copy_data::slot_is_gone;
use super::create_publication::schema_exists;
use super::create_slot::SLOT_DEADLINE;
use super::set_replica_identity::complete_on_target;
use crate::context::Context;
use crate::error::Result;
use crate::operation::{Observed, Operation, output};
use crate::plan::Effect;

/// Creates the subscription on the target: on a slot of its own, and it copies the data by itself; or on the slot of the copy.
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
        if replication::slot(source, &self.name).await?.is_some() {
            slots.push(self.name.clone());
        }
        Ok(slots)
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
        let sql = "select oid from pg_catalog.pg_subscription where subname = $1";
        Ok(match cx.target().await?.query_opt(sql, &[&self.name]).await? {
            Some(row) => Observed::Present(output(&Made { oid: row.get(0) })?),
            None => Observed::Absent,
        })
    }

    async fn apply(&self, cx: &Context) -> Result<Value> {
        let endpoint = cx.replication_endpoint().await?;
        let source = endpoint.connect().await?;
        if self.copy_data {
            // Before the subscription there can be no changes that anybody waits for: a slot of an earlier attempt is as good.
            replication::create_slot(&source, &self.name, SLOT_DEADLINE).await?;
        } else if replication::slot(&source, &self.name).await?.is_none() {
            return Err(slot_is_gone(&self.name));
        }
        let target = cx.target().await?;
        complete_on_target(cx, &target).await?;
        barrier::create_barrier(&target, &self.name).await?;
        let conninfo = subscription::conninfo(&Publisher::from(&endpoint), &cx.settings.subscription_sslmode, &self.name);
        subscription::create_subscription(&target, &self.name, &conninfo, &self.name, &self.name, self.copy_data).await?;
        Ok(Value::Null)
    }

    async fn undo(&self, cx: &Context) -> Result<()> {
        let target = cx.target_unless_gone().await?;
        if let Some(target) = &target {
            subscription::drop_subscription(target, &self.name).await?;
        }
        let source = cx.source().await?;
        let left = self.slots(cx, &source).await?;
        if !left.is_empty() {
            // Azure's administrator has no REPLICATION of its own; the replication role has.
            let owner = cx.replication_endpoint().await?.connect().await?;
            for slot in left {
                replication::drop_slot(&owner, &slot).await?;
            }
        }
        if let Some(target) = &target {
            target.batch_execute(&format!("drop schema if exists {} cascade", Ident::new(&self.name))).await?;
        }
        Ok(())
    }

    async fn left_over(&self, cx: &Context) -> Result<Option<String>> {
        let mut left = Vec::new();
        if let Some(target) = cx.target_unless_gone().await? {
            if subscription::subscription(&target, &self.name).await?.is_some() {
                left.push(format!("subscription {}", self.name));
            }
            if schema_exists(&target, &self.name).await? {
                left.push(format!("schema {} on the target", self.name));
            }
        }
        left.extend(self.slots(cx, &cx.source().await?).await?.into_iter().map(|slot| format!("replication slot {slot}")));
        Ok((!left.is_empty()).then(|| left.join(", ")))
    }
}
