//! The subscriber's side: the native subscription, which alone may apply changes on the target.

use std::time::{Duration, Instant};

use secrecy::{ExposeSecret, SecretString};
use tokio_postgres::types::Type;

use crate::connect::{Endpoint, Session};
use crate::error::{Doing, Error, ErrorKind, Result};
use crate::ident::{Ident, QualifiedName, conninfo_value, literal};
use crate::lsn::Lsn;

/// A subscription, by its name.
pub const SUBSCRIPTION: &str = include_str!("../sql/subscription.sql");
/// A subscription's tables, by its oid.
pub const SUBSCRIPTION_TABLES: &str = include_str!("../sql/subscription_tables.sql");
/// A worker that was told to stop may take this long.
const STOP_DEADLINE: Duration = Duration::from_secs(30);
/// Dropping with the slot is given up after this, for a publisher that does not answer.
const DROP_DEADLINE: Duration = Duration::from_secs(30);

/// Where the subscriber's server reaches the publisher, as whom.
#[derive(Clone)]
pub struct Publisher<'a> {
    /// Host name as the target's server resolves it.
    pub host: &'a str,
    /// Port.
    pub port: u16,
    /// Database.
    pub database: &'a str,
    /// The replication role.
    pub user: &'a str,
    /// Its password.
    pub password: &'a SecretString,
}

impl<'a> From<&'a Endpoint> for Publisher<'a> {
    fn from(endpoint: &'a Endpoint) -> Self {
        Self { host: &endpoint.host, port: endpoint.port, database: &endpoint.database, user: &endpoint.user, password: &endpoint.password }
    }
}

/// A subscription as the subscriber sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionState {
    /// It is meant to run.
    pub enabled: bool,
    /// The apply worker's process, while it runs.
    pub worker_pid: Option<i32>,
    /// The slot that it consumes; None after `slot_name = none`.
    pub slot: Option<String>,
    /// Its publications.
    pub publications: Vec<String>,
    /// Each table with its srsubstate: i(nitialize), d(ata copy), f(inished copy), s(ynchronized), r(eady).
    pub tables: Vec<(QualifiedName, char)>,
    /// Times that applying failed (PostgreSQL 15+, else 0).
    pub apply_errors: i64,
    /// Times that the initial copy failed (PostgreSQL 15+, else 0).
    pub sync_errors: i64,
    /// The last position reported to the publisher; to look at, never to decide on.
    pub latest_end_lsn: Option<Lsn>,
}

impl SubscriptionState {
    /// Whether another subscription, which `has` its publications, does all that this one does, but for the barrier's of its own name.
    pub fn is_carried(&self, name: &str, has: impl Fn(&String) -> bool) -> bool {
        self.publications.iter().all(|publication| publication == name || has(publication))
    }
}

/// What dropping a subscription left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dropped {
    /// There was no such subscription.
    Absent,
    /// The subscription and its slot are gone.
    WithSlot,
    /// The subscription is gone; its slot must still be dropped on the publisher.
    SlotRemains,
}

/// A libpq connection string for a subscription.
pub fn conninfo(publisher: &Publisher<'_>, sslmode: &str, application_name: &str) -> SecretString {
    let pairs = [
        ("host", publisher.host),
        ("port", &publisher.port.to_string()),
        ("dbname", publisher.database),
        ("user", publisher.user),
        ("password", publisher.password.expose_secret()),
        ("sslmode", sslmode),
        ("application_name", application_name),
        ("connect_timeout", "15"),
        // A NAT gateway between the clouds forgets idle connections after four minutes.
        ("keepalives", "1"),
        ("keepalives_idle", "30"),
        ("keepalives_interval", "10"),
        ("keepalives_count", "6"),
    ];
    let words: Vec<String> = pairs.iter().map(|(key, value)| format!("{key}={}", conninfo_value(value))).collect();
    SecretString::from(words.join(" "))
}

/// The subscription's state; None if there is no such subscription in this database.
///
/// # Errors
/// What the server answered.
pub async fn subscription(session: &Session, name: &str) -> Result<Option<SubscriptionState>> {
    read(session, name).await.doing(|| format!("read the subscription {name}"))
}

async fn read(session: &Session, name: &str) -> Result<Option<SubscriptionState>> {
    let Some(row) = session.query_typed_opt(SUBSCRIPTION, &[(&name, Type::TEXT)]).await? else { return Ok(None) };
    let oid: u32 = row.try_get("oid")?;
    let mut tables = Vec::new();
    for table in session.query_typed(SUBSCRIPTION_TABLES, &[(&oid, Type::OID)]).await? {
        let state = table.try_get::<_, &str>("state")?.chars().next().unwrap_or('?');
        let name = QualifiedName::new(table.try_get::<_, String>("schema")?, table.try_get::<_, String>("name")?);
        tables.push((name, state));
    }
    let (apply_errors, sync_errors) = if session.major() >= 15 { errors(session, oid).await? } else { (0, 0) };
    let latest_end_lsn = row.try_get::<_, Option<&str>>("latest_end_lsn")?.map(str::parse).transpose()?;
    Ok(Some(SubscriptionState {
        enabled: row.try_get("enabled")?,
        worker_pid: row.try_get("worker_pid")?,
        slot: row.try_get("slot")?,
        publications: row.try_get("publications")?,
        tables,
        apply_errors,
        sync_errors,
        latest_end_lsn,
    }))
}

