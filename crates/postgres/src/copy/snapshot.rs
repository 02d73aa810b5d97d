//! The moment of the source that a copy reads.

use crate::connect::{Endpoint, Session};
use crate::error::{Doing, Result};
use crate::ident::literal;
use crate::lsn::Lsn;
use crate::walsender::ExportedSlot;

/// A snapshot of the source. It can be imported for as long as this value's session lives, which reads nothing and locks nothing.
pub struct Snapshot {
    session: Session,
    name: String,
    /// What was committed before is in it; what comes later comes through the slot.
    pub position: Lsn,
}

impl Snapshot {
    /// The snapshot at which the slot begins, kept by a session of its own: an idle walsender's connection is no place for it.
    ///
    /// # Errors
    /// What the server answered, so too when the slot's snapshot is gone.
    pub async fn of_slot(source: &Endpoint, slot: &ExportedSlot) -> Result<Self> {
        let session = source.connect().await?;
        session.batch_execute(&import(&slot.snapshot)).await.doing(|| "import the slot's snapshot")?;
        Self::export(session, slot.consistent_point).await
    }

    /// The state of this moment; for a source that nobody writes to.
    ///
    /// # Errors
    /// What the server answered.
    pub async fn now(source: &Endpoint) -> Result<Self> {
        let session = source.connect().await?;
        session.batch_execute("begin isolation level repeatable read read only").await.doing(|| "take a snapshot")?;
        Self::export(session, Lsn::default()).await
    }

    async fn export(session: Session, position: Lsn) -> Result<Self> {
        let row = session.query_one("select pg_catalog.pg_export_snapshot()", &[]).await.doing(|| "export the snapshot")?;
        Ok(Self { name: row.try_get(0)?, session, position })
    }

    /// Begins a transaction that reads it.
    pub(super) fn begin(&self) -> String {
        import(&self.name)
    }

    /// Whether it can still be imported.
    pub(super) fn is_alive(&self) -> bool {
        !self.session.is_closed()
    }
}

fn import(name: &str) -> String {
    format!("begin isolation level repeatable read read only; set transaction snapshot {}", literal(name))
}
