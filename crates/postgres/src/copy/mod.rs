//! Copying tables' rows as they are: a whole database under one snapshot, or a single table that replication leaves out.

mod load;
pub mod manners;
mod pace;
pub mod progress;
mod queue;
mod tables;
mod transfer;

use crate::connect::Session;
use crate::error::{Doing, Result};
use crate::inventory::Table;

pub use load::{Load, Loaded, loaded_at};
use transfer::{Statements, transfer};

/// Empties the target's table and copies the source's rows into it, in one transaction there. Returns the rows written.
/// The table's own rows only, and no generated columns. A failed copy leaves the target's table as it was.
///
/// # Errors
/// What either server answered.
pub async fn copy_table(source: &Session, target: &Session, table: &Table) -> Result<u64> {
    let doing = || format!("copy {}", table.name);
    target.batch_execute(&format!("begin; truncate only {}", table.name)).await.doing(doing)?;
    let copied = transfer(source, target, &[Statements::text(table)], None).await;
    let end = if copied.is_ok() { "commit" } else { "rollback" };
    let ended = target.batch_execute(end).await.doing(doing);
    let rows = copied?;
    ended?;
    Ok(rows.into_iter().sum())
}
