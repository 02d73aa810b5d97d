//! What is decided of the target: where it is, what of it is made, how its compute and project are set meanwhile and then.

use crate::checks::{self, Check};
use crate::cloud::{ProjectSpec, TargetDatabase, TargetSettings};
use crate::error::{Error, ErrorKind, Result};
use crate::plan::{Finding, Makes, PlannedTarget};
use crate::settings::Settings;
use crate::steps::{self, Action, ChangeTargetSettings};
use crate::survey::{ExistingTarget, Survey};

/// Majors that a target can have and that subscribe without a superuser.
const MAJORS: std::ops::RangeInclusive<u32> = 16..=18;

/// The version of a new project, where the source's is no later.
const USUAL: u32 = 17;

/// Bytes of the longest name.
const LONGEST_NAME: usize = 63;

/// Seconds of history that Neon gives a new project by default: one day.
const DEFAULT_HISTORY: i64 = 86_400;

/// A compute that suspends stops applying, silently.
const NEVER: Option<i64> = Some(-1);

fn configuration(what: String) -> Error {
    Error::new(ErrorKind::Configuration, what)
}

/// The target, or why it can't be so.
pub(super) fn planned(survey: &Survey, settings: &Settings) -> Result<PlannedTarget> {
    let name = settings.target_database.clone().unwrap_or_else(|| settings.source_database.clone());
    check_name("database", &name, matches!(name.as_str(), "postgres" | "template0" | "template1"))?;
    let there = survey.existing.as_ref();
    let found = there.and_then(|there| there.databases.iter().find(|database| database.name == name));
    let role = match (&settings.target_role, found) {
        (Some(role), Some(found)) if *role != found.owner => {
            return Err(configuration(format!("the database {name} exists on Neon and belongs to {}, not to {role}", found.owner))
                .hint("leave `role` under [target] out, or name another `database`"));
        }
        (Some(role), _) => role.clone(),
        (None, Some(found)) => found.owner.clone(),
        (None, None) => default_role(&name),
    };
    let reserved = matches!(role.as_str(), "neon_superuser" | "cloud_admin" | "zenith_admin" | "public" | "none");
    check_name("role", &role, reserved || role.starts_with("pg_"))?;
    let makes = match there {
        None => Makes::Project,
        Some(_) if found.is_some() => Makes::Nothing,
        Some(there) if there.roles.contains(&role) => Makes::Database,
        Some(_) => Makes::DatabaseAndRole,
    };
    Ok(PlannedTarget {
        project: there.map_or_else(|| settings.home.project().to_owned(), |there| there.project.name.clone()),
        project_id: there.map(|there| there.project.id.clone()),
        branch: settings.home.branch().map(str::to_owned),
        makes,
        region: survey.region.0.clone(),
        region_reason: survey.region.1.clone(),
        major: major(survey, settings).0,
        database: name,
        role,
    })
}

/// The major that a new project shall have.
pub(crate) fn new_major(settings: &Settings, source: u32) -> u32 {
    settings.target_major.unwrap_or_else(|| source.max(USUAL))
}

/// The target's major version, and why it can't be that one, with what to do.
fn major(survey: &Survey, settings: &Settings) -> (u32, Option<(String, &'static str)>) {
    let source = survey.server.major;
    let offered = |major: u32| MAJORS.contains(&major) && major >= source;
    let bounds = format!("a target needs {} to {}, not older than the source's {source}", MAJORS.start(), MAJORS.end());
    if let Some(ExistingTarget { project, .. }) = &survey.existing {
        let has = format!("the Neon project {} has PostgreSQL {}", project.name, project.major);
        let wrong = match settings.target_major.filter(|wanted| *wanted != project.major) {
            Some(wanted) => {
                Some((format!("{has}, not {wanted}"), "leave `pg_version` under [target] (or --pg-version) out, or name another project"))
            }
            None => (!offered(project.major)).then(|| (format!("{has}; {bounds}"), "name another project, or a new one with --project")),
        };
        return (project.major, wrong);
    }
    let major = new_major(settings, source);
    let wrong = (!offered(major)).then(|| (format!("the target can't be PostgreSQL {major}: {bounds}"), "set pg_version under [target]"));
    (major, wrong)
}

fn check_name(what: &str, name: &str, reserved: bool) -> Result<()> {
    let why = match name.len() {
        _ if reserved => format!("Neon reserves the {what} name {name}"),
        0 => format!("the {what} name on Neon is empty"),
        bytes if bytes > LONGEST_NAME => format!("the {what} name {name} has {bytes} bytes; {LONGEST_NAME} are the most"),
        _ => return Ok(()),
    };
    Err(configuration(why).hint(format!("name the target's {what}: `{what} = \"app\"` under [target]")))
}

fn default_role(database: &str) -> String {
    let name: String = database.to_ascii_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).take(50).collect();
    let name = if name.starts_with("pg_") { format!("db_{name}") } else { name };
    format!("{name}_owner")
}

/// What the target is needed for.
#[derive(Clone, Copy)]
pub(super) struct Needs {
    /// Tables have their keys before their rows.
    pub(super) keys: bool,
    /// The source subscribes to its changes at the end.
    pub(super) publishes: bool,
}

