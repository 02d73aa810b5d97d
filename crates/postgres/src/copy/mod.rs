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

/// A pair of connections that carries tables; opened before a fence, it works behind it.
pub struct Ferry {
    source: Wire,
    target: Wire,
    pid: i32,
}

impl Ferry {
    /// Connects to both servers.
    ///
    /// # Errors
    /// What either server answered.
    pub async fn connect(source: &Endpoint, target: &Endpoint) -> Result<Self> {
        let (mut source, target) = tokio::try_join!(Wire::connect(source), Wire::connect(target))?;
        let pid = source.query_text("select pg_catalog.pg_backend_pid()").await?.and_then(|pid| pid.parse().ok());
        let pid = pid.ok_or_else(|| Error::new(ErrorKind::Other, "connect to the source", "the server does not say who it is"))?;
        Ok(Self { source, target, pid })
    }

    /// The source's process behind it.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Empties the target's tables and copies the source's rows into them, in one transaction there. Returns the rows written.
    /// The tables' own rows only, and no generated columns. A failed copy leaves the target's tables as they were.
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
        let carried = carry(&mut self.source, &mut self.target, &cargo, &|_, _| {}).await?;
        Ok(carried.rows.iter().sum())
    }
}
