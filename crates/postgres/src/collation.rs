//! Whether two servers put the keys of text indexes into the same order.

use std::collections::BTreeSet;

use tokio_postgres::types::ToSql;

use crate::connect::Session;
use crate::error::{Doing, Error, Result};

/// So many columns are looked at,
const COLUMNS: i64 = 100;
/// so many values of each,
const VALUES: u32 = 200;
/// and so many characters of each value.
const CHARACTERS: u32 = 60;

/// The columns to look at.
pub const TEXT_KEYS: &str = over_user_schemas!("../sql/text_keys.sql");

/// The collation that is the database's own.
const DEFAULT: &str = "pg_catalog.\"default\"";

/// A sample of an indexed column of text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextKey {
    /// The column's largest index, and the column.
    pub name: String,
    /// By what it is sorted, as SQL names it.
    pub collation: String,
    /// Values in that order, as far as they are read.
    values: Vec<String>,
}

impl TextKey {
    /// Whether it is sorted as the database's default says.
    pub fn is_default(&self) -> bool {
        self.collation == DEFAULT
    }

    /// Whether the sample is in the order of its code points, in which C.UTF-8 puts it.
    pub fn is_in_order_of_c(&self) -> bool {
        self.values.is_sorted()
    }
}

/// Samples the largest indexed columns of text that are in the order of a language, in two round trips: some pages of each table, some
/// values of these. Tables with row-level security are left out.
///
/// # Errors
/// What the server answered.
pub async fn text_keys(source: &Session) -> Result<Vec<TextKey>> {
    let doing = || "sample indexed text";
    let rows = source.query(TEXT_KEYS, &[&COLUMNS]).await.doing(doing)?;
    let mut keys = Vec::with_capacity(rows.len());
    let mut selects = Vec::with_capacity(rows.len());
    for row in &rows {
        let text = |column: &str| row.try_get::<_, &str>(column).doing(doing);
        let (table, column, collation) = (text("table")?, text("column")?, text("collated")?);
        let percent: f64 = row.try_get("percent").doing(doing)?;
        selects.push(format!(
            "(select pg_catalog.array_agg(s.v order by s.v collate {collation}) from (
                 select pg_catalog.left({column}, {CHARACTERS}) as v from only {table} tablesample system ({percent})
                 where {column} is not null limit {VALUES}) s)"
        ));
        keys.push(TextKey { name: format!("{column} in {}", text("index")?), collation: collation.to_owned(), values: Vec::new() });
    }
    if keys.is_empty() {
        return Ok(keys);
    }
    // Rows, not columns: there may be many.
    let values: Vec<String> = selects.iter().enumerate().map(|(n, select)| format!("({n}, {select})")).collect();
    let sql = format!("select n, v from (values {}) k (n, v) where v is not null", values.join(", "));
    for row in source.query(&sql, &[]).await.doing(doing)? {
        let n: i32 = row.try_get(0).doing(doing)?;
        if let Some(key) = usize::try_from(n).ok().and_then(|n| keys.get_mut(n)) {
            key.values = row.try_get(1).doing(doing)?;
        }
    }
    keys.retain(|key| key.values.len() > 1);
    Ok(keys)
}

/// The names of those that the session's database puts into another order. A collation that it does not have is another matter.
///
/// # Errors
/// What the server answered.
pub async fn ordered_otherwise(target: &Session, keys: &[TextKey]) -> Result<Vec<String>> {
    let doing = || "compare the order of text";
    let collations: Vec<&str> = keys.iter().map(|key| key.collation.as_str()).collect::<BTreeSet<_>>().into_iter().collect();
    let there = "select name from pg_catalog.unnest($1::pg_catalog.text[]) name where pg_catalog.to_regcollation(name) is not null";
    let there = target.query(there, &[&collations]).await.doing(doing)?;
    let there: BTreeSet<String> = there.iter().map(|row| Ok::<_, Error>(row.try_get(0)?)).collect::<Result<_>>().doing(doing)?;
    let keys: Vec<&TextKey> = keys.iter().filter(|key| there.contains(&key.collation)).collect();
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let differs = |(n, key): (usize, &&TextKey)| {
        format!(
            "({n}, (select pg_catalog.array_agg(v order by v collate {}) from pg_catalog.unnest(${1}::pg_catalog.text[]) v) <> ${1})",
            key.collation,
            n + 1
        )
    };
    let rows: Vec<String> = keys.iter().enumerate().map(differs).collect();
    let sql = format!("select n from (values {}) k (n, differs) where differs", rows.join(", "));
    let parameters: Vec<&(dyn ToSql + Sync)> = keys.iter().map(|key| &key.values as &(dyn ToSql + Sync)).collect();
    let rows = target.query(&sql, &parameters).await.doing(doing)?;
    rows.iter()
        .map(|row| {
            let n: i32 = row.try_get(0).doing(doing)?;
            Ok(usize::try_from(n).ok().and_then(|n| keys.get(n)).map(|key| key.name.clone()).unwrap_or_default())
        })
        .collect()
}
