//! Looks at both clouds and the source, and changes nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use azure2neon_postgres::assessment::{self, Hit};
use azure2neon_postgres::catalog::catalog;
use azure2neon_postgres::collation::{self, TextKey};
use azure2neon_postgres::dependents::{self, Dependent};
use azure2neon_postgres::extensions::{Hanging, available};
use azure2neon_postgres::fence::{self, FenceBefore};
use azure2neon_postgres::roles::SubscriberRights;
use azure2neon_postgres::statistics::{self, Changes};
use azure2neon_postgres::volume::{LogRate, LogWatch, Volume, volume};
use azure2neon_postgres::{Inventory, QualifiedName, Session, inventory, roles};

use crate::access::{Access, Login};
use crate::basis;
use crate::clock;
use crate::cloud::{
    EgressAddresses, InboundRule, LostPassword, OfferedExtensions, Parameter, SourceServer, TargetDatabase, TargetProject, TargetSettings,
};
use crate::context::{Clouds, target_endpoint};
use crate::error::{Error, ErrorKind, Result};
use crate::extensions;
use crate::plan::{Mode, RULE_PREFIX};
use crate::planner;
use crate::server_checks;
use crate::settings::{Home, Settings};

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
    /// The source's firewall rules, but for those of runs of this program, as `name first-last`.
    pub firewall: BTreeSet<String>,
    /// What the source's catalog holds, each with a digest of its definition.
    pub definitions: BTreeMap<String, String>,
    /// What the checks of the database found, by their ids.
    pub assessment: BTreeMap<&'static str, Vec<Hit>>,
    /// By how much this machine's clock is ahead of the source's, in milliseconds.
    pub clock_skew_milliseconds: i64,
    /// What can't be without the tables that are not moved.
    pub dependents: Vec<Dependent>,
    /// Tables of which the login does not see every row; looked for where it is the login that reads them.
    pub hidden: Vec<String>,
    /// What the login may do as a subscriber to the target's changes.
    pub subscriber: SubscriberRights,
    /// The database's own settings that the fence changes.
    pub fence: FenceBefore,
    /// The target's region, and why this one.
    pub region: (String, String),
    /// Why no new project can be created there, if so.
    pub region_closed: Option<String>,
    /// A statement's way to the source and back, from this machine.
    pub round_trip: Duration,
    /// Bytes a second that one connection brings from there.
    pub bandwidth: u64,
    /// What the tables that are moved hold.
    pub volume: Volume,
    /// How fast the source writes its log.
    pub log_rate: LogRate,
    /// A project that has the new one's name already.
    pub taken: Option<TargetProject>,
    /// The project that is there and shall be used, if one was named.
    pub existing: Option<ExistingTarget>,
    /// The extensions that the target offers, as far as is known.
    pub extensions: Option<OfferedExtensions>,
    /// What hangs on the source's extensions that it doesn't offer, or that may stay behind.
    pub hanging: Vec<Hanging>,
    /// Indexed text that the target sorts otherwise.
    pub text_order: TextOrder,
    /// How many rows of the source's tables were changed.
    pub changes: HashMap<QualifiedName, Changes>,
    /// From where the target will connect.
    pub egress: EgressAddresses,
}

/// How the target sorts indexed text that the source sorts by the rules of a language.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TextOrder {
    /// Columns of which a sample is in another order there.
    pub otherwise: Vec<String>,
    /// Columns of which that isn't known.
    pub unknown: Vec<String>,
}

/// A target that is there already, as far as the plan depends on it.
#[derive(Clone, Debug)]
pub struct ExistingTarget {
    /// The project with the branch to use.
    pub project: TargetProject,
    /// Databases of the branch.
    pub databases: Vec<TargetDatabase>,
    /// Roles of the branch.
    pub roles: Vec<String>,
    /// What project and compute are set to.
    pub settings: TargetSettings,
    /// What the database of the planned name holds, each as `kind name`.
    pub objects: Vec<String>,
    /// By what the database of the planned name sorts, if it is there.
    pub collate: Option<String>,
    /// The extensions that its server offers, if it could be asked.
    pub extensions: Option<OfferedExtensions>,
    /// A statement's way there and back from this machine, and the bytes a second that one connection brings; none without the database.
    pub line: Option<(Duration, u64)>,
}

