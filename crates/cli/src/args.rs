//! The command line.

mod commands;

use std::path::PathBuf;
use std::time::Duration;

use azure2neon_azure::CredentialKind;
use azure2neon_core::plan::{CopyPath, Mode};
use azure2neon_core::steps::CompareWhen;
use clap::{Args, Parser, ValueEnum};
use serde::Deserialize;

pub use commands::*;

/// Moves a PostgreSQL database from Azure Database for PostgreSQL (Flexible Server) to Neon: provisions both sides, copies,
/// proves that every table is equal, switches over within a bounded pause, and leaves nothing behind.
#[derive(Parser)]
#[command(version, about, max_term_width = 100, disable_help_subcommand = true)]
pub struct Arguments {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Args, Clone, Default)]
pub struct Global {
    /// Configuration file; without it ./azure2neon.toml is read if it is there
    #[arg(long, global = true, value_name = "FILE", env = "AZURE2NEON_CONFIG")]
    pub config: Option<PathBuf>,
    /// Text for people, one JSON event a line on stdout, or Markdown for a ticket
    #[arg(long, global = true, value_enum, default_value_t = Output::Text)]
    pub output: Output,
    /// New folder that gets every exchange with Azure and Neon, without secrets, names and addresses
    #[arg(long, global = true, value_name = "DIR")]
    pub record: Option<PathBuf>,
    #[command(flatten)]
    pub overrides: Overrides,
}

impl Global {
    /// Whether events go to stdout as JSON.
    pub fn is_json(&self) -> bool {
        self.output == Output::Json
    }
}

/// Form of the output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
    /// For a ticket; `plan` and `checks` alone know it
    Markdown,
}

