//! What the operator decides. The command line reads it from a file, the environment and flags; secrets are apart.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::compute::ComputeRange;
use crate::plan::{CopyPath, Mode};
use crate::selection::Selection;
use crate::steps::CompareWhen;

/// Settings of a migration, without secrets.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Database on the source server.
    pub source_database: String,
    /// Login on the source; the server's administrator if none is named.
    pub source_user: Option<String>,
    /// Where the target's database shall be.
    pub home: Home,
    /// Sizes of the target's compute when the application uses it; the account's or the project's own if none is named.
    pub compute: Option<ComputeRange>,
    /// Its sizes during the migration, if others.
    pub migration_compute: Option<ComputeRange>,
    /// For how many seconds the target can be brought back to an earlier state, when the application uses it.
    pub history_seconds: Option<i64>,
    /// Region of the new project; chosen by the source's region if none is named.
    pub region: Option<String>,
    /// PostgreSQL major version of the target.
    pub target_major: Option<u32>,
    /// Name of the target's database; the source's if none is named.
    pub target_database: Option<String>,
    /// Role that owns the target's database.
    pub target_role: Option<String>,
    /// `sslmode` of the subscription's connection to the source.
    pub subscription_sslmode: String,
    /// Schema statements that may fail, as `KIND name` (`FUNCTION public.f(integer)`) with `*` for any run of characters.
    pub expected_failures: Vec<String>,
    /// Findings that the operator has accepted, by their ids, each with a reason.
    pub accepted: BTreeMap<String, String>,
    /// How long the source may refuse writes before the hand-over; the mode decides if it isn't said.
    pub max_pause: Option<Duration>,
    /// When both sides are compared for the last time; the planner decides if it isn't said.
    pub final_compare: Option<CompareWhen>,
    /// Whether there shall be a way back after the hand-over; if it isn't said, where there can be one.
    pub way_back: Option<bool>,
    /// Whether the source takes writes while its rows are copied.
    pub mode: Mode,
    /// Which tables are moved.
    pub selection: Selection,
    /// How the tables' rows get to the target; the planner decides if it isn't said.
    pub copy: Option<CopyPath>,
    /// A larger table is copied through this machine in parts, in bytes; the planner decides if it isn't said.
    pub part_bytes: Option<i64>,
    /// How long a snapshot of the source is read; the planner decides if it isn't said.
    pub snapshot_age: Option<Duration>,
    /// How considerate a copy through this machine is.
    pub manners: CopyManners,
    /// The hand-over.
    pub hand_over: HandOver,
    /// How to get to the servers.
    pub network: Network,
    /// Folder with pg_dump and pg_restore; the search path if none is named.
    pub tools: Option<PathBuf>,
    /// Whether restored parameters that need a restart are put in force by one.
    pub restart_on_restore: bool,
    /// Whether the source takes writes again at the end, when the target is in use.
    pub reopen_source: bool,
}

impl Settings {
    /// Whether the operator lets the schema's statement for this object fail.
    pub(crate) fn lets_fail(&self, kind: &str, name: &str) -> bool {
        let text = format!("{kind} {name}");
        self.expected_failures.iter().any(|pattern| matches_pattern(pattern, &text))
    }

    /// How long the source may refuse writes in this mode.
    pub fn max_pause_in(&self, mode: Mode) -> Duration {
        self.max_pause.unwrap_or_else(|| mode.usual_pause())
    }
}

/// How considerate a copy through this machine is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyManners {
    /// How many tables, or parts of one, are copied at once at most; the planner decides if it isn't said.
    pub workers: Option<usize>,
    /// Bytes per second over all workers; no limit if none is said.
    pub rate_limit: Option<u64>,
    /// So many of the application's sessions may be busy before fewer workers copy; by the load before the copy if it isn't said.
    pub busy_sessions: Option<usize>,
    /// So far may a replica of the source be behind before fewer workers copy.
    pub replica_lag: Duration,
}

impl Default for CopyManners {
    fn default() -> Self {
        Self { workers: None, rate_limit: None, busy_sessions: None, replica_lag: Duration::from_secs(10) }
    }
}

/// Where the target's database shall be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Home {
    /// In a new project of this name.
    New(String),
    /// In a project that is there already.
    Existing {
        /// Its id or name.
        project: String,
        /// Id or name of the branch; the default branch if none is named.
        branch: Option<String>,
    },
}

impl Home {
    /// The project, as it was named.
    pub fn project(&self) -> &str {
        match self {
            Self::New(project) | Self::Existing { project, .. } => project,
        }
    }

    /// The branch, if one was named.
    pub fn branch(&self) -> Option<&str> {
        match self {
            Self::New(_) => None,
            Self::Existing { branch, .. } => branch.as_deref(),
        }
    }
}

