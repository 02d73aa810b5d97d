//! A file with `VARIABLE='connection string'`.

use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Connection, Keepsakes, Place, files};
use crate::error::{Error, ErrorKind, Result};
use crate::operation::output;

/// A variable in an env file; its other lines stay as they are.
pub struct EnvFile {
    file: PathBuf,
    variable: String,
    keepsakes: Keepsakes,
}

#[derive(Serialize, Deserialize)]
struct Was {
    /// Whether there was a file.
    file: bool,
    /// Whether it set the variable; how, is among the keepsakes.
    variable: bool,
}

impl EnvFile {
    /// This variable of this file.
    pub fn new(file: PathBuf, variable: String, keepsakes: Keepsakes) -> Self {
        Self { file, variable, keepsakes }
    }

    fn line(&self, to: &Connection) -> SecretString {
        SecretString::from(format!("{}='{}'\n", self.variable, to.url().expose_secret()))
    }

    fn read(&self) -> Result<Option<String>> {
        files::read(&self.file)
    }
}

#[async_trait]
impl Place for EnvFile {
    fn name(&self) -> String {
        format!("{} in {}", self.variable, self.file.display())
    }

    async fn check(&self, _pause: Duration) -> Result<()> {
        files::check(&self.file)
    }

    async fn before(&self, to: &Connection) -> Result<Value> {
        let text = self.read()?;
        let lines = text.as_deref().map(|text| assigning(text, &self.variable)).unwrap_or_default();
        let name = self.name();
        if lines == self.line(to).expose_secret() {
            // We wrote that. Without a keepsake there was no such variable.
            return output(&Was { file: true, variable: self.keepsakes.has(&name) });
        }
        if lines.is_empty() {
            self.keepsakes.forget(&name)?;
        } else {
            self.keepsakes.keep(&name, &SecretString::from(lines.clone()))?;
        }
        output(&Was { file: text.is_some(), variable: !lines.is_empty() })
    }

    async fn point(&self, to: &Connection) -> Result<()> {
        let before = self.read()?.unwrap_or_default();
        files::replace(&self.file, &with(&before, &self.variable, self.line(to).expose_secret()))
    }

    async fn verify(&self, to: &Connection) -> Result<()> {
        self.expect(self.line(to).expose_secret())
    }

    async fn restore(&self, before: &Value, _old: &Connection) -> Result<()> {
        let was: Was = super::said(before)?;
        let lines = if was.variable { self.keepsakes.kept(&self.name())? } else { SecretString::default() };
        let text = with(&self.read()?.unwrap_or_default(), &self.variable, lines.expose_secret());
        if text.is_empty() && !was.file {
            return match std::fs::remove_file(&self.file) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    Err(Error::new(ErrorKind::Configuration, format!("could not remove {}", self.file.display())).because(error))
                }
                _ => Ok(()),
            };
        }
        files::replace(&self.file, &text)?;
        self.expect(lines.expose_secret())
    }

    async fn forget(&self, _before: &Value) -> Result<()> {
        self.keepsakes.forget(&self.name())
    }
}

impl EnvFile {
    fn expect(&self, lines: &str) -> Result<()> {
        if assigning(&self.read()?.unwrap_or_default(), &self.variable) == lines {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Configuration, format!("{} holds something else than what was just written", self.file.display()))
            .hint(format!("look for another program that writes {}", self.file.display())))
    }
}

/// The lines that set the variable.
fn assigning(text: &str, variable: &str) -> String {
    lines(text, variable, true)
}

/// The text with these lines in the stead of those that set the variable.
fn with(text: &str, variable: &str, assigning: &str) -> String {
    lines(text, variable, false) + assigning
}

/// The lines that set the variable, or those that don't.
fn lines(text: &str, variable: &str, setting: bool) -> String {
    let sets = |line: &str| {
        let line = line.trim_start();
        let line = line.strip_prefix("export ").unwrap_or(line).trim_start();
        line.strip_prefix(variable).is_some_and(|rest| rest.starts_with('='))
    };
    text.lines().filter(|line| sets(line) == setting).map(|line| format!("{line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::connection;
    use super::*;

    #[test]
    fn other_lines_of_the_env_file_stay() {
        let before = "A=1\nexport DATABASE_URL=old\nDATABASE_URL_RO=x";
        assert_eq!(with(before, "DATABASE_URL", "DATABASE_URL='new'\n"), "A=1\nDATABASE_URL_RO=x\nDATABASE_URL='new'\n");
        assert_eq!(assigning(before, "DATABASE_URL"), "export DATABASE_URL=old\n");
    }

    #[tokio::test]
    async fn it_goes_there_and_back_again_however_often_it_is_asked() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("app.env");
        let place = EnvFile::new(file.clone(), "URL".into(), Keepsakes::of_run(folder.path()));
        let (new, old) = (connection("new.neon.tech", "secret"), connection("old.azure.com", "secret"));
        for text in [None, Some(""), Some("A=1\n"), Some("export URL=old\nA=1\n")] {
            match text {
                Some(text) => std::fs::write(&file, text).unwrap(),
                None => assert!(!file.exists()),
            }
            place.check(Duration::ZERO).await.unwrap();
            let first = place.before(&new).await.unwrap();
            assert!(place.verify(&new).await.is_err());
            place.point(&new).await.unwrap();
            // As if the process had died here: what was found first still counts.
            let second = place.before(&new).await.unwrap();
            assert_eq!(first["variable"], second["variable"]);
            assert!(!first.to_string().contains("old"));
            place.point(&new).await.unwrap();
            place.verify(&new).await.unwrap();
            for _ in 0..2 {
                place.restore(&first, &old).await.unwrap();
            }
            let mut lines: Vec<String> = files::read(&file).unwrap().unwrap_or_default().lines().map(str::to_owned).collect();
            lines.sort_unstable();
            let mut expected: Vec<&str> = text.unwrap_or_default().lines().collect();
            expected.sort_unstable();
            assert_eq!((lines.iter().map(String::as_str).collect(), file.exists()), (expected, text.is_some()));
            place.forget(&first).await.unwrap();
            std::fs::remove_file(&file).ok();
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        }
    }
}
