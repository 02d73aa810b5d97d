//! The application's old connection strings, kept for the way back: secrets, so apart from the journal, and only until the finish.

use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use crate::error::{Error, ErrorKind, Result};
use crate::journal::write_private;

/// Their folder, readable by its owner only.
#[derive(Clone, Debug)]
pub struct Keepsakes(PathBuf);

impl Keepsakes {
    /// In the folder of the run.
    pub fn of_run(folder: &Path) -> Self {
        Self(folder.join("before"))
    }

    /// Keeps the text of the place of that name, in the stead of what was kept of it.
    pub fn keep(&self, place: &str, text: &SecretString) -> Result<()> {
        use std::os::unix::fs::DirBuilderExt;
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.0);
        made.map_err(|error| Error::new(ErrorKind::RunFolder, format!("could not create {}", self.0.display())).because(error))?;
        write_private(&self.file(place), text.expose_secret().as_bytes())
    }

    /// What is kept.
    pub fn kept(&self, place: &str) -> Result<SecretString> {
        let file = self.file(place);
        std::fs::read_to_string(&file).map(SecretString::from).map_err(|error| {
            Error::new(ErrorKind::RunFolder, format!("what {place} was before is not in {}", file.display()))
                .because(error)
                .hint("put the old connection string back by hand")
        })
    }

    /// Whether anything is.
    pub fn has(&self, place: &str) -> bool {
        self.file(place).is_file()
    }

    /// Removes it; and the folder with the last one.
    pub fn forget(&self, place: &str) -> Result<()> {
        let file = self.file(place);
        match std::fs::remove_file(&file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::new(ErrorKind::RunFolder, format!("could not remove {}", file.display())).because(error));
            }
            _ => {}
        }
        let _ = std::fs::remove_dir(&self.0);
        Ok(())
    }

    fn file(&self, place: &str) -> PathBuf {
        let digest = Sha256::digest(place.as_bytes());
        self.0.join(digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect::<String>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_its_owners_and_goes() {
        use std::os::unix::fs::MetadataExt;
        let folder = tempfile::tempdir().unwrap();
        let keepsakes = Keepsakes::of_run(folder.path());
        keepsakes.keep("A in /b", &SecretString::from("old")).unwrap();
        let file = std::fs::read_dir(folder.path().join("before")).unwrap().next().unwrap().unwrap();
        assert_eq!(file.metadata().unwrap().mode() & 0o777, 0o600);
        assert_eq!(keepsakes.kept("A in /b").unwrap().expose_secret(), "old");
        keepsakes.forget("A in /b").unwrap();
        assert!(!keepsakes.has("A in /b") && !folder.path().join("before").exists());
        assert!(keepsakes.kept("A in /b").unwrap_err().remedy().unwrap().contains("by hand"));
    }
}
