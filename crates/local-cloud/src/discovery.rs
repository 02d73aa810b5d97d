//! Finding the PostgreSQL programs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Names the folder of PostgreSQL trees when no option does.
pub const POSTGRES_VARIABLE: &str = "AZURE2NEON_POSTGRES";

/// The PostgreSQL programs of this machine.
#[derive(Debug, Clone, Default)]
pub struct Postgres {
    /// Major version → folder with `postgres` and `initdb`.
    servers: BTreeMap<u32, PathBuf>,
    client: Option<PathBuf>,
}

impl Postgres {
    /// The folder with `postgres`, `initdb` and `pg_ctl` of that major version.
    pub fn server(&self, major: u32) -> Result<&Path> {
        self.servers
            .get(&major)
            .map(PathBuf::as_path)
            .ok_or_else(|| Error::new(format!("there is no PostgreSQL {major} server on this machine: run scripts/setup")))
    }

    /// The folder with `psql`, `pg_dump` and `pg_restore`.
    pub fn client(&self) -> Result<&Path> {
        self.client
            .as_deref()
            .ok_or_else(|| Error::new("there are no PostgreSQL client programs (psql, pg_dump, pg_restore) here: run scripts/setup"))
    }

    /// The majors for which there is a server.
    pub fn majors(&self) -> impl Iterator<Item = u32> + '_ {
        self.servers.keys().copied()
    }

    /// Takes what that folder has and is not known yet.
    fn add(&mut self, folder: &Path) {
        for major in 14..=18 {
            let bin = folder.join(major.to_string()).join("bin");
            if ["postgres", "initdb", "pg_ctl"].iter().all(|program| bin.join(program).is_file()) {
                self.servers.entry(major).or_insert(bin);
            }
        }
        let client = folder.join("client/bin");
        if self.client.is_none() && is_client(&client) {
            self.client = Some(client);
        }
    }
}

fn is_client(bin: &Path) -> bool {
    ["psql", "pg_dump", "pg_restore"].iter().all(|program| bin.join(program).is_file())
}

/// Finds the servers (`<folder>/<major>/bin`) and the client programs (`<folder>/client/bin`).
///
/// A folder given explicitly, or in `AZURE2NEON_POSTGRES`, is the only one looked at. Otherwise, the first that has a program wins:
/// `.tools/postgresql` here, then above the running executable, then Debian's `/usr/lib/postgresql`.
/// That a major version is missing is said only when it is asked for.
pub fn find_postgres(explicit: Option<&Path>) -> Result<Postgres> {
    let mut found = Postgres::default();
    let named = explicit.map(Path::to_path_buf).or_else(|| std::env::var_os(POSTGRES_VARIABLE).map(PathBuf::from));
    if let Some(folder) = named {
        found.add(&absolute(&folder)?);
        if found.servers.is_empty() {
            return Err(Error::new(format!(
                "{} has no <major>/bin with postgres, initdb and pg_ctl: run scripts/setup, or name another folder",
                folder.display()
            )));
        }
        return Ok(found);
    }
    found.add(&absolute(Path::new(".tools/postgresql"))?);
    if let Ok(executable) = std::env::current_exe() {
        for ancestor in executable.ancestors().skip(1) {
            found.add(&ancestor.join(".tools/postgresql"));
        }
    }
    let debian = Path::new("/usr/lib/postgresql");
    found.add(debian);
    if found.client.is_none() {
        // Debian keeps the client programs beside the servers. The newest can talk to all of them.
        found.client = (14..=18).rev().map(|major| debian.join(major.to_string()).join("bin")).find(|bin| is_client(bin));
    }
    if found.servers.is_empty() {
        return Err(Error::new("there is no PostgreSQL server on this machine: run scripts/setup"));
    }
    Ok(found)
}

/// The path from the root, without looking at what is there.
pub(crate) fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).map_err(|error| Error::new(format!("{}: {error}", path.display())))
}
