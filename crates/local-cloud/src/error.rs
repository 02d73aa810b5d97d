//! The one error type of this crate.

use std::fmt::Display;

/// Why the simulated clouds could not do what was asked; the text is for people and names the remedy where there is one.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Error(String);

/// Results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

/// Says what was being done when a lower layer failed.
pub(crate) trait Doing<T> {
    /// Turns the cause into `<what>: <cause>: <its causes>`.
    fn doing<W: Display>(self, what: impl FnOnce() -> W) -> Result<T>;
}

impl<T, E: std::error::Error> Doing<T> for std::result::Result<T, E> {
    fn doing<W: Display>(self, what: impl FnOnce() -> W) -> Result<T> {
        self.map_err(|error| {
            // tokio-postgres says only "db error" and keeps the server's words in its source.
            let mut message = format!("{}: {error}", what());
            let mut cause = error.source();
            while let Some(inner) = cause {
                message.push_str(&format!(": {inner}"));
                cause = inner.source();
            }
            Error(message)
        })
    }
}