/// Server parameters that logical replication depends on.
pub(crate) const PARAMETERS: [&str; 3] = ["wal_level", "max_replication_slots", "max_wal_senders"];

/// Looks at everything that the plan depends on.
pub async fn survey(settings: &Settings, clouds: &Clouds, access: &Access) -> Result<Survey> {
    let server = clouds.source.describe().await?;
    server_checks::refuse_impossible(&server, settings.mode)?;
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
    let (taken, (existing, target)) = match &settings.home {
        Home::New(name) => (clouds.target.find(name).await?, (None, None)),
        Home::Existing { project, branch } => {
            let (existing, target) = existing_target(settings, clouds, access, (project, branch.as_deref())).await?;
            (None, (Some(existing), target))
        }
    };
    let region = match (&existing, &settings.region) {
        (Some(existing), _) => (existing.project.region.clone(), "the project's".to_owned()),
        (None, Some(region)) => (region.clone(), "as configured".to_owned()),
        (None, None) => clouds.target.region_for(&server.region)?,
    };
    let egress = clouds.target.egress_addresses(&region.0)?;
    let region_closed = clouds.target.region_closed(&region.0);
    let user = settings.source_user.clone().unwrap_or_else(|| server.admin_login.clone());
    let parameters = clouds.source.parameters(&PARAMETERS).await?;
    let of_others = |rule: &InboundRule| !rule.name.starts_with(RULE_PREFIX);
    let shown = |rule: InboundRule| format!("{} {}-{}", rule.name, rule.start, rule.end);
    let firewall = clouds.source.inbound_rules().await?.into_iter().filter(of_others).map(shown).collect();

    let endpoint = access.source_endpoint(settings, &server.host, &user, "azure2neon_plan").await?;
    let source = access.connect(&server, &endpoint).await?;
    let log = LogWatch::begin(&source).await?;
    let (round_trip, bandwidth) = (source.round_trip().await?, source.bandwidth().await?);
    let used = source
        .query_one(
            "select (select pg_catalog.count(*) from pg_catalog.pg_replication_slots), \
             (select pg_catalog.count(*) from pg_catalog.pg_stat_replication)",
            &[],
        )
        .await?;
    let clock_skew_milliseconds = clock_skew(&source, round_trip).await?;
    let assessment = assessment::assess(&source).await?;
    let definitions = basis::definitions(&catalog(&source).await?);
    let inventory = inventory::inventory(&source).await?;
    let extensions = match &existing {
        Some(existing) => existing.extensions.clone(),
        None => clouds.target.extensions(planner::new_major(settings, server.major)),
    };
    let doubtful = extensions::doubtful(&inventory.extensions, extensions.as_ref());
    let text_order = text_order(&source, target.as_ref()).await?;
    let hanging = azure2neon_postgres::extensions::hanging(&source, &doubtful).await?;
    let left_out = settings.selection.left_out(&inventory);
    let moved: Vec<u32> = inventory.tables.iter().filter(|table| !left_out.contains(&table.name)).map(|table| table.oid).collect();
    let (hidden, subscriber) = match settings.mode {
        Mode::Online => (Vec::new(), roles::subscriber_rights(&source, &moved).await?),
        Mode::Offline => (roles::hidden_from(&source, &user, &moved).await?, SubscriberRights::default()),
    };
    Ok(Survey {
        volume: volume(&source, &moved).await?,
        dependents: dependents::dependents(&source, &left_out).await?,
        hidden,
        subscriber,
        inventory,
        assessment,
        definitions,
        firewall,
        clock_skew_milliseconds,
        fence: fence::fence_state(&source, &settings.source_database).await?,
        log_rate: log.end(&source).await?,
        slots: used.get(0),
        senders: used.get(1),
        round_trip,
        bandwidth,
        identity: clouds.source.identity(),
        server,
        user,
        parameters,
        region,
        region_closed,
        taken,
        existing,
        egress,
        extensions,
        hanging,
        text_order,
        changes: statistics::changes(&source).await?,
    })
}

