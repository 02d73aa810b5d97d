//! That a fence held, read in the WAL: a slot of its own tells every change that was committed behind the fence, whoever made it.

use std::time::Duration;

use tokio_postgres::types::Type;

use crate::barrier::MAKE_DURABLE;
use crate::connect::Session;
use crate::error::{Doing, Result};
use crate::ident::Ident;
use crate::lsn::Lsn;
use crate::replication::{create_slot, drop_slot};

/// What a slot would send of what was committed behind a position.
pub const FOREIGN_CHANGES: &str = include_str!("../sql/foreign_changes.sql");

/// A slot that nobody consumes. It keeps WAL as long as it is there, so it is made right before a fence and dropped soon after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    /// The slot's name.
    pub slot: String,
    /// The publications whose tables it watches.
    pub publications: Vec<String>,
}

/// Changes that got through a fence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ForeignChanges {
    /// Committed transactions.
    pub transactions: i64,
    /// Inserted, updated and deleted rows, and truncated tables.
    pub changes: i64,
    /// In these tables.
    pub tables: Vec<String>,
}

impl Witness {
    /// Makes the slot, anew if it is there: the farther it lies back, the more there is to read when it is asked. As a role with
    /// REPLICATION.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Timeout`] names the transactions that a new slot waits for.
    pub async fn call(&self, session: &Session, deadline: Duration) -> Result<()> {
        drop_slot(session, &self.slot).await?;
        create_slot(session, &self.slot, deadline).await
    }

    /// What was committed behind `position`, in one round trip.
    ///
    /// # Errors
    /// What the server answered.
    pub async fn ask(&self, session: &Session, position: Lsn) -> Result<ForeignChanges> {
        let names: Vec<String> = self.publications.iter().map(|name| Ident::new(name).to_string()).collect();
        let parameters = [
            (&self.slot as &(dyn tokio_postgres::types::ToSql + Sync), Type::TEXT),
            (&names.join(","), Type::TEXT),
            (&position.to_string(), Type::TEXT),
        ];
        let what = || "read the log behind the fence";
        // The log is read as far as it is on disk, and whoever reads waits for the rest of a record of which only a part is: for seconds
        // where nobody commits any more. Reading tables makes such records, too (hint bits).
        let read = session.query_typed_one(FOREIGN_CHANGES, &parameters);
        let (durable, row) = tokio::join!(session.batch_execute(MAKE_DURABLE), read);
        durable.doing(what)?;
        let row = row.doing(what)?;
        Ok(ForeignChanges { transactions: row.try_get(0)?, changes: row.try_get(1)?, tables: row.try_get(2)? })
    }

    /// Drops the slot; one that is absent is fine.
    ///
    /// # Errors
    /// What the server answered.
    pub async fn dismiss(&self, session: &Session) -> Result<()> {
        drop_slot(session, &self.slot).await
    }
}