/// Settings that override the file's.
#[derive(Args, Clone, Default)]
#[command(next_help_heading = "Settings (over the environment, over the file)")]
pub struct Overrides {
    /// Azure server, by name or host name
    #[arg(long, global = true, env = "AZURE2NEON_SERVER", value_name = "NAME")]
    pub server: Option<String>,
    /// Azure resource group; found by the server's name if not given
    #[arg(long, global = true, env = "AZURE2NEON_RESOURCE_GROUP", value_name = "NAME")]
    pub resource_group: Option<String>,
    /// Azure subscription
    #[arg(long, global = true, env = "AZURE_SUBSCRIPTION_ID", value_name = "ID")]
    pub subscription: Option<String>,
    /// As whom to use Azure: auto, service-principal, workload-identity, managed-identity, azure-cli or token
    #[arg(long, global = true, env = "AZURE2NEON_AZURE_CREDENTIAL", value_name = "KIND")]
    pub azure_credential: Option<CredentialKind>,
    /// Let this machine through the source's firewall, if need be, for as long as the run lasts
    #[arg(long, global = true)]
    pub open_firewall: bool,
    /// Database on the source
    #[arg(long, global = true, env = "AZURE2NEON_DATABASE", value_name = "NAME")]
    pub database: Option<String>,
    /// Name of the new Neon project
    #[arg(long, global = true, env = "AZURE2NEON_PROJECT", value_name = "NAME")]
    pub project: Option<String>,
    /// Existing Neon project to migrate into, by id or name, instead of a new one
    #[arg(long, global = true, env = "AZURE2NEON_EXISTING_PROJECT", value_name = "ID", conflicts_with = "project")]
    pub existing_project: Option<String>,
    /// Branch of the existing project, by id or name; its default branch if not given
    #[arg(long, global = true, env = "AZURE2NEON_BRANCH", value_name = "ID", conflicts_with = "project")]
    pub branch: Option<String>,
    /// Neon region; chosen by the source's if not given
    #[arg(long, global = true, env = "AZURE2NEON_REGION", value_name = "ID")]
    pub region: Option<String>,
    /// Neon organisation, where the key sees several
    #[arg(long, global = true, env = "NEON_ORG_ID", value_name = "ID")]
    pub org_id: Option<String>,
    /// Address that Neon connects from, instead of the built-in list; may be repeated. In a run: added to the planned ones
    #[arg(long, global = true, value_name = "IPV4")]
    pub egress_address: Vec<String>,
    /// PostgreSQL major version of the target (16, 17 or 18)
    #[arg(long, global = true, env = "AZURE2NEON_PG_VERSION", value_name = "N")]
    pub pg_version: Option<u32>,
    /// Whether the source takes writes while it is copied
    #[arg(long, global = true, env = "AZURE2NEON_MODE", value_name = "MODE", value_enum)]
    pub mode: Option<ModeChoice>,
    /// Tables to move, as schema.name with * for any run of characters; may be repeated. All, if not given
    #[arg(long = "table", global = true, value_name = "PATTERN")]
    pub tables: Vec<String>,
    /// Tables to leave out, in the same form; may be repeated
    #[arg(long = "exclude-table", global = true, value_name = "PATTERN")]
    pub exclude_tables: Vec<String>,
    /// A finding of `plan` to go on with all the same, by its id, and why; may be repeated
    #[arg(long, global = true, value_name = "ID=REASON", value_parser = acceptance)]
    pub accept: Vec<(String, String)>,
    /// How the rows get to Neon
    #[arg(long, global = true, env = "AZURE2NEON_COPY", value_name = "PATH", value_enum)]
    pub copy: Option<CopyChoice>,
    /// How many tables, or parts of one, are copied through this machine at once, at most; of a new run
    #[arg(long, global = true, env = "AZURE2NEON_WORKERS", value_name = "N", value_parser = workers)]
    pub workers: Option<usize>,
    /// How fast rows may go through this machine, such as 50MB/s
    #[arg(long, global = true, env = "AZURE2NEON_RATE_LIMIT", value_name = "RATE", value_parser = rate)]
    pub rate_limit: Option<u64>,
    /// File that gets the new connection string
    #[arg(long, global = true, env = "AZURE2NEON_ENV_FILE", value_name = "FILE")]
    pub env_file: Option<PathBuf>,
    /// When every row is compared for the last time
    #[arg(long, global = true, env = "AZURE2NEON_FINAL_COMPARE", value_name = "WHEN", value_enum)]
    pub final_compare: Option<FinalCompareChoice>,
    /// How long the source may refuse writes before it is reopened, such as 5s or 500ms; 5s, or 1h in offline mode
    #[arg(long, global = true, env = "AZURE2NEON_MAX_PAUSE", value_name = "TIME", value_parser = duration)]
    pub max_pause: Option<Duration>,
    /// Don't bring Neon's changes back to the source after the hand-over, so that there is no rollback then
    #[arg(long, global = true)]
    pub no_way_back: bool,
    /// Folder of the run's plan and journal
    #[arg(long, global = true, env = "AZURE2NEON_RUN_DIR", value_name = "DIR")]
    pub run_dir: Option<PathBuf>,
}

/// How the rows get to the target, as the operator says it; also in the configuration file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CopyChoice {
    /// The plan says which way, and why
    #[default]
    Auto,
    /// Through this machine, under one snapshot
    Stream,
    /// Neon fetches them by itself
    Direct,
}

impl CopyChoice {
    /// The path, unless it is the planner's to decide.
    pub fn path(self) -> Option<CopyPath> {
        match self {
            Self::Auto => None,
            Self::Stream => Some(CopyPath::Stream),
            Self::Direct => Some(CopyPath::Direct),
        }
    }
}

/// Whether the source takes writes meanwhile, as the operator says it; also in the configuration file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ModeChoice {
    /// It does, up to a short pause: logical replication carries the changes
    #[default]
    Online,
    /// It does not, from the beginning of the copy to the hand-over; no replication is needed
    Offline,
}

impl From<ModeChoice> for Mode {
    fn from(choice: ModeChoice) -> Self {
        match choice {
            ModeChoice::Online => Self::Online,
            ModeChoice::Offline => Self::Offline,
        }
    }
}

