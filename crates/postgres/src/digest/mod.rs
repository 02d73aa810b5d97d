//! Digests of rows: equal on two servers if and only if (up to hash collisions) the rows are.
//!
//! A row's hash is the server's own hash of a record of its columns. That hash is linear in those of the columns, so a plain sum of
//! them over some rows would not see two rows that swap a value: each row's hash is mixed once more before it is added. The sum needs no
//! order, hence no collation, and is equal in whatever order and place the rows are kept.

mod expression;
mod extent;
mod read;
mod repair;
mod statement;
mod subject;

use serde::{Deserialize, Serialize};

pub use extent::{Extent, cut, split};
pub use read::{Digest, Identity, Piece, RowState, Rows, Which, columns, digests, rows};
pub use repair::{Repair, RepairRow, repair};
pub use subject::{Activity, COMPARED_TABLES, Candidate, Key, Subject, Surveyed, statistics_token, strangers, subject, survey};

use crate::connect::Session;
use crate::error::{Doing, Result};
use crate::inventory::{Column, Table, TableKind};

/// Row count and order-free sum of row hashes, as text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableDigest {
    /// Number of rows.
    pub rows: i64,
    /// The sum.
    pub sum: String,
}

/// Digests the rows of `table` itself: not those of inheritance children or, for a partitioned root, of its leaves.
/// Columns are taken in the order of their names, so that both servers may hold them in another.
///
/// # Errors
/// What the server answered; row-level security that would hide rows is one (42501).
pub async fn digest(session: &Session, table: &Table) -> Result<TableDigest> {
    if table.kind == TableKind::Partitioned {
        return Ok(TableDigest { rows: 0, sum: "0".into() });
    }
    let row = session.query_typed_one(&statement(table), &[]).await.doing(|| format!("digest {}", table.name))?;
    Ok(TableDigest { rows: row.try_get(0)?, sum: row.try_get(1)? })
}

/// The statement that computes the digest.
pub fn statement(table: &Table) -> String {
    let hash = expression::row_hash(&in_order(&table.columns), 0);
    format!(
        "select pg_catalog.count(*), {} from (select {hash} as h from only {} as azure2neon_row offset 0) s",
        expression::SUM,
        table.name
    )
}

/// A new number for all hashes of a compare to depend on: what one should miss by chance, the next doesn't.
pub fn seed() -> i64 {
    i64::from(fastrand::i32(1..))
}

/// Columns in the order of their names.
fn in_order(columns: &[Column]) -> Vec<Column> {
    let mut columns = columns.to_vec();
    columns.sort_by(|a, b| a.name.cmp(&b.name));
    columns
}
