//! The fence: from it until it is lowered, no one but the migration writes to the database.
//!
//! Its layers: the database takes no new connection (but of superusers), is read-only by default, and every session that is not the
//! migration's own is ended. Any one alone leaks: a default is overridden by the session that wants to, a session that is open
//! already heeds neither setting, and one that is ended comes back at once. That it held is then read in the WAL ([`crate::proof`]).

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio_postgres::SimpleQueryMessage;

use crate::connect::{Endpoint, Session};
use crate::error::{Doing, Error, ErrorKind, Result};
use crate::ident::{Ident, QualifiedName, literal};
use crate::lsn::Lsn;
use crate::sequences::SequenceValue;

const SETTING: &str = "default_transaction_read_only";
/// Sessions that were told to end may take this long; a fence that drags on is an outage.
const DEADLINE: Duration = Duration::from_secs(10);
/// So often a session is let through a fence that somebody else's took the place of.
const TRIES: usize = 20;

/// What raises the fence in a database that was closed.
const RAISE: &str = include_str!("../sql/raise_fence.sql");
/// A database's own setting.
pub const DATABASE_SETTING: &str = include_str!("../sql/database_setting.sql");
/// A database's limit of connections.
pub const CONNECTION_LIMIT: &str = "select datconnlimit from pg_catalog.pg_database where datname = $1";

/// Prepared transactions of the database, each as `gid of owner`: one outlives its session, and may commit behind a fence.
pub const PREPARED_TRANSACTIONS: &str = "select gid || ' of ' || owner::pg_catalog.text from pg_catalog.pg_prepared_xacts \
     where database = pg_catalog.current_database() order by gid";
/// Sessions of the database whose transactions are older than ten seconds, each in words.
pub const LONG_TRANSACTIONS: &str = include_str!("../sql/long_transactions.sql");

/// Ends the clients of the database whose transactions have written and are older than ten seconds.
pub const END_LONG_WRITERS: &str = "select pg_catalog.pg_terminate_backend(pid) from pg_catalog.pg_stat_activity \
     where datname = pg_catalog.current_database() and backend_type = 'client backend' and pid <> pg_catalog.pg_backend_pid() \
     and backend_xid is not null and xact_start < pg_catalog.clock_timestamp() - pg_catalog.make_interval(secs => 10)";

/// What stood before the fence, to be put back by [`lower`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FenceBefore {
    /// The database's own setting, if it had one.
    pub default_transaction_read_only: Option<String>,
    /// How many connections it took; -1 for no limit.
    pub connection_limit: i32,
}

impl Default for FenceBefore {
    fn default() -> Self {
        Self { default_transaction_read_only: None, connection_limit: -1 }
    }
}

/// What is fenced, and what is written behind it.
#[derive(Clone, Copy)]
pub struct Fence<'a> {
    /// The database, in which the session that raises it is.
    pub database: &'a str,
    /// Server processes of the migration's own sessions, which stay.
    pub own: &'a [i32],
    /// Whether new connections are refused, too. Then whatever works behind the fence must be connected already, or [`pass`].
    pub closed: bool,
    /// The sequences to read when nobody moves them any more.
    pub sequences: &'a [QualifiedName],
    /// The barrier table that gets the last row of all, and that row's id; none where nothing is replicated.
    pub marker: Option<(&'a QualifiedName, &'a str)>,
}

/// That the fence stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FenceProof {
    /// Sessions that were ended.
    pub ended: usize,
    /// Rounds of looking until none was left.
    pub rounds: usize,
    /// The provider's own sessions (of superusers), which no one may end, as `role/application`.
    pub spared: Vec<String>,
    /// When the database was closed, by the server's clock.
    pub raised_at: String,
    /// When the last session from before the fence was seen gone, by the same clock.
    pub proven_at: String,
    /// The sequences' last values, which the marker carries, too.
    pub sequences: Vec<SequenceValue>,
    /// The log position behind the marker: what is committed after it got through the fence.
    pub position: Lsn,
    /// The marker's id.
    pub marker: String,
}

/// The database's settings before a fence.
///
/// # Errors
/// What the server answered.
pub async fn fence_state(session: &Session, database: &str) -> Result<FenceBefore> {
    let doing = || format!("read the settings of database {database}");
    let row = session.query_opt(DATABASE_SETTING, &[&database, &SETTING]).await.doing(doing)?;
    let value = row.map(|row| row.try_get(0)).transpose()?;
    let limit = session.query_one(CONNECTION_LIMIT, &[&database]).await.doing(doing)?.try_get(0)?;
    Ok(FenceBefore { default_transaction_read_only: value, connection_limit: limit })
}

/// Closes the database to new connections and to writes, ends every session that is not ours, reads the sequences, and writes the
/// marker; in one round trip. Safe to repeat with another marker.
///
/// # Errors
/// Prepared transactions (named), sessions that may not be ended (named), or sessions that don't end within 10 s. The database may be
/// closed then: [`lower`] it.
pub async fn raise(session: &Session, fence: Fence<'_>) -> Result<FenceProof> {
    raise_inner(session, fence).await.doing(|| format!("fence the database {}", fence.database))
}

