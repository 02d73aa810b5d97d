//! What is to be copied, and in which pieces.

use std::collections::{BTreeSet, HashMap};

use super::transfer::{Format, Statements};
use crate::connect::Session;
use crate::error::{Doing, Result};
use crate::ident::QualifiedName;
use crate::inventory::{Persistence, Table, inventory};
use crate::schema::{Entry, indexed_table};

/// Sizes and the form of travel, by tables' oids.
pub const COPIED_TABLES: &str = include_str!("../../sql/copied_tables.sql");
/// A table smaller than this shares its transaction and round trips with others, in bytes.
const SMALL: i64 = 2 << 20;
/// So many small tables do at most,
const BATCH: usize = 24;
/// and so many bytes of them.
const BATCH_BYTES: i64 = 16 << 20;
/// Fewer workers than this are kept busy by whole tables, whose rows can be frozen.
const WORKERS_TO_SPLIT: usize = 4;

/// A table to be copied.
pub(super) struct Copied {
    pub(super) table: Table,
    pub(super) format: Format,
    /// Heap and TOAST, in bytes.
    pub(super) data_bytes: i64,
    /// All of its indexes on the source, in bytes.
    pub(super) index_bytes: i64,
    /// Its indexes and constraints that are made as soon as it is in.
    pub(super) indexes: Vec<Entry>,
    /// Heap blocks.
    blocks: i64,
}

impl Copied {
    /// What is left to do for it, in bytes to be written: as long as any of it is, nothing that waits for the table can begin.
    pub(super) fn path(&self) -> i64 {
        self.data_bytes + self.index_bytes
    }

    /// The statements of its `n`th part of `parts`; frozen if it is the only one.
    pub(super) fn statements(&self, n: usize, parts: usize) -> Statements {
        if parts == 1 {
            return Statements::frozen(&self.table, self.format);
        }
        let edge = |n: usize| self.blocks * i64::try_from(n).unwrap_or(i64::MAX) / i64::try_from(parts).unwrap_or(i64::MAX);
        // Rows that came since the size was read lie behind, and the snapshot leaves out what it must.
        Statements::part(&self.table, self.format, edge(n), (n + 1 < parts).then(|| edge(n + 1)))
    }
}

/// A piece of the copy.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// Whole tables, in one transaction.
    Whole(Vec<usize>),
    /// One of several parts of a table.
    Part { table: usize, n: usize, parts: usize },
}

/// The source's permanent tables that the target has too, with those of `entries` that are their indexes.
pub(super) async fn tables_to_copy(source: &Session, target: &Session, entries: &[Entry]) -> Result<Vec<Copied>> {
    let (left, right) = tokio::try_join!(inventory(source), inventory(target))?;
    let present: BTreeSet<QualifiedName> = right.tables.into_iter().map(|table| table.name).collect();
    let mut indexes: HashMap<QualifiedName, Vec<Entry>> = HashMap::new();
    for entry in entries {
        if let Some(table) = indexed_table(entry) {
            indexes.entry(table).or_default().push(entry.clone());
        }
    }
    let replicated = |table: &Table| table.has_storage() && table.persistence == Persistence::Permanent && present.contains(&table.name);
    let mut tables: HashMap<u32, Table> = left.tables.into_iter().filter(replicated).map(|table| (table.oid, table)).collect();
    let oids: Vec<u32> = tables.keys().copied().collect();
    let mut copied = Vec::with_capacity(oids.len());
    for row in source.query(COPIED_TABLES, &[&oids]).await.doing(|| "read the tables' sizes")? {
        let Some(table) = tables.remove(&row.try_get("oid")?) else { continue };
        copied.push(Copied {
            format: if row.try_get("binary")? { Format::Binary } else { Format::Text },
            data_bytes: row.try_get("data_bytes")?,
            index_bytes: row.try_get("index_bytes")?,
            indexes: indexes.remove(&table.name).unwrap_or_default(),
            blocks: row.try_get("blocks")?,
            table,
        });
    }
    Ok(copied)
}

/// Cuts the tables into pieces: small ones together, one that would keep a worker busy beyond all others in parts.
pub(super) fn pieces(sizes: &[i64], workers: usize) -> Vec<Piece> {
    let share = sizes.iter().sum::<i64>() / i64::try_from(workers).unwrap_or(1).max(1);
    let mut pieces = Vec::new();
    let (mut batch, mut batch_bytes) = (Vec::new(), 0);
    for (table, &bytes) in sizes.iter().enumerate() {
        if bytes >= SMALL {
            let split = workers >= WORKERS_TO_SPLIT && bytes > share;
            let parts = if split { workers } else { 1 };
            match parts {
                1 => pieces.push(Piece::Whole(vec![table])),
                parts => pieces.extend((0..parts).map(|n| Piece::Part { table, n, parts })),
            }
            continue;
        }
        if batch.len() == BATCH || batch_bytes + bytes > BATCH_BYTES {
            pieces.push(Piece::Whole(std::mem::take(&mut batch)));
            batch_bytes = 0;
        }
        batch.push(table);
        batch_bytes += bytes;
    }
    if !batch.is_empty() {
        pieces.push(Piece::Whole(batch));
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_tables_go_together_and_one_that_outweighs_the_rest_is_cut() {
        let sizes = [1, SMALL * 20, SMALL, 1];
        let whole = |tables: &[usize]| Piece::Whole(tables.to_vec());
        assert_eq!(pieces(&sizes, 2), [whole(&[1]), whole(&[2]), whole(&[0, 3])]);
        let four = pieces(&sizes, 4);
        assert_eq!(four.len(), 6);
        assert_eq!(four[3], Piece::Part { table: 1, n: 3, parts: 4 });
        assert_eq!(pieces(&[1; 50], 4), [whole(&(0..24).collect::<Vec<_>>()), whole(&(24..48).collect::<Vec<_>>()), whole(&[48, 49])]);
        assert_eq!(pieces(&[SMALL - 1; 17], 4).len(), 3, "so much and no more in one transaction");
    }
}
