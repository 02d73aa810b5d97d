//! The configuration: one TOML file, then the environment, then flags.

mod hand_over;
mod target;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use azure2neon_azure::{CredentialKind, Environment as AzureEnvironment};
use azure2neon_core::access::{Access, Login};
use azure2neon_core::cloud::EgressAddresses;
use azure2neon_core::context::Clouds;
use azure2neon_core::event::{Event, Events};
use azure2neon_core::patience::Waits;
use azure2neon_core::plan::{CopyPath, Mode};
use azure2neon_core::selection::Selection;
use azure2neon_core::settings::{CopyManners, Network, Settings};
use azure2neon_core::{Error, ErrorKind, Result};
use azure2neon_exchange::{self as exchange, Recording};
use secrecy::SecretString;
use serde::Deserialize;
use url::Url;

use crate::args::{self, CopyChoice, FinalCompareChoice, Global, ModeChoice, Overrides};
use crate::secrets::{Environment, Secret};
use target::{Sizes, Target};

/// How long an answer of a cloud's API may take before it counts as lost, unless configured.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// The file, as it is written.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct File {
    source: Source,
    target: Target,
    copy: CopyTable,
    hand_over: hand_over::Table,
    cut_over: CutOver,
    schema: Schema,
    accept: BTreeMap<String, String>,
    cloud: Cloud,
    network: NetworkTable,
    tools: Tools,
    run: Run,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Source {
    server: Option<String>,
    resource_group: Option<String>,
    subscription: Option<String>,
    database: Option<String>,
    user: Option<String>,
    login: LoginKind,
    password_file: Option<PathBuf>,
    credential: CredentialKind,
    open_firewall: bool,
    subscription_sslmode: Option<String>,
}

/// How the source's login is proven.
#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum LoginKind {
    /// With a password.
    #[default]
    Password,
    /// With an access token of Entra ID.
    Entra,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct CopyTable {
    path: CopyChoice,
    mode: ModeChoice,
    tables: Vec<String>,
    exclude_tables: Vec<String>,
    part_size: Option<String>,
    snapshot_age: Option<String>,
    workers: Option<usize>,
    rate_limit: Option<String>,
    busy_sessions: Option<usize>,
    replica_lag: Option<String>,
}

impl CopyTable {
    /// Which tables are moved; each kind of flag stands in for the file's list of its kind.
    fn selection(&self, over: &Overrides) -> Selection {
        let either = |flags: &[String], file: &[String]| if flags.is_empty() { file.to_vec() } else { flags.to_vec() };
        Selection { tables: either(&over.tables, &self.tables), exclude_tables: either(&over.exclude_tables, &self.exclude_tables) }
    }

    fn part_bytes(&self) -> Result<Option<i64>> {
        let wrong = |why| Error::new(ErrorKind::Configuration, format!("part_size under [copy]: {why}"));
        self.part_size.as_deref().map(args::size).transpose().map_err(wrong)
    }

    fn snapshot_age(&self) -> Result<Option<Duration>> {
        self.snapshot_age.as_deref().map(|text| duration(text, "snapshot_age under [copy]")).transpose()
    }

