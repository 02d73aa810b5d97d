//! The crate's one error: what was tried, what the server said, and which kind of trouble it is.

use std::fmt;
use std::net::Ipv4Addr;

/// The crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Kinds of trouble that call for different remedies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The server did not answer: refused, unresolvable, cut, or not up in time; or its firewall does not let this machine in.
    Unreachable,
    /// The server refused the user name or password (28P01, 28000).
    Credentials,
    /// The database does not exist (3D000).
    NoDatabase,
    /// The role may not do this (42501).
    Permission,
    /// The server refused a statement.
    Statement,
    /// A deadline passed.
    Timeout,
    /// pg_dump or pg_restore is missing, too old, or failed.
    Tool,
    /// The server's certificate or the TLS handshake was refused.
    Tls,
    /// Anything else.
    Other,
}

/// How a server begins that lets an address in by no line of its pg_hba.conf.
const TURNED_AWAY: &str = "no pg_hba.conf entry";

/// What failed, in words, with the server's message; never a password or a connection string.
pub struct Error {
    kind: ErrorKind,
    what: String,
    message: String,
    sqlstate: Option<String>,
}

impl Error {
    /// An error of `kind`: `what` was tried, `message` is why it failed.
    pub fn new(kind: ErrorKind, what: impl Into<String>, message: impl Into<String>) -> Self {
        Self { kind, what: what.into(), message: message.into(), sqlstate: None }
    }

    /// The kind of trouble.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The server's five-character SQLSTATE, where a server answered.
    pub fn sqlstate(&self) -> Option<&str> {
        self.sqlstate.as_deref()
    }

    /// The reason alone, without what was tried.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// This machine's address as the server saw it, where its firewall does not let that in. Azure says so in the words of
    /// PostgreSQL's pg_hba.conf.
    pub fn refused_address(&self) -> Option<Ipv4Addr> {
        let host = self.message.strip_prefix(TURNED_AWAY)?.strip_prefix(" for host \"")?;
        host.split_once('"')?.0.parse().ok()
    }

    /// The same error, with `what` as what was tried.
    #[must_use]
    pub fn doing(mut self, what: impl Into<String>) -> Self {
        let what = what.into();
        self.what = if self.what.is_empty() { what } else { format!("{what}: {}", self.what) };
        self
    }

    /// The same error of another kind.
    pub(crate) fn of_kind(mut self, kind: ErrorKind) -> Self {
        self.kind = kind;
        self
    }

    /// The same error without any trace of `secret`; for messages in which a server may quote what it was sent.
    #[must_use]
    pub fn without(mut self, secret: &str) -> Self {
        if !secret.is_empty() {
            self.message = self.message.replace(secret, "***");
            self.what = self.what.replace(secret, "***");
        }
        self
    }

    /// What a server answered.
    pub(crate) fn answered(code: &str, message: &str, detail: Option<&str>, hint: Option<&str>) -> Self {
        let mut words = message.to_owned();
        for (before, more) in [("; ", detail), ("; hint: ", hint)] {
            if let Some(more) = more {
                words.push_str(before);
                words.push_str(more);
            }
        }
        // No password opens a firewall.
        let kind = if words.starts_with(TURNED_AWAY) { ErrorKind::Unreachable } else { kind_of(code) };
        Self { kind, what: String::new(), message: words, sqlstate: Some(code.to_owned()) }
    }

    /// Whether the same statement may succeed when sent again: deadlock, lock timeout, serialization failure.
    pub fn is_lock_conflict(&self) -> bool {
        matches!(self.sqlstate(), Some("40P01" | "55P03" | "40001"))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.what.is_empty() {
            write!(f, "{}: ", self.what)?;
        }
        f.write_str(&self.message)?;
        match &self.sqlstate {
            Some(state) => write!(f, " (SQLSTATE {state})"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}({self})", self.kind)
    }
}

impl std::error::Error for Error {}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        if let Some(db) = error.as_db_error() {
            return Self::answered(db.code().code(), db.message(), db.detail(), db.hint());
        }
        let mut message = error.to_string();
        let mut cause = std::error::Error::source(&error);
        let mut kind = if error.is_closed() { ErrorKind::Unreachable } else { ErrorKind::Other };
        while let Some(inner) = cause {
            let text = inner.to_string();
            if !message.contains(&text) {
                message = format!("{message}: {text}");
            }
            if let Some(io) = inner.downcast_ref::<std::io::Error>() {
                kind = kind_of_io(io);
            }
            if inner.downcast_ref::<rustls::Error>().is_some() {
                kind = ErrorKind::Tls;
            }
            cause = inner.source();
        }
        if message.contains("server does not support TLS") {
            kind = ErrorKind::Tls;
        }
        if message.contains("invalid configuration: password") || message.contains("authentication error") {
            kind = ErrorKind::Credentials;
        }
        Self { kind, what: String::new(), message, sqlstate: None }
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Self::new(kind_of_io(&error), "", error.to_string())
    }
}

/// Says what was tried when it fails.
pub trait Doing<T> {
    /// Adds what was tried to the error.
    ///
    /// # Errors
    /// The same failure, with `what` in front.
    fn doing<W: Into<String>>(self, what: impl FnOnce() -> W) -> Result<T>;
}

impl<T, E: Into<Error>> Doing<T> for std::result::Result<T, E> {
    fn doing<W: Into<String>>(self, what: impl FnOnce() -> W) -> Result<T> {
        self.map_err(|error| error.into().doing(what()))
    }
}

fn kind_of(code: &str) -> ErrorKind {
    match code {
        "28P01" | "28000" => ErrorKind::Credentials,
        "3D000" => ErrorKind::NoDatabase,
        "42501" => ErrorKind::Permission,
        "57014" => ErrorKind::Timeout,
        "57P01" | "57P02" | "57P03" | "57P05" => ErrorKind::Unreachable,
        other if other.starts_with("08") => ErrorKind::Unreachable,
        _ => ErrorKind::Statement,
    }
}

fn kind_of_io(error: &std::io::Error) -> ErrorKind {
    let tls = error.get_ref().is_some_and(|inner| inner.downcast_ref::<rustls::Error>().is_some());
    match error.kind() {
        _ if tls => ErrorKind::Tls,
        std::io::ErrorKind::TimedOut => ErrorKind::Timeout,
        std::io::ErrorKind::InvalidData | std::io::ErrorKind::NotFound | std::io::ErrorKind::PermissionDenied => ErrorKind::Other,
        _ => ErrorKind::Unreachable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_that_is_turned_away_is_read_from_the_servers_words() {
        let address = |message: &str| Error::new(ErrorKind::Unreachable, "", message).refused_address().map(|address| address.to_string());
        let words = r#"no pg_hba.conf entry for host "203.0.113.7", user "admin", database "shop", SSL encryption"#;
        assert_eq!(address(words).as_deref(), Some("203.0.113.7"));
        assert_eq!(address(&words.replace("203.0.113.7", "2001:db8::7")), None);
        assert_eq!(address("password authentication failed"), None);
    }
}
