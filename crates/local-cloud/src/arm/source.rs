//! The flexible server behind ARM: its roles, its database, its first load.

use std::net::Ipv4Addr;
use std::process::Stdio;
use std::sync::Arc;

use secrecy::SecretString;
use tokio::process::Command;

use crate::error::{Doing, Result};
use crate::servers::{Machine, Server, Spec, identifier, literal, verifier};
use crate::tls::Certificate;

/// Azure's own superuser.
const SUPERUSER: &str = "azuresu";

/// Creates and starts the server, and makes the roles and databases that a new flexible server has, and the operator's database.
#[allow(clippy::too_many_arguments)] // It is called once, and each of them is another thing.
pub(crate) async fn create(
    machine: Arc<Machine>,
    major: u32,
    address: Ipv4Addr,
    neon: Ipv4Addr,
    certificate: Certificate,
    administrator: &str,
    password: &SecretString,
    database: &str,
) -> Result<Server> {
    let spec = Spec {
        name: "azure".to_owned(),
        major,
        superuser: SUPERUSER,
        address,
        locale: vec![format!("--locale={}", locale().await)],
        parameters: vec![
            ("wal_level", "replica".to_owned()),
            ("max_replication_slots", "10".to_owned()),
            ("max_wal_senders", "10".to_owned()),
            ("max_worker_processes", "8".to_owned()),
            // Nothing is archived here, but the log is switched as often as on Azure: the position moves on an idle server too.
            ("archive_timeout", "300".to_owned()),
        ],
        // Subscriptions made here (for the way back) go to Neon, whatever the host's name resolves to on this machine.
        environment: vec![("PGHOSTADDR", neon.to_string())],
        certificate,
    };
    let server = Server::create(machine, spec).await?;
    server.start().await?;
    let client = server.superuser("postgres").await?;
    client.batch_execute(&roles(major, administrator, password)).await.doing(|| "creating the roles of a flexible server")?;
    // CREATE DATABASE stands alone. azure_maintenance is closed to everybody, azure_sys is Query Store's.
    for (name, owner) in [("azure_maintenance", SUPERUSER), ("azure_sys", "azure_pg_admin"), (database, administrator)] {
        if name == "postgres" {
            continue;
        }
        let statement = format!("create database {} owner {}", identifier(name), identifier(owner));
        client.batch_execute(&statement).await.doing(|| format!("creating the database {name}"))?;
    }
    client
        .batch_execute("revoke all on database azure_maintenance from public; alter database postgres owner to azure_pg_admin")
        .await
        .doing(|| "closing azure_maintenance")?;
    let inside = server.superuser(database).await?;
    inside.batch_execute("alter schema public owner to azure_pg_admin").await.doing(|| "handing over the schema public")?;
    Ok(server)
}

/// Azure's default locale if this machine has it, else the one that every machine has.
async fn locale() -> &'static str {
    let known = Command::new("locale").arg("-a").stdin(Stdio::null()).output().await;
    let known = known.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    if known.lines().any(|name| name.eq_ignore_ascii_case("en_US.utf8")) { "en_US.utf8" } else { "C.UTF-8" }
}

/// The roles of a new flexible server.
fn roles(major: u32, administrator: &str, password: &SecretString) -> String {
    let administrator = identifier(administrator);
    let attributes = attributes(major);
    let mut granted =
        vec!["pg_monitor", "pg_read_all_data", "pg_read_all_settings", "pg_read_all_stats", "pg_stat_scan_tables", "pg_signal_backend"];
    if major >= 15 {
        granted.push("pg_checkpoint");
    }
    if major >= 16 {
        granted.extend(["pg_create_subscription", "pg_use_reserved_connections"]);
    }
    if major >= 17 {
        granted.push("pg_maintain");
    }
    format!(
        "create role azure_superuser nologin superuser;
         create role azure_pg_admin nologin nosuperuser createdb createrole;
         grant {} to azure_pg_admin with admin option;
         create role {administrator} login {attributes} inherit createdb createrole in role azure_pg_admin password {}",
        granted.join(", "),
        literal(&verifier(password)),
    )
}

/// Makes the role of an administrator whom Entra ID vouches for; his password is the token of the day.
pub(crate) async fn create_entra_administrator(server: &Server, major: u32, role: &str, administrator: &str) -> Result<()> {
    let (role, administrator, attributes) = (identifier(role), identifier(administrator), attributes(major));
    // Azure's patches let members of azure_pg_admin alter what other administrators own; here he is a member of the other one.
    let statement = format!(
        "create role {role} login {attributes} inherit createdb createrole in role azure_pg_admin;
         grant {administrator} to {role} with admin option"
    );
    server.superuser("postgres").await?.batch_execute(&statement).await.doing(|| "creating the role of an Entra administrator")
}

/// What an administrator's role can do.
fn attributes(major: u32) -> &'static str {
    // Since PostgreSQL 16 an attribute can be given only by who has it. On Azure the administrator has no REPLICATION and can give it
    // all the same, since its server is patched; here he has it. PostgreSQL before 16 has no way at all for somebody without
    // superuser rights to make a replication role, so there, and only there, he is a superuser.
    if major >= 16 { "nosuperuser replication bypassrls" } else { "superuser replication bypassrls" }
}
