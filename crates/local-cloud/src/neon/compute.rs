//! A project's PostgreSQL server, with the roles, rights and settings of a Neon compute.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::error::{Doing, Error, Result};
use crate::servers::{Server, Spec, identifier, literal, verifier};

use super::Neon;
use super::branch::Endpoint;
use super::branches::{Place, gone};
use super::databases::Database;
use super::project::Project;
use super::roles::Role;

/// Neon's own superuser.
const SUPERUSER: &str = "cloud_admin";

impl Neon {
    /// The branch's server, running. That of a new project is made when it is wanted for the first time.
    pub(super) async fn compute(&self, place: &Place) -> Result<Arc<Server>> {
        let data = place.read(|branch| Arc::clone(&branch.data)).map_err(gone)?;
        let mut data = data.lock().await;
        if place.project.state().deleted {
            return Err(Error::new(format!("the project {} is deleted", place.project.id)));
        }
        let server = match data.as_ref() {
            Some(server) => Arc::clone(server),
            None => {
                let server = Arc::new(self.create_data(place).await?);
                *data = Some(Arc::clone(&server));
                server
            }
        };
        server.start_with(&parameters(place)?).await?;
        let mut state = place.project.state();
        let branch = state.branch_mut(&place.branch).map_err(gone)?;
        branch.ready = true;
        branch.endpoint.iter_mut().for_each(Endpoint::activate);
        Ok(server)
    }

    /// What a server of this project is made of.
    async fn spec(&self, project: &Project) -> Result<Spec> {
        let number = self.computes.fetch_add(1, Ordering::Relaxed);
        let mut locale = vec!["--locale=C.UTF-8".to_owned()];
        if project.major >= 17 {
            locale.extend(["--locale-provider=builtin".to_owned(), "--builtin-locale=C.UTF-8".to_owned()]);
        }
        let gateway = self.nat.gateway(project.region.id, project.region.nat).await?;
        Ok(Spec {
            name: format!("compute-{number}"),
            major: project.major,
            superuser: SUPERUSER,
            address: self.subnet.compute(number).ok_or_else(|| Error::new("there are no addresses left for computes"))?,
            locale,
            parameters: Vec::new(),
            // libpq in the server's workers (subscriptions, dblink) turns to the NAT gateway, whatever the host's name resolves to here.
            environment: vec![("PGHOSTADDR", gateway.to_string())],
            certificate: self.authority.issue(&[&format!("*.{}", project.proxy_host())], &[])?,
        })
    }

    /// The data of a branch that begins empty, with its roles and databases.
    async fn create_data(&self, place: &Place) -> Result<Server> {
        let (child, roles, databases) =
            place.read(|branch| (branch.parent.is_some(), branch.roles.clone(), branch.databases.clone())).map_err(gone)?;
        if child {
            return Err(Error::new("the branch has no data: its creation failed"));
        }
        let server = Server::create(Arc::clone(&self.machine), self.spec(&place.project).await?).await?;
        server.start_with(&parameters(place)?).await?;
        let client = server.superuser("postgres").await?;
        client.batch_execute(&privileged_role(place.project.major)).await.doing(|| "creating neon_superuser")?;
        for role in &roles {
            create_role(&server, role).await?;
        }
        for database in &databases {
            create_database(&server, place.project.major, database).await?;
        }
        Ok(server)
    }

    /// A copy of a branch's data, without subscriptions, as Neon drops them before the compute of a child branch takes connections.
    pub(super) async fn copy_data(&self, from: &Place) -> Result<Arc<Server>> {
        let original = self.compute(from).await?;
        let copy = original.copy(self.spec(&from.project).await?).await?;
        let mut parameters = parameters(from)?;
        // No subscription may get a word in before it is dropped: it would move the slot of its twin.
        parameters.retain(|(name, _)| *name != "max_logical_replication_workers");
        parameters.push(("max_logical_replication_workers", "0".to_owned()));
        copy.start_with(&parameters).await?;
        for database in databases(&copy).await? {
            drop_subscriptions(&copy.superuser(&database).await?).await?;
        }
        copy.stop().await?;
        Ok(Arc::new(copy))
    }
}

/// What Neon sets for a compute of this size.
fn parameters(place: &Place) -> Result<Vec<(&'static str, String)>> {
    let logical = place.project.state().is_logical();
    let units = place.read(|branch| branch.endpoint.as_ref().map_or(0.25, Endpoint::units)).map_err(gone)?;
    Ok(vec![
        ("wal_level", if logical { "logical" } else { "replica" }.to_owned()),
        ("max_replication_slots", "10".to_owned()),
        ("max_wal_senders", "10".to_owned()),
        ("max_logical_replication_workers", "4".to_owned()),
        ("max_sync_workers_per_subscription", "2".to_owned()),
        ("max_worker_processes", (12.0 + 2.0 * units).floor().to_string()),
        ("wal_sender_timeout", "10s".to_owned()),
        ("idle_in_transaction_session_timeout", "5min".to_owned()),
    ])
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
    if is_there(&client, "select from pg_catalog.pg_roles where rolname = $1", &role.name).await? {
        return Ok(());
    }
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
    for database in databases(server).await? {
        let inside = server.superuser(&database).await?;
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
    if is_there(&client, "select from pg_catalog.pg_database where datname = $1", &database.name).await? {
        return Ok(());
    }
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

/// Whether this query finds the name. A server that is made for the first change to its branch has what the change adds from the
/// start, since the branch's roles and databases are written down first.
async fn is_there(client: &tokio_postgres::Client, query: &str, name: &str) -> Result<bool> {
    Ok(client.query_opt(query, &[&name]).await.doing(|| format!("looking for {name}"))?.is_some())
}

/// Every database that takes connections.
async fn databases(server: &Server) -> Result<Vec<String>> {
    let client = server.superuser("postgres").await?;
    let query = "select datname::text from pg_catalog.pg_database where datallowconn";
    Ok(client.query(query, &[]).await.doing(|| "listing databases")?.iter().map(|row| row.get(0)).collect())
}

/// Drops a database; Neon drops its subscriptions first.
pub(super) async fn drop_database(server: &Server, name: &str) -> Result<()> {
    drop_subscriptions(&server.superuser(name).await?).await?;
    let client = server.superuser("postgres").await?;
    client
        .batch_execute(&format!("drop database {} with (force)", identifier(name)))
        .await
        .doing(|| format!("dropping the database {name}"))
}

/// Drops the subscriptions of the database that the client is connected to.
async fn drop_subscriptions(client: &tokio_postgres::Client) -> Result<()> {
    let what = || "dropping subscriptions";
    let rows = client
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
            client.batch_execute(&statement).await.doing(what)?;
        }
    }
    Ok(())
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
