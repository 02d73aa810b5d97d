//! Expressions over one row, which is `azure2neon_row` in each statement: a name that no column has.

use crate::ident::Ident;
use crate::inventory::Column;

/// A row expression takes 1664 entries at most; wider tables are hashed in parts.
const WIDTH: usize = 1600;
/// Types whose hash function sees every bit, and depends on nothing but the value. What is left out on purpose: floats (-0 = 0),
/// arrays (bounds are ignored), jsonb (holds numerics), enums, reg* and records (object ids differ between servers). Those are hashed
/// by their text.
const STABLE: &[&str] = &[
    "bool", "bytea", "char", "name", "int2", "int4", "oid", "text", "varchar", "bpchar", "date", "uuid", "inet", "cidr", "macaddr",
    "macaddr8",
];
/// Types that are hashed by the bytes of their binary form. The server's hash of eight bytes folds them into four; that of numeric takes
/// 1.0 for 1.00, that of interval a day for 24 hours.
const BY_BYTES: &[(&str, &str)] = &[
    ("int8", "int8send"),
    ("time", "time_send"),
    ("timestamp", "timestamp_send"),
    ("timestamptz", "timestamptz_send"),
    ("pg_lsn", "pg_lsn_send"),
    ("numeric", "numeric_send"),
    ("interval", "interval_send"),
];

/// The sum over rows of their hashes `h`, each mixed by halves: a hash of eight bytes at once would fold them.
pub(super) const SUM: &str = "coalesce(pg_catalog.sum(pg_catalog.hashint8extended(h & 4294967295, 1) \
     # pg_catalog.hashint8extended(h >> 32, 2)), 0)::pg_catalog.text";

/// The hash of a row, eight bytes.
pub(super) fn row_hash(columns: &[Column], seed: i64) -> String {
    let record = |parts: &[String]| format!("pg_catalog.hash_record_extended(row({}), {seed})", parts.join(", "));
    let values: Vec<String> = columns.iter().map(value).collect();
    match values.len() {
        0 => "0::pg_catalog.int8".into(),
        1..=WIDTH => record(&values),
        // A hash as an entry would be folded like any other number of eight bytes.
        _ => record(&values.chunks(WIDTH).map(|part| format!("pg_catalog.int8send({})", record(part))).collect::<Vec<_>>()),
    }
}

/// The hash of one column's value; null where that is.
pub(super) fn column_hash(column: &Column, seed: i64) -> String {
    format!("case when {} is not null then pg_catalog.to_hex({}) end", name(column), row_hash(std::slice::from_ref(column), seed))
}

/// A column of the row.
pub(super) fn name(column: &Column) -> String {
    format!("azure2neon_row.{}", Ident::new(&*column.name))
}

/// A column's value in a form whose hash function sees all of it.
fn value(column: &Column) -> String {
    let name = name(column);
    let is_base = column.base_kind == 'b';
    if column.base_type == "xml" {
        // A cast gives the stored text with its XML declaration, which neither COPY nor replication carries; output gives what they do.
        return format!("case when {name} is not null then pg_catalog.format('%s', {name}) collate \"C\" end");
    }
    if let Some((_, send)) = BY_BYTES.iter().find(|(base, _)| is_base && *base == column.base_type) {
        return format!("pg_catalog.{send}({name})");
    }
    match (is_base && STABLE.contains(&column.base_type.as_str()), column.collatable) {
        (true, false) => name,
        // A non-deterministic collation would hash different texts alike, and by the library's version.
        (true, true) => format!("{name} collate \"C\""),
        (false, _) => format!("{name}::pg_catalog.text collate \"C\""),
    }
}
