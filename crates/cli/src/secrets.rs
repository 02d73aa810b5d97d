//! Secrets come from the environment, a file or a prompt; never from arguments.

use std::path::Path;

use azure2neon_core::{Error, ErrorKind, Result};
use secrecy::SecretString;

/// Reads environment variables; tests and the demo put their own in.
pub type Environment<'a> = &'a (dyn Fn(&str) -> Option<String> + Sync);

/// Where one secret may come from.
pub struct Secret<'a> {
    /// What it is, for the prompt and the error.
    pub what: &'a str,
    /// Its environment variable.
    pub variable: &'static str,
    /// A file that holds it alone.
    pub file: Option<&'a Path>,
}

impl Secret<'_> {
    /// Whether it can be read without asking anybody.
    pub fn is_at_hand(&self, environment: Environment<'_>) -> bool {
        environment(self.variable).is_some_and(|value| !value.is_empty()) || self.file.is_some()
    }

    /// Reads it from the environment, else from the file; none if neither has it.
    pub fn read_if_given(&self, environment: Environment<'_>) -> Result<Option<SecretString>> {
        if let Some(value) = environment(self.variable).filter(|value| !value.is_empty()) {
            return Ok(Some(SecretString::from(value)));
        }
        let Some(file) = self.file else { return Ok(None) };
        let text = std::fs::read_to_string(file).map_err(|error| {
            Error::new(ErrorKind::Configuration, format!("could not read the {} from {}", self.what, file.display())).because(error)
        })?;
        Ok(Some(SecretString::from(text.trim_end_matches(['\n', '\r']).to_owned())))
    }

    /// Reads it: environment, then file, then prompt.
    pub fn read(&self, environment: Environment<'_>) -> Result<SecretString> {
        if let Some(secret) = self.read_if_given(environment)? {
            return Ok(secret);
        }
        if std::io::IsTerminal::is_terminal(&std::io::stdin()) {
            return rpassword::prompt_password(format!("{}: ", self.what))
                .map(SecretString::from)
                .map_err(|error| Error::new(ErrorKind::Configuration, format!("could not read the {}", self.what)).because(error));
        }
        Err(Error::new(ErrorKind::Configuration, format!("the {} is not given", self.what))
            .hint(format!("set the environment variable {}, or name a file that holds it in azure2neon.toml", self.variable)))
    }
}
