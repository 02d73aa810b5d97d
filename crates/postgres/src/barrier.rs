//! The marker row that proves a drain: written on the source after the last write, seen on the target.

use std::time::{Duration, Instant};

use tokio_postgres::types::Type;

use crate::connect::Session;
use crate::error::{Doing, Error, ErrorKind, Result};
use crate::ident::{Ident, QualifiedName, literal};
use crate::lsn::Lsn;
use crate::replication::slot;
use crate::subscription::subscription;

/// The first table's name in the barriers' schema.
const TABLE: &str = "barrier";
/// Polls come as fast as this at first, since a cut-over waits,
const SHORTEST: Duration = Duration::from_millis(2);
/// and as slow as this at last.
const LONGEST: Duration = Duration::from_millis(50);
/// Between two looks at what explains a wait.
const LOOK: Duration = Duration::from_millis(200);

/// How far a slot's subscriber is behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lag {
    /// Bytes of WAL between what is written and what the subscriber has confirmed.
    pub bytes: u64,
}

/// One stream of changes: a slot, the subscription of the same name that consumes it, and the barrier table that it alone carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feed {
    /// Name of the slot on the source, of the subscription on the target, and of the publication that holds the barrier.
    pub name: String,
    /// The barrier table, on both: its rows prove how far this feed has come, and no other.
    pub barrier: QualifiedName,
}

impl Feed {
    /// The `n`th feed of a run, from 1 on; its barrier is in the schema `mark`.
    pub fn nth(mark: &str, n: usize) -> Self {
        let suffix = if n > 1 { format!("_{n}") } else { String::new() };
        Self { name: format!("{mark}{suffix}"), barrier: QualifiedName::new(mark, format!("{TABLE}{suffix}")) }
    }
}

/// Creates the barrier's schema and table unless they exist; it must be in the publication.
///
/// # Errors
/// What the server answered.
pub async fn create_barrier(session: &Session, table: &QualifiedName) -> Result<()> {
    session.batch_execute(&barrier_statements(table)).await.doing(|| format!("create the barrier table {table}"))
}

/// The statements that create the barrier table.
pub fn barrier_statements(table: &QualifiedName) -> String {
    format!(
        "create schema if not exists {};
         create table if not exists {table} (
             id pg_catalog.text primary key,
             written_at pg_catalog.timestamptz not null default pg_catalog.clock_timestamp(),
             sequences pg_catalog.jsonb)",
        Ident::new(&*table.schema)
    )
}

/// Writes a barrier row, durably; writing the same id again is fine and writes nothing.
///
/// # Errors
/// What the server answered.
pub async fn write_barrier(session: &Session, table: &QualifiedName, id: &str) -> Result<()> {
    let sql = format!("insert into {table} (id) values ($1) on conflict do nothing");
    session.execute_typed(&sql, &[(&id, Type::TEXT)]).await.doing(|| format!("write to the barrier table {table}"))?;
    Ok(())
}

/// Whether the barrier row has arrived.
///
/// # Errors
/// What the server answered.
pub async fn seen_barrier(session: &Session, table: &QualifiedName, id: &str) -> Result<bool> {
    let sql = format!("select exists (select from {table} where id = $1)");
    let row = session.query_typed_one(&sql, &[(&id, Type::TEXT)]).await.doing(|| format!("read the barrier table {table}"))?;
    Ok(row.try_get(0)?)
}

/// Writes a barrier row, and waits until everything before it is applied and durable on the target. Returns the source's position
/// after the row.
///
/// The row is seen when all that was committed before it has been applied, since that is done in the order of the commits; and it is
/// durable with a commit of our own after it. The slot's confirmed position would prove the same, but a subscriber that always has
/// something to apply reports it twice a minute only. The target's own positions prove nothing.
///
/// # Errors
/// A slot or subscription that is gone or disabled, or the deadline.
pub async fn wait_applied(
    source: &Session,
    target: &Session,
    feed: &Feed,
    deadline: Duration,
    progress: &mut (dyn FnMut(&Lag) + Send),
) -> Result<Lsn> {
    let what = || format!("wait until subscription {} has applied everything", feed.name);
    let began = Instant::now();
    let id = barrier_id();
    write_barrier(source, &feed.barrier, &id).await?;
    let position = insert_position(source).await?;
    let mut pause = SHORTEST;
    let mut last_look = Instant::now();
    loop {
        let seen = seen_barrier(target, &feed.barrier, &id).await?;
        // The rest is read only when it can decide or explain.
        let explain = began.elapsed() > deadline;
        if seen || explain || last_look.elapsed() > LOOK {
            last_look = Instant::now();
            let behind = look(source, target, feed, position).await.doing(what)?;
            if seen && behind.tables.is_empty() {
                target.batch_execute(MAKE_DURABLE).await.doing(what)?;
                return Ok(position);
            }
            if explain {
                let why = format!(
                    "not within {:.1} s: marker {}, {}",
                    deadline.as_secs_f64(),
                    if seen { "seen" } else { "not seen" },
                    behind.why
                );
                return Err(Error::new(ErrorKind::Timeout, what(), why));
            }
            progress(&behind.lag);
        }
        tokio::time::sleep(pause.min(deadline.saturating_sub(began.elapsed()) + SHORTEST)).await;
        pause = (pause * 3 / 2).min(LONGEST);
    }
}

