//! The replication role on the source: made for the migration, granted what it needs, dropped at the end.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use secrecy::{ExposeSecret, SecretString};

use crate::connect::Session;
use crate::error::{Doing, Error, ErrorKind, Result};
use crate::ident::{Ident, QualifiedName, literal};
use crate::inventory::{Inventory, Table};

/// What among some relations a role may not read.
pub const UNREADABLE: &str = include_str!("../sql/unreadable.sql");
/// What among some tables row-level security hides from a role.
pub const HIDDEN_TABLES: &str = include_str!("../sql/hidden_tables.sql");
/// Statements that take a role's grants back.
pub const GRANTS_OF_ROLE: &str = include_str!("../sql/grants_of_role.sql");
/// Whether the current role can create a subscription.
pub const MAY_SUBSCRIBE: &str = include_str!("../sql/may_subscribe.sql");
/// As whom a subscription of the current role can apply changes to which tables; PostgreSQL 16+.
pub const MAY_APPLY: &str = include_str!("../sql/may_apply.sql");
/// So many relations are granted in one statement.
const CHUNK: usize = 500;
/// Sessions that were told to end may take this long.
const END_DEADLINE: Duration = Duration::from_secs(10);
/// 64 characters, so that each takes six bits of randomness evenly.
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// What granting could not do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GrantReport {
    /// Owners for whom default privileges could not be altered: new tables of theirs won't be readable.
    pub skipped_owners: Vec<String>,
    /// The role has BYPASSRLS.
    pub bypasses_row_security: bool,
    /// Owners whom the role was made a member of, because of row-level security.
    pub joined_owners: Vec<String>,
    /// Tables whose rows row-level security still hides from the role: must be empty to go on.
    pub hidden_tables: Vec<String>,
}

/// A new password of 36 URL-safe characters from the operating system's randomness.
///
/// # Errors
/// If the system has no randomness.
pub fn generate_password() -> Result<SecretString> {
    let mut random = [0_u8; 32];
    rustls::crypto::ring::default_provider()
        .secure_random
        .fill(&mut random)
        .map_err(|_| Error::new(ErrorKind::Other, "make a password", "the system's randomness is not available"))?;
    let mut password: String = random.iter().map(|byte| char::from(ALPHABET[usize::from(byte & 63)])).collect();
    // Some servers insist on each class of character.
    password.push_str("aA0_");
    Ok(SecretString::from(password))
}

/// Creates the role with LOGIN and REPLICATION, or sets its password if it exists.
///
/// # Errors
/// What the server answered; then there is no role, or it is as it was.
pub async fn create_replication_role(session: &Session, name: &str, password: &SecretString, comment: &str) -> Result<()> {
    create_role(session, name, &verifier(password), comment).await
}

/// The same on Neon, which takes the password itself only: its control plane has to know it.
///
/// # Errors
/// What the server answered, without the password; then there is no role, or it is as it was.
pub async fn create_replication_role_on_neon(session: &Session, name: &str, password: &SecretString, comment: &str) -> Result<()> {
    let plain = password.expose_secret();
    create_role(session, name, &literal(plain), comment).await.map_err(|error| error.without(plain))
}

async fn create_role(session: &Session, name: &str, password: &str, comment: &str) -> Result<()> {
    let verb = if role_comment(session, name).await?.is_some() { "alter" } else { "create" };
    let done = session.batch_execute(&role_statements(verb, name, password, comment)).await;
    if done.is_err() {
        let _ = session.batch_execute("rollback").await;
    }
    done.doing(|| format!("{verb} the role {name}"))
}

