//! A project's PostgreSQL server, with the roles, rights and settings of a Neon compute.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::error::{Doing, Error, Result};
use crate::servers::{Server, Spec, identifier, literal, verifier};

use super::Neon;
use super::project::{Database, Project, Role};

/// Neon's own superuser.
const SUPERUSER: &str = "cloud_admin";

impl Neon {
    /// The project's server, running. It is made when it is wanted for the first time.
    pub(super) async fn compute(&self, project: &Project) -> Result<Arc<Server>> {
        let mut compute = project.compute.lock().await;
        if project.state().deleted {
            return Err(Error::new(format!("the project {} is deleted", project.id)));
        }
        if let Some(server) = compute.as_ref() {
            server.start().await?;
            return Ok(Arc::clone(server));
        }
        let server = self.create_compute(project).await?;
        let server = Arc::new(server);
        *compute = Some(Arc::clone(&server));
        Ok(server)
    }

    async fn create_compute(&self, project: &Project) -> Result<Server> {
        let number = self.computes.fetch_add(1, Ordering::Relaxed);
        let address = self.subnet.compute(number).ok_or_else(|| Error::new("there are no addresses left for computes"))?;
        let gateway = self.nat.gateway(project.region.id, project.region.nat).await?;
        let certificate = self.authority.issue(&[&project.host(), &project.pooler_host()], &[])?;
        let (logical, units, roles, databases) = {
            let state = project.state();
            let units = state.settings_of_endpoint["autoscaling_limit_max_cu"].as_f64().unwrap_or(0.25);
            (state.settings["enable_logical_replication"] == true, units, state.roles.clone(), state.databases.clone())
        };
        let mut locale = vec!["--locale=C.UTF-8".to_owned()];
        if project.major >= 17 {
            locale.extend(["--locale-provider=builtin".to_owned(), "--builtin-locale=C.UTF-8".to_owned()]);
        }
        let spec = Spec {
            name: format!("compute-{number}"),
            major: project.major,
            superuser: SUPERUSER,
            address,
            locale,
            parameters: vec![
                ("wal_level", if logical { "logical" } else { "replica" }.to_owned()),
                ("max_replication_slots", "10".to_owned()),
                ("max_wal_senders", "10".to_owned()),
                ("max_logical_replication_workers", "4".to_owned()),
                ("max_sync_workers_per_subscription", "2".to_owned()),
                ("max_worker_processes", (12.0 + 2.0 * units).floor().to_string()),
                ("wal_sender_timeout", "10s".to_owned()),
                ("idle_in_transaction_session_timeout", "5min".to_owned()),
            ],
            // libpq in the server's workers (subscriptions, dblink) turns to the NAT gateway, whatever the host's name resolves to here.
            environment: vec![("PGHOSTADDR", gateway.to_string())],
            certificate,
        };
        let server = Server::create(Arc::clone(&self.machine), spec).await?;
        server.start().await?;
        let client = server.superuser("postgres").await?;
        client.batch_execute(&privileged_role(project.major)).await.doing(|| "creating neon_superuser")?;
        for role in &roles {
            create_role(&server, role).await?;
        }
        for database in &databases {
            create_database(&server, project.major, database).await?;
        }
        Ok(server)
    }
}

/// The role that stands in for a superuser: every role made through the API is a member of it.
fn privileged_role(major: u32) -> String {
    let mut sql = String::from(
        "create role neon_superuser nologin createdb createrole replication bypassrls;
         grant pg_read_all_data, pg_write_all_data, pg_monitor, pg_signal_backend to neon_superuser with admin option;
         grant execute on function pg_catalog.pg_show_replication_origin_status to neon_superuser;",
    );
    if major >= 16 {
        sql.push_str(
            "grant pg_create_subscription to neon_superuser with admin option;
             grant execute on function pg_catalog.pg_export_snapshot, pg_catalog.pg_log_standby_snapshot to neon_superuser;",
        );
    }
    if major >= 17 {
        sql.push_str("grant pg_maintain to neon_superuser with admin option, inherit true, set false;");
    }
    if major >= 18 {
        sql.push_str("grant pg_signal_autovacuum_worker to neon_superuser with admin option, inherit true, set false;");
    }
    sql
}

