//! The publisher's side: publications and replication slots.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use tokio_postgres::SimpleQueryMessage;
use tokio_postgres::types::Type;

use crate::barrier::MAKE_DURABLE;
use crate::connect::Session;
use crate::error::{Doing, Error, ErrorKind, Result};
use crate::ident::{Ident, QualifiedName, literal};
use crate::lsn::Lsn;

pub use crate::subscription::*;

/// A slot's state, by its name.
pub const SLOT: &str = include_str!("../sql/slot.sql");
/// What a new slot waits for.
pub const BLOCKERS: &str = include_str!("../sql/blockers.sql");
/// A publication's own tables, by its name.
pub const PUBLICATION_TABLES: &str = include_str!("../sql/publication_tables.sql");
/// So many tables are added in one statement.
const CHUNK: usize = 500;
/// A walsender that was told to end may take this long.
const RELEASE_DEADLINE: Duration = Duration::from_secs(30);

/// A logical replication slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// A walsender uses it.
    pub active: bool,
    /// The process that uses it.
    pub active_pid: Option<i32>,
    /// Up to here the subscriber has everything, durably.
    pub confirmed_flush: Lsn,
    /// From here on WAL is kept.
    pub restart_lsn: Lsn,
    /// `reserved`, `extended`, `unreserved` or `lost`.
    pub wal_status: String,
    /// Bytes of WAL that the slot keeps.
    pub retained_bytes: i64,
}

/// Creates the publication with exactly `tables`, or completes one that exists; partitioned roots stand for their leaves.
///
/// # Errors
/// What the server answered; then the publication is as it was.
pub async fn create_publication(session: &Session, name: &str, tables: &[QualifiedName]) -> Result<()> {
    let doing = || format!("create the publication {name}");
    let present = publication_tables(session, name).await?;
    let wanted: BTreeSet<&QualifiedName> = tables.iter().collect();
    let Some(statements) = publication_statements(name, present.as_ref(), &wanted) else { return Ok(()) };
    let done = session.batch_execute(&statements).await;
    if done.is_err() {
        let _ = session.batch_execute("rollback").await;
    }
    done.doing(doing)
}

/// The statements after which the publication has the tables that are wanted; none if it has them.
pub fn publication_statements(name: &str, present: Option<&BTreeSet<QualifiedName>>, wanted: &BTreeSet<&QualifiedName>) -> Option<String> {
    let publication = Ident::new(name);
    let mut statements = Vec::new();
    if present.is_none() {
        statements.push(format!("create publication {publication}"));
    }
    let none = BTreeSet::new();
    let present = present.unwrap_or(&none);
    let missing: Vec<&QualifiedName> = wanted.iter().copied().filter(|table| !present.contains(table)).collect();
    let surplus: Vec<&QualifiedName> = present.iter().filter(|table| !wanted.contains(table)).collect();
    for (verb, list) in [("add", missing), ("drop", surplus)] {
        for chunk in list.chunks(CHUNK) {
            // ONLY keeps inheritance children out, which are listed themselves; on a partitioned root it changes nothing.
            let names: Vec<String> = chunk.iter().map(|table| format!("only {table}")).collect();
            statements.push(format!("alter publication {publication} {verb} table {}", names.join(", ")));
        }
    }
    (!statements.is_empty()).then(|| format!("begin; {}; commit", statements.join("; ")))
}

/// The tables that the publication names itself (not the leaves of a partitioned one); None if there is no such publication.
///
/// # Errors
/// What the server answered.
pub async fn publication_tables(session: &Session, name: &str) -> Result<Option<BTreeSet<QualifiedName>>> {
    let doing = || format!("read the publication {name}");
    let exists = "select from pg_catalog.pg_publication where pubname = $1";
    if session.query_opt(exists, &[&name]).await.doing(doing)?.is_none() {
        return Ok(None);
    }
    let mut tables = BTreeSet::new();
    for row in session.query(PUBLICATION_TABLES, &[&name]).await.doing(doing)? {
        tables.insert(QualifiedName::new(row.try_get::<_, String>("schema")?, row.try_get::<_, String>("name")?));
    }
    Ok(Some(tables))
}

