//! The commands, each with its arguments.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::duration;

/// What to do.
#[derive(Subcommand)]
pub enum Command {
    /// Print what will be done, and what is already so; changes nothing
    Plan(PlanArguments),
    /// List what `plan` looks for; needs no cloud
    Checks,
    /// Migrate up to "in step and equal, ready to cut over"; with --cut-over all the way. Goes on where a stopped run was
    Migrate(MigrateArguments),
    /// Print how far the run is
    Status,
    /// Let the copy through this machine stand still, from another terminal; also before it begins
    Pause,
    /// Let a paused copy go on
    Resume,
    /// Compare every row of both sides while writes go on; --table names some tables
    Verify(VerifyArguments),
    /// Stop writes, drain, prove, hand over to the target
    CutOver(Confirmation),
    /// After the hand-over: stop writes to the target and return to the source, with all that was written since
    Rollback(Confirmation),
    /// After the hand-over: remove what the run made, but for the target
    Finish(FinishArguments),
    /// Before the hand-over: undo everything that the run did
    Abort(AbortArguments),
    /// Azure and Neon on this machine, for rehearsals without an account
    #[command(subcommand)]
    LocalCloud(LocalCloudCommand),
    /// A whole migration between the two local clouds, under load, with a summary
    Demo(DemoArguments),
}

/// Arguments of `plan`.
#[derive(Args, Clone, Default)]
pub struct PlanArguments {
    /// Keep the plan in this file, for `migrate --plan`
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Show what each step sends: its SQL, its requests to Azure and Neon
    #[arg(long)]
    pub explain: bool,
    /// Print the JSON Schema of `plan --output json`, and nothing else
    #[arg(long)]
    pub schema: bool,
    /// End with 0 if there is nothing to do, with 1 on any error, with 2 if there is something to do
    #[arg(long)]
    pub detailed_exitcode: bool,
    /// Restore the schema into a throwaway branch or project on Neon, so that each statement that would fail is known; it is removed
    /// again
    #[arg(long)]
    pub dry_restore: bool,
}

/// Whether to ask first.
#[derive(Args, Clone, Default)]
pub struct Confirmation {
    /// Don't ask
    #[arg(long, short)]
    pub yes: bool,
}

/// Arguments of `migrate`.
#[derive(Args, Clone, Default)]
pub struct MigrateArguments {
    /// Go on with the cut-over and the clean-up
    #[arg(long)]
    pub cut_over: bool,
    /// Do exactly what the plan in this file says, or refuse if what it rests on has changed
    #[arg(long, value_name = "FILE")]
    pub plan: Option<PathBuf>,
    #[command(flatten)]
    pub confirmation: Confirmation,
    #[command(flatten)]
    pub restoring: Restoring,
}

/// Arguments of `verify`.
#[derive(Args, Clone, Default)]
pub struct VerifyArguments {
    /// Copy the rows that differ again, unless they change on the source meanwhile
    #[arg(long)]
    pub repair: bool,
}

/// How settings are put back.
#[derive(Args, Clone, Default)]
pub struct Restoring {
    /// Restart the source if a parameter that is put back needs it; else it takes effect at the server's next restart
    #[arg(long)]
    pub restart: bool,
}

/// Arguments of `finish`.
#[derive(Args, Clone, Default)]
pub struct FinishArguments {
    #[command(flatten)]
    pub confirmation: Confirmation,
    #[command(flatten)]
    pub restoring: Restoring,
    /// Let the source's database take writes again; without it, it stays read-only, so that no late write gets lost
    #[arg(long)]
    pub reopen_source: bool,
}

/// Arguments of `abort`.
#[derive(Args, Clone, Default)]
pub struct AbortArguments {
    #[command(flatten)]
    pub confirmation: Confirmation,
    #[command(flatten)]
    pub restoring: Restoring,
}

/// What to do with the local clouds.
#[derive(Subcommand)]
pub enum LocalCloudCommand {
    /// Start both clouds, print "ready", stay until stopped, remove everything
    Up(UpArguments),
}

/// Arguments of `local-cloud up`.
#[derive(Args, Clone)]
pub struct UpArguments {
    /// Folder for the settings that reach them: azure2neon.toml, secrets.env, endpoints.json, ca.pem
    #[arg(long, value_name = "DIR")]
    pub settings: PathBuf,
    /// SQL script (.sql) or pg_restore archive to load into the source; --database names the database
    #[arg(long, value_name = "FILE")]
    pub load: Option<PathBuf>,
    /// Seconds after which Azure asks clients to look at an operation again; without it it doesn't ask, as the real one
    #[arg(long, value_name = "N")]
    pub retry_after: Option<u64>,
    #[command(flatten)]
    pub clouds: CloudArguments,
}

/// How the local clouds are.
#[derive(Args, Clone)]
pub struct CloudArguments {
    /// PostgreSQL major version of the source (14 to 17)
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u32).range(14..=17))]
    pub source_version: u32,
    /// PostgreSQL major version of new Neon projects (16 to 18)
    #[arg(long, value_name = "N", default_value_t = 17, value_parser = clap::value_parser!(u32).range(16..=18))]
    pub target_version: u32,
    /// Azure location of the server
    #[arg(long, value_name = "NAME", default_value = "uksouth")]
    pub location: String,
    /// How long a cloud's operation takes, such as 150ms
    #[arg(long, value_name = "TIME", default_value = "150ms", value_parser = duration)]
    pub operation_delay: Duration,
    /// Folder with PostgreSQL servers, as scripts/setup makes it
    #[arg(long, value_name = "DIR", env = "AZURE2NEON_POSTGRES")]
    pub postgres: Option<PathBuf>,
}

/// Arguments of `demo`.
#[derive(Args, Clone)]
pub struct DemoArguments {
    #[command(flatten)]
    pub clouds: CloudArguments,
    /// Sessions of the writer
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub writers: usize,
}
