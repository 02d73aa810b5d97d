//! A plan as others read it: everything in words and figures, for a terminal, a ticket or a program.

mod markdown;
mod text;

use std::collections::HashMap;

use azure2neon_core::call::Call;
use azure2neon_core::context::Clouds;
use azure2neon_core::estimate::Estimate;
use azure2neon_core::explain;
use azure2neon_core::journal::State;
use azure2neon_core::plan::{CopyPath, Effect, Finding, Mode, Plan, Severity, Stage, Step, UndoneBy};
use azure2neon_core::settings::Settings;
use schemars::JsonSchema;
use serde::Serialize;

pub use markdown::markdown;
pub use text::print;

/// The form of [`Report`]; a new one may lack what an older one has.
const FORMAT: u32 = 1;

/// What `azure2neon plan --output json` prints.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Report {
    /// The form of this report: 1.
    pub format: u32,
    /// The run's id; what the run makes carries it in its name.
    pub run: String,
    /// Where from.
    pub source: Source,
    /// Where to.
    pub target: Target,
    /// Whether the source takes writes while its rows are copied.
    pub mode: Mode,
    /// How the rows get to the target.
    pub copy: Copy,
    /// Whether a finding blocks the migration that nobody accepted.
    pub blocked: bool,
    /// What the operator should know, the gravest first.
    pub findings: Vec<Finding>,
    /// What it will take.
    pub estimates: Vec<Estimate>,
    /// What will be done, in order.
    pub steps: Vec<ReportedStep>,
}

/// The source.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Source {
    /// Host name.
    pub host: String,
    /// Database.
    pub database: String,
    /// PostgreSQL's major version.
    pub major: u32,
    /// Azure's region.
    pub region: String,
    /// The login that prepares it.
    pub user: String,
    /// As whom Azure is used.
    pub identity: String,
    /// Tables that are moved.
    pub tables: usize,
    /// What they take with their indexes, in bytes.
    pub bytes: i64,
    /// Sequences.
    pub sequences: usize,
}

/// The target.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Target {
    /// The Neon project's name.
    pub project: String,
    /// Its id, if it is there already.
    pub project_id: Option<String>,
    /// The branch, if one was named.
    pub branch: Option<String>,
    /// Region.
    pub region: String,
    /// Why this region.
    pub region_reason: String,
    /// PostgreSQL's major version.
    pub major: u32,
    /// Database.
    pub database: String,
    /// Its owner.
    pub role: String,
}

/// How the rows get to the target.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Copy {
    /// Which way.
    pub path: CopyPath,
    /// Why this way.
    pub reason: String,
}

/// A step.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ReportedStep {
    /// Its id.
    pub id: String,
    /// The stage that it belongs to.
    pub stage: Stage,
    /// What it touches.
    pub effect: Effect,
    /// Whether it interrupts service.
    pub interrupts: bool,
    /// What it does.
    pub what: String,
    /// What is done to take it back, if it leaves anything.
    pub undo: Option<String>,
    /// What takes it back once it is done.
    pub undone_by: UndoneBy,
    /// `done` or `begun`, where the run has come so far.
    pub state: Option<String>,
    /// What it sends, with `--explain`. What is known only then stands in ‹angle quotes›.
    pub calls: Vec<ReportedCall>,
    /// What taking it back sends, with `--explain`.
    pub undo_calls: Vec<ReportedCall>,
}

/// Something that is sent, or done on this machine.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ReportedCall {
    /// Where.
    pub to: Place,
    /// SQL, or `METHOD url body`, or words.
    pub text: String,
}

/// Where something is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// The source server.
    Source,
    /// The target server.
    Target,
    /// Azure's API.
    Azure,
    /// Neon's API.
    Neon,
    /// This machine.
    Here,
}

impl Place {
    fn title(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Target => "target",
            Self::Azure => "azure",
            Self::Neon => "neon",
            Self::Here => "here",
        }
    }
}

