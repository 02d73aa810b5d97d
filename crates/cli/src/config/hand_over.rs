//! The table `[hand_over]`: where the application takes its connection string from.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use azure2neon_azure::AzureCloud;
use azure2neon_core::handover::{Command, EnvFile, Keepsakes, PgBouncer, Place, Places};
use azure2neon_core::settings::{self, AzureApp, Destination, HandOver};
use azure2neon_core::{Error, ErrorKind, Result};
use serde::Deserialize;

use crate::args::Overrides;
use crate::secrets::{Environment, Secret};

const VARIABLE: &str = "DATABASE_URL";

/// The table; its own keys are a short form for what most need.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Table {
    env_file: Option<PathBuf>,
    variable: Option<String>,
    command: Vec<String>,
    to: Vec<To>,
}

/// One of `[[hand_over.to]]`.
#[derive(Clone, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
enum To {
    EnvFile {
        file: PathBuf,
        variable: Option<String>,
    },
    Command {
        command: Vec<String>,
        variable: Option<String>,
    },
    Pgbouncer {
        #[serde(default = "loopback")]
        address: String,
        #[serde(default = "pgbouncer_port")]
        port: u16,
        #[serde(default = "pgbouncer_user")]
        user: String,
        password_file: Option<PathBuf>,
        database: Option<String>,
        file: PathBuf,
    },
    KeyVault {
        vault: String,
        secret: String,
    },
    AppService {
        app: String,
        resource_group: Option<String>,
        subscription: Option<String>,
        slot: Option<String>,
        setting: Option<String>,
    },
    ContainerApp {
        app: String,
        resource_group: Option<String>,
        subscription: Option<String>,
        secret: String,
    },
}

fn loopback() -> String {
    "127.0.0.1".into()
}

fn pgbouncer_port() -> u16 {
    6432
}

fn pgbouncer_user() -> String {
    "pgbouncer".into()
}

impl Table {
    /// Every place. A file of our own is written only where nothing else is named.
    pub(super) fn settings(&self, over: &Overrides, base: &Path, database: &str) -> Result<HandOver> {
        let variable = |own: &Option<String>| own.clone().or_else(|| self.variable.clone()).unwrap_or_else(|| VARIABLE.into());
        let named = over.env_file.clone().or_else(|| self.env_file.as_ref().map(|file| base.join(file)));
        let file = if self.to.is_empty() { named.or_else(|| Some(base.join("neon.env"))) } else { named };
        let mut to: Vec<Destination> = file.map(|file| Destination::EnvFile { file, variable: variable(&None) }).into_iter().collect();
        let places = self.to.iter().cloned().map(|place| match place {
            To::EnvFile { file, variable: own } => Destination::EnvFile { file: base.join(file), variable: variable(&own) },
            To::Command { command, variable: own } => Destination::Command { program: command, variable: variable(&own) },
            To::Pgbouncer { address, port, user, password_file, database: own, file } => Destination::PgBouncer(settings::PgBouncer {
                address,
                port,
                user,
                database: own.unwrap_or_else(|| database.to_owned()),
                file: base.join(file),
                password_file: password_file.map(|file| base.join(file)),
            }),
            To::KeyVault { vault, secret } => Destination::KeyVault { vault, secret },
            To::AppService { app: name, resource_group, subscription, slot, setting } => {
                Destination::AppService { app: AzureApp { name, resource_group, subscription }, slot, setting: variable(&setting) }
            }
            To::ContainerApp { app: name, resource_group, subscription, secret } => {
                Destination::ContainerApp { app: AzureApp { name, resource_group, subscription }, secret }
            }
        });
        to.extend(places);
        if !self.command.is_empty() {
            to.push(Destination::Command { program: self.command.clone(), variable: variable(&None) });
        }
        check(&to)?;
        Ok(HandOver { to })
    }
}

/// Refuses what would be written twice or not at all.
fn check(to: &[Destination]) -> Result<()> {
    let wrong = |text: String| Err(Error::new(ErrorKind::Configuration, text));
    for (at, place) in to.iter().enumerate() {
        match place {
            Destination::Command { program, .. } if program.first().is_none_or(String::is_empty) => {
                return wrong("a hand-over command is empty".into());
            }
            Destination::EnvFile { variable, .. }
                if variable.is_empty() || !variable.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') =>
            {
                return wrong(format!("`{variable}` is no name for an environment variable"));
            }
            Destination::Command { .. } => {}
            _ if to[..at].contains(place) => return wrong(format!("{place} is named twice under [hand_over]")),
            _ => {}
        }
    }
    Ok(())
}

/// The places themselves; `run_folder` keeps what they were before.
pub(super) fn places(to: &[Destination], run_folder: &Path, azure: &Arc<AzureCloud>, environment: Environment<'_>) -> Result<Places> {
    let keepsakes = Keepsakes::of_run(run_folder);
    let place = |destination: &Destination| -> Result<Arc<dyn Place>> {
        Ok(match destination.clone() {
            Destination::EnvFile { file, variable } => Arc::new(EnvFile::new(file, variable, keepsakes.clone())),
            Destination::Command { program, variable } => Arc::new(Command::new(program, variable)),
            Destination::PgBouncer(settings) => {
                let password = Secret {
                    what: "password of PgBouncer's admin",
                    variable: "AZURE2NEON_PGBOUNCER_PASSWORD",
                    file: settings.password_file.as_deref(),
                };
                let password = password.read_if_given(environment)?;
                Arc::new(PgBouncer::new(settings, password, keepsakes.clone()))
            }
            Destination::KeyVault { .. } | Destination::AppService { .. } | Destination::ContainerApp { .. } => {
                azure.place(destination, &keepsakes)?
            }
        })
    };
    Ok(Places::new(to.iter().map(place).collect::<Result<_>>()?))
}
