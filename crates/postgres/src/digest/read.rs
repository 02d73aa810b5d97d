//! Reads digests of chunks, rows and columns.

use std::collections::BTreeMap;

use super::expression::{SUM, column_hash, name, row_hash};
use super::extent::{Extent, bucket, condition, texts};
use super::statement::{Parameter, Statement};
use super::subject::Subject;
use crate::connect::Session;
use crate::error::{Doing, Result};
use crate::inventory::Column;

/// Some rows of a table.
#[derive(Clone, Debug)]
pub struct Piece<'a> {
    /// The table.
    pub subject: &'a Subject,
    /// Which of its rows.
    pub extent: Extent,
}

/// Number of rows and the sum of their hashes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Digest {
    /// How many.
    pub rows: i64,
    /// As text; empty where there are no rows.
    pub sum: String,
}

/// Digests these pieces in one statement, hence under one snapshot. The result is by piece and bucket, of which there is one, 0, where
/// the extent knows none; a bucket without rows is left out.
///
/// # Errors
/// What the server answered; row-level security that would hide rows is one (42501).
pub async fn digests(session: &Session, pieces: &[Piece<'_>]) -> Result<Vec<BTreeMap<i64, Digest>>> {
    let mut found = vec![BTreeMap::new(); pieces.len()];
    if pieces.is_empty() {
        return Ok(found);
    }
    let mut statement = Statement::default();
    let parts: Vec<String> = pieces.iter().enumerate().map(|(n, piece)| of_piece(n, piece, &mut statement)).collect();
    statement.text = parts.join(" union all ");
    let what = || match pieces {
        [one] => format!("digest {}", one.subject.name),
        [first, rest @ ..] => format!("digest {} and {} more", first.subject.name, rest.len()),
        [] => String::new(),
    };
    for row in statement.query(session).await.doing(what)? {
        let rows: i64 = row.try_get(2)?;
        let piece: i32 = row.try_get(0)?;
        if rows > 0
            && let Some(piece) = usize::try_from(piece).ok().and_then(|piece| found.get_mut(piece))
        {
            piece.insert(row.try_get(1)?, Digest { rows, sum: row.try_get(3)? });
        }
    }
    Ok(found)
}

fn of_piece(n: usize, piece: &Piece<'_>, statement: &mut Statement) -> String {
    let Piece { subject, extent } = piece;
    let condition = condition(subject, extent, statement);
    let (bucket, group) = match extent {
        Extent::Buckets { count, .. } => (bucket(subject, *count), " group by b"),
        _ => ("0::pg_catalog.int8".to_owned(), " group by b"),
    };
    let hash = row_hash(&subject.columns, subject.seed);
    // Without the offset the planner would put the hash, which stands twice in the sum, into both places.
    format!(
        "(select {n}, b, pg_catalog.count(*), {SUM} from (select {hash} as h, {bucket} as b from only {} as azure2neon_row{condition} offset 0) s{group})",
        subject.name
    )
}

/// What names a row: the columns of its key as texts; without one, its hash.
pub type Identity = Vec<String>;

/// A row as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowState {
    /// Its hash; without a key, how many such rows there are.
    pub digest: i64,
    /// The same again on the same server if and only if nobody wrote the row meanwhile, not even what it held before.
    pub version: String,
}

impl RowState {
    /// Where the row is on its server, or the first of those without a key.
    pub fn place(&self) -> &str {
        self.version.find('(').map_or("", |at| &self.version[at..])
    }
}

/// Rows by what names them.
pub type Rows = BTreeMap<Identity, RowState>;

/// Which rows to read one by one.
#[derive(Clone, Copy, Debug)]
pub enum Which<'a> {
    /// Those of an extent.
    In(&'a Extent),
    /// Those that these name.
    Of(&'a [Identity]),
}

/// Reads rows one by one. Of rows that share a key, which a server without the unique index may hold, nothing but that is kept.
///
/// # Errors
/// What the server answered.
pub async fn rows(session: &Session, subject: &Subject, which: Which<'_>) -> Result<Rows> {
    let mut statement = Statement::default();
    let hash = row_hash(&subject.columns, subject.seed);
    let version = "azure2neon_row.xmin::pg_catalog.text || azure2neon_row.ctid::pg_catalog.text";
    statement.text = match &subject.key {
        Some(key) => format!("select {}, {hash}, {version} from {}", texts(key), from(subject, which, &mut statement)),
        None => format!(
            "select array[pg_catalog.to_hex(h)], pg_catalog.count(*), 
                 pg_catalog.sum(pg_catalog.hashtextextended(v, 0))::pg_catalog.text || ' ' || pg_catalog.min(p)::pg_catalog.text
             from (select {hash} as h, {version} as v, azure2neon_row.ctid as p from {} offset 0) s group by h",
            from(subject, which, &mut statement)
        ),
    };
    let mut found = Rows::new();
    for row in statement.query(session).await.doing(|| format!("digest rows of {}", subject.name))? {
        let state = RowState { digest: row.try_get(1)?, version: row.try_get(2)? };
        found
            .entry(row.try_get(0)?)
            .and_modify(|first: &mut RowState| {
                first.digest = first.digest.wrapping_add(state.digest).wrapping_add(1);
                first.version = format!("{}, {}", first.version, state.version);
            })
            .or_insert(state);
    }
    Ok(found)
}

/// The digests of each of these columns, null where the value is, of the rows that these keys name.
///
/// # Errors
/// What the server answered.
pub async fn columns(
    session: &Session,
    subject: &Subject,
    columns: &[&Column],
    keys: &[Identity],
) -> Result<BTreeMap<Identity, Vec<Option<String>>>> {
    let Some(key) = &subject.key else { return Ok(BTreeMap::new()) };
    let mut statement = Statement::default();
    let hashes: Vec<String> = columns.iter().map(|column| column_hash(column, subject.seed)).collect();
    statement.text = format!(
        "select {}, array[{}]::pg_catalog.text[] from {}",
        texts(key),
        hashes.join(", "),
        from(subject, Which::Of(keys), &mut statement)
    );
    let rows = statement.query(session).await.doing(|| format!("digest columns of {}", subject.name))?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

/// The table with the condition for these rows.
pub(super) fn from(subject: &Subject, which: Which<'_>, statement: &mut Statement) -> String {
    let table = format!("only {} as azure2neon_row", subject.name);
    match (which, &subject.key) {
        (Which::In(extent), _) => format!("{table}{}", condition(subject, extent, statement)),
        (Which::Of(keys), Some(key)) => {
            let mut lists = Vec::with_capacity(key.columns.len());
            let mut on = Vec::with_capacity(key.columns.len());
            for (n, column) in key.columns.iter().enumerate() {
                let values = keys.iter().map(|key| key.get(n).cloned().unwrap_or_default()).collect();
                lists.push(format!("pg_catalog.unnest({})", statement.bind(Parameter::Texts(values))));
                on.push(format!("{} = azure2neon_key.k{n}::{}", name(column), column.type_name));
            }
            let names: Vec<String> = (0..lists.len()).map(|n| format!("k{n}")).collect();
            format!("rows from ({}) as azure2neon_key ({}) join {table} on {}", lists.join(", "), names.join(", "), on.join(" and "))
        }
        (Which::Of(hashes), None) => {
            let hashes = hashes.iter().filter_map(|hash| u64::from_str_radix(hash.first()?, 16).ok()).map(u64::cast_signed).collect();
            let condition = format!("{} = any({})", row_hash(&subject.columns, subject.seed), statement.bind(Parameter::Numbers(hashes)));
            format!("{table} where {condition}")
        }
    }
}