/// The steps that make the target, and what of the schema the copy needs.
pub(super) fn prepare(survey: &Survey, settings: &Settings, target: &PlannedTarget, needs: Needs) -> Vec<Action> {
    let database = target.database();
    let into = (target.makes == Makes::Nothing).then(|| database.clone());
    let mut actions = match &survey.existing {
        None => vec![Action::CreateProject(steps::CreateProject { spec: spec(settings, target, &database, needs.publishes) })],
        Some(there) => {
            let raised = Some(raise(settings, there)).filter(|change| !change.to.is_empty());
            let used = Action::UseProject(steps::UseProject { project: there.project.clone() });
            std::iter::once(used).chain(raised.map(Action::RaiseTargetSettings)).collect()
        }
    };
    actions.push(Action::CreateDatabase(steps::CreateDatabase { database, makes: target.makes }));
    let left_out = super::selection::stays_behind(&survey.dependents);
    actions.push(Action::ImportSchema(steps::ImportSchema { keys: needs.keys, into, left_out }));
    actions
}

fn spec(settings: &Settings, target: &PlannedTarget, database: &TargetDatabase, publishes: bool) -> ProjectSpec {
    ProjectSpec {
        name: target.project.clone(),
        region: target.region.clone(),
        major: target.major,
        database: database.name.clone(),
        role: database.owner.clone(),
        settings: TargetSettings {
            compute: settings.migration_compute.or(settings.compute),
            suspend_seconds: NEVER,
            // Nobody depends on the project yet, and the history of a copy is as large as the copy.
            history_seconds: Some(0),
        },
        publishes,
    }
}

/// The project's history is left alone: other branches depend on it.
fn raise(settings: &Settings, there: &ExistingTarget) -> ChangeTargetSettings {
    let to = TargetSettings { compute: settings.migration_compute, suspend_seconds: NEVER, history_seconds: None };
    let to = there.settings.lacks(&to);
    let from = TargetSettings {
        compute: to.compute.and(there.settings.compute),
        suspend_seconds: to.suspend_seconds.and(there.settings.suspend_seconds),
        history_seconds: None,
    };
    ChangeTargetSettings { to, from }
}

/// The history that the application can go back in; it begins before the application comes.
pub(super) fn keep_history(survey: &Survey, settings: &Settings) -> Option<Action> {
    let history = |seconds| TargetSettings { history_seconds: seconds, ..TargetSettings::default() };
    let change = match (&survey.existing, settings.history_seconds) {
        (None, wanted) => ChangeTargetSettings { to: history(Some(wanted.unwrap_or(DEFAULT_HISTORY))), from: TargetSettings::default() },
        (Some(there), Some(wanted)) => ChangeTargetSettings { to: history(Some(wanted)), from: history(there.settings.history_seconds) },
        (Some(_), None) => return None,
    };
    Some(Action::KeepHistory(change))
}

/// What the target is set to in the end.
pub(super) fn restore(survey: &Survey, settings: &Settings) -> Action {
    let to = match &survey.existing {
        None => TargetSettings {
            compute: settings.compute.filter(|_| settings.migration_compute.is_some()),
            suspend_seconds: Some(0),
            history_seconds: None,
        },
        Some(there) => TargetSettings {
            compute: settings.compute.or(settings.migration_compute.and(there.settings.compute)),
            suspend_seconds: there.settings.suspend_seconds.or(Some(0)),
            history_seconds: None,
        },
    };
    Action::RestoreTargetSettings(ChangeTargetSettings { to, from: TargetSettings::default() })
}

/// What the operator should know of the target.
pub(super) fn findings(survey: &Survey, settings: &Settings) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut add = |check: &Check, what: String, advice: &str| findings.push(check.finding(what, advice));
    if let (_, Some((why, how))) = major(survey, settings) {
        add(&checks::target_version::CHECK, why, how);
    }
    let raised = match &survey.existing {
        None => settings.migration_compute,
        Some(there) => raise(settings, there).to.compute,
    };
    if let (Some(there), Some(range)) = (&survey.existing, raised) {
        add(
            &checks::target_restart::CHECK,
            format!("the compute of the Neon project {} is set to {range} CU at the start, which restarts it", there.project.name),
            "leave `migration_compute` under [target] out to avoid that",
        );
    }
    let after = settings.compute.or_else(|| survey.existing.as_ref()?.settings.compute);
    if let (Some(range), Some(after)) = (raised, after)
        && range != after
    {
        add(
            &checks::target_resize::CHECK,
            format!("the finish sets the target's compute from {range} to {after} CU, which restarts it"),
            "run `azure2neon finish` at a quiet hour",
        );
    }
    if let (Some(there), Some(why)) = (&survey.existing, &survey.region_closed) {
        add(
            &checks::target_region_closing::CHECK,
            format!("the Neon project {} is in {}: {why}", there.project.name, survey.region.0),
            "a new project goes to another region: --project instead of --existing-project",
        );
    }
    findings
}