/// Drops the publication if it exists.
///
/// # Errors
/// What the server answered.
pub async fn drop_publication(session: &Session, name: &str) -> Result<()> {
    let sql = format!("drop publication if exists {}", Ident::new(name));
    session.batch_execute(&sql).await.doing(|| format!("drop the publication {name}"))
}

/// Creates a pgoutput slot unless it exists. Waits for every transaction that runs now, at most until `deadline`.
///
/// # Errors
/// [`ErrorKind::Timeout`] names the transactions that it waited for; a slot of that name that decodes another plugin or database.
pub async fn create_slot(session: &Session, name: &str, deadline: Duration) -> Result<()> {
    let what = || format!("create the replication slot {name}");
    let known = "select coalesce(plugin = 'pgoutput' and database = pg_catalog.current_database(), false) \
                 from pg_catalog.pg_replication_slots where slot_name = $1";
    if let Some(row) = session.query_opt(known, &[&name]).await.doing(what)? {
        if row.try_get(0)? {
            return Ok(());
        }
        return Err(Error::new(ErrorKind::Other, what(), "a slot of that name serves another database or plugin"));
    }
    let Err(error) = session.batch_execute(&slot_statements(name, deadline)).await else { return Ok(()) };
    let error = Error::from(error);
    if error.sqlstate() != Some("57014") {
        let _ = session.batch_execute("rollback").await;
        return Err(error.doing(what()));
    }
    session.batch_execute("rollback").await.doing(what)?;
    Err(waited_for(session, deadline).await.doing(what)?.doing(what()))
}

/// The statements that create the slot, within the deadline.
pub fn slot_statements(name: &str, deadline: Duration) -> String {
    let millis = deadline.as_millis().clamp(1, 2_000_000_000);
    // The server's own timeout removes the half-made slot; a dropped connection may leave it for a while.
    format!(
        "begin; set local statement_timeout = {millis}; \
         select pg_catalog.pg_create_logical_replication_slot({}, 'pgoutput'); commit",
        literal(name)
    )
}

/// The error for a slot that could not be made within `deadline`: it names what it waited for.
pub(crate) async fn waited_for(session: &Session, deadline: Duration) -> Result<Error> {
    let rows = session.query(BLOCKERS, &[]).await?;
    let blockers = rows.iter().map(|row| row.try_get(0)).collect::<Result<Vec<String>, _>>()?;
    let who = if blockers.is_empty() { "none is left now: try again".to_owned() } else { blockers.join("; ") };
    Ok(Error::new(ErrorKind::Timeout, "", format!("waited {:.0} s for transactions that were open: {who}", deadline.as_secs_f64())))
}

/// The slot's state; None if there is no such slot.
///
/// # Errors
/// What the server answered.
pub async fn slot(session: &Session, name: &str) -> Result<Option<Slot>> {
    let doing = || format!("read the replication slot {name}");
    let Some(row) = session.query_typed_opt(SLOT, &[(&name, Type::TEXT)]).await.doing(doing)? else { return Ok(None) };
    let position = |column: &str| -> Result<Lsn> { row.try_get::<_, Option<&str>>(column)?.map_or(Ok(Lsn::default()), str::parse) };
    Ok(Some(Slot {
        active: row.try_get("active")?,
        active_pid: row.try_get("active_pid")?,
        confirmed_flush: position("confirmed_flush")?,
        restart_lsn: position("restart_lsn")?,
        wal_status: row.try_get("wal_status")?,
        retained_bytes: row.try_get("retained_bytes")?,
    }))
}

/// Puts the slot, which nobody consumes, at the server's present position: nothing that was committed before will be sent. One round
/// trip; the server reads the WAL from where the slot was, so one that lags far behind takes its time.
///
/// # Errors
/// What the server answered: there is no such slot, it is in use, it is another database's.
pub async fn advance_slot(session: &Session, name: &str) -> Result<Lsn> {
    let what = || format!("advance the replication slot {name}");
    // No slot is put behind what is on disk.
    let sql = format!(
        "{MAKE_DURABLE}; select end_lsn from pg_catalog.pg_replication_slot_advance({}, pg_catalog.pg_current_wal_flush_lsn())",
        literal(name)
    );
    let answer = session.simple_query(&sql).await.doing(what)?;
    let position = answer.iter().rev().find_map(|message| if let SimpleQueryMessage::Row(row) = message { row.get(0) } else { None });
    position.ok_or_else(|| Error::new(ErrorKind::Other, what(), "the server does not say where it is"))?.parse()
}

