//! Moving rows between two sessions, as bytes that nobody looks at.

use bytes::{Bytes, BytesMut};
use futures::future::try_join_all;
use futures::{SinkExt, StreamExt, pin_mut};
use tokio_postgres::{CopyInSink, CopyOutStream, Statement};

use super::manners::Permit;
use super::progress::Begun;
use crate::connect::Session;
use crate::error::{Doing, Result};
use crate::ident::{Ident, QualifiedName};
use crate::inventory::Table;

/// Rows are sent in pieces of this size: one message a row costs the client and the target several times the work.
const PIECE: usize = 64 * 1024;

/// What both servers are asked for, to copy a table or a part of it.
pub(super) struct Statements {
    table: QualifiedName,
    kind: Kind,
}

enum Kind {
    /// Rows of columns: COPY on both sides.
    Rows { out: String, into: String },
    /// COPY can't name no columns; such rows are nothing but their number.
    Bare { count: String },
}

/// The form in which rows travel.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// As text: any type, between any versions.
    Text,
    /// As the types' own binary form, which costs both servers less.
    Binary,
}

impl Statements {
    /// The whole table, as text.
    pub(super) fn text(table: &Table) -> Self {
        Self::new(table, Format::Text, None, false)
    }

    /// The whole table, for a transaction that emptied it: its rows are frozen as they are written.
    pub(super) fn frozen(table: &Table, format: Format) -> Self {
        Self::new(table, format, None, true)
    }

    /// The rows in blocks from `first` up to but not including `end`; without an end, to the table's own.
    pub(super) fn part(table: &Table, format: Format, first: i64, end: Option<i64>) -> Self {
        let upto = end.map(|end| format!(" and ctid < '({end},0)'")).unwrap_or_default();
        Self::new(table, format, Some(format!("ctid >= '({first},0)'{upto}")), false)
    }

    fn new(table: &Table, format: Format, filter: Option<String>, freeze: bool) -> Self {
        let name = &table.name;
        let columns: Vec<String> =
            table.columns.iter().filter(|column| !column.generated).map(|column| Ident::new(&*column.name).to_string()).collect();
        if columns.is_empty() {
            let filter = filter.map(|filter| format!(" where {filter}")).unwrap_or_default();
            let count = format!("select pg_catalog.count(*) from only {name}{filter}");
            return Self { table: name.clone(), kind: Kind::Bare { count } };
        }
        let list = columns.join(", ");
        let format = if format == Format::Binary { "binary" } else { "text" };
        let freeze = if freeze { ", freeze" } else { "" };
        // A plain relation's COPY takes its own rows only, inheritance children left out.
        let what = match filter {
            None => format!("{name} ({list})"),
            Some(filter) => format!("(select {list} from only {name} where {filter})"),
        };
        Self {
            table: name.clone(),
            kind: Kind::Rows {
                out: format!("copy {what} to stdout (format {format})"),
                into: format!("copy {name} ({list}) from stdin (format {format}{freeze})"),
            },
        }
    }
}

/// The statements as both servers know them.
enum Prepared<'a> {
    Rows { out: Statement, into: Statement },
    Bare { count: &'a str },
}

/// What lets bytes through, and counts them.
pub(super) struct Meter<'a> {
    pub(super) permit: Permit<'a>,
    /// One for each of the tables that are moved together.
    pub(super) begun: Vec<Begun<'a>>,
}

/// The meter, if there is one, for one of its tables.
#[derive(Clone, Copy)]
struct Gate<'a> {
    meter: Option<&'a Meter<'a>>,
    table: usize,
}

impl Gate<'_> {
    async fn pass(self, bytes: usize) {
        let Some(meter) = self.meter else { return };
        meter.permit.spend(bytes).await;
        if let Some(begun) = meter.begun.get(self.table) {
            begun.moved(bytes);
        }
    }
}

/// Moves the rows of each, in this order; returns how many each had. `meter` lets each chunk through.
///
/// All are asked for at once: the driver sends a request before the one before it is answered, so that many small tables cost
/// the round trips of one. Each side answers in order, so that only one table moves at a time.
pub(super) async fn transfer(source: &Session, target: &Session, all: &[Statements], meter: Option<&Meter<'_>>) -> Result<Vec<u64>> {
    let prepared = try_join_all(all.iter().map(|one| prepare(source, target, one))).await?;
    try_join_all(all.iter().zip(prepared).enumerate().map(async |(table, (one, prepared))| {
        match prepared {
            Prepared::Rows { out, into } => copy(source.copy_out(&out), target.copy_in(&into), Gate { meter, table }).await,
            Prepared::Bare { count } => write_bare(source, target, &one.table, count).await,
        }
        .doing(|| format!("copy {}", one.table))
    }))
    .await
}

async fn prepare<'a>(source: &Session, target: &Session, one: &'a Statements) -> Result<Prepared<'a>> {
    match &one.kind {
        Kind::Bare { count } => Ok(Prepared::Bare { count }),
        Kind::Rows { out, into } => {
            let prepared = tokio::try_join!(source.prepare(out), target.prepare(into));
            let (out, into) = prepared.doing(|| format!("prepare to copy {}", one.table))?;
            Ok(Prepared::Rows { out, into })
        }
    }
}

async fn copy(
    reader: impl Future<Output = std::result::Result<CopyOutStream, tokio_postgres::Error>>,
    writer: impl Future<Output = std::result::Result<CopyInSink<Bytes>, tokio_postgres::Error>>,
    gate: Gate<'_>,
) -> Result<u64> {
    let (reader, writer) = tokio::try_join!(reader, writer)?;
    pin_mut!(reader);
    pin_mut!(writer);
    let mut piece = BytesMut::new();
    while let Some(rows) = reader.next().await {
        let mut rows = rows?;
        // A row may be larger than any buffer should grow; where a message ends means nothing to the target.
        while piece.len() + rows.len() >= PIECE {
            let full = if piece.is_empty() {
                rows.split_to(PIECE)
            } else {
                piece.extend_from_slice(&rows.split_to(PIECE - piece.len()));
                piece.split().freeze()
            };
            gate.pass(full.len()).await;
            writer.feed(full).await?;
        }
        piece.reserve(if piece.is_empty() { PIECE } else { 0 });
        piece.extend_from_slice(&rows);
    }
    if !piece.is_empty() {
        gate.pass(piece.len()).await;
        writer.feed(piece.freeze()).await?;
    }
    Ok(writer.finish().await?)
}

/// Writes as many rows without a value as the source has.
async fn write_bare(source: &Session, target: &Session, table: &QualifiedName, count: &str) -> Result<u64> {
    let count: i64 = source.query_one(count, &[]).await?.try_get(0)?;
    Ok(target.execute(&format!("insert into {table} select from pg_catalog.generate_series(1, {count})"), &[]).await?)
}