    fn manners(&self, over: &Overrides) -> Result<CopyManners> {
        let wrong = |key: &'static str| move |why| Error::new(ErrorKind::Configuration, format!("{key} under [copy]: {why}"));
        let configured = self.workers.map(|workers| args::workers(&workers.to_string())).transpose().map_err(wrong("workers"))?;
        let limit = self.rate_limit.as_deref().map(args::rate).transpose().map_err(wrong("rate_limit"))?;
        let defaults = CopyManners::default();
        Ok(CopyManners {
            workers: over.workers.or(configured),
            rate_limit: over.rate_limit.or(limit),
            busy_sessions: self.busy_sessions,
            replica_lag: match &self.replica_lag {
                Some(text) => duration(text, "replica_lag under [copy]")?,
                None => defaults.replica_lag,
            },
        })
    }
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct CutOver {
    max_pause: Option<String>,
    final_compare: Option<FinalCompareChoice>,
    way_back: Option<bool>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Schema {
    expected_failures: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Cloud {
    azure: AzureEnvironment,
    arm_endpoint: Option<Url>,
    arm_scope: Option<String>,
    neon_endpoint: Option<Url>,
    answer_timeout: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct NetworkTable {
    ca_file: Option<PathBuf>,
    resolve: BTreeMap<String, IpAddr>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Tools {
    postgres_bin: Option<PathBuf>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Run {
    folder: Option<PathBuf>,
}

/// Everything that a command needs to begin.
pub struct Config {
    /// Settings without secrets.
    pub settings: Settings,
    /// The run's folder.
    pub run_folder: PathBuf,
    /// The server as it was named.
    pub server: String,
    /// Whether this machine may be let through the source's firewall.
    pub open_firewall: bool,
    org_id: Option<String>,
    egress: Option<EgressAddresses>,
    file: File,
    base: PathBuf,
    /// Where exchanges are recorded.
    record: Option<PathBuf>,
}

/// Name of the file that is read without `--config`.
const DEFAULT_FILE: &str = "azure2neon.toml";

impl Config {
    /// Reads the file and lays flags and environment over it.
    pub fn load(global: &Global) -> Result<Self> {
        let (file, base) = read_file(global.config.as_deref())?;
        let over = &global.overrides;
        let in_base = |path: &PathBuf| base.join(path);
        let server = required(
            over.server.clone().or_else(|| file.source.server.clone()),
            "the Azure server",
            Some("--server"),
            "server",
            "[source]",
        )?;
        let database = required(
            over.database.clone().or_else(|| file.source.database.clone()),
            "the source's database",
            Some("--database"),
            "database",
            "[source]",
        )?;
        let home = file.target.home(over, &database)?;
        let Sizes { compute, migration_compute, history_seconds } = file.target.sizes(&home)?;
        let max_pause = match (over.max_pause, &file.cut_over.max_pause) {
            (Some(limit), _) => Some(limit),
            (None, Some(text)) => Some(duration(text, "max_pause under [cut_over]")?),
            (None, None) => None,
        };
        let label = server.split('.').next().unwrap_or(&server).to_owned();
        let run_folder = over
            .run_dir
            .clone()
            .or_else(|| file.run.folder.as_ref().map(in_base))
            .unwrap_or_else(|| base.join(".azure2neon").join(format!("{}.{}", safe(&label), safe(&database))));
        let hand_over = file.hand_over.settings(over, &base, &database)?;
        let settings = Settings {
            source_database: database,
            source_user: file.source.user.clone(),
            region: file.target.region(over, &home)?,
            home,
            compute,
            migration_compute,
            history_seconds,
            target_major: file.target.pg_version(over),
            target_database: file.target.database.clone(),
            target_role: file.target.role.clone(),
            subscription_sslmode: file.source.subscription_sslmode.clone().unwrap_or_else(|| "require".into()),
            expected_failures: file.schema.expected_failures.clone(),
            accepted: file.accept.clone().into_iter().chain(over.accept.iter().cloned()).collect(),
            max_pause,
            final_compare: over.final_compare.or(file.cut_over.final_compare).map(Into::into),
            way_back: if over.no_way_back { Some(false) } else { file.cut_over.way_back },
            mode: over.mode.unwrap_or(file.copy.mode).into(),
            selection: file.copy.selection(over),
            copy: over.copy.unwrap_or(file.copy.path).path(),
            part_bytes: file.copy.part_bytes()?,
            snapshot_age: file.copy.snapshot_age()?,
            manners: file.copy.manners(over)?,
            hand_over,
            network: Network {
                ca_file: file.network.ca_file.as_ref().map(in_base),
                resolve: file.network.resolve.clone().into_iter().collect(),
            },
            tools: file.tools.postgres_bin.as_ref().map(in_base),
            restart_on_restore: false,
            reopen_source: false,
        };
        check_sslmode(&settings.subscription_sslmode)?;
        if settings.mode == Mode::Offline && settings.copy == Some(CopyPath::Direct) {
            return Err(Error::new(ErrorKind::Configuration, "offline mode copies through this machine, not by Neon's subscription")
                .hint("leave `path` under [copy] (--copy) out, or `mode` (--mode)"));
        }
        if file.source.login == LoginKind::Entra {
            required(file.source.user.clone(), "the login that the access token stands for", None, "user", "[source]")?;
        }
        let (org_id, egress) = (file.target.org_id(over), file.target.egress(over, &base)?);
        let mut file = file;
        file.source.resource_group = over.resource_group.clone().or(file.source.resource_group);
        file.source.subscription = over.subscription.clone().or(file.source.subscription);
        file.source.credential = over.azure_credential.unwrap_or(file.source.credential);
        let open_firewall = over.open_firewall || file.source.open_firewall;
        Ok(Self { settings, run_folder, server, open_firewall, org_id, egress, file, base, record: global.record.clone() })
    }

    /// The clients of both clouds, and the access to the servers; reads the secrets.
    pub fn connect(&self, environment: Environment<'_>, events: &Events) -> Result<(Clouds, Access)> {
        let tls = azure2neon_postgres::tls::client_config(self.settings.network.ca_file.as_deref())?;
        let answer_timeout = match &self.file.cloud.answer_timeout {
            Some(text) => duration(text, "answer_timeout under [cloud]")?,
            None => ANSWER_TIMEOUT,
        };
        let default = |text: &str| Url::parse(text).map_err(|error| Error::new(ErrorKind::Internal, error.to_string()));
        let key_file = self.api_key_file();
        let api_key = api_key(key_file.as_deref()).read(environment)?;
        let recording = self.record.as_deref().map(|folder| begin_recording(folder, events)).transpose()?;
        let recorder = |cloud| recording.as_ref().map(|recording| recording.of(cloud));
        let azure = azure2neon_azure::AzureCloud::new(azure2neon_azure::Settings {
            environment: self.file.cloud.azure,
            endpoint: self.file.cloud.arm_endpoint.clone(),
            scope: self.file.cloud.arm_scope.clone(),
            authority: environment("AZURE_AUTHORITY_HOST").filter(|host| !host.is_empty()),
            subscription: self.file.source.subscription.clone(),
            resource_group: self.file.source.resource_group.clone(),
            server: self.server.clone(),
            credential: azure2neon_azure::Credential::choose(self.file.source.credential, &|name| environment(name))?,
            tls: tls.clone(),
            answer_timeout,
            waits: waits(events, "Azure"),
            recorder: recorder(exchange::Cloud::Azure),
        })?;
        let neon = azure2neon_neon::NeonCloud::new(azure2neon_neon::Settings {
            endpoint: match &self.file.cloud.neon_endpoint {
                Some(endpoint) => endpoint.clone(),
                None => default("https://console.neon.tech/api/v2")?,
            },
            api_key,
            org_id: self.org_id.clone(),
            egress_override: self.egress.clone(),
            tls: tls.clone(),
            answer_timeout,
            waits: waits(events, "Neon"),
            recorder: recorder(exchange::Cloud::Neon),
        })?;
        let source = Arc::new(azure);
        let login = match self.file.source.login {
            LoginKind::Password => Login::Password(self.source_password(environment)?),
            LoginKind::Entra => Login::Token(source.clone()),
        };
        let places = hand_over::places(&self.settings.hand_over.to, &self.run_folder, &source, environment)?;
        Ok((Clouds { source, target: Arc::new(neon), places }, Access { login, tls: Arc::new(tls) }))
    }

    fn source_password(&self, environment: Environment<'_>) -> Result<SecretString> {
        source_password(self.password_file().as_deref()).read(environment)
    }

    fn api_key_file(&self) -> Option<PathBuf> {
        self.file.target.api_key_file.as_ref().map(|path| self.base.join(path))
    }

    fn password_file(&self) -> Option<PathBuf> {
        self.file.source.password_file.as_ref().map(|path| self.base.join(path))
    }

    /// The environment variable of a secret that somebody would have to be asked for, if there is one.
    pub fn missing_secret(&self, environment: Environment<'_>) -> Option<&'static str> {
        let (key_file, password_file) = (self.api_key_file(), self.password_file());
        let needs_password = self.file.source.login == LoginKind::Password;
        let secrets = [Some(api_key(key_file.as_deref())), needs_password.then(|| source_password(password_file.as_deref()))];
        secrets.into_iter().flatten().find(|secret| !secret.is_at_hand(environment)).map(|secret| secret.variable)
    }
}

fn api_key(file: Option<&Path>) -> Secret<'_> {
    Secret { what: "Neon API key", variable: "NEON_API_KEY", file }
}

fn source_password(file: Option<&Path>) -> Secret<'_> {
    Secret { what: "password of the source's login", variable: "AZURE2NEON_SOURCE_PASSWORD", file }
}

fn begin_recording(folder: &Path, events: &Events) -> Result<Recording> {
    let (told, place) = (events.clone(), folder.display().to_string());
    let on_failure = move |error: &std::io::Error| told.notice(format!("The recording in {place} is not complete: {error}"));
    Recording::begin(folder, on_failure).map_err(|error| {
        Error::new(ErrorKind::Configuration, format!("could not record into {}", folder.display()))
            .because(error)
            .hint("name a new folder with --record")
    })
}

/// A length of time in the file.
fn duration(text: &str, what: &str) -> Result<Duration> {
    args::duration(text).map_err(|why| Error::new(ErrorKind::Configuration, format!("{what}: {why}")))
}

/// Waits of this cloud's client as events.
fn waits(events: &Events, cloud: &'static str) -> Waits {
    let events = events.clone();
    Waits::new(move |awaited| {
        events.say(Event::Waiting {
            step: cloud.to_owned(),
            reason: awaited.reason.to_owned(),
            seconds: awaited.age.as_secs(),
            deadline_seconds: Some(awaited.deadline.as_secs()),
        });
    })
}

fn read_file(path: Option<&Path>) -> Result<(File, PathBuf)> {
    let (path, must_exist) = match path {
        Some(path) => (path, true),
        None => (Path::new(DEFAULT_FILE), false),
    };
    let absolute = std::path::absolute(path)
        .map_err(|error| Error::new(ErrorKind::Configuration, format!("{} is not a path", path.display())).because(error))?;
    let base = absolute.parent().map(Path::to_owned).unwrap_or_default();
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !must_exist => return Ok((File::default(), base)),
        Err(error) => {
            return Err(Error::new(ErrorKind::Configuration, format!("could not read {}", path.display()))
                .because(error)
                .hint("give the file with --config, or the settings as flags (`azure2neon migrate --help`)"));
        }
    };
    let file = toml::from_str(&text).map_err(|error| {
        Error::new(ErrorKind::Configuration, format!("{} is not right:\n{}", path.display(), error.to_string().trim_end()))
    })?;
    Ok((file, base))
}

fn required(value: Option<String>, what: &str, flag: Option<&str>, key: &str, table: &str) -> Result<String> {
    value.filter(|value| !value.is_empty()).ok_or_else(|| {
        let flag = flag.map(|flag| format!("with {flag}, or ")).unwrap_or_default();
        Error::new(ErrorKind::Configuration, format!("{what} is not named"))
            .hint(format!("give it {flag}as `{key}` under {table} in {DEFAULT_FILE}"))
    })
}

fn check_sslmode(mode: &str) -> Result<()> {
    if matches!(mode, "require" | "verify-ca" | "verify-full") {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Configuration, format!("subscription_sslmode {mode:?} would let rows travel unencrypted"))
        .hint("use require, verify-ca or verify-full"))
}

/// The name with everything replaced that is awkward in a file name.
fn safe(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') { c } else { '_' }).collect()
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