/// Puts the slot, which nobody consumes, at the server's present position, and lets it read from near there when it is put again: else
/// that takes some 3 s for each gigabyte of WAL since the slot was made. On a server that doesn't allow it only the first is done.
///
/// # Errors
/// As [`advance_slot`].
pub async fn bring_slot_near(session: &Session, name: &str) -> Result<Lsn> {
    let what = || format!("advance the replication slot {name}");
    // Decoding can only begin where the running transactions are written down, which the server does on its own every 15 s at most.
    let note = "select pg_catalog.pg_log_standby_snapshot()";
    let may = "select pg_catalog.has_function_privilege('pg_catalog.pg_log_standby_snapshot()', 'execute')";
    if session.major() >= 16 && session.query_one(may, &[]).await.doing(what)?.try_get(0)? {
        // The first one may still name a transaction from before, which the second has ended.
        session.batch_execute(note).await.doing(what)?;
        advance_slot(session, name).await?;
        session.batch_execute(note).await.doing(what)?;
    }
    advance_slot(session, name).await
}

/// Since when nobody consumes the slot, as timestamptz prints it in UTC; None while somebody does, or before PostgreSQL 17.
///
/// # Errors
/// What the server answered.
pub async fn inactive_since(session: &Session, name: &str) -> Result<Option<String>> {
    if session.major() < 17 {
        return Ok(None);
    }
    let sql = "select inactive_since::pg_catalog.text from pg_catalog.pg_replication_slots where slot_name = $1 and not active";
    let row = session.query_opt(sql, &[&name]).await.doing(|| format!("read the replication slot {name}"))?;
    row.map_or(Ok(None), |row| Ok(row.try_get(0)?))
}

/// Ends whoever consumes the slot; whether no one does now. A subscriber that still runs comes back at once.
///
/// # Errors
/// What the server answered.
pub async fn release_slot(session: &Session, name: &str) -> Result<bool> {
    let Some(pid) = slot(session, name).await?.and_then(|slot| slot.active_pid) else { return Ok(true) };
    let what = || format!("end the consumer of the replication slot {name}");
    session.query("select pg_catalog.pg_terminate_backend($1)", &[&pid]).await.doing(what)?;
    Ok(false)
}

/// Drops the slot, ending its walsender first; one that is absent is fine.
///
/// # Errors
/// [`ErrorKind::Timeout`] if it is still in use after 30 s.
pub async fn drop_slot(session: &Session, name: &str) -> Result<()> {
    let what = || format!("drop the replication slot {name}");
    let began = Instant::now();
    while let Some(found) = slot(session, name).await? {
        if let Some(pid) = found.active_pid {
            // A subscriber that still runs reconnects at once, hence again and again.
            let ended = session.query("select pg_catalog.pg_terminate_backend($1)", &[&pid]).await;
            if let Err(error) = ended
                && began.elapsed() > RELEASE_DEADLINE
            {
                return Err(Error::from(error).doing(what()));
            }
        } else {
            let dropped = session.batch_execute(&format!("select pg_catalog.pg_drop_replication_slot({})", literal(name))).await;
            match dropped.map_err(Error::from) {
                Ok(_) => return Ok(()),
                // Taken or dropped by another in between: look again.
                Err(error) if matches!(error.sqlstate(), Some("55006" | "42704")) => {}
                Err(error) => return Err(error.doing(what())),
            }
        }
        if began.elapsed() > RELEASE_DEADLINE {
            let who = found.active_pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"));
            return Err(Error::new(
                ErrorKind::Timeout,
                what(),
                format!("{who} still uses it after {} s; drop or disable its subscription", RELEASE_DEADLINE.as_secs()),
            ));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// Inactive slots that a failed table synchronization left behind (`pg_<subscription>_sync_…`) in this database.
///
/// # Errors
/// What the server answered.
pub async fn orphaned_sync_slots(session: &Session) -> Result<Vec<String>> {
    let sql = "select slot_name::pg_catalog.text from pg_catalog.pg_replication_slots \
               where database = pg_catalog.current_database() and not active and slot_name ~ '^pg_[0-9]+_sync_[0-9]+_' order by 1";
    let rows = session.query(sql, &[]).await.doing(|| "list leftover synchronization slots")?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}
