//! Looks at both clouds and the source, and changes nothing.

mod clouds;
mod source;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use azure2neon_postgres::assessment::Hit;
use azure2neon_postgres::dependents::Dependent;
use azure2neon_postgres::extensions::Hanging;
use azure2neon_postgres::fence::FenceBefore;
use azure2neon_postgres::roles::SubscriberRights;
use azure2neon_postgres::server::{Rights, ServerFacts};
use azure2neon_postgres::statistics::Changes;
use azure2neon_postgres::volume::{LogRate, Volume};
use azure2neon_postgres::{Inventory, QualifiedName};

use crate::access::Access;
use crate::checks::{self, source_version};
use crate::cloud::{
    CloudAct, EgressAddresses, OfferedExtensions, Parameter, SourceServer, TargetDatabase, TargetLimits, TargetProject, TargetSettings,
};
use crate::context::Clouds;
use crate::error::Result;
use crate::settings::Settings;

/// What the planner decides on. By default, nothing is known and nothing is wrong.
#[derive(Clone, Debug, Default)]
pub struct Survey {
    /// When this was.
    pub at: jiff::Timestamp,
    /// The source server.
    pub server: SourceServer,
    /// As whom its cloud is used.
    pub identity: String,
    /// The login used on it.
    pub user: String,
    /// Whether an access token is its password.
    pub by_token: bool,
    /// What its cloud does not let the credential do, each with the right that it lacks.
    pub forbidden: Vec<(CloudAct, String)>,
    /// Names of its databases.
    pub server_databases: Vec<String>,
    /// The parameters that matter.
    pub parameters: Vec<Parameter>,
    /// The server as it is.
    pub on_server: ServerFacts,
    /// What the login may do there.
    pub rights: Rights,
    /// What the database holds.
    pub inventory: Inventory,
    /// The source's firewall rules, but for those of runs of this program, as `name first-last`.
    pub firewall: BTreeSet<String>,
    /// What the source's catalog holds, each with a digest of its definition.
    pub definitions: BTreeMap<String, String>,
    /// What could not be asked of the clouds, each with why.
    pub unasked: Vec<String>,
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
    /// Why the target's key may not make a new project, if so.
    pub no_new_project: Option<String>,
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
    /// What the target's plan allows.
    pub limits: TargetLimits,
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
    /// The compute's workers; none without the database.
    pub workers: Option<Workers>,
}

/// Logical replication workers of a compute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Workers {
    /// So many may work.
    pub most: i64,
    /// So many do.
    pub used: i64,
}

/// Looks at everything that the plan depends on. Where the source can't be looked at, whatever the clouds tell that blocks the
/// migration is named with the error.
pub async fn survey(settings: &Settings, clouds: &Clouds, access: &Access) -> Result<Survey> {
    let (mut survey, target) = clouds::look(settings, clouds, access).await?;
    if !survey.server.ready || survey.server.major < source_version::OLDEST {
        checks::refuse_beforehand(&survey, settings)?;
    }
    match source::look(&mut survey, settings, access, target.as_ref()).await {
        Ok(()) => Ok(survey),
        Err(error) => Err(match checks::refuse_beforehand(&survey, settings) {
            Ok(()) => error,
            Err(blocked) => blocked.joined_by(&error),
        }),
    }
}
