//! A table's digest: equal on two servers if and only if (up to hash collisions) the rows are.

use serde::{Deserialize, Serialize};

use crate::connect::Session;
use crate::error::{Doing, Result};
use crate::ident::Ident;
use crate::inventory::{Column, Table, TableKind};

/// Two independent seeds give 128 bits a row.
const SEEDS: [u32; 2] = [0, 91];
/// A row expression takes 1664 entries at most; wider tables are hashed in parts.
const WIDTH: usize = 1600;
/// Types whose hash function sees every bit that matters, and depends on nothing but the value. What is left out on purpose:
/// numeric (1.0 = 1.00), floats (-0 = 0), interval (1 day = 24 hours), arrays (bounds are ignored), jsonb (holds numerics),
/// enums, reg* and records (object ids differ between servers). Those are hashed by their text.
const STABLE: &[&str] = &[
    "bool",
    "bytea",
    "char",
    "name",
    "int2",
    "int4",
    "int8",
    "oid",
    "text",
    "varchar",
    "bpchar",
    "date",
    "time",
    "timestamp",
    "timestamptz",
    "uuid",
    "inet",
    "cidr",
    "macaddr",
    "macaddr8",
    "pg_lsn",
];

/// Row count and two order-free sums of row hashes, as text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableDigest {
    /// Number of rows.
    pub rows: i64,
    /// Sum with the first seed.
    pub low: String,
    /// Sum with the second seed.
    pub high: String,
}

/// Digests the rows of `table` itself: not those of inheritance children or, for a partitioned root, of its leaves.
/// Columns are taken in the order of their names, so that both servers may hold them in another.
///
/// # Errors
/// What the server answered; row-level security that would hide rows is one (42501).
pub async fn digest(session: &Session, table: &Table) -> Result<TableDigest> {
    if table.kind == TableKind::Partitioned {
        return Ok(TableDigest { rows: 0, low: "0".into(), high: "0".into() });
    }
    let row = session.query_one(&statement(table), &[]).await.doing(|| format!("digest {}", table.name))?;
    Ok(TableDigest { rows: row.try_get(0)?, low: row.try_get(1)?, high: row.try_get(2)? })
}

/// The statement that computes the digest.
pub fn statement(table: &Table) -> String {
    let mut columns: Vec<&Column> = table.columns.iter().collect();
    columns.sort_by(|a, b| a.name.cmp(&b.name));
    let sums: Vec<String> = SEEDS
        .iter()
        .map(|seed| match hash(&columns, *seed) {
            Some(hash) => format!("coalesce(pg_catalog.sum({hash}), 0)::pg_catalog.text"),
            None => "'0'::pg_catalog.text".to_owned(),
        })
        .collect();
    format!("select pg_catalog.count(*), {} from only {} as azure2neon_row", sums.join(", "), table.name)
}

fn hash(columns: &[&Column], seed: u32) -> Option<String> {
    let record = |parts: &[String]| format!("pg_catalog.hash_record_extended(row({}), {seed})", parts.join(", "));
    let values: Vec<String> = columns.iter().map(|column| value(column)).collect();
    match values.len() {
        0 => None,
        1..=WIDTH => Some(record(&values)),
        _ => Some(record(&values.chunks(WIDTH).map(record).collect::<Vec<_>>())),
    }
}

fn value(column: &Column) -> String {
    // The row variable carries a name that no column has, so that this can't mean another thing.
    let name = format!("azure2neon_row.{}", Ident::new(&*column.name));
    let stable = column.base_kind == 'b' && STABLE.contains(&column.base_type.as_str());
    if column.base_type == "xml" {
        // A cast gives the stored text with its XML declaration, which neither COPY nor replication carries; output gives what they do.
        return format!("case when {name} is not null then pg_catalog.format('%s', {name}) collate \"C\" end");
    }
    match (stable, column.collatable) {
        (true, false) => name,
        // A non-deterministic collation would hash different texts alike, and by the library's version.
        (true, true) => format!("{name} collate \"C\""),
        (false, _) => format!("{name}::pg_catalog.text collate \"C\""),
    }
}
