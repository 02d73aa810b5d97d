//! Executing a dump's entries, each exactly once.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Entry, Failure};
use crate::connect::Session;
use crate::error::{Doing, Error, Result};
use crate::ident::{Ident, QualifiedName, literal};

/// A statement that lost a deadlock is sent again this often.
const TRIES: u32 = 6;
/// So much of a refused statement is kept.
const SHOWN: usize = 300;

/// Executes `entries` in order, each in one transaction with its mark in `<marker_schema>.applied`; marked ones are skipped.
/// `progress` hears how many of how many are done. A refused entry is recorded and the rest goes on.
///
/// # Errors
/// A lost connection, or a marker that can't be written.
pub async fn apply(
    session: &mut Session,
    marker_schema: &str,
    entries: &[Entry],
    progress: &mut (dyn FnMut(usize, usize) + Send),
) -> Result<Vec<Failure>> {
    let marker = QualifiedName::new(marker_schema, "applied");
    let applied = prepare(session, &marker).await.doing(|| format!("prepare the marker table {marker}"))?;
    let mut failures = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        if !applied.contains(&entry.id)
            && let Err(error) = execute(session, &marker, entry).await
        {
            if session.is_closed() {
                return Err(error.doing(format!("create {} {}", entry.kind, entry.name)));
            }
            failures.push(Failure {
                kind: entry.kind.clone(),
                name: entry.name.clone(),
                sql: entry.sql.chars().take(SHOWN).collect(),
                message: error.message().to_owned(),
                sqlstate: error.sqlstate().map(str::to_owned),
            });
        }
        progress(index + 1, entries.len());
    }
    Ok(failures)
}

async fn prepare(session: &Session, marker: &QualifiedName) -> Result<BTreeSet<String>> {
    session
        .batch_execute(&format!(
            "create schema if not exists {};
             create table if not exists {marker} (
                 id pg_catalog.text primary key, kind pg_catalog.text not null, name pg_catalog.text not null)",
            Ident::new(&*marker.schema)
        ))
        .await?;
    let rows = session.query(&format!("select id from {marker}"), &[]).await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

async fn execute(session: &Session, marker: &QualifiedName, entry: &Entry) -> Result<()> {
    // One message, hence one round trip an entry: a schema has thousands, and the target may be an ocean away.
    let message = format!(
        "begin; set local search_path = ''; set local check_function_bodies = off;\n{}\n;\
         insert into {marker} (id, kind, name) values ({}, {}, {}); commit",
        entry.sql,
        literal(&entry.id),
        literal(&entry.kind),
        literal(&entry.name)
    );
    let mut tried = 0;
    loop {
        let Err(error) = session.batch_execute(&message).await else { return Ok(()) };
        let error = Error::from(error);
        if session.is_closed() {
            return Err(error);
        }
        session.batch_execute("rollback").await.doing(|| "roll a refused statement back")?;
        tried += 1;
        if !error.is_lock_conflict() || tried == TRIES {
            return Err(error);
        }
        tokio::time::sleep(Duration::from_millis(100 << tried)).await;
    }
}