/// Creates the subscription on the existing slot of its name, enabled.
///
/// # Errors
/// What the server answered, without the connection string.
pub async fn create_subscription(
    session: &Session,
    name: &str,
    conninfo: &SecretString,
    publications: &[String],
    copy_data: bool,
) -> Result<()> {
    let sql = subscription_statement(name, conninfo, publications, copy_data);
    session.batch_execute(&sql).await.map_err(|error| censored(error.into(), conninfo)).doing(|| format!("create the subscription {name}"))
}

/// The statement that creates the subscription of a slot that is there.
pub fn subscription_statement(name: &str, conninfo: &SecretString, publications: &[String], copy_data: bool) -> String {
    format!(
        "create subscription {} connection {} publication {} with (create_slot = false, slot_name = {}, copy_data = {copy_data}, \
         streaming = on)",
        Ident::new(name),
        literal(conninfo.expose_secret()),
        list(publications),
        literal(name)
    )
}

/// How a subscription applies what comes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Applying {
    /// As the subscription's owner instead of each table's (PostgreSQL 16+; before, it is always so).
    pub as_subscriber: bool,
    /// Only what the publisher did not get from elsewhere itself. A publisher before PostgreSQL 16 ignores it: never rely on it.
    pub own_changes_only: bool,
}

/// Creates a subscription of the publication of its name, on the existing slot of its name, that copies nothing and rests until it is
/// enabled. The server connects to the publisher meanwhile.
///
/// # Errors
/// [`ErrorKind::Unreachable`] if this server can't connect to the publisher; or what the server answered, without the connection string.
pub async fn create_resting_subscription(session: &Session, name: &str, conninfo: &SecretString, applying: Applying) -> Result<()> {
    let sql = resting_subscription_statement(session.major(), name, conninfo, applying);
    let Err(error) = session.batch_execute(&sql).await else { return Ok(()) };
    let error = censored(error.into(), conninfo);
    // connection_failure: of the server's connection, not of ours.
    let error = if error.sqlstate() == Some("08006") { error.of_kind(ErrorKind::Unreachable) } else { error };
    Err(error.doing(format!("create the subscription {name}")))
}

/// The statement that creates a subscription which rests, on a server of this major version.
pub fn resting_subscription_statement(major: u32, name: &str, conninfo: &SecretString, applying: Applying) -> String {
    let subscription = Ident::new(name);
    let mut options = format!("create_slot = false, slot_name = {}, copy_data = false, enabled = false, streaming = on", literal(name));
    if major >= 16 {
        options.push_str(if applying.as_subscriber { ", run_as_owner = true" } else { "" });
        options.push_str(if applying.own_changes_only { ", origin = none" } else { "" });
    }
    let connection = literal(conninfo.expose_secret());
    format!("create subscription {subscription} connection {connection} publication {subscription} with ({options})")
}

/// Lets the subscription, which rests, go on with the existing slot of its name.
///
/// # Errors
/// What the server answered.
pub async fn take_slot(session: &Session, name: &str) -> Result<()> {
    let sql = format!("alter subscription {} set (slot_name = {})", Ident::new(name), literal(name));
    session.batch_execute(&sql).await.doing(|| format!("give the subscription {name} its slot"))
}

/// Stops the subscription and lets go of its slot, which stays; one that is absent is fine.
///
/// # Errors
/// As [`disable_subscription`].
pub async fn leave_slot(session: &Session, name: &str) -> Result<()> {
    disable_subscription(session, name).await?;
    if subscription(session, name).await?.is_none() {
        return Ok(());
    }
    let sql = format!("alter subscription {} set (slot_name = none)", Ident::new(name));
    session.batch_execute(&sql).await.doing(|| format!("take its slot from the subscription {name}"))
}

/// How a subscription is, seen from any database of its server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// It is meant to run.
    pub enabled: bool,
    /// Its apply worker runs.
    pub running: bool,
    /// Times that applying failed (PostgreSQL 15+, else 0).
    pub apply_errors: i64,
}

/// How the subscription is, whatever database of the server the session is in; None if there is none of that name.
///
/// # Errors
/// What the server answered.
pub async fn health(session: &Session, name: &str) -> Result<Option<Health>> {
    let what = || format!("look at the subscription {name}");
    let sql = "select s.oid, s.subenabled, exists (select from pg_catalog.pg_stat_subscription w where w.subid = s.oid and w.pid is not null) \
               from pg_catalog.pg_subscription s where s.subname = $1";
    let Some(row) = session.query_opt(sql, &[&name]).await.doing(what)? else { return Ok(None) };
    let oid: u32 = row.try_get(0)?;
    let apply_errors = if session.major() >= 15 { errors(session, oid).await.doing(what)?.0 } else { 0 };
    Ok(Some(Health { enabled: row.try_get(1)?, running: row.try_get(2)?, apply_errors }))
}

