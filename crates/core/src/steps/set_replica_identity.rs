use async_trait::async_trait;
use azure2neon_postgres::inventory::{self, ReplicaIdentity, Table};
use azure2neon_postgres::{QualifiedName, Session, replica_identity};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Action;
use crate::context::Context;
use crate::error::Result;
use crate::operation::{Observed, Operation};
use crate::plan::Effect;
use crate::units;

/// So many tables are named.
const LISTED: usize = 10;

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
    /// Sets on the source what is not so yet.
    async fn set_on_source(&self, source: &Session, wanted: fn(&IdentityChange) -> &ReplicaIdentity) -> Result<()> {
        set(source, self.differing(source, |change, table| table.replica_identity != *wanted(change)).await?, wanted).await
    }

    /// Sets on the target what can be and is not so yet.
    async fn set_on_target(&self, target: &Session) -> Result<()> {
        set(target, self.differing(target, is_due_on_target).await?, |change| &change.to).await
    }

    /// The changes whose table differs; tables that are gone need nothing.
    async fn differing(&self, session: &Session, differs: impl Fn(&IdentityChange, &Table) -> bool + Send) -> Result<Vec<&IdentityChange>> {
        if self.changes.is_empty() {
            return Ok(Vec::new());
        }
        let tables = inventory::inventory(session).await?.tables;
        let there = |change: &&IdentityChange| tables.iter().any(|table| table.name == change.table && differs(change, table));
        Ok(self.changes.iter().filter(there).collect())
    }
}

/// The target looks rows up by its own identity, so an index must be the identity there too.
fn concerns_target(change: &IdentityChange) -> bool {
    matches!(change.to, ReplicaIdentity::Index(_))
}

/// Whether the target's table waits for its identity, and has an index for it: a copy through this machine brings that later.
fn is_due_on_target(change: &IdentityChange, table: &Table) -> bool {
    concerns_target(change) && table.usable_unique_index.is_some() && table.replica_identity != change.to
}

/// Whether the target's table is not as before.
fn is_changed_on_target(change: &IdentityChange, table: &Table) -> bool {
    concerns_target(change) && table.replica_identity != change.from
}

async fn set(session: &Session, changes: Vec<&IdentityChange>, wanted: fn(&IdentityChange) -> &ReplicaIdentity) -> Result<()> {
    for change in changes {
        replica_identity::set(session, &change.table, wanted(change)).await?;
    }
    Ok(())
}

/// Sets on the target what has become possible since the step was done; before the subscription, which needs it.
pub(crate) async fn complete_on_target(cx: &Context, target: &Session) -> Result<()> {
    match cx.plan.step("set-replica-identity").map(|step| &step.action) {
        Some(Action::SetReplicaIdentity(step)) => step.set_on_target(target).await,
        _ => Ok(()),
    }
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
        format!("set the replica identity of {}", units::listed(&list, LISTED))
    }

    fn inverse(&self) -> Option<String> {
        (!self.changes.is_empty()).then(|| format!("put the replica identity of {} tables back", self.changes.len()))
    }

    async fn observe(&self, cx: &Context) -> Result<Observed> {
        let source = self.differing(&cx.source().await?, |change, table| table.replica_identity != change.to).await?.len();
        let target = self.differing(&cx.target().await?, is_due_on_target).await?.len();
        Ok(match source + target {
            0 => Observed::present(),
            n => Observed::Partial(format!("{n} tables are not so yet")),
        })
    }

    async fn apply(&self, cx: &Context) -> Result<Value> {
        self.set_on_source(&cx.source().await?, |change| &change.to).await?;
        self.set_on_target(&cx.target().await?).await?;
        Ok(Value::Null)
    }

    async fn undo(&self, cx: &Context) -> Result<()> {
        self.set_on_source(&cx.source().await?, |change| &change.from).await?;
        match cx.target_unless_gone().await? {
            Some(target) => set(&target, self.differing(&target, is_changed_on_target).await?, |change| &change.from).await,
            None => Ok(()),
        }
    }

    async fn left_over(&self, cx: &Context) -> Result<Option<String>> {
        let mut left = self.differing(&cx.source().await?, |change, table| table.replica_identity != change.from).await?.len();
        if let Some(target) = cx.target_unless_gone().await? {
            left += self.differing(&target, is_changed_on_target).await?.len();
        }
        Ok((left > 0).then(|| format!("the replica identity of {left} tables")))
    }
}
