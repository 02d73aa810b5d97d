//! The vendors' own clients, which `scripts/setup --clients` installs.

use std::path::PathBuf;

use crate::root;

/// A file or folder of them, such as `azure-cli/bin/az`.
pub fn client(path: &str) -> PathBuf {
    let found = root().join(".tools/clients").join(path);
    assert!(found.exists(), "{} is missing: run scripts/setup --clients", found.display());
    found
}
