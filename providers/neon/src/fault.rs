//! What can go wrong between this program and Neon's API, before it becomes an error for the operator.

use std::fmt;
use std::time::Duration;

use azure2neon_core::{Error, ErrorKind};
use serde::Deserialize;

/// Why a call did not succeed. Holds no key, password or URL.
#[derive(Debug)]
pub(crate) enum Fault {
    /// Neon answered with an error status.
    Answer { status: u16, code: String, message: String, retry_after: Option<Duration>, request_id: Option<String> },
    /// The request never left: no connection.
    NotSent { host: String, cause: String },
    /// The request was sent, and no whole answer came back.
    Lost { host: String, cause: String },
    /// An answer that can't be read.
    Malformed(String),
    /// An operation ended badly.
    Operation { action: String, status: String, message: String },
    /// An operation did not end in time.
    Deadline { action: String, most: Duration },
}

impl Fault {
    /// From an error status and its body, which may be a proxy's HTML page.
    pub(crate) fn answer(status: u16, body: &[u8], retry_after: Option<Duration>, header_id: Option<String>) -> Self {
        #[derive(Default, Deserialize)]
        struct Body {
            code: Option<String>,
            message: Option<String>,
            request_id: Option<String>,
        }
        let body: Body = serde_json::from_slice(body).unwrap_or_default();
        Self::Answer {
            status,
            code: body.code.unwrap_or_default(),
            message: body.message.unwrap_or_default(),
            retry_after,
            request_id: body.request_id.or(header_id),
        }
    }

    pub(crate) fn status(&self) -> Option<u16> {
        match self {
            Self::Answer { status, .. } => Some(*status),
            _ => None,
        }
    }

    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Answer { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// Whether Neon's message says `text`: statuses are not reliable, messages are.
    pub(crate) fn says(&self, text: &str) -> bool {
        match self {
            Self::Answer { message, .. } | Self::Operation { message, .. } => message.to_lowercase().contains(text),
            _ => false,
        }
    }

    /// Refused for now, and without effect, whatever the method.
    pub(crate) fn is_refused_for_now(&self) -> bool {
        matches!(self.status(), Some(423 | 429 | 503)) || self.says("branch not ready yet")
    }

    /// Nothing came back, or a 5xx that does not say what happened.
    pub(crate) fn is_ambiguous(&self) -> bool {
        matches!(self, Self::Lost { .. }) || self.status().is_some_and(|status| status >= 500 && status != 503)
    }

    /// The request never reached Neon.
    pub(crate) fn is_not_sent(&self) -> bool {
        matches!(self, Self::NotSent { .. })
    }

    pub(crate) fn is_not_found(&self) -> bool {
        self.status() == Some(404)
    }

    pub(crate) fn says_exists(&self) -> bool {
        matches!(self.status(), Some(400 | 409 | 422)) && self.says("already exists")
    }

    /// The plan has no say over when a compute suspends.
    pub(crate) fn is_suspend_refused(&self) -> bool {
        self.says("suspend interval changing is not allowed")
    }

    /// The plan doesn't keep so much history. Its words are not documented.
    pub(crate) fn is_history_refused(&self) -> bool {
        self.status().is_some_and(|status| (400..500).contains(&status)) && self.says("history")
    }

    /// The project doesn't store passwords.
    pub(crate) fn keeps_no_password(&self) -> bool {
        self.status() == Some(412) || self.says("storing passwords is not enabled")
    }

    /// What to do about a limit of the account's plan, if that is what it is.
    fn way_around_limit(&self) -> Option<&'static str> {
        let Self::Answer { status: 400..=422, code, message, .. } = self else { return None };
        let message = message.to_lowercase();
        let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
        if code.starts_with("PROJECTS_LIMIT") || says(&["projects limit"]) {
            return Some(
                "delete a project in the Neon console, migrate into one that is there with --existing-project, or raise the plan under Billing",
            );
        }
        if says(&["autoscaling", "compute unit", "compute size"]) {
            return Some(
                "`azure2neon abort`, then name a smaller `compute` or `migration_compute` under [target] (the Free plan allows 2 CU), or raise the plan in the Neon console under Billing",
            );
        }
        let is_limit = ["LIMIT", "QUOTA", "EXCEEDED"].iter().any(|word| code.contains(word)) || says(&["limit", "quota", "exceeded"]);
        is_limit.then_some("delete what is not needed, or raise the limit in the Neon console under Billing")
    }

    /// The error for the operator; `what` completes "could not …".
    pub(crate) fn error(self, what: &str) -> Error {
        let kind = match &self {
            Self::NotSent { .. } | Self::Lost { .. } => ErrorKind::Unreachable,
            Self::Deadline { .. } => ErrorKind::Timeout,
            fault if fault.says("not allowed to perform actions outside the project") => ErrorKind::Permission,
            fault if fault.says("not allowed for organization api keys") => ErrorKind::Permission,
            fault if fault.says("org_id is required") => ErrorKind::Configuration,
            Self::Answer { status: 401, .. } => ErrorKind::Credentials,
            Self::Answer { status: 403, .. } => ErrorKind::Permission,
            Self::Answer { status: 404, .. } => ErrorKind::NotFound,
            _ => ErrorKind::Cloud,
        };
        let limit = self.way_around_limit();
        let error = Error::new(kind, format!("could not {what}: {self}"));
        if let Some(hint) = limit {
            return error.hint(hint);
        }
        match kind {
            ErrorKind::Credentials => error.hint("check NEON_API_KEY, or make a new key in the Neon console under Settings → API keys"),
            ErrorKind::Permission => error.hint(
                "use a key of the organisation or of a member of it; one of a single project can only migrate into that: --existing-project ID",
            ),
            ErrorKind::Configuration => error.hint("name the organisation with --org-id"),
            _ => error,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer { status, code, message, request_id, .. } => {
                write!(f, "Neon answered {status}")?;
                for part in [code, message].into_iter().filter(|part| !part.is_empty()) {
                    write!(f, " {part}")?;
                }
                match request_id {
                    Some(id) => write!(f, " (request {id})"),
                    None => Ok(()),
                }
            }
            Self::NotSent { host, cause } => write!(f, "no connection to {host}: {cause}"),
            Self::Lost { host, cause } => write!(f, "no answer from {host}: {cause}"),
            Self::Malformed(what) => write!(f, "an answer of Neon can't be read: {what}"),
            Self::Operation { action, status, message } => {
                write!(f, "Neon's operation {action} ended as {status}")?;
                if message.is_empty() { Ok(()) } else { write!(f, ": {message}") }
            }
            Self::Deadline { action, most } => write!(f, "Neon's operation {action} did not end within {} s", most.as_secs()),
        }
    }
}

impl std::error::Error for Fault {}