/// The report on a plan, with how far its run has come.
pub fn report(plan: &Plan, states: &HashMap<String, State>) -> Report {
    let server = &plan.source.server;
    Report {
        format: FORMAT,
        run: plan.run.clone(),
        source: Source {
            host: server.host.clone(),
            database: plan.source.database.clone(),
            major: server.major,
            region: server.region.clone(),
            user: plan.source.user.clone(),
            identity: plan.source.identity.clone(),
            tables: plan.source.tables,
            bytes: plan.source.bytes,
            sequences: plan.source.sequences,
        },
        target: Target {
            project: plan.target.project.clone(),
            project_id: plan.target.project_id.clone(),
            branch: plan.target.branch.clone(),
            region: plan.target.region.clone(),
            region_reason: plan.target.region_reason.clone(),
            major: plan.target.major,
            database: plan.target.database.clone(),
            role: plan.target.role.clone(),
        },
        mode: plan.mode,
        copy: Copy { path: plan.copy.path, reason: plan.copy.reason.clone() },
        blocked: plan.refuse_blocked().is_err(),
        findings: plan.findings.clone(),
        estimates: plan.estimates.clone(),
        steps: plan.steps.iter().map(|step| reported(plan, step, states)).collect(),
    }
}

fn reported(plan: &Plan, step: &Step, states: &HashMap<String, State>) -> ReportedStep {
    let operation = step.action.operation();
    let state = match states.get(step.id()) {
        Some(State::Done { .. }) => Some("done"),
        Some(State::Started) => Some("begun"),
        _ => None,
    };
    ReportedStep {
        id: step.id().to_owned(),
        stage: step.stage,
        effect: operation.effect(),
        interrupts: operation.effect() == Effect::Interrupts,
        what: operation.describe(),
        undo: operation.inverse(),
        undone_by: plan.undone_by(step),
        state: state.map(str::to_owned),
        calls: Vec::new(),
        undo_calls: Vec::new(),
    }
}

impl Report {
    /// Adds what each step sends.
    pub fn explain(&mut self, plan: &Plan, settings: &Settings, clouds: &Clouds) {
        let spelled = |calls: Vec<Call>| calls.into_iter().flat_map(|call| spell(plan, clouds, call)).collect();
        for (reported, step) in self.steps.iter_mut().zip(&plan.steps) {
            let explain::Calls { does, undoes } = explain::calls(plan, settings, step);
            (reported.calls, reported.undo_calls) = (spelled(does), spelled(undoes));
        }
    }

    /// How many findings are of this severity.
    fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }
}

fn spell(plan: &Plan, clouds: &Clouds, call: Call) -> Vec<ReportedCall> {
    let one = |to, text| vec![ReportedCall { to, text }];
    match call {
        Call::Source(sql) => one(Place::Source, sql),
        Call::Target(sql) => one(Place::Target, sql),
        Call::SourceCloud(call) => one(Place::Azure, clouds.source.spell(&plan.source.server, &call)),
        Call::TargetCloud(call) => clouds.target.spell(&call).into_iter().map(|text| ReportedCall { to: Place::Neon, text }).collect(),
        Call::Here(what) => one(Place::Here, what),
    }
}

/// Between which steps something ends: said before the second.
fn line_between(before: Option<&ReportedStep>, step: &ReportedStep) -> Option<&'static str> {
    let was = before.map(|step| step.undone_by);
    match step.undone_by {
        _ if step.stage == Stage::RollBack && before.is_none_or(|before| before.stage != Stage::RollBack) => {
            Some("only if you ask for it with `azure2neon rollback`, until the finish")
        }
        UndoneBy::Reopening if was == Some(UndoneBy::Abort) => {
            Some("up to here `azure2neon abort` undoes everything and the source serves; if the cut-over fails it serves again by itself")
        }
        UndoneBy::Rollback if was == Some(UndoneBy::Reopening) => Some("from here on there is no undo but `azure2neon rollback`"),
        UndoneBy::Nothing if was == Some(UndoneBy::Reopening) => Some("from here on there is no undo"),
        UndoneBy::Nothing if step.stage == Stage::Finish && before.is_some_and(|before| before.stage != Stage::Finish) => {
            Some("the finish ends the way back")
        }
        _ => None,
    }
}

/// The JSON Schema of [`Report`].
pub fn schema() -> String {
    let schema = schemars::schema_for!(Report);
    serde_json::to_string_pretty(&schema).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_published_schema_is_that_of_the_report() {
        let published = include_str!("../../../../docs/plan.schema.json");
        assert!(published.trim_end() == super::schema(), "docs/plan.schema.json is not what `azure2neon plan --schema` prints");
    }
}
