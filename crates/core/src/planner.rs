//! Decides what to do. A pure function from what was observed and configured to a plan.

mod copy;
mod cut_over;
mod estimates;
mod offline;
mod selection;
mod target;
mod way_back;

pub(crate) use target::new_major;

use azure2neon_postgres::Inventory;
use azure2neon_postgres::inventory::{Persistence, ReplicaIdentity, Table};

use crate::basis::Basis;
use crate::checks::{self, Facts};
use crate::cloud::InboundRule;
use crate::error::Result;
use crate::plan::{CopyPath, MARK_PREFIX, Mode, PLAN_VERSION, Plan, PlannedSource, PlannedTarget, RULE_PREFIX, Severity, Stage, Step};
use crate::settings::Settings;
use crate::steps::{self, Action, CompareWhen, IdentityChange, ParameterChange, Reverse};
use crate::survey::Survey;

/// Our slot and two for tables that are being synchronized, or those of three epochs; one to spare.
const SLOTS_NEEDED: i64 = 4;

/// Plans the migration; what blocks it is among the findings. Fails where the settings contradict each other or the source.
pub fn plan(survey: &Survey, settings: &Settings, run: &str) -> Result<Plan> {
    let whole = survey;
    let survey = &selection::narrowed(whole, &settings.selection)?;
    let target = target::planned(survey, settings)?;
    let copy = copy::path(survey, settings);
    let way_back::WayBack { step: way_back, findings: of_way_back } = way_back::decide(survey, settings, &format!("{MARK_PREFIX}{run}"));
    let when = cut_over::compare_when(settings, way_back.is_some())?;
    let decided = Decided { copy: copy.path, way_back, when };
    let steps = match settings.mode {
        Mode::Online => online(survey, settings, &target, &decided, run),
        Mode::Offline => offline::steps(survey, settings, &target, run),
    };
    let identities = if settings.mode == Mode::Online { replica_identities(&survey.inventory) } else { Vec::new() };
    let stored: Vec<&Table> = survey.inventory.tables.iter().filter(|table| table.has_storage()).collect();
    let bytes = survey.inventory.stored_bytes();
    let mut findings = [
        offline::findings(survey, settings),
        checks::findings(&Facts { survey, settings, identities: &identities }),
        selection::findings(whole, &settings.selection),
        target::findings(survey, settings),
        of_way_back,
    ]
    .concat();
    findings.sort_by_key(|finding| finding.severity != Severity::Blocks);
    checks::accept(&mut findings, &settings.accepted)?;
    Ok(Plan {
        version: PLAN_VERSION,
        run: run.to_owned(),
        source: PlannedSource {
            server: survey.server.clone(),
            database: settings.source_database.clone(),
            identity: survey.identity.clone(),
            user: survey.user.clone(),
            tables: stored.len(),
            bytes,
            sequences: survey.inventory.sequences.len(),
        },
        target,
        mode: settings.mode,
        selection: settings.selection.clone(),
        estimates: estimates::estimates(survey, settings, copy.path, when),
        copy,
        basis: Basis::of(whole),
        findings,
        steps,
    })
}

/// What is decided before the steps.
struct Decided {
    copy: CopyPath,
    way_back: Option<steps::PrepareWayBack>,
    when: CompareWhen,
}

