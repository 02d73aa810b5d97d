//! Looks at both clouds and the source, and changes nothing.

use azure2neon_postgres::fence::{self, FenceBefore};
use azure2neon_postgres::{Inventory, inventory};

use crate::access::{Access, Login};
use crate::cloud::{EgressAddresses, Parameter, SourceServer, TargetProject};
use crate::context::Clouds;
use crate::error::{Error, ErrorKind, Result};
use crate::server_checks;
use crate::settings::Settings;

/// What the planner decides on.
#[derive(Clone, Debug)]
pub struct Survey {
    /// The source server.
    pub server: SourceServer,
    /// As whom its cloud is used.
    pub identity: String,
    /// The login used on it.
    pub user: String,
    /// The parameters that matter.
    pub parameters: Vec<Parameter>,
    /// Replication slots in use.
    pub slots: i64,
    /// WAL senders in use.
    pub senders: i64,
    /// What the database holds.
    pub inventory: Inventory,
    /// The database's own settings that the fence changes.
    pub fence: FenceBefore,
    /// The target's region, and why this one.
    pub region: (String, String),
    /// Why a project can't be created there, if so.
    pub region_closed: Option<String>,
    /// A project that has the planned name already.
    pub existing: Option<TargetProject>,
    /// From where the target will connect.
    pub egress: EgressAddresses,
}

/// Server parameters that logical replication depends on.
pub(crate) const PARAMETERS: [&str; 3] = ["wal_level", "max_replication_slots", "max_wal_senders"];

/// Looks at everything that the plan depends on.
pub async fn survey(settings: &Settings, clouds: &Clouds, access: &Access) -> Result<Survey> {
    let server = clouds.source.describe().await?;
    server_checks::refuse_impossible(&server)?;
    if matches!(access.login, Login::Token(_)) {
        server_checks::refuse_tokens(&server)?;
    }
    clouds.target.identity().await?;
    let databases = clouds.source.databases().await?;
    if !databases.contains(&settings.source_database) {
        let near: Vec<&str> =
            databases.iter().map(String::as_str).filter(|name| !matches!(*name, "azure_maintenance" | "azure_sys")).collect();
        return Err(Error::new(
            ErrorKind::NotFound,
            format!("there is no database {} on server {}; it has {}", settings.source_database, server.name, near.join(", ")),
        )
        .hint("name one of them with --database (or `database` under [source])"));
    }
    let region = match &settings.region {
        Some(region) => (region.clone(), "as configured".to_owned()),
        None => clouds.target.region_for(&server.region)?,
    };
    let existing = clouds.target.find(&settings.project).await?;
    let egress = clouds.target.egress_addresses(&region.0)?;
    let region_closed = clouds.target.region_closed(&region.0);
    let user = settings.source_user.clone().unwrap_or_else(|| server.admin_login.clone());
    let parameters = clouds.source.parameters(&PARAMETERS).await?;

    let endpoint = access.source_endpoint(settings, &server.host, &user, "azure2neon_plan").await?;
    let source = access.connect(&server, &endpoint).await?;
    let used = source
        .query_one(
            "select (select pg_catalog.count(*) from pg_catalog.pg_replication_slots), \
             (select pg_catalog.count(*) from pg_catalog.pg_stat_replication)",
            &[],
        )
        .await?;
    Ok(Survey {
        inventory: inventory::inventory(&source).await?,
        fence: fence::fence_state(&source, &settings.source_database).await?,
        slots: used.get(0),
        senders: used.get(1),
        identity: clouds.source.identity(),
        server,
        user,
        parameters,
        region,
        region_closed,
        existing,
        egress,
    })
}
