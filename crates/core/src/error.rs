//! The one error type of the library, and the kinds that decide the exit code, the hint and whether to try again.

use std::error::Error as StdError;
use std::fmt;

/// What went wrong, coarsely enough to have one remedy and one exit code each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorKind {
    /// A setting is missing, malformed or contradicts another one.
    Configuration,
    /// A credential (token, key, password) was refused.
    Credentials,
    /// The credential is good, but may not do this.
    Permission,
    /// A server, database, project or resource does not exist.
    NotFound,
    /// Something of that name exists already, and this run did not make it.
    AlreadyExists,
    /// A server or an API does not answer.
    Unreachable,
    /// A cloud's API refused or failed an operation.
    Cloud,
    /// A PostgreSQL server refused or failed a statement.
    Database,
    /// One or more statements of the schema failed on the target.
    Schema,
    /// Source and target differ.
    NotEqual,
    /// The cut-over could not be proven within `--max-pause`; the source was reopened.
    PauseExceeded,
    /// A finding blocks the migration.
    Blocked,
    /// A wait reached its deadline.
    Timeout,
    /// Another process works on this run, or the run's folder is not usable.
    RunFolder,
    /// A program that is needed (such as pg_dump) is missing, too old or failed.
    Tool,
    /// The operator asked to stop.
    Interrupted,
    /// A defect of this program.
    Internal,
}

/// An error of the migration: what failed and why. What to do next comes from the kind, or from `hint`.
pub struct Error {
    kind: ErrorKind,
    message: String,
    hint: Option<String>,
    step: Option<String>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// The library's result.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error of `kind`; `message` says what failed, without a trailing full stop.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None, step: None, source: None }
    }

    /// What to do next, with the literal command or setting.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same, if it does not say yet what to do next.
    #[must_use]
    pub fn or_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint.get_or_insert_with(|| hint.into());
        self
    }

    /// Says what could not be done because of this.
    #[must_use]
    pub fn of(mut self, what: &str) -> Self {
        self.message = format!("{what}: {}", self.message);
        self
    }

    /// Also tells of another error.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        self.message = format!("{}; and {}", self.message, other.message);
        self
    }

    /// Also tells of another error, and what to do about both.
    #[must_use]
    pub fn joined_by(self, other: &Self) -> Self {
        let hints: Vec<&str> = [self.remedy(), other.remedy()].into_iter().flatten().collect();
        let hint = hints.join("; ");
        self.and(other).hint(hint)
    }

    /// The error underneath. Its text is shown, so it must not hold a secret.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The step in which it happened; the innermost one is kept.
    #[must_use]
    pub fn in_step(mut self, step: &str) -> Self {
        self.step.get_or_insert_with(|| step.to_owned());
        self
    }

    /// The kind.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What failed, in one sentence.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The step in which it happened, if one was running.
    pub fn step(&self) -> Option<&str> {
        self.step.as_deref()
    }

    /// What to do next: the error's own hint, or the one of its kind.
    pub fn remedy(&self) -> Option<&str> {
        self.hint.as_deref().or(match self.kind {
            ErrorKind::RunFolder => Some("see who holds it with `azure2neon status`, or name another folder with --run-dir"),
            ErrorKind::Interrupted => Some("run the same command again: it goes on where it stopped"),
            ErrorKind::Internal => Some("this is a defect of azure2neon: please report it with the run's journal.jsonl"),
            ErrorKind::Unreachable | ErrorKind::Timeout | ErrorKind::Cloud => {
                Some("run the same command again: it goes on where it stopped; `azure2neon abort` undoes what was done")
            }
            _ => None,
        })
    }

    /// The causes, outermost first.
    pub fn causes(&self) -> Vec<String> {
        let mut causes = Vec::new();
        let mut next = StdError::source(self);
        while let Some(cause) = next {
            let text = cause.to_string();
            if causes.last() != Some(&text) {
                causes.push(text);
            }
            next = cause.source();
        }
        causes
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.kind, self.message)?;
        for cause in self.causes() {
            write!(f, ": {cause}")?;
        }
        Ok(())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

impl From<azure2neon_postgres::Error> for Error {
    fn from(error: azure2neon_postgres::Error) -> Self {
        use azure2neon_postgres::ErrorKind as Kind;
        let kind = match error.kind() {
            Kind::Unreachable | Kind::Tls => ErrorKind::Unreachable,
            Kind::Credentials => ErrorKind::Credentials,
            Kind::NoDatabase => ErrorKind::NotFound,
            Kind::Permission => ErrorKind::Permission,
            Kind::Timeout => ErrorKind::Timeout,
            Kind::Tool => ErrorKind::Tool,
            Kind::Statement | Kind::Other => ErrorKind::Database,
        };
        Self::new(kind, error.to_string())
    }
}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        azure2neon_postgres::Error::from(error).into()
    }
}