/// Does all of [`raise`] but close the database, end sessions and keep the marker: what would fail then fails now, and the server has
/// read from its catalogs by then what it needs to be fast.
///
/// # Errors
/// As [`raise`].
pub async fn rehearse(session: &Session, fence: Fence<'_>) -> Result<()> {
    let done = session.batch_execute(&format!("begin; {}; rollback", script(fence, None))).await;
    if done.is_err() {
        let _ = session.batch_execute("rollback").await;
    }
    done.doing(|| format!("rehearse the fence of the database {}", fence.database))
}

/// What ends the sessions and writes the marker.
fn script(fence: Fence<'_>, own: Option<&[i32]>) -> String {
    let array = |items: &mut dyn Iterator<Item = String>| literal(&format!("{{{}}}", items.collect::<Vec<_>>().join(",")));
    let quoted = |name: &QualifiedName| format!("\"{}\"", name.to_string().replace('\\', "\\\\").replace('"', "\\\""));
    let (table, marker) = fence.marker.map_or_else(Default::default, |(table, id)| (table.to_string(), id));
    format!(
        "set local azure2neon.own = {}; set local azure2neon.patience = '{} ms'; set local azure2neon.sequences = {};
         set local azure2neon.barrier = {}; set local azure2neon.marker = {};
         {RAISE}",
        own.map_or_else(|| literal(""), |own| array(&mut own.iter().map(i32::to_string))),
        DEADLINE.as_millis(),
        array(&mut fence.sequences.iter().map(quoted)),
        literal(&table),
        literal(marker),
    )
}

/// The statements that raise the fence, in one message.
pub fn raising(fence: Fence<'_>) -> String {
    let database = Ident::new(fence.database);
    let close = if fence.closed { format!("alter database {database} with connection limit 0; ") } else { String::new() };
    // The settings must be committed before anybody is ended, or he would come back under the old ones.
    format!(
        "begin; {close}alter database {database} set {SETTING} = on; commit;
         begin; {}; commit;
         select pg_catalog.pg_current_wal_insert_lsn(), pg_catalog.current_setting('azure2neon.proof')",
        script(fence, Some(fence.own)),
    )
}

async fn raise_inner(session: &Session, fence: Fence<'_>) -> Result<FenceProof> {
    let marker = fence.marker.map_or("", |(_, id)| id);
    let answer = match session.simple_query(&raising(fence)).await {
        Ok(answer) => answer,
        Err(error) => {
            let _ = session.batch_execute("rollback").await;
            return Err(error.into());
        }
    };
    let row = answer.iter().find_map(|message| if let SimpleQueryMessage::Row(row) = message { Some(row) } else { None });
    let (Some(position), Some(told)) = (row.and_then(|row| row.get(0)), row.and_then(|row| row.get(1))) else {
        return Err(Error::new(ErrorKind::Other, "", "the server does not say how the fence stands"));
    };
    let told: Told = serde_json::from_str(told).map_err(|error| Error::new(ErrorKind::Other, "", format!("{error} in {told}")))?;
    let value =
        |(name, (last_value, is_called)): (&QualifiedName, (i64, bool))| SequenceValue { name: name.clone(), last_value, is_called };
    Ok(FenceProof {
        ended: told.ended,
        rounds: told.rounds,
        spared: told.spared,
        raised_at: told.raised_at,
        proven_at: told.proven_at,
        sequences: fence.sequences.iter().zip(told.sequences).map(value).collect(),
        position: position.parse()?,
        marker: marker.to_owned(),
    })
}

/// What the server tells of a fence that it raised.
#[derive(Deserialize)]
struct Told {
    ended: usize,
    rounds: usize,
    spared: Vec<String>,
    raised_at: String,
    proven_at: String,
    sequences: Vec<(i64, bool)>,
}

/// Puts the database's settings back as they were, and nothing else. From a session in any database of the server.
///
/// # Errors
/// What the server answered.
pub async fn lower(session: &Session, database: &str, before: &FenceBefore) -> Result<()> {
    session.batch_execute(&lowering(database, before)).await.doing(|| format!("lower the fence of database {database}"))
}

/// Ends a session of ours, and with it whatever it is at, and waits until it is gone.
///
/// # Errors
/// One that does not end within 10 s.
pub async fn end_own(session: &Session, pid: i32) -> Result<()> {
    let doing = || format!("end the session pid {pid}");
    let patience = i64::try_from(DEADLINE.as_millis()).unwrap_or(i64::MAX);
    session.query("select pg_catalog.pg_terminate_backend($1, $2)", &[&pid, &patience]).await.doing(doing)?;
    let there = "select exists (select from pg_catalog.pg_stat_activity where pid = $1)";
    if session.query_one(there, &[&pid]).await.doing(doing)?.try_get(0)? {
        return Err(Error::new(ErrorKind::Timeout, doing(), "it is still there"));
    }
    Ok(())
}