/// The steps with logical replication.
fn online(survey: &Survey, settings: &Settings, target: &PlannedTarget, decided: &Decided, run: &str) -> Vec<Step> {
    let Decided { copy, way_back, when } = decided;
    let copy = *copy;
    let mark = format!("{MARK_PREFIX}{run}");
    let rules: Vec<InboundRule> = survey
        .egress
        .addresses
        .iter()
        .enumerate()
        .map(|(n, address)| InboundRule { name: format!("{RULE_PREFIX}{run}-{}", n + 1), start: address.clone(), end: address.clone() })
        .collect();
    let owners = survey.inventory.owners.clone();

    let mut steps = Vec::new();
    let mut add = |stage, actions: Vec<Action>| steps.extend(actions.into_iter().map(|action| Step { stage, action }));
    add(
        Stage::PrepareTarget,
        target::prepare(survey, settings, target, target::Needs { keys: copy == CopyPath::Direct, publishes: way_back.is_some() }),
    );
    add(
        Stage::PrepareSource,
        vec![
            Action::EnableLogicalReplication(steps::EnableLogicalReplication { changes: parameter_changes(survey) }),
            Action::CreateReplicationRole(steps::CreateReplicationRole { role: mark.clone(), owners }),
            Action::GrantReplicationRole(steps::GrantReplicationRole { role: mark.clone() }),
            Action::SetReplicaIdentity(steps::SetReplicaIdentity { changes: replica_identities(&survey.inventory) }),
            Action::CreatePublication(copy::publication(survey, settings, copy, &mark)),
        ],
    );
    add(
        Stage::BringOver,
        vec![
            Action::AllowTargetInbound(steps::AllowTargetInbound { rules, provenance: survey.egress.provenance.clone() }),
            Action::ProveReachability(steps::ProveReachability {}),
        ],
    );
    add(Stage::BringOver, copy::bring_over(copy, settings, &mark));
    add(Stage::BringOver, target::keep_history(survey, settings).into_iter().collect());
    add(
        Stage::KeepInStep,
        vec![
            Action::CatchUp(steps::CatchUp {}),
            Action::SetSequencesAhead(steps::SetSequencesAhead {}),
            Action::CompareCatalogs(steps::CompareCatalogs {}),
            Action::Compare(steps::Compare {}),
        ],
    );
    for (stage, actions) in cut_over::steps(survey, settings, *when, way_back.clone()) {
        add(stage, actions);
    }
    let mut finish = finish(&steps);
    finish.push(target::restore(survey, settings));
    steps.extend(finish.into_iter().map(|action| Step { stage: Stage::Finish, action }));
    steps
}

/// The finish takes back, last made first, what the steps say they can take back and the target doesn't need.
fn finish(steps: &[Step]) -> Vec<Action> {
    type Wrap = fn(Reverse) -> Action;
    let wrap: [(&str, Wrap); 7] = [
        ("prepare-way-back", Action::DropWayBack),
        ("subscribe", Action::DropSubscription),
        ("create-publication", Action::DropPublication),
        ("set-replica-identity", Action::RestoreReplicaIdentity),
        ("create-replication-role", Action::DropReplicationRole),
        ("allow-target-inbound", Action::RevokeInbound),
        ("enable-logical-replication", Action::RestoreSettings),
    ];
    wrap.iter()
        .filter_map(|(of, wrap)| {
            let step = steps.iter().find(|step| step.id() == *of)?;
            let description = step.action.operation().inverse()?;
            Some(wrap(Reverse { of: (*of).to_owned(), description }))
        })
        .collect()
}

/// The parameters that logical replication needs otherwise.
pub(crate) fn parameter_changes(survey: &Survey) -> Vec<ParameterChange> {
    survey
        .parameters
        .iter()
        .filter_map(|parameter| {
            let current = parameter.value.parse::<i64>().unwrap_or(i64::MAX);
            let to = match parameter.name.as_str() {
                "wal_level" if !parameter.value.eq_ignore_ascii_case("logical") => "logical".to_owned(),
                // Set, but not in force: the restart is still due.
                "wal_level" if parameter.pending_restart => "logical".to_owned(),
                "max_replication_slots" if current < survey.on_server.slots + SLOTS_NEEDED => {
                    (survey.on_server.slots + SLOTS_NEEDED).to_string()
                }
                "max_wal_senders" if current < survey.on_server.senders + SLOTS_NEEDED => {
                    (survey.on_server.senders + SLOTS_NEEDED).to_string()
                }
                _ => return None,
            };
            Some(ParameterChange { name: parameter.name.clone(), from: parameter.value.clone(), to, dynamic: parameter.dynamic })
        })
        .collect()
}

/// Tables whose rows an UPDATE or DELETE could not name, and by what it shall.
fn replica_identities(inventory: &Inventory) -> Vec<IdentityChange> {
    inventory
        .tables
        .iter()
        .filter(|table| table.has_storage() && table.persistence == Persistence::Permanent)
        .filter(|table| match table.replica_identity {
            ReplicaIdentity::Default => !table.primary_key,
            ReplicaIdentity::Nothing => true,
            ReplicaIdentity::Full | ReplicaIdentity::Index(_) => false,
        })
        .map(|table| {
            let to = match &table.usable_unique_index {
                _ if table.primary_key => ReplicaIdentity::Default,
                Some(index) => ReplicaIdentity::Index(index.clone()),
                None => ReplicaIdentity::Full,
            };
            IdentityChange { table: table.name.clone(), from: table.replica_identity.clone(), to }
        })
        .collect()
}

#[cfg(test)]
#[path = "planner_tests.rs"]
pub(crate) mod tests;
