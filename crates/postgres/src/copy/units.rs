//! The units of the copy: what is copied as a whole, and from then on follows the source by a publication of its own.
//!
//! They are fixed before the first slot is made, since a publication must be older than the slot that its changes come through.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use tokio_postgres::Row;

use super::tables::{Measured, measure};
use crate::connect::Session;
use crate::error::{Doing, Result};
use crate::ident::{Ident, QualifiedName, literal};

/// Tables' files, by schemas and names.
pub const TABLE_STORAGE: &str = include_str!("../../sql/table_storage.sql");
/// A table smaller than this shares its transaction and round trips with others, in bytes.
const SMALL: i64 = 2 << 20;
/// So many small tables do,
const BATCH: usize = 24;
/// and so many bytes of them.
const BATCH_BYTES: i64 = 16 << 20;
/// Not many more units than this: a subscription names the publications of its units, and each is asked about each table.
const UNITS: usize = 400;
/// Fewer workers than this are kept busy by whole tables, whose rows can be frozen.
const WORKERS_TO_SPLIT: usize = 4;
/// A table is not cut into more parts than this.
const MOST_PARTS: usize = 64;
/// So many publications are made in one transaction.
const CHUNK: usize = 100;

/// What is copied as a whole or not at all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unit {
    /// Its number, from 1 on.
    pub number: i32,
    /// Which rows.
    pub extent: Extent,
}

/// The rows of a unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Extent {
    /// All of these tables.
    Tables(Vec<QualifiedName>),
    /// All of one table, in so many parts by blocks.
    Blocks {
        /// The table.
        table: QualifiedName,
        /// How many parts.
        parts: i32,
    },
    /// The part of a table whose key is in a range.
    Range(Range),
}

/// A range of a table's key: from `from`, included, up to `to`, excluded; open where there is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    /// The table.
    pub table: QualifiedName,
    /// The first column of its primary key.
    pub column: String,
    /// The lower bound.
    pub from: Option<i64>,
    /// The upper bound.
    pub to: Option<i64>,
}

impl Range {
    /// The range as a condition.
    pub fn condition(&self) -> String {
        let column = Ident::new(&*self.column);
        let bounds = [self.from.map(|from| format!("{column} >= {from}")), self.to.map(|to| format!("{column} < {to}"))];
        bounds.into_iter().flatten().collect::<Vec<_>>().join(" and ")
    }
}

impl Unit {
    /// The name of its publication in the run `mark`.
    pub fn publication(&self, mark: &str) -> String {
        format!("{mark}_u{}", self.number)
    }

    /// The tables that it has rows of.
    pub fn tables(&self) -> &[QualifiedName] {
        match &self.extent {
            Extent::Tables(tables) => tables,
            Extent::Blocks { table, .. } | Extent::Range(Range { table, .. }) => std::slice::from_ref(table),
        }
    }

    /// In how many transactions it is copied.
    pub fn parts(&self) -> i32 {
        match &self.extent {
            Extent::Blocks { parts, .. } => *parts,
            Extent::Tables(_) | Extent::Range(_) => 1,
        }
    }

    /// What its publication is for, as CREATE PUBLICATION takes it.
    fn published(&self) -> String {
        // ONLY keeps inheritance children out, which are in units themselves.
        let tables: Vec<String> = self.tables().iter().map(|table| format!("only {table}")).collect();
        match &self.extent {
            Extent::Range(range) => format!("{} where ({})", tables.join(", "), range.condition()),
            _ => tables.join(", "),
        }
    }
}

/// How to divide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Division {
    /// How many workers will copy.
    pub workers: usize,
    /// A larger table is cut into parts, in bytes: so much at most is copied again by each worker when the copy is broken off.
    pub part_bytes: i64,
}

