//! A program that makes the application use what was handed over.

use std::process::Stdio;
use std::time::Duration;

use async_trait::async_trait;
use secrecy::ExposeSecret;
use serde_json::Value;

use super::{Connection, Place};
use crate::error::{Error, ErrorKind, Result};

/// A program with its arguments. It finds the connection string in its environment, and must bear to be run again.
pub struct Command {
    program: Vec<String>,
    variable: String,
}

impl Command {
    /// This program, which finds the connection string in `variable`.
    pub fn new(program: Vec<String>, variable: String) -> Self {
        Self { program, variable }
    }

    async fn run(&self, to: &Connection, direction: &str) -> Result<()> {
        let (program, arguments) =
            self.program.split_first().ok_or_else(|| Error::new(ErrorKind::Configuration, "the hand-over command is empty"))?;
        let failed = |why: String| Error::new(ErrorKind::Tool, format!("the hand-over command {program} {why}"));
        let status = tokio::process::Command::new(program)
            .args(arguments)
            .env(&self.variable, to.url().expose_secret())
            .env("AZURE2NEON_RUN", &to.run)
            .env("AZURE2NEON_DIRECTION", direction)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status()
            .await
            .map_err(|error| failed(format!("could not be started: {error}")))?;
        if status.success() { Ok(()) } else { Err(failed(format!("ended with {status}"))) }
    }
}

#[async_trait]
impl Place for Command {
    fn name(&self) -> String {
        // Without its arguments, which may be anything.
        format!("the command {}", self.program.first().map(String::as_str).unwrap_or_default())
    }

    async fn check(&self, _pause: Duration) -> Result<()> {
        let program = self.program.first().map(String::as_str).unwrap_or_default();
        let look = ["-c", "command -v \"$1\"", "sh", program];
        let found = tokio::process::Command::new("sh").args(look).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
        if found.await.is_ok_and(|status| status.success()) {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Configuration, format!("there is no program {program}")).hint("name it with its whole path"))
    }

    async fn before(&self, _to: &Connection) -> Result<Value> {
        Ok(Value::Null)
    }

    async fn point(&self, to: &Connection) -> Result<()> {
        self.run(to, "forward").await
    }

    async fn verify(&self, _to: &Connection) -> Result<()> {
        Ok(())
    }

    async fn restore(&self, _before: &Value, old: &Connection) -> Result<()> {
        self.run(old, "back").await
    }

    fn comes_last(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::connection;
    use super::*;

    fn command(program: &[&str]) -> Command {
        Command::new(program.iter().map(|&word| word.to_owned()).collect(), "URL".into())
    }

    #[tokio::test]
    async fn it_learns_where_to_and_what_from_its_environment_alone() {
        let folder = tempfile::tempdir().unwrap();
        let proof = folder.path().join("proof");
        let script = format!("printf '%s %s %s %s\\n' \"$URL\" \"$AZURE2NEON_RUN\" \"$AZURE2NEON_DIRECTION\" $# >> {}", proof.display());
        let place = command(&["sh", "-c", &script]);
        place.check(Duration::ZERO).await.unwrap();
        place.point(&connection("new.neon.tech", "x")).await.unwrap();
        place.restore(&Value::Null, &connection("old.azure.com", "y")).await.unwrap();
        let lines = std::fs::read_to_string(proof).unwrap();
        let url = |host: &str, password: &str| format!("postgresql://shop_owner:{password}@{host}/shop?sslmode=require");
        assert_eq!(lines, format!("{} run1 forward 0\n{} run1 back 0\n", url("new.neon.tech", "x"), url("old.azure.com", "y")));
    }

    #[tokio::test]
    async fn one_that_is_missing_or_fails_is_told() {
        let missing = command(&["/nowhere/restart"]).check(Duration::ZERO).await.unwrap_err();
        assert!(missing.message().contains("/nowhere/restart"), "{missing}");
        assert!(command(&["no-such-program-anywhere"]).check(Duration::ZERO).await.is_err());
        let failed = command(&["sh", "-c", "exit 3"]).point(&connection("h", "x")).await.unwrap_err();
        assert!(failed.kind() == ErrorKind::Tool && failed.message().contains("command sh ended with exit status: 3"), "{failed}");
    }
}