/// Compares the order of indexed text with the target's, or with that of a new database.
async fn text_order(source: &Session, target: Option<&Session>) -> Result<TextOrder> {
    let keys = collation::text_keys(source).await?;
    if let Some(target) = target {
        return Ok(TextOrder { otherwise: collation::ordered_otherwise(target, &keys).await?, unknown: Vec::new() });
    }
    let (default, others): (Vec<TextKey>, Vec<TextKey>) = keys.into_iter().partition(TextKey::is_default);
    let otherwise = default.into_iter().filter(|key| !key.is_in_order_of_c()).map(|key| key.name).collect();
    Ok(TextOrder { otherwise, unknown: others.into_iter().map(|key| format!("{} ({})", key.name, key.collation)).collect() })
}

/// By how much this machine's clock is ahead of the server's, in milliseconds, give or take half a round trip.
async fn clock_skew(source: &Session, round_trip: Duration) -> Result<i64> {
    let sql = "select (pg_catalog.extract('epoch', pg_catalog.clock_timestamp()) * 1000)::pg_catalog.int8";
    let there: i64 = source.query_one(sql, &[]).await?.try_get(0)?;
    let half = i64::try_from(round_trip.as_millis() / 2).unwrap_or_default();
    Ok(clock::now().as_millisecond() - half - there)
}

/// The project and branch of these ids or names, what they hold, and a session in the database of the planned name, if it is there.
async fn existing_target(
    settings: &Settings,
    clouds: &Clouds,
    access: &Access,
    at: (&str, Option<&str>),
) -> Result<(ExistingTarget, Option<Session>)> {
    let (named, branch) = at;
    let Some(project) = clouds.target.open(named, branch).await? else {
        let of_branch = branch.map(|branch| format!(" with a branch {branch}")).unwrap_or_default();
        return Err(Error::new(ErrorKind::NotFound, format!("there is no Neon project {named}{of_branch} that the key may see"))
            .hint("see the project's id in the Neon console under Settings, and give it with --existing-project (and --branch)"));
    };
    let databases = clouds.target.databases(&project).await?;
    let name = settings.target_database.as_ref().unwrap_or(&settings.source_database);
    let enter = async |database: &TargetDatabase| {
        let connection = clouds.target.connection(&project, database, LostPassword::Fail).await?;
        Ok::<_, Error>(target_endpoint(settings, access, connection, "azure2neon_plan").connect().await?)
    };
    let planned = databases.iter().find(|database| database.name == *name);
    let session = match (planned, databases.first()) {
        (Some(planned), _) => Some(enter(planned).await?),
        // Any other one of the server knows what it offers; whoever can't get in there need not.
        (None, Some(other)) => enter(other).await.ok(),
        (None, None) => None,
    };
    let documented = clouds.target.extensions(project.major);
    let extensions = match &session {
        Some(session) => {
            let by = format!("the server of the project {}", project.name);
            Some(extensions::of_server(&available(session).await?, documented.as_ref(), by))
        }
        None => documented,
    };
    let session = session.filter(|_| planned.is_some());
    let (objects, collate, line) = match &session {
        Some(session) => (
            inventory::user_objects(session).await?,
            Some(inventory::collate(session).await?),
            Some((session.round_trip().await?, session.bandwidth().await?)),
        ),
        None => (Vec::new(), None, None),
    };
    let existing = ExistingTarget {
        roles: clouds.target.roles(&project).await?,
        settings: clouds.target.settings(&project).await?,
        project,
        databases,
        objects,
        collate,
        extensions,
        line,
    };
    Ok((existing, session))
}