/// How often applying and how often copying failed.
async fn errors(session: &Session, oid: u32) -> Result<(i64, i64)> {
    let sql = "select apply_error_count, sync_error_count from pg_catalog.pg_stat_subscription_stats where subid = $1";
    let Some(stats) = session.query_typed_opt(sql, &[(&oid, Type::OID)]).await? else { return Ok((0, 0)) };
    Ok((stats.try_get(0)?, stats.try_get(1)?))
}

/// Lets the enabled subscription take these publications, without copying what its tables hold. Not in a transaction.
///
/// # Errors
/// What the server answered.
pub async fn set_publications(session: &Session, name: &str, publications: &[String]) -> Result<()> {
    let sql =
        format!("alter subscription {} set publication {} with (refresh = true, copy_data = false)", Ident::new(name), list(publications));
    session.batch_execute(&sql).await.doing(|| format!("set the publications of the subscription {name}"))
}

fn list(publications: &[String]) -> String {
    publications.iter().map(|name| Ident::new(name).to_string()).collect::<Vec<_>>().join(", ")
}

/// Replaces the connection string, for a role whose password was replaced.
///
/// # Errors
/// What the server answered, without the connection string.
pub async fn set_connection(session: &Session, name: &str, conninfo: &SecretString) -> Result<()> {
    let sql = format!("alter subscription {} connection {}", Ident::new(name), literal(conninfo.expose_secret()));
    session
        .batch_execute(&sql)
        .await
        .map_err(|error| censored(error.into(), conninfo))
        .doing(|| format!("set the connection of the subscription {name}"))
}

/// libpq quotes parts of a connection string that it can't read.
fn censored(error: Error, conninfo: &SecretString) -> Error {
    let text = conninfo.expose_secret();
    let password = text.split_once("password='").map_or("", |(_, rest)| rest.split("' sslmode=").next().unwrap_or(rest));
    error.without(text).without(password).without(&password.replace("\\'", "'").replace("\\\\", "\\"))
}

/// Lets the subscription run.
///
/// # Errors
/// What the server answered.
pub async fn enable_subscription(session: &Session, name: &str) -> Result<()> {
    let sql = format!("alter subscription {} enable", Ident::new(name));
    session.batch_execute(&sql).await.doing(|| format!("enable the subscription {name}"))
}

/// Stops the subscription and waits until its worker is gone; one that is absent is fine.
///
/// # Errors
/// [`ErrorKind::Timeout`] if the worker still runs after 30 s.
pub async fn disable_subscription(session: &Session, name: &str) -> Result<()> {
    let what = || format!("disable the subscription {name}");
    let Some(state) = subscription(session, name).await? else { return Ok(()) };
    if state.enabled {
        session.batch_execute(&format!("alter subscription {} disable", Ident::new(name))).await.doing(what)?;
    }
    let began = Instant::now();
    // Table synchronization runs in workers of its own, which must be gone too.
    let workers = "select pg_catalog.count(*) from pg_catalog.pg_stat_subscription where subname = $1 and pid is not null";
    loop {
        let left: i64 = session.query_one(workers, &[&name]).await.doing(what)?.try_get(0)?;
        if left == 0 {
            return Ok(());
        }
        if began.elapsed() > STOP_DEADLINE {
            let why = format!("{left} of its workers still run after {} s", STOP_DEADLINE.as_secs());
            return Err(Error::new(ErrorKind::Timeout, what(), why));
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Drops the subscription; if the publisher can't be reached, without its slot.
///
/// # Errors
/// What the server answered.
pub async fn drop_subscription(session: &Session, name: &str) -> Result<Dropped> {
    let what = || format!("drop the subscription {name}");
    let Some(state) = subscription(session, name).await? else { return Ok(Dropped::Absent) };
    let subscription = Ident::new(name);
    if state.slot.is_some() {
        // In a message of its own, since DROP SUBSCRIPTION with a slot refuses a transaction block.
        session.batch_execute(&format!("set statement_timeout = {}", DROP_DEADLINE.as_millis())).await.doing(what)?;
        let dropped = session.batch_execute(&format!("drop subscription {subscription}")).await;
        session.batch_execute("set statement_timeout = 0").await.doing(what)?;
        match dropped.map_err(Error::from) {
            Ok(()) => return Ok(Dropped::WithSlot),
            // Gone by another's hand.
            Err(error) if error.sqlstate() == Some("42704") && self::subscription(session, name).await?.is_none() => {
                return Ok(Dropped::SlotRemains);
            }
            Err(error) if error.kind() == ErrorKind::Permission => return Err(error.doing(what())),
            Err(error) => tracing::debug!("dropping {name} with its slot failed: {error}"),
        }
    }
    leave_slot(session, name).await?;
    session.batch_execute(&format!("drop subscription {subscription}")).await.doing(what)?;
    Ok(Dropped::SlotRemains)
}
