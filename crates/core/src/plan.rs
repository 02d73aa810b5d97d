//! What will be done, in order. A plan is data: it can be printed, kept, compared; it holds no secret and does nothing.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::basis::Basis;
use crate::checks;
use crate::cloud::{LostPassword, SourceServer, TargetDatabase};
use crate::error::Result;
use crate::estimate::Estimate;
use crate::selection::Selection;
use crate::settings::Home;
use crate::steps::Action;

/// The plan's format; a program refuses one that it doesn't know.
pub const PLAN_VERSION: u32 = 3;

/// A migration, decided.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Plan {
    /// [`PLAN_VERSION`] when it was made.
    pub version: u32,
    /// The run's id; everything that the run makes carries it in its name.
    pub run: String,
    /// Where from.
    pub source: PlannedSource,
    /// Where to.
    pub target: PlannedTarget,
    /// Whether the source serves meanwhile.
    #[serde(default)]
    pub mode: Mode,
    /// Which tables.
    #[serde(default)]
    pub selection: Selection,
    /// How the rows get there.
    pub copy: PlannedCopy,
    /// What it rests on.
    #[serde(default)]
    pub basis: Basis,
    /// What it will take.
    #[serde(default)]
    pub estimates: Vec<Estimate>,
    /// What the operator should know.
    pub findings: Vec<Finding>,
    /// What will be done, in order.
    pub steps: Vec<Step>,
}

/// The source, as the plan was made for it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PlannedSource {
    /// The server.
    pub server: SourceServer,
    /// The database.
    pub database: String,
    /// As whom its cloud is used.
    pub identity: String,
    /// The login that prepares it.
    pub user: String,
    /// Tables with data, without the barrier.
    pub tables: usize,
    /// Their size on disk with indexes and TOAST, in bytes.
    pub bytes: i64,
    /// Sequences.
    pub sequences: usize,
}

/// The target, as it is planned.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PlannedTarget {
    /// Project name.
    pub project: String,
    /// The project's id if it is there already.
    pub project_id: Option<String>,
    /// Its branch, as it was named; the default branch if none was.
    pub branch: Option<String>,
    /// What of the target the run makes.
    pub makes: Makes,
    /// Region.
    pub region: String,
    /// Why this region.
    pub region_reason: String,
    /// PostgreSQL major version.
    pub major: u32,
    /// Database.
    pub database: String,
    /// Its owner.
    pub role: String,
}

/// Whether the source takes writes while its rows are copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// It does: logical replication carries them, and the cut-over waits for the last ones only.
    #[default]
    Online,
    /// It doesn't: the cut-over lasts as long as the copy, and nothing has to be replicated.
    Offline,
}

impl Mode {
    /// How long the source may refuse writes, if nobody says otherwise.
    pub fn usual_pause(self) -> Duration {
        match self {
            Self::Online => Duration::from_secs(5),
            Self::Offline => Duration::from_secs(3600),
        }
    }
}

/// How the rows get to the target.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PlannedCopy {
    /// Through this machine or not.
    pub path: CopyPath,
    /// Why this way.
    pub reason: String,
}

/// The ways for rows to get to the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CopyPath {
    /// This program copies them, through this machine, under the slot's snapshot.
    Stream,
    /// The target's subscription fetches them from the source by itself.
    Direct,
}

impl CopyPath {
    /// The path in words.
    pub fn title(self) -> &'static str {
        match self {
            Self::Stream => "through this machine",
            Self::Direct => "by the subscription",
        }
    }
}

/// What of the target the run makes itself, and so may take away again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Makes {
    /// The project, and with it all else.
    Project,
    /// Database and owner, in an existing project.
    DatabaseAndRole,
    /// The database; its owner is there already.
    Database,
    /// Nothing: the database is there already, and empty.
    Nothing,
}

impl PlannedTarget {
    /// Database and owner.
    pub fn database(&self) -> TargetDatabase {
        TargetDatabase { name: self.database.clone(), owner: self.role.clone() }
    }

    /// Whether it is where these settings want it.
    pub fn is_at(&self, home: &Home) -> bool {
        match (home, &self.project_id) {
            (Home::New(name), None) => *name == self.project,
            (Home::Existing { project, branch }, Some(id)) => (project == id || *project == self.project) && *branch == self.branch,
            _ => false,
        }
    }

    /// What to do if the cloud keeps no password of the owner.
    pub fn lost_password(&self) -> LostPassword {
        match self.makes {
            Makes::Project | Makes::DatabaseAndRole => LostPassword::Replace,
            Makes::Database | Makes::Nothing => LostPassword::Fail,
        }
    }
}

/// Names of what the run makes on both servers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// Replication role, publication, replication slot, subscription and schema share one name.
    pub mark: String,
    /// What the names of firewall rules begin with.
    pub rule_prefix: String,
}

/// What every name that any run of this program makes begins with.
pub const MARK_PREFIX: &str = "azure2neon_";

