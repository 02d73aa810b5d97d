use std::path::PathBuf;

use async_trait::async_trait;
use azure2neon_postgres::Endpoint;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::journal::write_private;
use crate::operation::{Observed, Operation, output};
use crate::plan::Effect;

/// Gives the application its new connection string. From its start on there is no way back but another migration.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HandOver {}

/// What was handed over; not the string itself, which holds a password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandedOver {
    /// The file that was written.
    pub env_file: PathBuf,
    /// The variable in it.
    pub variable: String,
    /// Host of the new connection string.
    pub host: String,
    /// The program that was run, without its arguments; empty if none.
    pub command: String,
}

#[async_trait]
impl Operation for HandOver {
    fn effect(&self) -> Effect {
        Effect::Changes
    }

    fn describe(&self) -> String {
        "write the new connection string to the env file and run the hand-over command, if there is one".into()
    }

    async fn observe(&self, _cx: &Context) -> Result<Observed> {
        Ok(Observed::OnlyByDoing)
    }

    async fn apply(&self, cx: &Context) -> Result<Value> {
        let settings = &cx.settings.hand_over;
        let endpoint = cx.target_endpoint().await?;
        let url = connection_url(&endpoint);
        let before = std::fs::read_to_string(&settings.env_file).unwrap_or_default();
        write_private(&settings.env_file, with_variable(&before, &settings.variable, &url).as_bytes())?;
        let command = settings.command.first().cloned().unwrap_or_default();
        if !command.is_empty() {
            run(&settings.command, &[(settings.variable.as_str(), url.as_str()), ("AZURE2NEON_RUN", cx.plan.run.as_str())]).await?;
        }
        output(&HandedOver { env_file: settings.env_file.clone(), variable: settings.variable.clone(), host: endpoint.host, command })
    }

    fn note(&self, output: &Value) -> String {
        serde_json::from_value::<HandedOver>(output.clone())
            .map(|done| format!("{} in {}", done.variable, done.env_file.display()))
            .unwrap_or_default()
    }
}

/// The env file's text with the variable set; its other lines stay as they are.
fn with_variable(before: &str, variable: &str, value: &str) -> String {
    let assigns = |line: &str| {
        let line = line.trim_start();
        let line = line.strip_prefix("export ").unwrap_or(line).trim_start();
        line.strip_prefix(variable).is_some_and(|rest| rest.starts_with('='))
    };
    let mut text: String = before.lines().filter(|line| !assigns(line)).map(|line| format!("{line}\n")).collect();
    text.push_str(&format!("{variable}='{value}'\n"));
    text
}

/// The connection string in the form that every driver reads.
fn connection_url(endpoint: &Endpoint) -> String {
    let port = if endpoint.port == 5432 { String::new() } else { format!(":{}", endpoint.port) };
    format!(
        "postgresql://{}:{}@{}{port}/{}?sslmode=require",
        percent(&endpoint.user),
        percent(endpoint.password.expose_secret()),
        endpoint.host,
        percent(&endpoint.database)
    )
}

fn percent(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}

/// Runs the command with the connection string in its environment, never in its arguments.
async fn run(command: &[String], environment: &[(&str, &str)]) -> Result<()> {
    let (program, arguments) = command.split_first().ok_or_else(|| Error::new(ErrorKind::Internal, "no command"))?;
    let failed = |why: String| {
        Error::new(ErrorKind::Tool, format!("the hand-over command {program} {why}; the env file is written and the source stays closed"))
            .hint("mend the command and run `azure2neon cut-over` again: it goes on with the hand-over")
    };
    let status = tokio::process::Command::new(program)
        .args(arguments)
        .envs(environment.iter().copied())
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .status()
        .await
        .map_err(|error| failed(format!("could not be started: {error}")))?;
    if status.success() { Ok(()) } else { Err(failed(format!("ended with {status}"))) }
}

#[cfg(test)]
mod tests {
    #[test]
    fn other_lines_of_the_env_file_stay() {
        let before = "A=1\nexport DATABASE_URL=old\nDATABASE_URL_RO=x";
        assert_eq!(super::with_variable(before, "DATABASE_URL", "new"), "A=1\nDATABASE_URL_RO=x\nDATABASE_URL='new'\n");
    }

    #[test]
    fn passwords_are_escaped_in_the_connection_string() {
        assert_eq!(super::percent("p@ss:w/ö'"), "p%40ss%3Aw%2F%C3%B6%27");
    }
}