/// The statements that `create` or `alter` the role; `password` is a literal.
pub fn role_statements(verb: &str, name: &str, password: &str, comment: &str) -> String {
    let role = Ident::new(name);
    // Row-level security must fail a copy, not thin it out; a long transaction on the target must not cut the stream, and no limit
    // that the server or the database sets for its sessions a copy.
    let limits = ["statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "idle_session_timeout"];
    let unlimited = limits.map(|limit| format!("alter role {role} set {limit} = 0;")).join(" ");
    format!(
        "begin; {verb} role {role} with login replication password {password};
         alter role {role} set row_security = off; alter role {role} set wal_sender_timeout = '5min';
         {unlimited}
         comment on role {role} is {}; commit",
        literal(comment)
    )
}

/// Replaces the role's password; what is sent is a SCRAM verifier.
///
/// # Errors
/// What the server answered.
pub async fn set_role_password(session: &Session, name: &str, password: &SecretString) -> Result<()> {
    let sql = format!("alter role {} with password {}", Ident::new(name), verifier(password));
    session.batch_execute(&sql).await.doing(|| format!("set the password of the role {name}"))
}

/// Goes on in this session as the role, which the session's own may make itself a member of. What takes REPLICATION can then be done
/// without the role's password.
///
/// # Errors
/// What the server answered.
pub async fn act_as(session: &Session, role: &str) -> Result<()> {
    let name = Ident::new(role);
    let set = format!("set role {name}");
    if !attempt(session, &set).await.doing(|| format!("act as the role {role}"))? {
        session.batch_execute(&format!("grant {name} to current_user; {set}")).await.doing(|| format!("act as the role {role}"))?;
    }
    Ok(())
}

/// The SCRAM verifier as a literal, so that the password itself reaches neither the server's log nor pg_stat_statements.
fn verifier(password: &SecretString) -> String {
    literal(&postgres_protocol::password::scram_sha_256(password.expose_secret().as_bytes()))
}

/// None if there is no such role, else its comment.
///
/// # Errors
/// What the server answered.
pub async fn role_comment(session: &Session, name: &str) -> Result<Option<Option<String>>> {
    let sql = "select pg_catalog.shobj_description(oid, 'pg_authid') from pg_catalog.pg_roles where rolname = $1";
    let row = session.query_opt(sql, &[&name]).await.doing(|| format!("look for the role {name}"))?;
    Ok(row.map(|row| row.try_get(0)).transpose()?)
}

/// Lets the role read everything in `inventory` and in the barrier's schema, now and later, past row-level security.
///
/// # Errors
/// Relations that the role still can't read, named; or what the server answered. What can't be done for tables to come, and
/// row-level security that remains, is in the report.
pub async fn grant_replication_role(session: &Session, role: &str, inventory: &Inventory, barrier_schema: &str) -> Result<GrantReport> {
    grant(session, role, inventory, barrier_schema).await.doing(|| format!("let the role {role} read"))
}

async fn grant(session: &Session, name: &str, inventory: &Inventory, barrier_schema: &str) -> Result<GrantReport> {
    let role = Ident::new(name);
    let mut report = GrantReport::default();
    let database: String = session.query_one("select pg_catalog.current_database()::pg_catalog.text", &[]).await?.try_get(0)?;
    // PUBLIC may have it already and we may not be the owner; whether it suffices shows when the role connects.
    attempt(session, &format!("grant connect on database {} to {role}", Ident::new(database))).await?;
    let mut schemas: BTreeSet<&str> = inventory.schemas.iter().map(String::as_str).collect();
    let sql = "select from pg_catalog.pg_namespace where nspname = $1";
    if session.query_opt(sql, &[&barrier_schema]).await?.is_some() {
        schemas.insert(barrier_schema);
    }
    for schema in &schemas {
        attempt(session, &format!("grant usage on schema {} to {role}", Ident::new(*schema))).await?;
    }
    if schemas.contains(barrier_schema) {
        attempt(session, &format!("grant select on all tables in schema {} to {role}", Ident::new(barrier_schema))).await?;
    }
    let tables: Vec<&QualifiedName> = inventory.tables.iter().map(|table| &table.name).collect();
    let sequences: Vec<&QualifiedName> = inventory.sequences.iter().collect();
    for (kind, names) in [("table", tables), ("sequence", sequences)] {
        for chunk in names.chunks(CHUNK) {
            let list: Vec<String> = chunk.iter().map(ToString::to_string).collect();
            if !attempt(session, &format!("grant select on {kind} {} to {role}", list.join(", "))).await? {
                for one in &list {
                    attempt(session, &format!("grant select on {kind} {one} to {role}")).await?;
                }
            }
        }
    }
    prove_readable(session, name, &role, inventory).await?;
    for owner in &inventory.owners {
        let mut whole = true;
        for schema in &inventory.schemas {
            let of = format!("alter default privileges for role {} in schema {}", Ident::new(owner), Ident::new(schema));
            whole &= attempt(session, &format!("{of} grant select on tables to {role}; {of} grant select on sequences to {role}")).await?;
        }
        if !whole {
            report.skipped_owners.push(owner.clone());
        }
    }
    pass_row_security(session, name, &role, inventory, &mut report).await?;
    Ok(report)
}

/// Which of these tables the role may not read, or of which row-level security shows it only some rows.
///
/// # Errors
/// What the server answered.
pub async fn hidden_from(session: &Session, role: &str, tables: &[u32]) -> Result<Vec<String>> {
    let doing = || format!("see what the role {role} may read");
    let mut names = unreadable(session, role, tables).await.doing(doing)?;
    names.extend(hidden(session, role, tables).await.doing(doing)?.into_iter().map(|(table, ..)| table));
    Ok(names)
}

/// What the session's role may do as a subscriber to changes of some tables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SubscriberRights {
    /// Create a subscription in this database.
    pub may_subscribe: bool,
    /// Tables to which a subscription can't apply changes as their owners do.
    pub not_as_owner: Vec<String>,
    /// Tables to which it can't apply them in its own name.
    pub not_as_itself: Vec<String>,
}

