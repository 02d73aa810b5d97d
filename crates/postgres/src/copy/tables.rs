//! What is known of the tables that are to be copied.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::transfer::{Format, Statements};
use super::units::Range;
use crate::connect::Session;
use crate::error::{Doing, Result};
use crate::ident::QualifiedName;
use crate::inventory::{Table, inventory};
use crate::schema::{Entry, indexed_table};

/// Sizes, the form of travel and the key, by tables' oids.
pub const COPIED_TABLES: &str = include_str!("../../sql/copied_tables.sql");

/// A table with what decides how it is copied.
pub(super) struct Measured {
    pub(super) table: Table,
    pub(super) format: Format,
    /// Heap and TOAST, in bytes.
    pub(super) data_bytes: i64,
    /// All of its indexes, in bytes.
    pub(super) index_bytes: i64,
    /// Heap blocks.
    blocks: i64,
    /// The key by whose ranges it can be cut.
    pub(super) key: Option<Key>,
}

/// A key of whole numbers.
pub(super) struct Key {
    /// Its first column.
    pub(super) column: String,
    /// Bounds between which are equally many rows.
    pub(super) histogram: Vec<i64>,
}

impl Measured {
    /// What is left to do for it, in bytes to be written: as long as any of it is, nothing that waits for the table can begin.
    pub(super) fn path(&self) -> i64 {
        self.data_bytes + self.index_bytes
    }

    /// The statements for the whole table.
    pub(super) fn whole(&self) -> Statements {
        Statements::whole(&self.table, self.format)
    }

    /// The same, for a transaction that emptied it: its rows are frozen.
    pub(super) fn frozen(&self) -> Statements {
        Statements::frozen(&self.table, self.format)
    }

    /// The statements for its `n`th part of `parts`, by blocks.
    pub(super) fn part(&self, n: i32, parts: i32) -> Statements {
        let edge = |n: i32| self.blocks * i64::from(n) / i64::from(parts);
        // Rows that came since the size was read lie behind, and the snapshot leaves out what it must.
        let upto = if n + 1 < parts { format!(" and ctid < '({},0)'", edge(n + 1)) } else { String::new() };
        Statements::part(&self.table, self.format, format!("ctid >= '({},0)'{upto}", edge(n)))
    }

    /// The statements for the rows whose key is in the range.
    pub(super) fn range(&self, range: &Range) -> Statements {
        Statements::part(&self.table, self.format, range.condition())
    }
}

/// Measures those of these tables that are there, in the order of their names.
pub(super) async fn measure(source: &Session, tables: &[QualifiedName]) -> Result<Vec<Measured>> {
    let wanted: BTreeSet<&QualifiedName> = tables.iter().collect();
    let found = inventory(source).await?.tables;
    let mut found: HashMap<u32, Table> =
        found.into_iter().filter(|table| table.has_storage() && wanted.contains(&table.name)).map(|table| (table.oid, table)).collect();
    let oids: Vec<u32> = found.keys().copied().collect();
    let mut measured = Vec::with_capacity(oids.len());
    for row in source.query(COPIED_TABLES, &[&oids]).await.doing(|| "read the tables' sizes")? {
        let Some(table) = found.remove(&row.try_get("oid")?) else { continue };
        let column = row.try_get::<_, Option<String>>("key_column")?;
        let histogram = row.try_get::<_, Option<Vec<i64>>>("key_histogram")?;
        measured.push(Measured {
            format: if row.try_get("binary")? { Format::Binary } else { Format::Text },
            data_bytes: row.try_get("data_bytes")?,
            index_bytes: row.try_get("index_bytes")?,
            blocks: row.try_get("blocks")?,
            key: column.zip(histogram).map(|(column, histogram)| Key { column, histogram }),
            table,
        });
    }
    measured.sort_by(|a, b| a.table.name.cmp(&b.table.name));
    Ok(measured)
}

/// Of `entries`, the indexes and constraints that are made of one table alone, by table.
pub(super) fn indexes_by_table(entries: &[Entry]) -> BTreeMap<QualifiedName, Vec<Entry>> {
    let mut indexes: BTreeMap<QualifiedName, Vec<Entry>> = BTreeMap::new();
    for entry in entries {
        if let Some(table) = indexed_table(entry) {
            indexes.entry(table).or_default().push(entry.clone());
        }
    }
    indexes
}
