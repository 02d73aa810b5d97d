//! The temporary folder of one simulation, its unprivileged user and its guardian.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;
use tokio::sync::Mutex;

use super::account::{Account, set_mode};
use super::guardian::Guardian;
use crate::discovery::Postgres;
use crate::error::{Doing, Error, Result};

/// The socket's path has to fit into 107 bytes, of which this much is ours.
const SOCKET_TAIL: usize = "/azure2neon-XXXXXX/compute-255/.s.PGSQL.5432".len();

/// Where the servers of one simulation live.
pub(crate) struct Machine {
    root: PathBuf,
    postgres: Postgres,
    account: Option<Account>,
    guardian: std::sync::Mutex<Option<Guardian>>,
    /// One copy of the binaries at a time.
    copying: Mutex<()>,
}

impl Machine {
    /// Makes the temporary folder; the authority's certificate goes there too. The user's files named here vanish with it.
    pub(crate) fn new(postgres: Postgres, ca_pem: &str, files: &[PathBuf]) -> Result<Self> {
        let account = Account::for_servers()?;
        let mut parent = std::env::temp_dir();
        if parent.as_os_str().as_bytes().len() + SOCKET_TAIL > 107 {
            parent = PathBuf::from("/tmp");
        }
        let root = tempfile::Builder::new()
            .prefix("azure2neon-")
            .rand_bytes(6)
            .tempdir_in(&parent)
            .doing(|| format!("making a temporary folder in {}", parent.display()))?;
        // Symbolic links are resolved, since the guardian compares what it finds in /proc.
        let root = root.keep().canonicalize().doing(|| "resolving the temporary folder")?;
        let guardian = Guardian::start(&root, files).inspect_err(|_| drop(fs::remove_dir_all(&root)))?;
        let machine = Self { root, postgres, account, guardian: std::sync::Mutex::new(Some(guardian)), copying: Mutex::new(()) };
        set_mode(&machine.root, 0o711)?;
        if let Some(account) = account
            && !account.reaches(&machine.root)
        {
            return Err(Error::new(format!(
                "the servers' user can't reach {}: point TMPDIR to a folder that everybody may pass through",
                machine.root.display()
            )));
        }
        fs::write(machine.ca_file(), ca_pem).doing(|| "writing the authority's certificate")?;
        set_mode(&machine.ca_file(), 0o644)?;
        Ok(machine)
    }

    pub(crate) fn ca_file(&self) -> PathBuf {
        self.root.join("ca.pem")
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// A folder of that name which only the servers' user may read.
    pub(super) fn folder(&self, name: &str) -> Result<PathBuf> {
        let folder = self.root.join(name);
        fs::create_dir(&folder).doing(|| format!("making {}", folder.display()))?;
        set_mode(&folder, 0o700)?;
        self.give(&folder)?;
        Ok(folder)
    }

    /// Writes a file that only the servers' user may read.
    pub(super) fn write(&self, path: &Path, content: &str) -> Result<()> {
        use std::io::Write;
        use std::os::unix::fs::OpenOptionsExt;
        let what = || format!("writing {}", path.display());
        let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path).doing(what)?;
        file.write_all(content.as_bytes()).doing(what)?;
        self.give(path)
    }

    fn give(&self, path: &Path) -> Result<()> {
        self.account.map_or(Ok(()), |account| account.own(path))
    }

    /// The folder with the server programs of that major version, reachable by the servers' user.
    pub(super) async fn programs(&self, major: u32) -> Result<PathBuf> {
        self.reachable(self.postgres.server(major)?, &format!("postgresql-{major}")).await
    }

    /// The folder with the client programs, reachable by the servers' user.
    pub(super) async fn client_programs(&self) -> Result<PathBuf> {
        self.reachable(self.postgres.client()?, "postgresql-client").await
    }

    /// The folder itself, or its copy under that name.
    async fn reachable(&self, bin: &Path, name: &str) -> Result<PathBuf> {
        let resolved = bin.canonicalize().doing(|| format!("resolving {}", bin.display()))?;
        let Some(account) = self.account.filter(|account| !account.reaches(&resolved)) else {
            return Ok(resolved);
        };
        let _one_at_a_time = self.copying.lock().await;
        let copy = self.root.join(name);
        if !copy.exists() {
            let tree = resolved.parent().unwrap_or(&resolved);
            let unfinished = self.root.join(format!("{name}.new"));
            let copied = Command::new("cp")
                .arg("-a")
                .args([tree, unfinished.as_path()])
                .stdin(Stdio::null())
                .output()
                .await
                .doing(|| format!("copying {}", tree.display()))?;
            if !copied.status.success() {
                return Err(Error::new(format!("copying {}: {}", tree.display(), String::from_utf8_lossy(&copied.stderr).trim())));
            }
            account.own(&unfinished)?;
            set_mode(&unfinished, 0o755)?;
            fs::rename(&unfinished, &copy).doing(|| "putting the copied programs in place")?;
        }
        Ok(copy.join("bin"))
    }

    /// A program that runs as the servers' user with nothing of our environment: no PG… variable of the user reaches a server.
    pub(super) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C.UTF-8").current_dir(&self.root).stdin(Stdio::null());
        if let Some(account) = self.account {
            command.uid(account.user).gid(account.group);
        }
        // Ctrl-C is for azure2neon, which then stops the servers in order.
        command.process_group(0);
        command
    }

    /// Stops whatever still runs and removes the folder.
    pub(crate) async fn clean_up(&self) -> Result<()> {
        let guardian = self.guardian.lock().map_or(None, |mut guardian| guardian.take());
        match guardian {
            Some(guardian) => guardian.clean_up().await,
            None => Ok(()),
        }
    }
}
