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
use crate::error::Result;
use crate::inventory::Table;

pub use load::{Load, Loaded};
pub use marks::{Epoch, Marks};
pub use snapshot::Snapshot;
pub use tables::COPIED_TABLES;
pub use transfer::{Format, Statements};
pub use units::{Division, Extent, Range, Storage, TABLE_STORAGE, Unit, divide, publish, published, storage};
pub use wire::{Cargo, Carried, Meter, Wire, carry};

/// Empties the target's tables and copies the source's rows into them, in one transaction there. Returns the rows written.
/// The tables' own rows only, and no generated columns. A failed copy leaves the target's tables as they were.
///
/// # Errors
/// What either server answered.
pub async fn copy_tables(source: &Endpoint, target: &Endpoint, tables: &[Table]) -> Result<u64> {
    if tables.is_empty() {
        return Ok(0);
    }
    let (mut source, mut target) = tokio::try_join!(Wire::connect(source), Wire::connect(target))?;
    let names: Vec<String> = tables.iter().map(|table| table.name.to_string()).collect();
    let before = format!("begin; truncate only {}", names.join(", only "));
    let cargo = Cargo { before, tables: tables.iter().map(Statements::text).collect(), after: "commit".into() };
    let carried = carry(&mut source, &mut target, &cargo, &|_, _| {}).await?;
    Ok(carried.rows.iter().sum())
}
