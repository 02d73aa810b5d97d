//! Decides what to do. A pure function from what was observed and configured to a plan.

mod copy;
mod cut_over;
mod offline;
mod selection;
mod target;
mod way_back;

use azure2neon_postgres::Inventory;
use azure2neon_postgres::inventory::{Persistence, ReplicaIdentity, Table};

use crate::cloud::InboundRule;
use crate::error::{Error, ErrorKind, Result};
use crate::plan::{
    CopyPath, Finding, MARK_PREFIX, Mode, PLAN_VERSION, Plan, PlannedSource, PlannedTarget, RULE_PREFIX, Severity, Stage, Step,
};
use crate::server_checks;
use crate::settings::Settings;
use crate::steps::{self, Action, CompareWhen, IdentityChange, ParameterChange, Reverse};
use crate::survey::Survey;
use crate::units::count;

/// Our slot and two for tables that are being synchronized, or those of three epochs; one to spare.
const SLOTS_NEEDED: i64 = 4;

/// Plans the migration, or says why there can be none.
pub fn plan(survey: &Survey, settings: &Settings, run: &str) -> Result<Plan> {
    refuse_impossible(survey, settings)?;
    let whole = survey;
    let survey = &selection::narrowed(whole, &settings.selection)?;
    let target = target::planned(survey, settings)?;
    let copy = copy::path(survey, settings);
    let way_back::WayBack { step: way_back, findings: of_way_back } = way_back::decide(survey, settings, &format!("{MARK_PREFIX}{run}"))?;
    let when = cut_over::compare_when(settings, way_back.is_some())?;
    let decided = Decided { copy: copy.path, way_back, when };
    let steps = match settings.mode {
        Mode::Online => online(survey, settings, &target, &decided, run),
        Mode::Offline => offline::steps(survey, settings, &target, run),
    };
    let identities = if settings.mode == Mode::Online { replica_identities(&survey.inventory) } else { Vec::new() };
    let stored: Vec<&Table> = survey.inventory.tables.iter().filter(|table| table.has_storage()).collect();
    let bytes = bytes(&survey.inventory);
    let found = [
        server_checks::findings(&survey.server, bytes),
        selection::findings(whole, &settings.selection),
        target::findings(survey, settings),
        findings(&survey.inventory, &identities),
        of_way_back,
    ]
    .concat();
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
        copy,
        findings: match settings.mode {
            Mode::Online => found,
            Mode::Offline => offline::findings(survey, settings, found),
        },
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

fn bytes(inventory: &Inventory) -> i64 {
    inventory.tables.iter().filter(|table| table.has_storage()).map(|table| table.bytes).sum()
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

fn refuse_impossible(survey: &Survey, settings: &Settings) -> Result<()> {
    server_checks::refuse_impossible(&survey.server, settings.mode)?;
    match settings.mode {
        Mode::Online => refuse_fixed_parameters(survey)?,
        Mode::Offline => offline::refuse_hidden(survey)?,
    }
    let blocked = |why: String, hint: &str| Err(Error::new(ErrorKind::Blocked, why).hint(hint.to_owned()));
    target::refuse_taken(survey)?;
    if survey.inventory.encoding != "UTF8" {
        return blocked(
            format!("the database's encoding is {}; Neon has UTF8 only", survey.inventory.encoding),
            "convert it on the source first",
        );
    }
    if survey.inventory.large_objects > 0 {
        return blocked(
            format!("the database holds {} large objects, which replication never carries", survey.inventory.large_objects),
            "move them into bytea columns first",
        );
    }
    Ok(())
}

fn refuse_fixed_parameters(survey: &Survey) -> Result<()> {
    let fixed = |change: &ParameterChange| survey.parameters.iter().any(|parameter| parameter.name == change.name && parameter.read_only);
    let Some(change) = parameter_changes(survey).into_iter().find(fixed) else { return Ok(()) };
    let what = format!(
        "logical replication needs {} = {}, and Azure does not let this server's {} be changed",
        change.name, change.to, change.from
    );
    Err(Error::new(ErrorKind::Blocked, what)
        .hint(format!("see the server's parameters in the Azure portal; {}", server_checks::OR_OFFLINE)))
}

fn parameter_changes(survey: &Survey) -> Vec<ParameterChange> {
    survey
        .parameters
        .iter()
        .filter_map(|parameter| {
            let current = parameter.value.parse::<i64>().unwrap_or(i64::MAX);
            let to = match parameter.name.as_str() {
                "wal_level" if !parameter.value.eq_ignore_ascii_case("logical") => "logical".to_owned(),
                // Set, but not in force: the restart is still due.
                "wal_level" if parameter.pending_restart => "logical".to_owned(),
                "max_replication_slots" if current < survey.slots + SLOTS_NEEDED => (survey.slots + SLOTS_NEEDED).to_string(),
                "max_wal_senders" if current < survey.senders + SLOTS_NEEDED => (survey.senders + SLOTS_NEEDED).to_string(),
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

fn findings(inventory: &Inventory, identities: &[IdentityChange]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut add = |id: &str, severity, what: String, advice: &str| {
        findings.push(Finding { id: id.to_owned(), severity, what, advice: advice.to_owned() });
    };
    let names = |tables: Vec<&Table>| tables.iter().map(|table| table.name.to_string()).collect::<Vec<_>>().join(", ");
    if inventory.tables.is_empty() {
        add(
            "no-tables",
            Severity::Warns,
            "the database holds no tables".to_owned(),
            "see that it is the right one: `database` under [source]",
        );
    }
    let full: Vec<&Table> = inventory
        .tables
        .iter()
        .filter(|table| identities.iter().any(|change| change.table == table.name && change.to == ReplicaIdentity::Full))
        .collect();
    if !full.is_empty() {
        add(
            "tables-without-key",
            Severity::Note,
            format!("{} without a primary key or unique index: {}", count(full.len(), "table"), names(full.clone())),
            "their whole rows identify them during the migration (REPLICA IDENTITY FULL); updates of large ones are slow to apply",
        );
    }
    let unequal: Vec<&Table> = full.into_iter().filter(|table| !table.equality_for_all_columns).collect();
    if !unequal.is_empty() {
        add(
            "tables-without-equality",
            Severity::Warns,
            format!(
                "{} with a column type that can't be compared (json, xml, point …): {}",
                count(unequal.len(), "table without key"),
                names(unequal)
            ),
            "inserts replicate; an update or delete during the migration stops it. Add a primary key if there are any",
        );
    }
    let unlogged: Vec<&Table> = inventory.tables.iter().filter(|table| table.persistence == Persistence::Unlogged).collect();
    if !unlogged.is_empty() {
        add(
            "unlogged-tables",
            Severity::Note,
            format!("{}: {}", count(unlogged.len(), "unlogged table"), names(unlogged)),
            "copied inside the pause and logged on the target: Neon would empty an unlogged table at each suspend",
        );
    }
    let guarded: Vec<&Table> = inventory.tables.iter().filter(|table| table.row_security).collect();
    if !guarded.is_empty() {
        add(
            "row-security",
            Severity::Note,
            format!("{} with row-level security: {}", count(guarded.len(), "table"), names(guarded)),
            "every row is copied: that the role which reads them sees all of them is proven before the copy",
        );
    }
    if !inventory.foreign_tables.is_empty() {
        let list: Vec<String> = inventory.foreign_tables.iter().map(ToString::to_string).collect();
        add(
            "foreign-tables",
            Severity::Warns,
            format!("{}: {}", count(list.len(), "foreign table"), list.join(", ")),
            "their rows live elsewhere and are not copied; user mappings, which hold passwords, are not carried over",
        );
    }
    if !inventory.always_triggers.is_empty() {
        add(
            "always-triggers",
            Severity::Warns,
            format!("triggers that also fire for replicated rows: {}", inventory.always_triggers.join(", ")),
            "they run on both sides while the target follows the source; what they write may differ",
        );
    }
    if !inventory.subscriptions.is_empty() {
        add(
            "subscriptions",
            Severity::Warns,
            format!("the database subscribes to others: {}", inventory.subscriptions.join(", ")),
            "subscriptions are not carried over; their writes can't be fenced",
        );
    }
    if !matches!(inventory.collate.as_str(), "C" | "C.UTF-8" | "C.utf8" | "POSIX") {
        add(
            "collation",
            Severity::Warns,
            format!("the database sorts by {}, the target by C.UTF-8", inventory.collate),
            "ORDER BY on text and ranges of text give another order on the target; indexes are built there, so that nothing is corrupt",
        );
    }
    findings
}

#[cfg(test)]
#[path = "planner_tests.rs"]
mod tests;