/// Divides these tables of the session's database.
///
/// # Errors
/// What the server answered.
pub async fn divide(source: &Session, tables: &[QualifiedName], division: Division) -> Result<Vec<Unit>> {
    let measured = measure(source, tables).await?;
    let sizes: Vec<i64> = measured.iter().map(|table| table.data_bytes).collect();
    // Row filters came with 15.
    let by_key = source.major() >= 15;
    let extents = cut(&sizes, division).into_iter().flat_map(|cut| match cut {
        Cut::Whole(tables) => vec![Extent::Tables(tables.into_iter().map(|table| measured[table].table.name.clone()).collect())],
        Cut::Parts(table, parts) => in_parts(&measured[table], parts, by_key),
    });
    Ok(extents.zip(1..).map(|(extent, number)| Unit { number, extent }).collect())
}

fn in_parts(measured: &Measured, parts: usize, by_key: bool) -> Vec<Extent> {
    let table = &measured.table.name;
    let ranges = match &measured.key {
        Some(key) if by_key => ranges(table, &key.column, &key.histogram, parts),
        _ => Vec::new(),
    };
    if ranges.len() > 1 {
        return ranges.into_iter().map(Extent::Range).collect();
    }
    vec![Extent::Blocks { table: table.clone(), parts: i32::try_from(parts).unwrap_or(1) }]
}

/// So many ranges of about equally many rows, or fewer where the histogram has no more bounds.
fn ranges(table: &QualifiedName, column: &str, histogram: &[i64], parts: usize) -> Vec<Range> {
    let last = histogram.len().saturating_sub(1);
    let inner: BTreeSet<i64> =
        (1..parts).map(|n| last * n / parts).filter(|at| *at > 0).filter_map(|at| histogram.get(at).copied()).collect();
    let bounds: Vec<Option<i64>> = std::iter::once(None).chain(inner.into_iter().map(Some)).chain([None]).collect();
    let range = |pair: &[Option<i64>]| Range { table: table.clone(), column: column.to_owned(), from: pair[0], to: pair[1] };
    bounds.windows(2).map(range).collect()
}

#[derive(Debug, PartialEq, Eq)]
enum Cut {
    Whole(Vec<usize>),
    Parts(usize, usize),
}

/// Small tables together; one that would keep a worker busy beyond all others, or that is large by itself, in parts.
fn cut(sizes: &[i64], division: Division) -> Vec<Cut> {
    let number = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    let total: i64 = sizes.iter().sum();
    let share = total / number(division.workers.max(1));
    let small = SMALL.max(total / number(UNITS));
    let batch = BATCH.max(sizes.len() / (UNITS / 2));
    let batch_bytes = BATCH_BYTES.max(total / number(UNITS / 2));
    let mut cuts = Vec::new();
    let (mut together, mut bytes_together) = (Vec::new(), 0);
    for (table, &bytes) in sizes.iter().enumerate() {
        if bytes >= small {
            let by_share = if division.workers >= WORKERS_TO_SPLIT && bytes > share { division.workers } else { 1 };
            let by_size = usize::try_from(bytes / division.part_bytes.max(1)).unwrap_or(MOST_PARTS) + 1;
            match by_share.max(by_size).min(MOST_PARTS) {
                1 => cuts.push(Cut::Whole(vec![table])),
                parts => cuts.push(Cut::Parts(table, parts)),
            }
            continue;
        }
        if together.len() == batch || (bytes_together + bytes > batch_bytes && !together.is_empty()) {
            cuts.push(Cut::Whole(std::mem::take(&mut together)));
            bytes_together = 0;
        }
        together.push(table);
        bytes_together += bytes;
    }
    if !together.is_empty() {
        cuts.push(Cut::Whole(together));
    }
    cuts
}

/// Makes the publications that are missing of these units.
///
/// # Errors
/// What the server answered.
pub async fn publish(source: &Session, mark: &str, units: &[Unit]) -> Result<()> {
    let present = published(source, mark).await?;
    let missing: Vec<&Unit> = units.iter().filter(|unit| !present.contains(&unit.publication(mark))).collect();
    for chunk in missing.chunks(CHUNK) {
        let create = |unit: &&Unit| format!("create publication {} for table {}", Ident::new(unit.publication(mark)), unit.published());
        let statements: Vec<String> = chunk.iter().map(create).collect();
        let done = source.batch_execute(&format!("begin; {}; commit", statements.join("; "))).await;
        if done.is_err() {
            let _ = source.batch_execute("rollback").await;
        }
        done.doing(|| "publish the units of the copy")?;
    }
    Ok(())
}

