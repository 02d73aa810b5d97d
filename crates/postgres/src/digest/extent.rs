//! Which rows of a table: all, a range of its key, or those whose hash falls into some buckets.

use super::expression;
use super::statement::{Parameter, Statement};
use super::subject::{Key, Subject};
use crate::connect::Session;
use crate::error::{Doing, Result};

/// So many blocks are looked at for each bound.
const BLOCKS_A_BOUND: f64 = 8.0;

/// Some rows of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Extent {
    /// All.
    All,
    /// From a key, included, up to another, excluded; open where there is none. Each of its columns as text.
    Range {
        /// The lower bound.
        from: Option<Vec<String>>,
        /// The upper bound.
        to: Option<Vec<String>>,
    },
    /// By the key's hash, or the row's where there is no key.
    Buckets {
        /// How many there are in all: a power of two.
        count: i64,
        /// Those that are meant; all, if there is none.
        only: Vec<i64>,
    },
}

/// The condition for the extent's rows; none if all are meant.
pub(super) fn condition(subject: &Subject, extent: &Extent, statement: &mut Statement) -> String {
    match (extent, &subject.key) {
        (Extent::Range { from, to }, Some(key)) => {
            let mut bounds = Vec::new();
            for (bound, operator) in [(from, ">="), (to, "<")] {
                let Some(bound) = bound else { continue };
                let values: Vec<String> = key
                    .columns
                    .iter()
                    .zip(bound)
                    .map(|(column, value)| format!("{}::{}", statement.bind(Parameter::Text(value.clone())), column.type_name))
                    .collect();
                bounds.push(format!("({}) {operator} ({})", names(key), values.join(", ")));
            }
            if bounds.is_empty() { String::new() } else { format!(" where {}", bounds.join(" and ")) }
        }
        (Extent::Buckets { count, only }, _) if !only.is_empty() => {
            format!(" where {} = any({})", bucket(subject, *count), statement.bind(Parameter::Numbers(only.clone())))
        }
        _ => String::new(),
    }
}

/// The bucket that a row falls into.
pub(super) fn bucket(subject: &Subject, count: i64) -> String {
    let of = subject.key.as_ref().map_or(&subject.columns, |key| &key.columns);
    format!("({} & {})", expression::row_hash(of, subject.seed), count - 1)
}

/// The key's columns.
pub(super) fn names(key: &Key) -> String {
    key.columns.iter().map(expression::name).collect::<Vec<_>>().join(", ")
}

/// The key as texts.
pub(super) fn texts(key: &Key) -> String {
    let texts: Vec<String> = key.columns.iter().map(|column| format!("{}::pg_catalog.text", expression::name(column))).collect();
    format!("array[{}]::pg_catalog.text[]", texts.join(", "))
}

/// Cuts a table of so many blocks into about so many ranges of its key, by a sample of it. The first is open below, the last above.
///
/// # Errors
/// What the server answered.
pub async fn cut(session: &Session, subject: &Subject, parts: i64, blocks: i64) -> Result<Vec<Extent>> {
    let percent = (BLOCKS_A_BOUND * 100.0 * parts as f64 / blocks.max(1) as f64).clamp(0.001, 100.0);
    let from = format!("only {} as azure2neon_row tablesample system ({percent:.3})", subject.name);
    let every = format!("greatest(1, (select pg_catalog.count(*) from sample) / {parts})");
    bounds(session, subject, &Extent::All, (&from, &every)).await
}

/// Splits an extent, a range of the key or everything, so that each part has about so many rows.
///
/// # Errors
/// What the server answered.
pub async fn split(session: &Session, subject: &Subject, extent: &Extent, rows: i64) -> Result<Vec<Extent>> {
    bounds(session, subject, extent, (&format!("only {} as azure2neon_row", subject.name), &rows.max(1).to_string())).await
}

async fn bounds(session: &Session, subject: &Subject, extent: &Extent, (from, every): (&str, &str)) -> Result<Vec<Extent>> {
    let Some(key) = &subject.key else { return Ok(vec![extent.clone()]) };
    let mut statement = Statement::default();
    let condition = condition(subject, extent, &mut statement);
    statement.text = format!(
        "with sample as (select {} as key, pg_catalog.row_number() over (order by {}) as n from {from}{condition})
         select key from sample where n % {every} = 0 order by n",
        texts(key),
        names(key)
    );
    let rows = statement.query(session).await.doing(|| format!("divide {}", subject.name))?;
    let (first, last) = match extent {
        Extent::Range { from, to } => (from.clone(), to.clone()),
        _ => (None, None),
    };
    let mut extents = Vec::with_capacity(rows.len() + 1);
    let mut from = first;
    for row in rows {
        let bound: Vec<String> = row.try_get(0)?;
        extents.push(Extent::Range { from: from.replace(bound.clone()), to: Some(bound) });
    }
    extents.push(Extent::Range { from, to: last });
    Ok(extents)
}