/// What the session's role may do as a subscriber to changes of these tables.
///
/// # Errors
/// What the server answered.
pub async fn subscriber_rights(session: &Session, tables: &[u32]) -> Result<SubscriberRights> {
    let what = || "see whether the source can subscribe to changes";
    let may_subscribe = session.query_one(MAY_SUBSCRIBE, &[]).await.doing(what)?.try_get(0)?;
    let (mut not_as_owner, mut not_as_itself) = (Vec::new(), Vec::new());
    if session.major() >= 16 {
        for row in session.query(MAY_APPLY, &[&tables]).await.doing(what)? {
            let table: String = row.try_get("name")?;
            if !row.try_get("as_itself")? {
                not_as_itself.push(table.clone());
            }
            if !row.try_get("as_owner")? {
                not_as_owner.push(table);
            }
        }
    }
    Ok(SubscriberRights { may_subscribe, not_as_owner, not_as_itself })
}

/// Runs what may be refused; true if it was not.
async fn attempt(session: &Session, sql: &str) -> Result<bool> {
    match session.batch_execute(sql).await.map_err(Error::from) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::Permission => Ok(false),
        Err(error) => Err(error),
    }
}

/// A GRANT without the right to grant is only a warning, so what counts is what the role may do afterwards.
async fn prove_readable(session: &Session, name: &str, role: &Ident, inventory: &Inventory) -> Result<()> {
    let mut oids: Vec<u32> = inventory.tables.iter().map(|table| table.oid).collect();
    for chunk in inventory.sequences.chunks(CHUNK) {
        let names: Vec<String> = chunk.iter().map(ToString::to_string).collect();
        let sql = "select pg_catalog.to_regclass(s)::pg_catalog.oid from pg_catalog.unnest($1::pg_catalog.text[]) s \
                   where pg_catalog.to_regclass(s) is not null";
        for row in session.query(sql, &[&names]).await? {
            oids.push(row.try_get(0)?);
        }
    }
    if unreadable(session, name, &oids).await?.is_empty() {
        return Ok(());
    }
    attempt(session, &format!("grant pg_read_all_data to {role}")).await?;
    let left = unreadable(session, name, &oids).await?;
    if left.is_empty() {
        return Ok(());
    }
    let why = format!("it may not read {}; grant it SELECT on them as their owner", left.join(", "));
    Err(Error::new(ErrorKind::Permission, "", why))
}