/// The statements that lower the fence; for people, when nobody else can send them.
pub fn lowering(database: &str, before: &FenceBefore) -> String {
    let database = Ident::new(database);
    let limit = format!("alter database {database} with connection limit {}", before.connection_limit);
    match &before.default_transaction_read_only {
        None => format!("alter database {database} reset {SETTING}; {limit}"),
        Some(value) => format!("alter database {database} set {SETTING} = {}; {limit}", literal(value)),
    }
}

/// A database of the same server from which a fenced one is reached.
#[must_use]
pub fn beside(endpoint: &Endpoint) -> Endpoint {
    endpoint.with_database(if endpoint.database == "postgres" { "template1" } else { "postgres" })
}

/// Whether the server refused a connection because the database is closed.
pub fn is_closed(error: &Error) -> bool {
    error.sqlstate() == Some("53300")
}

/// A connection that was let into a fenced database.
pub struct Passed<T> {
    /// The connection.
    pub connection: T,
    /// The server's process behind it.
    pub pid: i32,
    /// Who came in beside it, each as `role/application`; they were ended at once, but may have committed something.
    pub intruders: Vec<String>,
}

/// Opens a connection to a fenced database, for which the fence opens for a moment. `keeper` connects [`beside`] it as who may change it;
/// `connect` yields the connection with the server's process behind it. Whoever else came in meanwhile is ended at once.
///
/// # Errors
/// What the server answered; the fence is closed again all the same.
pub async fn pass<T, F: Future<Output = Result<(T, i32)>> + Send>(
    keeper: &Endpoint,
    database: &str,
    connect: impl Fn() -> F + Send + Sync,
) -> Result<Passed<T>> {
    let keeper = keeper.connect().await?;
    let name = Ident::new(database);
    let here = "select pg_catalog.count(*), pg_catalog.clock_timestamp()::pg_catalog.text from pg_catalog.pg_stat_activity \
                where datname = $1 and backend_type in ('client backend', 'walsender', 'autovacuum worker')";
    let mut intruders = Vec::new();
    for _ in 0..TRIES {
        let row = keeper.query_one(here, &[&database]).await?;
        let (here, since): (i64, String) = (row.try_get(0)?, row.try_get(1)?);
        keeper.batch_execute(&format!("alter database {name} with connection limit {}", here + 1)).await?;
        let entered = connect().await;
        keeper.batch_execute(&format!("alter database {name} with connection limit 0")).await?;
        let pid = entered.as_ref().map_or(0, |(_, pid)| *pid);
        intruders.extend(end_since(&keeper, database, pid, &since).await?);
        match entered {
            Ok((connection, pid)) => return Ok(Passed { connection, pid, intruders }),
            Err(error) if is_closed(&error) => {}
            Err(error) => return Err(error),
        }
    }
    let why = "others take every place that is opened";
    Err(Error::new(ErrorKind::Other, format!("enter the closed database {database}"), why))
}

/// Ends whoever came into the database since then, but for one process, until nobody is left who could still be on his way in.
async fn end_since(keeper: &Session, database: &str, but: i32, since: &str) -> Result<Vec<String>> {
    let others = "select pg_catalog.format('%s/%s', a.usename, coalesce(a.application_name, '')), pg_catalog.pg_terminate_backend(a.pid) \
                  from pg_catalog.pg_stat_activity a join pg_catalog.pg_roles r on r.oid = a.usesysid and not r.rolsuper \
                  where a.datname = $1 and a.backend_type = 'client backend' and a.pid <> $2 \
                    and a.backend_start >= $3::pg_catalog.text::pg_catalog.timestamptz";
    let starting = "select pg_catalog.count(*) from pg_catalog.pg_locks l join pg_catalog.pg_database d on d.oid = l.objid \
                    where l.locktype = 'object' and l.classid = 'pg_catalog.pg_database'::pg_catalog.regclass \
                      and l.mode = 'RowExclusiveLock' and d.datname = $1 and l.pid <> $2";
    let (mut ended, began, mut quiet) = (Vec::new(), Instant::now(), false);
    while began.elapsed() < DEADLINE {
        let on_their_way: i64 = keeper.query_one(starting, &[&database, &but]).await?.try_get(0)?;
        let found = keeper.query(others, &[&database, &but, &since]).await?;
        for row in &found {
            ended.push(row.try_get(0)?);
        }
        // Seen twice: who was on his way in at the first look shows at the second.
        if on_their_way == 0 && found.is_empty() {
            if quiet {
                break;
            }
            quiet = true;
        } else {
            quiet = false;
        }
    }
    ended.sort();
    ended.dedup();
    Ok(ended)
}
