//! A server as a whole: how it is set, how much of it is in use, and what a role may do there.

use std::collections::BTreeMap;

use crate::connect::Session;
use crate::error::{Doing, Result};

/// What a server has in use; without arguments.
pub const IN_USE: &str = include_str!("../sql/server.sql");
/// What the session's role may do with some tables (oids).
pub const RIGHTS: &str = include_str!("../sql/rights.sql");

/// Settings that a migration depends on, beside those that it changes.
const SETTINGS: [&str; 4] =
    ["idle_replication_slot_timeout", "max_logical_replication_workers", "max_slot_wal_keep_size", "max_sync_workers_per_subscription"];

/// A server as it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServerFacts {
    /// Whether it replays another server's changes and takes none itself.
    pub in_recovery: bool,
    /// Whether two statements of a session were answered by different processes: something between shares connections out.
    pub pooled: bool,
    /// Replication slots in use.
    pub slots: i64,
    /// WAL senders in use.
    pub senders: i64,
    /// Logical replication workers in use.
    pub workers: i64,
    /// What all databases take, in bytes, as far as the role may know.
    pub databases_bytes: i64,
    /// WAL that slots keep, in bytes.
    pub held_bytes: i64,
    /// Some settings in force, by their names; one that this version does not have is missing.
    pub settings: BTreeMap<String, String>,
}

/// What a role may do on a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rights {
    /// It is a superuser, or one of Azure's administrators, whom its servers let do more than plain PostgreSQL would.
    pub administrator: bool,
    /// It may create roles.
    pub creates_roles: bool,
    /// It may replicate.
    pub replication: bool,
    /// It owns the database.
    pub owns_database: bool,
    /// It may create schemas and publications in the database.
    pub creates_schemas: bool,
    /// It may end other roles' sessions.
    pub signals: bool,
    /// Tables that it does not own.
    pub of_others: Vec<String>,
    /// Tables that it may not read.
    pub unreadable: Vec<String>,
}

impl Default for Rights {
    fn default() -> Self {
        Self {
            administrator: true,
            creates_roles: true,
            replication: true,
            owns_database: true,
            creates_schemas: true,
            signals: true,
            of_others: Vec::new(),
            unreadable: Vec::new(),
        }
    }
}

/// Looks at the server; in one round trip.
///
/// # Errors
/// What the server answered.
pub async fn server_facts(session: &Session) -> Result<ServerFacts> {
    let settings = "select name, pg_catalog.current_setting(name) from pg_catalog.pg_settings where name = any ($1)";
    let names: &[&str] = &SETTINGS;
    let (row, settings) = futures::future::try_join(session.query_one(IN_USE, &[]), session.query(settings, &[&names]))
        .await
        .doing(|| "look at the server")?;
    let settings = settings.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect::<Result<_>>()?;
    Ok(ServerFacts {
        in_recovery: row.try_get("in_recovery")?,
        pooled: row.try_get::<_, i32>("pid")? != session.pid(),
        slots: row.try_get("slots")?,
        senders: row.try_get("senders")?,
        workers: row.try_get("workers")?,
        databases_bytes: row.try_get("databases_bytes")?,
        held_bytes: row.try_get("held_bytes")?,
        settings,
    })
}

/// What the session's role may do on the server and with these tables.
///
/// # Errors
/// What the server answered.
pub async fn rights(session: &Session, tables: &[u32]) -> Result<Rights> {
    let row = session.query_one(RIGHTS, &[&tables]).await.doing(|| "ask what the login may do")?;
    Ok(Rights {
        administrator: row.try_get("administrator")?,
        creates_roles: row.try_get("creates_roles")?,
        replication: row.try_get("replication")?,
        owns_database: row.try_get("owns_database")?,
        creates_schemas: row.try_get("creates_schemas")?,
        signals: row.try_get("signals")?,
        of_others: row.try_get("of_others")?,
        unreadable: row.try_get("unreadable")?,
    })
}
