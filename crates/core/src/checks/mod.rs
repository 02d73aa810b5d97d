//! What can hurt a migration and can be seen before it: one file a check. A check changes nothing; it says what was found, why that
//! matters, and what to do.

use std::collections::BTreeMap;

use azure2neon_postgres::assessment::Hit;
use azure2neon_postgres::inventory::{ReplicaIdentity, Table};

use crate::error::{Error, ErrorKind, Result};
use crate::plan::{Finding, Mode, Severity};
use crate::settings::Settings;
use crate::steps::IdentityChange;
use crate::survey::Survey;
use crate::units;

/// Where replication is ruled out, the rows can still be copied while nobody writes.
const OR_OFFLINE: &str = "or `--mode offline`, which copies while the source refuses writes and needs no replication";

/// A run that went on would change, or take away when it is undone, what it did not make.
const NEVER_ACCEPTED: [&str; 2] = ["project-name-taken", "target-not-empty"];

/// So many names are listed.
const LISTED: usize = 10;

/// What a check is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Area {
    /// The source server and its cloud.
    Server,
    /// The target and its cloud.
    Target,
    /// The source's database.
    Database,
}

impl Area {
    /// In words.
    pub fn title(self) -> &'static str {
        match self {
            Self::Server => "The source server",
            Self::Target => "The target",
            Self::Database => "The database",
        }
    }
}

/// A check.
pub struct Check {
    /// Stable; the name of its source file.
    pub id: &'static str,
    /// How grave it is when it finds something.
    pub severity: Severity,
    /// What it is about.
    pub area: Area,
    /// Whether it matters only where logical replication carries the changes.
    pub of_replication: bool,
    /// What it looks for.
    pub looks_for: &'static str,
    /// Why that matters.
    pub why: &'static str,
    pub(crate) look: Look,
}

/// How a check looks.
pub(crate) enum Look {
    /// The server lists it, by the query of [`azure2neon_postgres::assessment`] with the check's id.
    Listed {
        /// What one of them is.
        one: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// In what was surveyed.
    Survey(fn(&Facts<'_>) -> Option<Found>),
    /// The planner says it where it decides.
    Planner,
}

/// What a check found.
pub(crate) struct Found {
    /// What.
    pub(crate) what: String,
    /// What to do, with the literal command where there is one.
    pub(crate) remedy: String,
}

/// What a check may look at.
pub(crate) struct Facts<'a> {
    /// What is moved, and where from and to.
    pub(crate) survey: &'a Survey,
    /// The operator's settings.
    pub(crate) settings: &'a Settings,
    /// The replica identities that will be set.
    pub(crate) identities: &'a [IdentityChange],
}

impl Facts<'_> {
    /// Tables whose whole rows will name them.
    fn without_key(&self) -> Vec<&Table> {
        let full = |table: &&Table| self.identities.iter().any(|change| change.table == table.name && change.to == ReplicaIdentity::Full);
        self.survey.inventory.tables.iter().filter(full).collect()
    }

    /// These, each with its size in bytes, the largest first; nothing if there are none.
    fn listed(&self, one: &str, many: &str, named: impl Iterator<Item = (String, i64)>, remedy: &str) -> Option<Found> {
        let hits: Vec<Hit> = named.map(|(object, bytes)| Hit { object, bytes }).collect();
        (!hits.is_empty()).then(|| Found { what: counted(one, many, hits), remedy: remedy.to_owned() })
    }
}

/// A table's name and size.
fn sized(table: &Table) -> (String, i64) {
    (table.name.to_string(), table.bytes)
}

/// The name of what has no size.
fn named(object: &impl ToString) -> (String, i64) {
    (object.to_string(), 0)
}

/// How many there are, and the first of them, the largest first.
fn counted(one: &str, many: &str, mut hits: Vec<Hit>) -> String {
    hits.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.object.cmp(&b.object)));
    let name = |hit: &Hit| if hit.bytes > 0 { format!("{} ({})", hit.object, units::bytes(hit.bytes)) } else { hit.object.clone() };
    let names: Vec<String> = hits.iter().map(name).collect();
    format!("{} {}: {}", hits.len(), if hits.len() == 1 { one } else { many }, units::listed(&names, LISTED))
}

impl Check {
    /// A finding of this check.
    pub(crate) fn finding(&self, what: String, remedy: impl Into<String>) -> Finding {
        Finding { id: self.id.to_owned(), severity: self.severity, what, why: self.why.to_owned(), advice: remedy.into(), accepted: None }
    }

    fn look(&self, facts: &Facts<'_>) -> Option<Finding> {
        if self.of_replication && facts.settings.mode == Mode::Offline {
            return None;
        }
        let found = match self.look {
            Look::Planner => None,
            Look::Survey(look) => look(facts),
            Look::Listed { one, remedy } => {
                let hits = facts.survey.assessment.get(self.id)?.clone();
                Some(Found { what: counted(one, self.looks_for, hits), remedy: remedy.to_owned() })
            }
        }?;
        Some(self.finding(found.what, found.remedy))
    }
}