async fn unreadable(session: &Session, role: &str, oids: &[u32]) -> Result<Vec<String>> {
    let rows = session.query(UNREADABLE, &[&role, &oids]).await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

async fn pass_row_security(session: &Session, name: &str, role: &Ident, inventory: &Inventory, report: &mut GrantReport) -> Result<()> {
    let secured = |table: &&Table| table.row_security;
    let oids: Vec<u32> = inventory.tables.iter().filter(secured).map(|table| table.oid).collect();
    if !oids.is_empty() && !hidden(session, name, &oids).await?.is_empty() {
        attempt(session, &format!("alter role {role} bypassrls")).await?;
        let owners: BTreeSet<String> =
            hidden(session, name, &oids).await?.into_iter().filter_map(|(_, owner, forced)| (!forced).then_some(owner)).collect();
        for owner in owners {
            if attempt(session, &format!("grant {} to {role}", Ident::new(&*owner))).await? {
                report.joined_owners.push(owner);
            }
        }
        report.hidden_tables = hidden(session, name, &oids).await?.into_iter().map(|(table, ..)| table).collect();
    }
    let sql = "select rolbypassrls from pg_catalog.pg_roles where rolname = $1";
    report.bypasses_row_security = session.query_one(sql, &[&name]).await?.try_get(0)?;
    Ok(())
}

/// Hidden tables with their owners and whether security is forced on those too.
async fn hidden(session: &Session, role: &str, oids: &[u32]) -> Result<Vec<(String, String, bool)>> {
    let rows = session.query(HIDDEN_TABLES, &[&role, &oids]).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?))).collect()
}

/// Ends the role's sessions, takes back in this database what it was granted, also membership in `owners`, and drops it; one that
/// is absent is fine.
///
/// # Errors
/// What the server answered; a role that owns something is refused rather than dropped with it.
pub async fn drop_role(session: &Session, role: &str, owners: &[String]) -> Result<()> {
    let what = || format!("drop the role {role}");
    if role_comment(session, role).await?.is_none() {
        return Ok(());
    }
    let name = Ident::new(role);
    session.batch_execute(&format!("alter role {name} nologin")).await.doing(what)?;
    end_sessions(session, role).await.doing(what)?;
    let member = "select pg_catalog.pg_has_role($1, oid, 'member') from pg_catalog.pg_roles where rolname = $2";
    for owner in owners {
        let row = session.query_opt(member, &[&role, owner]).await.doing(what)?;
        if row.map(|row| row.try_get(0)).transpose()?.unwrap_or(false) {
            attempt(session, &format!("revoke {} from {name}", Ident::new(&**owner))).await.doing(what)?;
        }
    }
    for row in session.query(GRANTS_OF_ROLE, &[&role]).await.doing(what)? {
        // What can't be taken back shows when the role is dropped, with the server's own words.
        attempt(session, row.try_get(0)?).await.doing(what)?;
    }
    let Err(error) = session.batch_execute(&format!("drop role {name}")).await else { return Ok(()) };
    let error = Error::from(error);
    if error.sqlstate() != Some("2BP01") {
        return Err(error.doing(what()));
    }
    let owned = "select pg_catalog.count(*) from pg_catalog.pg_shdepend d join pg_catalog.pg_roles r on r.oid = d.refobjid \
                 where d.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass and d.deptype = 'o' and r.rolname = $1";
    let owned: i64 = session.query_one(owned, &[&role]).await.doing(what)?.try_get(0)?;
    if owned == 0 {
        // DROP OWNED needs the role's own privileges, which its maker may grant himself.
        attempt(session, &format!("grant {name} to current_user")).await.doing(what)?;
        if attempt(session, &format!("drop owned by {name}")).await.doing(what)? {
            return session.batch_execute(&format!("drop role {name}")).await.doing(what);
        }
    }
    Err(error.doing(what()))
}

async fn end_sessions(session: &Session, role: &str) -> Result<()> {
    let began = Instant::now();
    loop {
        let sql = "select pg_catalog.pg_terminate_backend(pid) from pg_catalog.pg_stat_activity \
                   where usename = $1 and pid <> pg_catalog.pg_backend_pid()";
        if session.query(sql, &[&role]).await?.is_empty() {
            return Ok(());
        }
        if began.elapsed() > END_DEADLINE {
            return Err(Error::new(ErrorKind::Timeout, "", "its sessions don't end"));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn passwords_differ_and_are_url_safe() {
        let (one, other) = (generate_password().unwrap(), generate_password().unwrap());
        assert_ne!(one.expose_secret(), other.expose_secret());
        assert!(one.expose_secret().len() >= 24);
        assert!(one.expose_secret().chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c)));
    }

    #[test]
    fn the_password_itself_is_never_sent() {
        let sent = verifier(&SecretString::from("s3cret"));
        assert!(sent.starts_with("'SCRAM-SHA-256$4096:") && !sent.contains("s3cret"), "{sent}");
    }
}
