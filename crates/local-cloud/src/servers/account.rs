//! The unprivileged user that runs the servers when we are root, as which PostgreSQL refuses to run.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;

use crate::error::{Doing, Error, Result};

/// A user and its main group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) user: u32,
    pub(crate) group: u32,
}

impl Account {
    /// The account to drop to: none unless we are root, else `postgres`, else `nobody`.
    pub(crate) fn for_servers() -> Result<Option<Self>> {
        // The owner of /proc/self is the effective user; the standard library has no geteuid.
        let me = fs::metadata("/proc/self").doing(|| "reading /proc/self")?.uid();
        if me != 0 {
            return Ok(None);
        }
        let accounts = fs::read_to_string("/etc/passwd").doing(|| "reading /etc/passwd")?;
        ["postgres", "nobody"]
            .iter()
            .find_map(|name| Self::named(&accounts, name))
            .map(Some)
            .ok_or_else(|| Error::new("PostgreSQL does not run as root, and there is no user postgres or nobody to run it as"))
    }

    fn named(accounts: &str, name: &str) -> Option<Self> {
        accounts.lines().find_map(|line| {
            let fields: Vec<&str> = line.split(':').collect();
            match fields.as_slice() {
                [found, _, user, group, ..] if *found == name => Some(Self { user: user.parse().ok()?, group: group.parse().ok()? }),
                _ => None,
            }
        })
    }

    /// Makes the account the path's owner.
    pub(crate) fn own(self, path: &Path) -> Result<()> {
        chown(path, Some(self.user), Some(self.group)).doing(|| format!("giving {} to the servers' user", path.display()))
    }

    /// Whether the account may pass through every folder down to that path.
    pub(super) fn reaches(self, path: &Path) -> bool {
        path.ancestors().all(|folder| {
            fs::metadata(folder).is_ok_and(|found| {
                let mode = found.mode();
                let bits = match (found.uid() == self.user, found.gid() == self.group) {
                    (true, _) => mode >> 6,
                    (_, true) => mode >> 3,
                    _ => mode,
                };
                bits & 1 == 1
            })
        })
    }
}

/// Sets the permission bits.
pub(crate) fn set_mode(path: &Path, mode: u32) -> Result<()> {
    fs::set_permissions(path, Permissions::from_mode(mode)).doing(|| format!("setting the permissions of {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::Account;

    #[test]
    fn an_account_is_found_by_its_whole_name() {
        let accounts = "root:x:0:0:root:/root:/bin/sh\nxpostgres:x:7:7::/:/bin/sh\npostgres:x:101:104:,,,:/var/lib:/bin/sh\n";
        assert_eq!(Account::named(accounts, "postgres"), Some(Account { user: 101, group: 104 }));
        assert_eq!(Account::named(accounts, "nobody"), None);
    }
}
