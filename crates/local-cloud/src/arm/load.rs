//! The first load of the flexible server's database, by its administrator.

use std::path::Path;
use std::process::{ExitStatus, Stdio};

use secrecy::{ExposeSecret, SecretString};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};

use crate::error::{Doing, Error, Result};
use crate::servers::Server;

/// What pg_restore 17 and later writes whatever server it is for, and only PostgreSQL 17 and later understands.
const TOO_NEW: &[u8] = b"SET transaction_timeout = 0;\n";

/// That statement is among the first lines of a script. Data come later, and are not searched.
const HEADER_LINES: usize = 40;

/// Who loads what.
pub(crate) struct Load<'a> {
    /// The folder with psql and pg_restore.
    pub(crate) programs: &'a Path,
    pub(crate) server: &'a Server,
    pub(crate) administrator: &'a str,
    pub(crate) password: &'a SecretString,
    pub(crate) database: &'a str,
}

impl Load<'_> {
    /// Runs an SQL script, or restores a dump in one of pg_dump's archive formats.
    pub(crate) async fn run(&self, file: &Path) -> Result<()> {
        if !file.exists() {
            return Err(Error::new(format!("{}: there is no such file", file.display())));
        }
        if file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("sql")) {
            // By name, so that it can include others beside it.
            let psql = self.psql().arg("--file").arg(file).stdin(Stdio::null()).output().await.doing(|| "running psql")?;
            return judge(file, psql.status, &psql.stderr);
        }
        let what = || format!("loading {}", file.display());
        let mut restore = Command::new(self.programs.join("pg_restore"))
            .args(["--no-owner", "--no-privileges", "--file", "-"])
            .arg(file)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .doing(what)?;
        let mut psql =
            self.psql().stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true).spawn().doing(what)?;
        let (Some(from), Some(to)) = (restore.stdout.take(), psql.stdin.take()) else { return Err(Error::new("a program has no pipe")) };
        // A psql that stops at an error breaks the pipe; its own words tell more than that.
        let (_, restored, run) = tokio::join!(pass_on(from, to), finish(&mut restore), finish(&mut psql));
        let (status, words) = run.doing(what)?;
        judge(file, status, &words)?;
        let (status, words) = restored.doing(what)?;
        judge(file, status, &words)
    }

    fn psql(&self) -> Command {
        let address = self.server.address();
        let mut command = Command::new(self.programs.join("psql"));
        command
            .args(["--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1"])
            // A certificate, a password file or an option of the user's has no say here.
            .env_clear()
            .envs(std::env::vars_os().filter(|(name, _)| !name.to_string_lossy().starts_with("PG")))
            .env("PGPASSFILE", "/dev/null")
            .env("PGHOST", address.ip().to_string())
            .env("PGPORT", address.port().to_string())
            .env("PGUSER", self.administrator)
            .env("PGPASSWORD", self.password.expose_secret())
            .env("PGDATABASE", self.database)
            .env("PGSSLMODE", "require");
        command
    }
}

/// Waits for a program's end and keeps what it complained about.
async fn finish(child: &mut Child) -> std::io::Result<(ExitStatus, Vec<u8>)> {
    let mut words = Vec::new();
    if let Some(mut stderr) = child.stderr.take() {
        stderr.read_to_end(&mut words).await?;
    }
    Ok((child.wait().await?, words))
}

/// Copies a script without the statement that older servers don't know.
async fn pass_on(from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) -> std::io::Result<()> {
    let mut from = BufReader::new(from);
    for _ in 0..HEADER_LINES {
        let mut line = Vec::new();
        if from.read_until(b'\n', &mut line).await? == 0 {
            break;
        }
        if line != TOO_NEW {
            to.write_all(&line).await?;
        }
    }
    tokio::io::copy_buf(&mut from, &mut to).await?;
    to.shutdown().await
}

fn judge(file: &Path, status: ExitStatus, words: &[u8]) -> Result<()> {
    if status.success() {
        return Ok(());
    }
    Err(Error::new(format!("loading {}: {}", file.display(), String::from_utf8_lossy(words).trim())))
}
