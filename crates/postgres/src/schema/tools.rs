//! Finding and running pg_dump and pg_restore.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use crate::error::{Doing, Error, ErrorKind, Result};

/// Where packages put the programs when PATH has none; newest first within each.
const USUAL: &[&str] = &[
    "/usr/lib/postgresql/{}/bin",
    "/usr/pgsql-{}/bin",
    "/usr/libexec/postgresql{}",
    "/opt/homebrew/opt/postgresql@{}/bin",
    "/usr/local/opt/postgresql@{}/bin",
    "/Library/PostgreSQL/{}/bin",
];
const USUAL_PLAIN: &[&str] = &["/opt/homebrew/opt/libpq/bin", "/usr/local/opt/libpq/bin"];

/// pg_dump and pg_restore, of one version.
#[derive(Clone, Debug)]
pub struct Tools {
    dump: PathBuf,
    restore: PathBuf,
    /// Their major version.
    pub major: u32,
}

impl Tools {
    /// Finds both programs in `bin`, else on PATH and in the usual places, not older than `at_least_major`.
    ///
    /// # Errors
    /// [`ErrorKind::Tool`], with what to install.
    pub async fn find(bin: Option<&Path>, at_least_major: u32) -> Result<Tools> {
        let mut newest: Option<Tools> = None;
        for folder in folders(bin) {
            let (dump, restore) = (folder.join("pg_dump"), folder.join("pg_restore"));
            if !dump.is_file() || !restore.is_file() {
                continue;
            }
            let (Ok(major), Ok(other)) = (version(&dump).await, version(&restore).await) else { continue };
            let tools = Tools { dump, restore, major: major.min(other) };
            if tools.major >= at_least_major {
                return Ok(tools);
            }
            if newest.as_ref().is_none_or(|found| found.major < tools.major) {
                newest = Some(tools);
            }
        }
        let found = match (newest, bin) {
            (Some(tools), _) => format!("the newest found is {} ({})", tools.major, tools.dump.display()),
            (None, Some(folder)) => format!("{} has none", folder.display()),
            (None, None) => "there is none on PATH".to_owned(),
        };
        Err(Error::new(
            ErrorKind::Tool,
            format!("find pg_dump and pg_restore {at_least_major} or newer"),
            format!(
                "{found}; install postgresql-client-{at_least_major} (Debian, Ubuntu: from apt.postgresql.org) or libpq (Homebrew), \
                 or name the folder that holds them"
            ),
        ))
    }

    /// Runs pg_dump with `environment`, which holds the password.
    pub(super) async fn dump(&self, arguments: &[String], environment: &[(String, String)]) -> Result<String> {
        run(&self.dump, arguments, environment).await
    }

    /// Runs pg_restore on a file.
    pub(super) async fn restore(&self, arguments: &[String]) -> Result<String> {
        run(&self.restore, arguments, &[]).await
    }
}

fn folders(bin: Option<&Path>) -> Vec<PathBuf> {
    if let Some(folder) = bin {
        return vec![folder.to_owned()];
    }
    let mut folders: Vec<PathBuf> = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).collect();
    for major in (14..=30).rev() {
        folders.extend(USUAL.iter().map(|pattern| PathBuf::from(pattern.replace("{}", &major.to_string()))));
    }
    folders.extend(USUAL_PLAIN.iter().map(PathBuf::from));
    folders
}

async fn version(program: &Path) -> Result<u32> {
    let text = run(program, &["--version".to_owned()], &[]).await?;
    // "pg_dump (PostgreSQL) 17.6 (Debian 17.6-1)", or "18beta1".
    let word = text.split(' ').nth(2).unwrap_or_default();
    let digits: String = word.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().map_err(|_| Error::new(ErrorKind::Tool, format!("read the version of {}", program.display()), text))
}

async fn run(program: &Path, arguments: &[String], environment: &[(String, String)]) -> Result<String> {
    let mut command = Command::new(program);
    // Nothing of the caller's environment may redirect the connection or change what is dumped.
    let inherited: Vec<OsString> = std::env::vars_os().map(|(key, _)| key).collect();
    for key in inherited.iter().filter(|key| key.to_string_lossy().starts_with("PG")) {
        command.env_remove(key);
    }
    let output = command
        .args(arguments)
        .envs(environment.iter().map(|(key, value)| (key, value)))
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|error| Error::new(ErrorKind::Tool, "", error.to_string()))
        .doing(|| format!("run {}", program.display()))?;
    let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if !output.status.success() {
        let printed = String::from_utf8_lossy(&output.stderr);
        let lines: Vec<&str> = printed.lines().filter(|line| !line.trim().is_empty()).collect();
        let last = lines[lines.len().saturating_sub(8)..].join("; ");
        let kind = if last.contains("permission denied") { ErrorKind::Permission } else { ErrorKind::Tool };
        return Err(Error::new(kind, format!("run {name}"), format!("{}: {last}", output.status)));
    }
    String::from_utf8(output.stdout).map_err(|_| Error::new(ErrorKind::Tool, format!("read what {name} printed"), "it is not UTF-8"))
}