/// The names of the publications that are the run's: the one of its name, and those whose names begin with it and an underscore.
///
/// # Errors
/// What the server answered.
pub async fn published(source: &Session, mark: &str) -> Result<BTreeSet<String>> {
    let sql = format!(
        "select pubname::pg_catalog.text from pg_catalog.pg_publication where pubname = {0} or pg_catalog.starts_with(pubname, {1})",
        literal(mark),
        literal(&format!("{mark}_"))
    );
    let rows = source.query(&sql, &[]).await.doing(|| "list the publications")?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// What a table's rows are kept in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Storage {
    /// The file; another one means that the table was emptied, or written anew.
    pub file: i64,
    /// Bytes of values that are too long for their rows.
    pub out_of_line: i64,
}

/// What the rows of each of these tables are kept in; absent tables are left out.
///
/// # Errors
/// What the server answered.
pub async fn storage(session: &Session, tables: &[&QualifiedName]) -> Result<BTreeMap<QualifiedName, Storage>> {
    let (schemas, names): (Vec<&str>, Vec<&str>) = tables.iter().map(|table| (&*table.schema, &*table.name)).unzip();
    let rows = session.query(TABLE_STORAGE, &[&schemas, &names]).await.doing(|| "read the tables' files")?;
    let entry = |row: &Row| {
        let name = QualifiedName::new(row.try_get::<_, String>("schema")?, row.try_get::<_, String>("name")?);
        Ok((name, Storage { file: row.try_get("file")?, out_of_line: row.try_get("out_of_line")? }))
    };
    rows.iter().map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn division(workers: usize) -> Division {
        Division { workers, part_bytes: 1 << 40 }
    }

    #[test]
    fn small_tables_go_together_and_one_that_outweighs_the_rest_is_cut() {
        let sizes = [1, SMALL * 20, SMALL, 1];
        let whole = |tables: &[usize]| Cut::Whole(tables.to_vec());
        assert_eq!(cut(&sizes, division(2)), [whole(&[1]), whole(&[2]), whole(&[0, 3])]);
        assert_eq!(cut(&sizes, division(4)), [Cut::Parts(1, 4), whole(&[2]), whole(&[0, 3])]);
        assert_eq!(cut(&sizes, Division { workers: 2, part_bytes: SMALL * 7 })[0], Cut::Parts(1, 3));
        let fifty = cut(&[1; 50], division(4));
        assert_eq!(fifty, [whole(&(0..24).collect::<Vec<_>>()), whole(&(24..48).collect::<Vec<_>>()), whole(&[48, 49])]);
        assert_eq!(cut(&[SMALL - 1; 17], division(4)).len(), 3, "so much and no more in one transaction");
        assert!(cut(&[SMALL; 100_000], division(4)).len() <= UNITS);
        assert!(cut(&[100; 100_000], division(4)).len() <= UNITS);
    }

    #[test]
    fn ranges_touch_and_leave_nothing_out() {
        let table = QualifiedName::new("public", "t");
        let conditions = |histogram: &[i64], parts| ranges(&table, "Id", histogram, parts).iter().map(Range::condition).collect::<Vec<_>>();
        assert_eq!(conditions(&[0, 10, 20, 30, 40], 3), ["\"Id\" < 10", "\"Id\" >= 10 and \"Id\" < 20", "\"Id\" >= 20"]);
        assert_eq!(conditions(&[-7, 3, 5, 9], 64).len(), 3, "as many as there are bounds between the first and the last");
        assert_eq!(conditions(&[], 4).len(), 1);
    }
}
