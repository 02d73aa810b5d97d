//! Copying a table's rows as they are, for what replication leaves out.

use bytes::{Bytes, BytesMut};
use futures::{SinkExt, StreamExt, pin_mut};

use crate::connect::Session;
use crate::error::{Doing, Result};
use crate::ident::Ident;
use crate::inventory::Table;

/// Rows are sent in pieces of this size: one message a row costs the client and the target several times the work.
const PIECE: usize = 64 * 1024;

/// Empties the target's table and copies the source's rows into it, in one transaction there. Returns the rows written.
/// The table's own rows only, and no generated columns. A failed copy leaves the target's table as it was.
///
/// # Errors
/// What either server answered.
pub async fn copy_table(source: &Session, target: &Session, table: &Table) -> Result<u64> {
    let doing = || format!("copy {}", table.name);
    target.batch_execute("begin").await.doing(doing)?;
    let copied = copy(source, target, table).await.doing(doing);
    let end = if copied.is_ok() { "commit" } else { "rollback" };
    let ended = target.batch_execute(end).await.doing(doing);
    let rows = copied?;
    ended?;
    Ok(rows)
}

async fn copy(source: &Session, target: &Session, table: &Table) -> Result<u64> {
    let name = &table.name;
    let columns: Vec<String> =
        table.columns.iter().filter(|column| !column.generated).map(|column| Ident::new(&*column.name).to_string()).collect();
    target.batch_execute(&format!("truncate only {name}")).await?;
    if columns.is_empty() {
        // COPY can't name no columns; such rows are nothing but their number.
        let count = format!("select pg_catalog.count(*) from only {name}");
        let count: i64 = source.query_one(&count, &[]).await?.try_get(0)?;
        for _ in 0..count {
            target.batch_execute(&format!("insert into {name} default values")).await?;
        }
        return Ok(count.unsigned_abs());
    }
    let list = columns.join(", ");
    // A plain relation's COPY takes its own rows only, inheritance children left out.
    let reader = source.copy_out(&format!("copy {name} ({list}) to stdout")).await?;
    let writer = target.copy_in::<_, Bytes>(&format!("copy {name} ({list}) from stdin")).await?;
    pin_mut!(reader);
    pin_mut!(writer);
    let mut piece = BytesMut::with_capacity(PIECE * 2);
    while let Some(rows) = reader.next().await {
        piece.extend_from_slice(&rows?);
        if piece.len() >= PIECE {
            writer.feed(piece.split().freeze()).await?;
            piece.reserve(PIECE * 2);
        }
    }
    if !piece.is_empty() {
        writer.feed(piece.freeze()).await?;
    }
    Ok(writer.finish().await?)
}