/// Creates a role as the control plane does.
pub(super) async fn create_role(server: &Server, role: &Role) -> Result<()> {
    let client = server.superuser("postgres").await?;
    let login = match &role.password {
        Some(password) => format!("login password {}", literal(&verifier(password))),
        None => "nologin".to_owned(),
    };
    let statement =
        format!("create role {} inherit createrole createdb bypassrls replication in role neon_superuser {login}", identifier(&role.name));
    client.batch_execute(&statement).await.doing(|| format!("creating the role {}", role.name))
}

/// Gives an existing role its new password.
pub(super) async fn set_password(server: &Server, role: &Role) -> Result<()> {
    let Some(password) = &role.password else { return Ok(()) };
    let client = server.superuser("postgres").await?;
    let statement = format!("alter role {} login password {}", identifier(&role.name), literal(&verifier(password)));
    client.batch_execute(&statement).await.doing(|| format!("changing the password of {}", role.name))
}

/// Drops a role with what it owns in each database, which goes to nobody.
pub(super) async fn drop_role(server: &Server, name: &str) -> Result<()> {
    let client = server.superuser("postgres").await?;
    let rows =
        client.query("select datname::text from pg_catalog.pg_database where datallowconn", &[]).await.doing(|| "listing databases")?;
    for row in rows {
        let inside = server.superuser(row.get(0)).await?;
        let statement = format!("reassign owned by {0} to cloud_admin; drop owned by {0}", identifier(name));
        inside.batch_execute(&statement).await.doing(|| format!("taking from {name} what it owns"))?;
    }
    client.batch_execute(&format!("drop role {}", identifier(name))).await.doing(|| format!("dropping the role {name}"))
}

/// Creates a database as the control plane does.
pub(super) async fn create_database(server: &Server, major: u32, database: &Database) -> Result<()> {
    let (name, owner) = (identifier(&database.name), identifier(&database.owner));
    let locale = if major >= 17 {
        "locale_provider builtin builtin_locale 'C.UTF-8' locale 'C.UTF-8'"
    } else {
        "lc_collate 'C.UTF-8' lc_ctype 'C.UTF-8'"
    };
    let client = server.superuser("postgres").await?;
    let what = || format!("creating the database {}", database.name);
    let statement = format!("create database {name} owner {owner} template template0 encoding 'UTF8' {locale}");
    client.batch_execute(&statement).await.doing(what)?;
    client.batch_execute(&format!("grant all privileges on database {name} to neon_superuser")).await.doing(what)?;
    let inside = server.superuser(&database.name).await?;
    inside
        .batch_execute(&format!(
            "alter schema public owner to {owner};
             alter default privileges in schema public grant all on tables to neon_superuser with grant option;
             alter default privileges in schema public grant all on sequences to neon_superuser with grant option"
        ))
        .await
        .doing(what)
}

/// Drops a database; Neon drops its subscriptions first.
pub(super) async fn drop_database(server: &Server, name: &str) -> Result<()> {
    let what = || format!("dropping the database {name}");
    let inside = server.superuser(name).await?;
    let rows = inside
        .query(
            "select s.subname::text from pg_catalog.pg_subscription s join pg_catalog.pg_database d on d.oid = s.subdbid where d.datname = current_database()",
            &[],
        )
        .await
        .doing(what)?;
    for row in rows {
        let subscription = identifier(row.get(0));
        // Without its slot, which is the publisher's: Neon can't rely on reaching it.
        for statement in [
            format!("alter subscription {subscription} disable"),
            format!("alter subscription {subscription} set (slot_name = none)"),
            format!("drop subscription {subscription}"),
        ] {
            inside.batch_execute(&statement).await.doing(what)?;
        }
    }
    drop(inside);
    let client = server.superuser("postgres").await?;
    client.batch_execute(&format!("drop database {} with (force)", identifier(name))).await.doing(what)
}

/// Ends all sessions, as happens whenever the control plane configures roles.
pub(super) async fn drop_connections(server: &Server) -> Result<()> {
    let client = server.superuser("postgres").await?;
    client
        .batch_execute(
            "select pg_catalog.pg_terminate_backend(pid) from pg_catalog.pg_stat_activity
             where backend_type = 'client backend' and usename <> 'cloud_admin' and pid <> pg_catalog.pg_backend_pid()",
        )
        .await
        .doing(|| "ending the sessions")
}

/// Makes a publisher of the compute, which takes a restart and can't be undone.
pub(super) async fn enable_logical(server: &Server) -> Result<()> {
    let client = server.superuser("postgres").await?;
    client.batch_execute("alter system set wal_level = 'logical'").await.doing(|| "setting wal_level")?;
    drop(client);
    server.restart().await
}
