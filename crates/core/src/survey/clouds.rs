//! What both clouds tell, before anybody connects to the source.

use azure2neon_postgres::extensions::available;
use azure2neon_postgres::server::{ServerFacts, server_facts};
use azure2neon_postgres::{Session, inventory};

use super::{ExistingTarget, Survey, Workers};
use crate::access::{Access, Login};
use crate::checks::{rights_in_azure, target_plan_limits};
use crate::clock;
use crate::cloud::{InboundRule, LostPassword, TargetDatabase};
use crate::context::{Clouds, target_endpoint};
use crate::error::{Error, ErrorKind, Result};
use crate::extensions;
use crate::plan::RULE_PREFIX;
use crate::planner;
use crate::settings::{Home, Settings};

/// Server parameters that logical replication depends on.
const PARAMETERS: [&str; 3] = ["wal_level", "max_replication_slots", "max_wal_senders"];

/// The survey as far as it goes without the source's database, and a session in the target's if that is there.
pub(super) async fn look(settings: &Settings, clouds: &Clouds, access: &Access) -> Result<(Survey, Option<Session>)> {
    let server = clouds.source.describe().await?;
    clouds.target.identity().await?;
    let mut survey = Survey {
        at: clock::now(),
        identity: clouds.source.identity(),
        user: settings.source_user.clone().unwrap_or_else(|| server.admin_login.clone()),
        by_token: matches!(access.login, Login::Token(_)),
        ..Survey::default()
    };
    let mut target = None;
    match &settings.home {
        Home::New(name) => match clouds.target.find(name).await {
            Ok(taken) => survey.taken = taken,
            Err(refused) if refused.kind() == ErrorKind::Permission => survey.no_new_project = Some(refused.message().to_owned()),
            Err(error) => return Err(error),
        },
        Home::Existing { project, branch } => {
            let (existing, session) = existing_target(settings, clouds, access, (project, branch.as_deref())).await?;
            (survey.existing, target) = (Some(existing), session);
        }
    }
    match clouds.target.limits(survey.existing.as_ref().map(|there| &there.project)).await {
        Ok(limits) => survey.limits = limits,
        Err(refused) if is_not_told(&refused) => survey.unasked.push(format!("{} ({refused})", target_plan_limits::CHECK.id)),
        Err(error) => return Err(error),
    }
    survey.region = match (&survey.existing, &settings.region) {
        (Some(existing), _) => (existing.project.region.clone(), "the project's".to_owned()),
        (None, Some(region)) => (region.clone(), "as configured".to_owned()),
        (None, None) => clouds.target.region_for(&server.region)?,
    };
    survey.egress = clouds.target.egress_addresses(&survey.region.0)?;
    survey.region_closed = clouds.target.region_closed(&survey.region.0);
    survey.extensions = match &survey.existing {
        Some(existing) => existing.extensions.clone(),
        None => clouds.target.extensions(planner::new_major(settings, server.major)),
    };
    match clouds.source.forbidden().await {
        Ok(forbidden) => survey.forbidden = forbidden,
        // Whoever may do what is needed may still not be told so.
        Err(refused) if is_not_told(&refused) => survey.unasked.push(format!("{} ({refused})", rights_in_azure::CHECK.id)),
        Err(error) => return Err(error),
    }
    survey.server_databases = clouds.source.databases().await?;
    survey.parameters = clouds.source.parameters(&PARAMETERS).await?;
    let of_others = |rule: &InboundRule| !rule.name.starts_with(RULE_PREFIX);
    let shown = |rule: InboundRule| format!("{} {}-{}", rule.name, rule.start, rule.end);
    survey.firewall = clouds.source.inbound_rules().await?.into_iter().filter(of_others).map(shown).collect();
    survey.server = server;
    Ok((survey, target))
}

/// Whether a cloud answered, and did not say what it was asked for.
fn is_not_told(refused: &Error) -> bool {
    matches!(refused.kind(), ErrorKind::Permission | ErrorKind::NotFound | ErrorKind::Cloud)
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
    let mut existing = ExistingTarget {
        roles: clouds.target.roles(&project).await?,
        settings: clouds.target.settings(&project).await?,
        objects: Vec::new(),
        collate: None,
        line: None,
        workers: None,
        project,
        extensions,
        databases: databases.clone(),
    };
    let session = session.filter(|_| planned.is_some());
    if let Some(session) = &session {
        existing.objects = inventory::user_objects(session).await?;
        existing.collate = Some(inventory::collate(session).await?);
        existing.line = Some((session.round_trip().await?, session.bandwidth().await?));
        existing.workers = workers(&server_facts(session).await?);
    }
    Ok((existing, session))
}

fn workers(facts: &ServerFacts) -> Option<Workers> {
    let most = facts.settings.get("max_logical_replication_workers")?.parse().ok()?;
    Some(Workers { most, used: facts.workers })
}
