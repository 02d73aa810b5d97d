use async_trait::async_trait;
use azure2neon_postgres::inventory::{self, ReplicaIdentity};
use azure2neon_postgres::{QualifiedName, Session, replica_identity};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Action;
use crate::context::Context;
use crate::error::Result;
use crate::operation::{Observed, Operation};
use crate::plan::Effect;

/// Gives tables without a primary key a replica identity: without one the source's own UPDATEs and DELETEs would fail
/// as soon as they are published.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SetReplicaIdentity {
    /// Which tables.
    pub changes: Vec<IdentityChange>,
}

/// A table's change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentityChange {
    /// The table.
    pub table: QualifiedName,
    /// Its replica identity before; put back at the end.
    pub from: ReplicaIdentity,
    /// During the migration.
    pub to: ReplicaIdentity,
}

impl SetReplicaIdentity {
    async fn set(&self, session: &Session, wanted: impl Fn(&IdentityChange) -> &ReplicaIdentity + Send) -> Result<()> {
        for change in differing(session, &self.changes, &wanted).await? {
            replica_identity::set(session, &change.table, wanted(change)).await?;
        }
        Ok(())
    }

    /// Sets the identities on the target of those tables whose index is there: a copy through this machine brings it later.
    async fn set_on_target(&self, target: &Session) -> Result<()> {
        let changes = self.ready_on_target(target).await?.into_iter().cloned().collect();
        Self { changes }.set(target, |change| &change.to).await
    }

    async fn ready_on_target(&self, target: &Session) -> Result<Vec<&IdentityChange>> {
        let tables = inventory::inventory(target).await?.tables;
        let has_index =
            |change: &&IdentityChange| tables.iter().any(|table| table.name == change.table && table.usable_unique_index.is_some());
        Ok(self.changes.iter().filter(|change| matches!(change.to, ReplicaIdentity::Index(_))).filter(has_index).collect())
    }

    /// The target looks rows up by its own identity, so an index must be the identity there too.
    fn on_target(&self) -> Vec<IdentityChange> {
        self.changes.iter().filter(|change| matches!(change.to, ReplicaIdentity::Index(_))).cloned().collect()
    }
}

/// Sets on the target what has become possible since the step was done; before the subscription, which needs it.
pub(super) async fn complete_on_target(cx: &Context, target: &Session) -> Result<()> {
    match cx.plan.step("set-replica-identity").map(|step| &step.action) {
        Some(Action::SetReplicaIdentity(step)) => step.set_on_target(target).await,
        _ => Ok(()),
    }
}

/// The changes whose table is not as wanted; tables that are gone need nothing.
async fn differing<'a>(
    session: &Session,
    changes: &'a [IdentityChange],
    wanted: impl Fn(&IdentityChange) -> &ReplicaIdentity,
) -> Result<Vec<&'a IdentityChange>> {
    if changes.is_empty() {
        return Ok(Vec::new());
    }
    let inventory = inventory::inventory(session).await?;
    Ok(changes
        .iter()
        .filter(|change| inventory.tables.iter().any(|table| table.name == change.table && table.replica_identity != *wanted(change)))
        .collect())
}

#[async_trait]
impl Operation for SetReplicaIdentity {
    fn effect(&self) -> Effect {
        if self.changes.is_empty() { Effect::Reads } else { Effect::Changes }
    }

    fn describe(&self) -> String {
        if self.changes.is_empty() {
            return "every table has a replica identity already".into();
        }
        let list: Vec<String> = self
            .changes
            .iter()
            .map(|change| {
                let to = match &change.to {
                    ReplicaIdentity::Index(index) => format!("by index {index}"),
                    other => format!("{other:?}").to_uppercase(),
                };
                format!("{}.{} {to}", change.table.schema, change.table.name)
            })
            .collect();
        format!("set the replica identity of {}", list.join(", "))
    }

    fn inverse(&self) -> Option<String> {
        (!self.changes.is_empty()).then(|| format!("put the replica identity of {} tables back", self.changes.len()))
    }

    async fn observe(&self, cx: &Context) -> Result<Observed> {
        let source = differing(&cx.source().await?, &self.changes, |change| &change.to).await?.len();
        let target = cx.target().await?;
        let ready: Vec<IdentityChange> = self.ready_on_target(&target).await?.into_iter().cloned().collect();
        let target = differing(&target, &ready, |change| &change.to).await?.len();
        Ok(match source + target {
            0 => Observed::present(),
            n => Observed::Partial(format!("{n} tables are not so yet")),
        })
    }

    async fn apply(&self, cx: &Context) -> Result<Value> {
        self.set(&cx.source().await?, |change| &change.to).await?;
        self.set_on_target(&cx.target().await?).await?;
        Ok(Value::Null)
    }

    async fn undo(&self, cx: &Context) -> Result<()> {
        self.set(&cx.source().await?, |change| &change.from).await?;
        match cx.target_unless_gone().await? {
            Some(target) => Self { changes: self.on_target() }.set(&target, |change| &change.from).await,
            None => Ok(()),
        }
    }

    async fn left_over(&self, cx: &Context) -> Result<Option<String>> {
        let mut left = differing(&cx.source().await?, &self.changes, |change| &change.from).await?.len();
        if let Some(target) = cx.target_unless_gone().await? {
            left += differing(&target, &self.on_target(), |change| &change.from).await?.len();
        }
        Ok((left > 0).then(|| format!("the replica identity of {left} tables")))
    }
}