/// When every row is compared for the last time, as the operator says it; also in the configuration file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FinalCompareChoice {
    /// Before the hand-over, as far as the pause allows; the rest after it, if there is a way back
    Before,
    /// After the hand-over, as both sides were at rest: the pause is the shortest
    After,
}

impl From<FinalCompareChoice> for CompareWhen {
    fn from(choice: FinalCompareChoice) -> Self {
        match choice {
            FinalCompareChoice::Before => Self::Before,
            FinalCompareChoice::After => Self::After,
        }
    }
}

/// `500ms`, `30s`, `5m`, `6h`, `7d`; also in the configuration file.
pub fn duration(text: &str) -> Result<Duration, String> {
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let number: f64 = number.parse().map_err(|_| format!("{text:?} is not a time such as 500ms, 30s or 5m"))?;
    let seconds = match unit {
        "ms" => number / 1e3,
        "s" => number,
        "m" => number * 60.0,
        "h" => number * 3600.0,
        "d" => number * 86_400.0,
        _ => return Err(format!("{text:?} needs a unit: ms, s, m, h or d")),
    };
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

/// Bytes: `512MB`, `1.5GiB`; also in the configuration file.
pub fn size(text: &str) -> Result<i64, String> {
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let number: f64 = number.parse().map_err(|_| format!("{text:?} is not a size such as 512MB or 2GiB"))?;
    let unit = match unit.trim().to_ascii_lowercase().as_str() {
        "kb" => 1e3,
        "mb" => 1e6,
        "gb" => 1e9,
        "kib" => 1024.0,
        "mib" => 1_048_576.0,
        "gib" => 1_073_741_824.0,
        _ => return Err(format!("{text:?} needs a unit: kB, MB, GB, or KiB, MiB, GiB")),
    };
    if number * unit < 1e3 { Err(format!("{text:?} is less than 1kB")) } else { Ok((number * unit) as i64) }
}

/// Bytes per second: `50MB/s`, `1.5GiB/s`; also in the configuration file.
pub fn rate(text: &str) -> Result<u64, String> {
    let amount = text.strip_suffix("/s").ok_or_else(|| format!("{text:?} is not a rate such as 50MB/s or 20MiB/s"))?;
    size(amount.trim()).map(i64::unsigned_abs)
}

/// A finding's id and why it is accepted.
fn acceptance(text: &str) -> Result<(String, String), String> {
    let (id, reason) = text.split_once('=').unwrap_or((text, ""));
    if reason.trim().is_empty() {
        return Err(format!("{text:?} says no reason: --accept 'ID=REASON'"));
    }
    Ok((id.trim().to_owned(), reason.trim().to_owned()))
}

/// A number of workers: each takes a connection to either side; also in the configuration file.
pub fn workers(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|workers| (1..=64).contains(workers)).ok_or_else(|| format!("{text:?} is not a number from 1 to 64"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Arguments::command().debug_assert();
    }

    #[test]
    fn sizes_have_units() {
        assert_eq!((size("50MB"), size("1.5 GiB"), size("1kB")), (Ok(50_000_000), Ok(1_610_612_736), Ok(1_000)));
        for wrong in ["50", "MB", "0MB", "50Mbit", "-1MB"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn times_have_units() {
        assert_eq!(duration("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(duration("20ms"), Ok(Duration::from_millis(20)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        assert_eq!((duration("6h"), duration("1d")), (Ok(Duration::from_secs(21_600)), Ok(Duration::from_secs(86_400))));
        assert!(duration("5").is_err());
        assert!(duration("s").is_err());
        assert!(duration("-1s").is_err());
    }

    #[test]
    fn rates_have_units() {
        assert_eq!((rate("50MB/s"), rate("1.5 GiB/s"), rate("1kB/s")), (Ok(50_000_000), Ok(1_610_612_736), Ok(1_000)));
        for wrong in ["50MB", "50/s", "MB/s", "0MB/s", "50Mbit/s", "-1MB/s"] {
            assert!(rate(wrong).is_err(), "{wrong}");
        }
        assert!(workers("0").is_err() && workers("65").is_err() && workers("4") == Ok(4));
    }
}