/// What every firewall rule that any run of this program makes begins with.
pub const RULE_PREFIX: &str = "azure2neon-";

impl Plan {
    /// Names of what this run makes.
    pub fn names(&self) -> Names {
        Names { mark: format!("{MARK_PREFIX}{}", self.run), rule_prefix: format!("{RULE_PREFIX}{}", self.run) }
    }

    /// By what the roles that this run makes can be told from others.
    pub fn role_comment(&self) -> String {
        format!("made by azure2neon, run {}; `azure2neon abort` or `finish` drops it", self.run)
    }

    /// Whether the target's changes flow back to the source after the hand-over.
    pub fn has_way_back(&self) -> bool {
        self.step("prepare-way-back").is_some()
    }

    /// Refuses a plan that can't succeed, naming everything that blocks it and that nobody accepted.
    pub fn refuse_blocked(&self) -> Result<()> {
        checks::refuse(&self.findings)
    }

    /// Refuses what blocks this plan and did not block the one that was made before.
    pub fn refuse_blocked_since(&self, before: &Self) -> Result<()> {
        let known = |finding: &&Finding| before.findings.iter().any(|other| other.id == finding.id);
        checks::refuse(self.findings.iter().filter(|finding| !known(finding)))
    }

    /// How a step is taken back once it is done.
    pub fn undone_by(&self, step: &Step) -> UndoneBy {
        let of_hand_over = |step: &Step| step.id() == "hand-over";
        let place = |id: &str| self.steps.iter().position(|step| step.id() == id);
        match step.stage {
            Stage::PrepareTarget | Stage::PrepareSource | Stage::BringOver | Stage::KeepInStep | Stage::WarmUp => UndoneBy::Abort,
            Stage::CutOver if !of_hand_over(step) && place(step.id()) < place("hand-over") => UndoneBy::Reopening,
            Stage::CutOver if self.has_way_back() => UndoneBy::Rollback,
            Stage::CutOver | Stage::RollBack | Stage::Finish => UndoneBy::Nothing,
        }
    }

    /// The step of this id.
    pub fn step(&self, id: &str) -> Option<&Step> {
        self.steps.iter().find(|step| step.id() == id)
    }
}

/// What takes a step back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum UndoneBy {
    /// `azure2neon abort`.
    Abort,
    /// The source takes writes again by itself when the cut-over fails or lasts too long; `abort` undoes the rest.
    Reopening,
    /// `azure2neon rollback`, until the finish.
    Rollback,
    /// Nothing.
    Nothing,
}

/// A step: its stage and what it does.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Step {
    /// The stage it belongs to.
    pub stage: Stage,
    /// What it does.
    #[serde(flatten)]
    pub action: Action,
}

impl Step {
    /// Its id: the journal's key and the name of its source file.
    pub fn id(&self) -> &'static str {
        self.action.id()
    }
}

/// The stages of a migration, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Project, database and schema; the source is only read.
    PrepareTarget,
    /// Parameters, role, replica identities, publication.
    PrepareSource,
    /// The way in, the copy, the indexes.
    BringOver,
    /// Catch up and compare while writes go on.
    KeepInStep,
    /// What makes the pause short, right before it.
    WarmUp,
    /// Writes stop, the rest drains, the proof, the hand-over.
    CutOver,
    /// Back to the source, if anybody asks for it.
    RollBack,
    /// Everything that the run made is removed.
    Finish,
}

impl Stage {
    /// The stage in words.
    pub fn title(self) -> &'static str {
        match self {
            Self::PrepareTarget => "Prepare the target",
            Self::PrepareSource => "Prepare the source",
            Self::BringOver => "Bring it over",
            Self::KeepInStep => "Keep in step",
            Self::WarmUp => "Warm up",
            Self::CutOver => "Cut over",
            Self::RollBack => "Roll back",
            Self::Finish => "Finish",
        }
    }
}

/// Something that the operator should know before, with what to do about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// Stable id.
    pub id: String,
    /// How grave.
    pub severity: Severity,
    /// What was found.
    pub what: String,
    /// Why that matters.
    #[serde(default)]
    pub why: String,
    /// What to do.
    pub advice: String,
    /// Why the operator goes on all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<String>,
}

/// How grave a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Good to know.
    Note,
    /// May hurt.
    Warns,
    /// The migration can't succeed.
    Blocks,
}

/// What a step touches, for the plan's reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// Only looks.
    Reads,
    /// Creates something.
    Creates,
    /// Changes something that exists.
    Changes,
    /// Interrupts service for a moment.
    Interrupts,
    /// Removes what the run made.
    Removes,
}

impl Effect {
    /// The sign in a printed plan.
    pub fn sign(self) -> char {
        match self {
            Self::Reads => ' ',
            Self::Creates => '+',
            Self::Changes => '~',
            Self::Interrupts => '!',
            Self::Removes => '-',
        }
    }
}
