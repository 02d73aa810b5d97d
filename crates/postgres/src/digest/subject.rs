//! A table as a compare reads it on both servers alike.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tokio_postgres::Row;

use super::in_order;
use crate::connect::Session;
use crate::error::{Doing, Error, ErrorKind, Result};
use crate::ident::QualifiedName;
use crate::inventory::{Column, Table};

/// Sizes, counters and keys, by schemas and names.
pub const COMPARED_TABLES: &str = include_str!("../../sql/compared_tables.sql");
/// Types that every server orders alike; those with a collation only where that is the code points' order.
const ORDERED: &[&str] = &[
    "int2",
    "int4",
    "int8",
    "oid",
    "uuid",
    "date",
    "time",
    "timestamp",
    "timestamptz",
    "numeric",
    "bytea",
    "bool",
    "text",
    "varchar",
    "bpchar",
    "name",
];
/// Rows that lie in the order of the key this much at least can be read by its ranges; else each range would touch all of the table.
const CORRELATED: f64 = 0.6;
/// As long as a table is not larger than this, that does not matter, in bytes.
const CACHED: i64 = 64 << 20;

/// What a server counted of a table. Equal to an earlier one if nothing was written in between, as far as sessions have reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Activity {
    /// Rows inserted, updated and deleted.
    pub writes: i64,
    /// The file; another one means that the table was emptied, or written anew.
    pub file: i64,
}

/// What a server knows of a table.
#[derive(Clone, Debug)]
pub struct Surveyed {
    /// Heap and TOAST, in bytes.
    pub bytes: i64,
    /// Heap blocks.
    pub blocks: i64,
    /// An estimate, negative if there is none.
    pub estimated_rows: f64,
    /// Its counters.
    pub activity: Activity,
    /// What names its rows, the best first.
    pub keys: Vec<Candidate>,
}

/// A unique index that can name every row.
#[derive(Clone, Debug, Deserialize)]
pub struct Candidate {
    /// In the order of the index.
    pub columns: Vec<String>,
    /// Every server keeps it in the same order.
    pub ordered: bool,
    /// How far the rows lie in the order of its first column: 1 or -1 is wholly, 0 not at all.
    pub correlation: Option<f64>,
}

/// What names a row.
#[derive(Clone, Debug)]
pub struct Key {
    /// In the index's order.
    pub columns: Vec<Column>,
    /// Both servers order it alike, have an index for it, and keep the rows about in its order.
    pub in_ranges: bool,
}

/// A table, read by the same statements on both servers.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The table.
    pub name: QualifiedName,
    /// In the order of their names.
    pub columns: Vec<Column>,
    /// None where rows are told apart by all of their columns only.
    pub key: Option<Key>,
    /// The number that all hashes depend on.
    pub seed: i64,
}

/// Reads what the server knows of these tables; absent ones are left out.
///
/// # Errors
/// What the server answered.
pub async fn survey(session: &Session, tables: &[&QualifiedName]) -> Result<BTreeMap<QualifiedName, Surveyed>> {
    let (schemas, names): (Vec<&str>, Vec<&str>) = tables.iter().map(|table| (&*table.schema, &*table.name)).unzip();
    let rows = session.query(COMPARED_TABLES, &[&schemas, &names]).await.doing(|| "read the tables' sizes and keys")?;
    rows.iter().map(surveyed).collect()
}

fn surveyed(row: &Row) -> Result<(QualifiedName, Surveyed)> {
    let name = QualifiedName::new(row.try_get::<_, String>("schema")?, row.try_get::<_, String>("name")?);
    let keys = serde_json::from_str(row.try_get("keys")?)
        .map_err(|error| Error::new(ErrorKind::Other, "read a table's keys", error.to_string()))?;
    let activity = Activity { writes: row.try_get("writes")?, file: row.try_get("file")? };
    let surveyed = Surveyed {
        bytes: row.try_get("bytes")?,
        blocks: row.try_get("blocks")?,
        estimated_rows: row.try_get("estimated_rows")?,
        activity,
        keys,
    };
    Ok((name, surveyed))
}

/// What changes whenever the server's counters may have begun anew, so that they say nothing any more. None where they may lose counts.
///
/// # Errors
/// What the server answered.
pub async fn statistics_token(session: &Session) -> Result<Option<String>> {
    if session.major() < 15 {
        return Ok(None);
    }
    let sql = "select pg_catalog.concat_ws(' ', pg_catalog.pg_postmaster_start_time(), pg_catalog.pg_stat_get_bgwriter_stat_reset_time(), \
         pg_catalog.pg_stat_get_db_stat_reset_time(d.oid)) from pg_catalog.pg_database d where d.datname = pg_catalog.current_database()";
    let row = session.query_typed_one(sql, &[]).await.doing(|| "ask since when the server counts")?;
    Ok(Some(row.try_get(0)?))
}

/// How many sessions of others there are in the session's database.
///
/// # Errors
/// What the server answered.
pub async fn strangers(session: &Session) -> Result<i64> {
    let sql = "select pg_catalog.count(*) from pg_catalog.pg_stat_activity where datname = pg_catalog.current_database() \
         and backend_type = 'client backend' and application_name <> pg_catalog.current_setting('application_name')";
    Ok(session.query_typed_one(sql, &[]).await.doing(|| "look who else is connected")?.try_get(0)?)
}

/// The table as both servers are asked about it.
pub fn subject(table: &Table, source: &Surveyed, target: &Surveyed, seed: i64) -> Subject {
    Subject { name: table.name.clone(), columns: in_order(&table.columns), key: key(table, source, target), seed }
}

fn key(table: &Table, source: &Surveyed, target: &Surveyed) -> Option<Key> {
    let candidate = source.keys.first()?;
    let columns: Vec<Column> =
        candidate.columns.iter().filter_map(|name| table.columns.iter().find(|column| column.name == *name).cloned()).collect();
    if columns.len() != candidate.columns.len() {
        return None;
    }
    let counterpart = target.keys.iter().find(|other| other.columns == candidate.columns);
    let is_ordered = columns.iter().all(|column| column.base_kind == 'b' && ORDERED.contains(&column.base_type.as_str()));
    let lies_in_order = |surveyed: &Surveyed, candidate: &Candidate| {
        surveyed.bytes <= CACHED || candidate.correlation.is_none_or(|correlation| correlation.abs() >= CORRELATED)
    };
    let in_ranges = is_ordered
        && candidate.ordered
        && lies_in_order(source, candidate)
        && counterpart.is_some_and(|other| other.ordered && lies_in_order(target, other));
    Some(Key { columns, in_ranges })
}
