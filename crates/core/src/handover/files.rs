//! Files that somebody else reads: replaced as a whole, their owner kept.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};

/// Who may read a file that was not there before, and what others than owner and group never may.
const PRIVATE: u32 = 0o600;
const NOT_OTHERS: u32 = 0o770;

/// A file's text; none if there is no file.
pub(super) fn read(path: &Path) -> Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed("read", path, error)),
    }
}

/// Whether the file can be replaced: a new one can be put beside it, and given to its owner.
pub(super) fn check(path: &Path) -> Result<()> {
    read(path)?;
    let path = real(path);
    let new = beside(&path);
    begin(&path, &new).and_then(|_| fs::remove_file(&new)).map_err(|error| failed("be written: the attempt to write beside", &path, error))
}

/// Replaces the file as a whole; a crash leaves the old one or the new one. Owner, group and their rights stay, others have none.
pub(super) fn replace(path: &Path, text: &str) -> Result<()> {
    let path = real(path);
    let new = beside(&path);
    begin(&path, &new)
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&new, &path))
        .and_then(|()| path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all()))
        .map_err(|error| failed("write", &path, error))
}

/// The new file, still empty, with the rights and owner of the old one.
fn begin(path: &Path, new: &Path) -> std::io::Result<File> {
    // One that a crash left may have other rights.
    match fs::remove_file(new) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let file = OpenOptions::new().create_new(true).write(true).mode(PRIVATE).open(new)?;
    if let Ok(old) = fs::metadata(path) {
        let own = file.metadata()?;
        if (own.uid(), own.gid()) != (old.uid(), old.gid()) {
            fchown(&file, Some(old.uid()), Some(old.gid()))?;
        }
        file.set_permissions(fs::Permissions::from_mode(old.mode() & NOT_OTHERS))?;
    }
    Ok(file)
}

/// Where a link leads: it is the file that is replaced, not the link.
fn real(path: &Path) -> PathBuf {
    fs::canonicalize(path).or_else(|_| std::path::absolute(path)).unwrap_or_else(|_| path.to_owned())
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".azure2neon");
    path.with_file_name(name)
}

fn failed(what: &str, path: &Path, error: std::io::Error) -> Error {
    Error::new(ErrorKind::Configuration, format!("could not {what} {}", path.display())).because(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stood_beside_a_link_is_not_touched_and_others_lose_their_rights() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("real.env"), folder.path().join("app.env"));
        fs::write(&file, "old").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        std::os::unix::fs::symlink("real.env", &link).unwrap();
        check(&link).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
        replace(&link, "new").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!((fs::read_to_string(&file).unwrap().as_str(), fs::metadata(&file).unwrap().mode() & 0o777), ("new", 0o640));
        let fresh = folder.path().join("fresh.env");
        replace(&fresh, "new").unwrap();
        assert_eq!(fs::metadata(&fresh).unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_folder_that_is_not_there_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let error = check(&folder.path().join("none/app.env")).unwrap_err();
        assert!(error.message().contains("none/app.env") && error.kind() == ErrorKind::Configuration, "{error}");
    }
}
