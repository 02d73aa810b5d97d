//! The fence: from it until it is lowered, no one but the migration writes to the database.
//!
//! A database's default_transaction_read_only is only a default for new sessions, so those from before are ended, and the fence
//! stands only when none of them is left. A session that asks for a read-write transaction itself still gets one; what such a one
//! writes is found by the comparison after the drain.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio_postgres::types::{ToSql, Type};

use crate::connect::Session;
use crate::error::{Doing, Error, ErrorKind, Result};
use crate::ident::{Ident, literal};

const SETTING: &str = "default_transaction_read_only";
/// Sessions that were told to end may take this long; a fence that drags on is an outage.
const DEADLINE: Duration = Duration::from_secs(10);

/// Sessions of a database from before an instant.
pub const SESSIONS: &str = include_str!("../sql/fence_sessions.sql");
/// Sessions of a database that are being opened.
pub const STARTING: &str = include_str!("../sql/fence_starting.sql");
/// Roles whose own setting beats the database's.
pub const OVERRIDES: &str = include_str!("../sql/fence_overrides.sql");
/// A database's own setting.
pub const DATABASE_SETTING: &str = include_str!("../sql/database_setting.sql");

/// What stood before the fence, to be put back by [`lower`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FenceBefore {
    /// The database's own setting, if it had one.
    pub default_transaction_read_only: Option<String>,
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
    /// When the database was read-only, by the server's clock (as timestamptz prints it in UTC).
    pub raised_at: String,
    /// When the last session from before the fence was seen gone, by the same clock.
    pub proven_at: String,
}

/// The database's setting before a fence.
///
/// # Errors
/// What the server answered.
pub async fn fence_state(session: &Session, database: &str) -> Result<FenceBefore> {
    let row =
        session.query_opt(DATABASE_SETTING, &[&database, &SETTING]).await.doing(|| format!("read the settings of database {database}"))?;
    let value = row.map(|row| row.try_get(0)).transpose()?;
    Ok(FenceBefore { default_transaction_read_only: value })
}

/// Makes the database read-only by default and ends every session that began before, except the migration's own: those of the
/// same role whose application_name begins with `own_application_prefix`. Safe to repeat.
///
/// # Errors
/// Prepared transactions (named), roles that override the setting (named), sessions that may not be ended (named), or sessions
/// that don't end within 10 s. The database may be read-only then: [`lower`] it.
pub async fn raise(session: &Session, database: &str, own_application_prefix: &str) -> Result<FenceProof> {
    raise_inner(session, database, own_application_prefix).await.doing(|| format!("fence the database {database}"))
}

async fn raise_inner(session: &Session, database: &str, own: &str) -> Result<FenceProof> {
    refuse_prepared(session, database).await?;
    let rows = session.query_typed(OVERRIDES, &[(&database, Type::TEXT)]).await?;
    let roles = rows.iter().map(|row| row.try_get(0)).collect::<Result<Vec<String>, _>>()?;
    if !roles.is_empty() {
        let why = format!("the roles {} have {SETTING} set off, which beats the database's setting; reset it", roles.join(", "));
        return Err(Error::new(ErrorKind::Other, "", why));
    }
    session.batch_execute(&format!("alter database {} set {SETTING} = on", Ident::new(database))).await?;
    // Taken after the change is visible: who starts later has read it.
    let raised_at = clock(session).await?;
    let mut starting = starting(session, database).await?;
    let began = Instant::now();
    let (mut ended, mut spared) = (BTreeSet::new(), BTreeSet::new());
    let mut rounds = 0;
    loop {
        rounds += 1;
        // Only who was starting while the fence rose may have missed it.
        if !starting.is_empty() {
            let still = self::starting(session, database).await?;
            starting.retain(|pid| still.contains(pid));
        }
        let mut left = Vec::new();
        let parameters = [(&database as Parameter<'_>, Type::TEXT), (&raised_at, Type::TEXT), (&own, Type::TEXT)];
        let mut pids = Vec::new();
        for row in session.query_typed(SESSIONS, &parameters).await? {
            let pid: i32 = row.try_get("pid")?;
            let who = format!("{}/{}", row.try_get::<_, &str>("role")?, row.try_get::<_, &str>("application")?);
            if row.try_get("superuser")? {
                match terminate(session, &[pid]).await {
                    Ok(()) => {}
                    Err(error) if error.kind() == ErrorKind::Permission => {
                        spared.insert(who);
                        continue;
                    }
                    Err(error) => return Err(error),
                }
            } else {
                pids.push(pid);
            }
            ended.insert(pid);
            left.push(format!("pid {pid} ({who})"));
        }
        if !pids.is_empty() {
            // All in one statement: an application holds hundreds of sessions, and the source may be an ocean away.
            terminate(session, &pids).await.doing(|| format!("end the sessions {}", left.join(", ")))?;
        }
        if left.is_empty() && starting.is_empty() {
            break;
        }
        if began.elapsed() > DEADLINE {
            let why = format!("after {} s these sessions are still there: {}", DEADLINE.as_secs(), left.join(", "));
            return Err(Error::new(ErrorKind::Timeout, "", why));
        }
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
    refuse_prepared(session, database).await?;
    let proven_at = clock(session).await?;
    Ok(FenceProof { ended: ended.len(), rounds, spared: spared.into_iter().collect(), raised_at, proven_at })
}

type Parameter<'a> = &'a (dyn ToSql + Sync);

async fn terminate(session: &Session, pids: &[i32]) -> Result<()> {
    let sql = "select pg_catalog.pg_terminate_backend(pid) from pg_catalog.unnest($1::pg_catalog.int4[]) pid";
    session.query_typed(sql, &[(&pids, Type::INT4_ARRAY)]).await?;
    Ok(())
}

/// A prepared transaction outlives its session, and may commit behind the fence.
async fn refuse_prepared(session: &Session, database: &str) -> Result<()> {
    let sql = "select gid || ' of ' || owner::pg_catalog.text from pg_catalog.pg_prepared_xacts where database = $1 order by 1";
    let rows = session.query_typed(sql, &[(&database, Type::TEXT)]).await?;
    let names = rows.iter().map(|row| row.try_get(0)).collect::<Result<Vec<String>, _>>()?;
    if names.is_empty() {
        return Ok(());
    }
    let why = format!("prepared transactions may commit behind the fence: {}; commit or roll them back", names.join(", "));
    Err(Error::new(ErrorKind::Other, "", why))
}

async fn starting(session: &Session, database: &str) -> Result<BTreeSet<i32>> {
    let rows = session.query_typed(STARTING, &[(&database, Type::TEXT)]).await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

async fn clock(session: &Session) -> Result<String> {
    let sql = "select pg_catalog.clock_timestamp()::pg_catalog.text";
    Ok(session.query_typed_one(sql, &[]).await?.try_get(0)?)
}

/// Puts the database's setting back as it was, and nothing else.
///
/// # Errors
/// What the server answered.
pub async fn lower(session: &Session, database: &str, before: &FenceBefore) -> Result<()> {
    session.batch_execute(&lowering(database, before)).await.doing(|| format!("lower the fence of database {database}"))
}

/// The statement that lowers the fence; for people, when nobody else can send it.
pub fn lowering(database: &str, before: &FenceBefore) -> String {
    let database = Ident::new(database);
    match &before.default_transaction_read_only {
        None => format!("alter database {database} reset {SETTING}"),
        Some(value) => format!("alter database {database} set {SETTING} = {}", literal(value)),
    }
}