/// Waits on the target itself, in one round trip, until the row of this id has come through the feed, and until that is durable. Unlike
/// [`wait_applied`] it neither writes the row nor looks at the tables' states: before a cut-over all are in step.
///
/// # Errors
/// The deadline, with what the feed lacks.
pub async fn await_marker(source: &Session, target: &Session, feed: &Feed, marker: (&str, Lsn), deadline: Duration) -> Result<()> {
    let what = || format!("wait until subscription {} has applied everything", feed.name);
    let (id, position) = marker;
    let Err(error) = target.batch_execute(&drain_statements(&feed.barrier, id, deadline)).await else { return Ok(()) };
    let error = Error::from(error);
    if error.sqlstate() != Some("57014") {
        return Err(error.doing(what()));
    }
    let behind = look(source, target, feed, position).await.doing(what)?;
    let why = format!("not within {:.1} s: marker not seen, {}", deadline.as_secs_f64(), behind.why);
    Err(Error::new(ErrorKind::Timeout, what(), why))
}

/// The statements that wait for the marker and make what came before it durable.
pub fn drain_statements(barrier: &QualifiedName, marker: &str, deadline: Duration) -> String {
    format!(
        "do $drain$
         declare until_then pg_catalog.timestamptz := pg_catalog.clock_timestamp() + pg_catalog.make_interval(secs => {});
         begin
           while not exists (select from {barrier} where id = {}) loop
             if pg_catalog.clock_timestamp() > until_then then
               raise exception 'the marker has not come' using errcode = 'query_canceled';
             end if;
             perform pg_catalog.pg_sleep(0.001);
           end loop;
         end $drain$; {MAKE_DURABLE}",
        deadline.as_secs_f64(),
        literal(marker)
    )
}

/// What a feed lacks.
struct Behind {
    lag: Lag,
    /// Tables that are not in step, each with its state.
    tables: Vec<String>,
    /// All of it in words.
    why: String,
}

/// How far the feed is; fails where nothing will come any more.
async fn look(source: &Session, target: &Session, feed: &Feed, position: Lsn) -> Result<Behind> {
    let gone = |why: String| Error::new(ErrorKind::Other, "", why);
    let Some(slot) = slot(source, &feed.name).await? else { return Err(gone(format!("the replication slot {} is gone", feed.name))) };
    if slot.wal_status == "lost" {
        return Err(gone(format!("the replication slot {} has lost its WAL", feed.name)));
    }
    let Some(subscriber) = subscription(target, &feed.name).await? else { return Err(gone("the subscription is gone".into())) };
    if !subscriber.enabled {
        return Err(gone("the subscription is disabled".into()));
    }
    if subscriber.tables.is_empty() {
        return Err(gone("the subscription has no tables".into()));
    }
    let tables: Vec<String> =
        subscriber.tables.iter().filter(|(_, state)| *state != 'r').map(|(name, state)| format!("{name} ({state})")).collect();
    let lag = Lag { bytes: position.bytes_since(slot.confirmed_flush) };
    let why = format!(
        "{} bytes not confirmed, worker {}, {} apply and {} copy errors, tables not in step: {}",
        lag.bytes,
        if subscriber.worker_pid.is_some() { "running" } else { "not running" },
        subscriber.apply_errors,
        subscriber.sync_errors,
        if tables.is_empty() { "none".to_owned() } else { tables.join(", ") }
    );
    Ok(Behind { lag, tables, why })
}

/// Brings everything to the server's disk that was committed there before, by a commit that is waited for. Its transaction writes
/// something: without that the server would not wait, whatever `synchronous_commit` says.
pub(crate) const MAKE_DURABLE: &str = "begin; set local synchronous_commit = on; \
     select pg_catalog.pg_logical_emit_message(true, 'azure2neon', 'durable'); commit";

/// How far the slot's subscriber is behind; None if there is no such slot.
///
/// # Errors
/// What the server answered.
pub async fn lag(source: &Session, slot_name: &str) -> Result<Option<Lag>> {
    let Some(state) = slot(source, slot_name).await? else { return Ok(None) };
    Ok(Some(Lag { bytes: insert_position(source).await?.bytes_since(state.confirmed_flush) }))
}

/// How far a server has written its log.
pub(crate) async fn insert_position(source: &Session) -> Result<Lsn> {
    let row = source
        .query_typed_one("select pg_catalog.pg_current_wal_insert_lsn()::pg_catalog.text", &[])
        .await
        .doing(|| "read the source's log position")?;
    row.try_get::<_, &str>(0)?.parse()
}

/// An id that no earlier wait has used; it need not be secret.
pub fn barrier_id() -> String {
    format!("{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..))
}
