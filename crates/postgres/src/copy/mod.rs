//! Copying tables' rows as they are: a whole database under one snapshot, or a single table that replication leaves out.

mod load;
pub mod manners;
mod marks;
mod pace;
pub mod progress;
mod queue;
mod snapshot;
mod tables;
mod transfer;
mod units;
mod wire;
mod worker;

use crate::connect::Endpoint;
use crate::error::{Error, ErrorKind, Result};
use crate::inventory::Table;

pub use load::{Load, Loaded};
pub use marks::{Epoch, Marks};
pub use snapshot::Snapshot;
pub use tables::COPIED_TABLES;
pub use transfer::{Format, Statements};
pub use units::{Division, Extent, Range, Storage, TABLE_STORAGE, Unit, divide, publish, published, storage};
pub use wire::{Cargo, Carried, Meter, Wire, carry};

/// A connection for rows, with the server's process behind it.
pub type Lane = (Wire, i32);

/// Connects to where rows come from or go to.
///
/// # Errors
/// What the server answered.
pub async fn lane(endpoint: &Endpoint) -> Result<Lane> {
    let mut wire = Wire::connect(endpoint).await?;
    let pid = wire.query_text("select pg_catalog.pg_backend_pid()").await?.and_then(|pid| pid.parse().ok());
    let pid = pid.ok_or_else(|| Error::new(ErrorKind::Other, "connect for a copy", "the server does not say who it is"))?;
    Ok((wire, pid))
}

/// A pair of connections that carries tables; opened before a fence, it works behind it.
pub struct Ferry {
    from: Lane,
    to: Lane,
}

impl Ferry {
    /// Carries from one to the other.
    pub fn new(from: Lane, to: Lane) -> Self {
        Self { from, to }
    }

    /// The process where the rows come from.
    pub fn pid(&self) -> i32 {
        self.from.1
    }

    /// Empties the tables where the rows go to and copies the rows into them, in one transaction there. Returns the rows written.
    /// The tables' own rows only, and no generated columns. A failed copy leaves those tables as they were.
    ///
    /// # Errors
    /// What either server answered.
    pub async fn copy(&mut self, tables: &[Table]) -> Result<u64> {
        if tables.is_empty() {
            return Ok(0);
        }
        let names: Vec<String> = tables.iter().map(|table| table.name.to_string()).collect();
        let before = format!("begin; truncate only {}", names.join(", only "));
        let cargo = Cargo { before, tables: tables.iter().map(Statements::text).collect(), after: "commit".into() };
        let carried = carry(&mut self.from.0, &mut self.to.0, &cargo, &|_, _| {}).await?;
        Ok(carried.rows.iter().sum())
    }
}