/// Where the new connection string goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HandOver {
    /// Every place.
    pub to: Vec<Destination>,
}

/// A place from which the application takes its connection string; shown without a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// A variable in a file.
    EnvFile {
        /// The file.
        file: PathBuf,
        /// The variable.
        variable: String,
    },
    /// A program that makes the application use it.
    Command {
        /// With its arguments. It must bear to be run again.
        program: Vec<String>,
        /// Which finds the connection string in this variable.
        variable: String,
    },
    /// A database of PgBouncer.
    PgBouncer(PgBouncer),
    /// A secret of an Azure Key Vault.
    KeyVault {
        /// The vault's name or address.
        vault: String,
        /// The secret's name.
        secret: String,
    },
    /// A setting of an app of Azure App Service.
    AppService {
        /// The app.
        app: AzureApp,
        /// Its deployment slot; production if none is named.
        slot: Option<String>,
        /// The setting, which the app finds in its environment.
        setting: String,
    },
    /// A secret of an Azure Container App.
    ContainerApp {
        /// The app.
        app: AzureApp,
        /// The secret's name.
        secret: String,
    },
}

/// An app on Azure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AzureApp {
    /// Its name.
    pub name: String,
    /// Its resource group; the source server's if none is named.
    pub resource_group: Option<String>,
    /// Id of its subscription; the source server's if none is named.
    pub subscription: Option<String>,
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EnvFile { file, variable } => write!(f, "{variable} in {}", file.display()),
            // Without its arguments, which may be anything.
            Self::Command { program, .. } => write!(f, "the command {}", program.first().map(String::as_str).unwrap_or_default()),
            Self::PgBouncer(pgbouncer) => pgbouncer.fmt(f),
            Self::KeyVault { vault, secret } => write!(f, "the secret {secret} of the key vault {vault}"),
            Self::AppService { app, slot: None, setting } => write!(f, "the setting {setting} of the App Service app {}", app.name),
            Self::AppService { app, slot: Some(slot), setting } => {
                write!(f, "the setting {setting} of the slot {slot} of the App Service app {}", app.name)
            }
            Self::ContainerApp { app, secret } => write!(f, "the secret {secret} of the container app {}", app.name),
        }
    }
}

/// A database of a PgBouncer on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PgBouncer {
    /// Address, or the folder of the Unix socket, of its console.
    pub address: String,
    /// Its port.
    pub port: u16,
    /// An admin of the console.
    pub user: String,
    /// The database as clients call it.
    pub database: String,
    /// The file with the entry of that name.
    pub file: PathBuf,
    /// A file with the admin's password.
    pub password_file: Option<PathBuf>,
}

impl fmt::Display for PgBouncer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the database {} of PgBouncer at {} port {}", self.database, self.address, self.port)
    }
}

/// How to get to the servers.
#[derive(Clone, Debug, Default)]
pub struct Network {
    /// CA bundle to trust instead of the platform's.
    pub ca_file: Option<PathBuf>,
    /// Host name, or `*.suffix`, to address; TLS still verifies the name.
    pub resolve: Vec<(String, IpAddr)>,
}

impl Network {
    /// The address to use for this host, if one is set; the most specific pattern wins.
    pub fn address_of(&self, host: &str) -> Option<IpAddr> {
        let host = host.to_ascii_lowercase();
        self.resolve
            .iter()
            .filter(|(pattern, _)| match pattern.to_ascii_lowercase().strip_prefix('*') {
                Some(suffix) => host.ends_with(suffix),
                None => pattern.eq_ignore_ascii_case(&host),
            })
            .max_by_key(|(pattern, _)| pattern.len())
            .map(|(_, address)| *address)
    }
}

/// Whether `text` matches `pattern`, in which `*` stands for any run of characters.
pub fn matches_pattern(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else {
        return false;
    };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else {
        return rest.is_empty();
    };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_specific_pattern_names_the_address() {
        let network = Network {
            ca_file: None,
            resolve: vec![("*.example.com".into(), IpAddr::from([127, 0, 0, 1])), ("db.example.com".into(), IpAddr::from([127, 0, 0, 2]))],
        };
        assert_eq!(network.address_of("DB.example.com"), Some(IpAddr::from([127, 0, 0, 2])));
        assert_eq!(network.address_of("x.example.com"), Some(IpAddr::from([127, 0, 0, 1])));
        assert_eq!(network.address_of("example.org"), None);
    }

    #[test]
    fn patterns_match_with_stars() {
        assert!(matches_pattern("FUNCTION public.*", "FUNCTION public.f(integer)"));
        assert!(matches_pattern("*", ""));
        assert!(matches_pattern("a*b*c", "a-b-b-c"));
        assert!(!matches_pattern("a*b", "a-b-c"));
        assert!(!matches_pattern("a", "ab"));
    }
}
