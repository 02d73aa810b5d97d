//! Executing a dump's entries, each exactly once.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::join_all;

use super::{Entry, Failure, Section};
use crate::connect::Session;
use crate::error::{Doing, Error, Result};
use crate::ident::{Ident, QualifiedName, literal};

/// A statement that lost a deadlock is sent again this often.
const TRIES: u32 = 6;
/// So many entries before the data share a transaction,
const TOGETHER: usize = 200;
/// and so many later ones are sent before the first is answered.
const AHEAD: usize = 32;
/// So much of a refused statement is kept.
const SHOWN: usize = 300;

/// Executes `entries` in order, each in a transaction with its mark in `<marker_schema>.applied`; marked ones are skipped.
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
    let applied = applied(session, marker_schema).await?;
    let mut failures = Vec::new();
    let mut done = 0;
    for group in entries.chunk_by(|a, b| a.section == b.section) {
        // Before the data a statement costs little but its round trip; an index that is built must not be lost with the next one.
        let as_one = group.first().is_some_and(|entry| entry.section == Section::PreData);
        for chunk in group.chunks(if as_one { TOGETHER } else { AHEAD }) {
            let missing: Vec<&Entry> = chunk.iter().filter(|entry| !applied.contains(&entry.id)).collect();
            failures.extend(execute(session, marker_schema, &missing, as_one).await?);
            done += chunk.len();
            progress(done, entries.len());
        }
    }
    Ok(failures)
}

/// Executes `entries` in one transaction or each in its own, sent ahead; what fails so, once more, each in its own. Returns those that
/// are refused.
async fn execute(session: &Session, marker_schema: &str, entries: &[&Entry], as_one: bool) -> Result<Vec<Failure>> {
    let mut failures = Vec::new();
    for entry in send_ahead(session, marker_schema, entries, as_one).await {
        if let Err(error) = transact(session, marker_schema, &[entry]).await {
            if session.is_closed() {
                return Err(error.doing(format!("create {} {}", entry.kind, entry.name)));
            }
            failures.push(Failure {
                id: entry.id.clone(),
                kind: entry.kind.clone(),
                name: entry.name.clone(),
                sql: entry.sql.chars().take(SHOWN).collect(),
                message: error.message().to_owned(),
                sqlstate: error.sqlstate().map(str::to_owned),
            });
        }
    }
    Ok(failures)
}

/// The first try, without waiting for one answer before the next is asked for; returns what failed.
async fn send_ahead<'e>(session: &Session, marker_schema: &str, entries: &[&'e Entry], as_one: bool) -> Vec<&'e Entry> {
    if as_one {
        return if transact(session, marker_schema, entries).await.is_ok() { Vec::new() } else { entries.to_vec() };
    }
    // Each message is a transaction by itself, which ends with it.
    let messages: Vec<String> = entries.iter().map(|entry| statements(marker_schema, &[entry])).collect();
    let answers = join_all(messages.iter().map(|message| session.batch_execute(message))).await;
    entries.iter().zip(answers).filter(|(_, answer)| answer.is_err()).map(|(entry, _)| *entry).collect()
}

/// The ids of the entries that are applied; makes the table of marks if there is none.
pub(crate) async fn applied(session: &Session, marker_schema: &str) -> Result<BTreeSet<String>> {
    let marker = marker(marker_schema);
    read(session, &marker).await.doing(|| format!("prepare the marker table {marker}"))
}

fn marker(schema: &str) -> QualifiedName {
    QualifiedName::new(schema, "applied")
}

async fn read(session: &Session, marker: &QualifiedName) -> Result<BTreeSet<String>> {
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

/// Statements that execute `entries` with their marks in one transaction.
pub(crate) fn transaction(marker_schema: &str, entries: &[&Entry]) -> String {
    format!("begin; {}; commit", statements(marker_schema, entries))
}

/// The statements alone.
fn statements(marker_schema: &str, entries: &[&Entry]) -> String {
    // One message, hence one round trip: a schema has thousands of entries, and the target may be an ocean away.
    let mut message =
        "select pg_catalog.set_config('search_path', '', true), pg_catalog.set_config('check_function_bodies', 'off', true)".to_owned();
    let mut marks = Vec::with_capacity(entries.len());
    for entry in entries {
        message.push_str(";\n");
        message.push_str(&entry.sql);
        message.push('\n');
        marks.push(format!("({}, {}, {})", literal(&entry.id), literal(&entry.kind), literal(&entry.name)));
    }
    if !marks.is_empty() {
        message.push_str(&format!(";insert into {} (id, kind, name) values {}", marker(marker_schema), marks.join(", ")));
    }
    message
}

/// Executes `entries` with their marks, all or none; what lost a deadlock is sent again.
async fn transact(session: &Session, marker_schema: &str, entries: &[&Entry]) -> Result<()> {
    let message = transaction(marker_schema, entries);
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