/// Notes with the findings why they were accepted. One of an unknown id was meant for something that is not looked for.
pub(crate) fn accept(findings: &mut [Finding], accepted: &BTreeMap<String, String>) -> Result<()> {
    if let Some(id) = accepted.keys().find(|id| !CHECKS.iter().any(|check| check.id == id.as_str())) {
        return Err(Error::new(ErrorKind::Configuration, format!("there is no check {id} whose finding could be accepted"))
            .hint("`azure2neon checks` lists them"));
    }
    if let Some(id) = accepted.keys().find(|id| NEVER_ACCEPTED.contains(&id.as_str())) {
        return Err(Error::new(ErrorKind::Configuration, format!("what {id} finds can't be accepted: what others made is never touched"))
            .hint("leave it out of --accept and [accept], and do what the finding says"));
    }
    for finding in findings {
        finding.accepted = accepted.get(&finding.id).cloned();
    }
    Ok(())
}

/// What kind of error a finding is that blocks.
fn kind(id: &str) -> ErrorKind {
    match id {
        "project-name-taken" | "target-not-empty" => ErrorKind::AlreadyExists,
        "region-closed" | "target-version" => ErrorKind::Configuration,
        "hidden-rows" | "key-of-one-project" | "rights-on-source" | "rights-in-azure" => ErrorKind::Permission,
        _ => ErrorKind::Blocked,
    }
}

/// Refuses what blocks and nobody accepted, all of it at once.
pub(crate) fn refuse<'a>(findings: impl IntoIterator<Item = &'a Finding>) -> Result<()> {
    let blocks: Vec<&Finding> =
        findings.into_iter().filter(|finding| finding.severity == Severity::Blocks && finding.accepted.is_none()).collect();
    let Some(first) = blocks.first() else { return Ok(()) };
    let why = match blocks.len() {
        1 => first.what.clone(),
        n => {
            let all: Vec<String> = blocks.iter().map(|finding| format!("  {}: {}", finding.id, finding.what)).collect();
            format!("{n} findings block the migration:\n{}", all.join("\n"))
        }
    };
    let kind = if blocks.iter().all(|finding| kind(&finding.id) == kind(&first.id)) { kind(&first.id) } else { ErrorKind::Blocked };
    let advice: Vec<&str> = blocks.iter().map(|finding| finding.advice.as_str()).collect();
    Err(Error::new(kind, why).hint(advice.join("; ")))
}

/// Refuses what blocks as far as the clouds alone tell: the survey holds nothing of the source's database.
pub(crate) fn refuse_beforehand(survey: &Survey, settings: &Settings) -> Result<()> {
    let facts = Facts { survey, settings, identities: &[] };
    let of_clouds = CHECKS.iter().filter(|check| check.area != Area::Database && check.severity == Severity::Blocks);
    let mut findings: Vec<Finding> = of_clouds.filter_map(|check| check.look(&facts)).collect();
    accept(&mut findings, &settings.accepted)?;
    refuse(&findings)
}

/// What all checks find, the gravest first.
pub(crate) fn findings(facts: &Facts<'_>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = CHECKS.iter().filter_map(|check| check.look(facts)).collect();
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    findings
}

macro_rules! checks {
    ($($check:ident),* $(,)?) => {
        $(pub(crate) mod $check;)*

        /// Every check.
        pub const CHECKS: &[&Check] = &[$(&$check::CHECK),*];
    };
}

checks! {
    always_triggers,
    bloat,
    burstable,
    clients_without_tls,
    clock_skew,
    collation,
    deferrable_keys,
    demanded_way_back,
    disabled_triggers,
    doubtful_rights,
    dry_restore,
    dry_restored,
    encoding,
    endpoint_in_recovery,
    event_triggers,
    exclusion_constraints,
    fixed_parameters,
    foreign_keys_leave_selection,
    foreign_tables,
    hidden_rows,
    high_availability,
    inactive_slots,
    inheritance,
    invalid_indexes,
    key_of_one_project,
    large_objects,
    long_transactions,
    no_tables,
    no_way_back,
    objects_leave_selection,
    objects_of_the_provider,
    offline,
    password_login,
    pooled_endpoint,
    prepared_transactions,
    private_network,
    project_name_taken,
    projects_limit,
    publications,
    region_closed,
    restart_needed,
    rights_in_azure,
    rights_on_source,
    roles,
    row_security,
    rules,
    scheduled_jobs,
    security_labels,
    server_state,
    settings_of_database,
    slot_limits,
    source_end_of_life,
    source_version,
    storage_does_not_grow,
    storage_headroom,
    subscriptions,
    superuser_objects,
    tables_left_out,
    tables_without_equality,
    tables_without_key,
    tablespaces,
    target_nearly_too_small,
    target_not_empty,
    target_plan_limits,
    target_region_closing,
    target_resize,
    target_restart,
    target_too_small,
    target_version,
    target_workers,
    text_range_partitions,
    token_login,
    unchecked,
    unlogged_tables,
    unset_search_path,
    unsupported_server,
    untrusted_functions,
    unvalidated_constraints,
    views_leave_selection,
    way_back,
    workers_of_way_back,
    wraparound,
}

#[cfg(test)]
mod tests;
