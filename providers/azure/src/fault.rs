//! What can go wrong between this program and ARM, before it becomes an error for the operator.

use std::fmt;
use std::time::Duration;

use azure_core_legacy as legacy;
use azure2neon_core::{Error, ErrorKind};
use serde::Deserialize;

use crate::credential::Credential;

/// ARM's error envelope, `{"error":{…}}`, or the bare inner part that operations have.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct ErrorBody {
    code: Option<String>,
    message: Option<String>,
    #[serde(default, deserialize_with = "crate::model::or_default")]
    details: Vec<ErrorBody>,
}

impl ErrorBody {
    fn code(&self) -> &str {
        self.code.as_deref().unwrap_or_default()
    }

    /// The message, and those of the details, which sometimes say more.
    fn text(&self) -> String {
        let mut text = match (&self.code, &self.message) {
            (Some(code), Some(message)) => format!("{code}: {message}"),
            (Some(only), None) | (None, Some(only)) => only.clone(),
            (None, None) => String::new(),
        };
        for detail in &self.details {
            let more = detail.text();
            if !more.is_empty() && !text.contains(&more) {
                text = format!("{text}; {more}");
            }
        }
        text
    }
}

/// Why a call did not succeed. Holds no token and no URL.
#[derive(Debug)]
pub(crate) enum Fault {
    /// ARM answered with an error status.
    Answer { status: u16, body: ErrorBody, retry_after: Option<Duration>, request_id: Option<String> },
    /// The request never left: no connection.
    NotSent { host: String, cause: String },
    /// The request was sent, and no whole answer came back.
    Lost { host: String, cause: String },
    /// No token could be had.
    Credential(String),
    /// A link or an operation's address points to another host, which must not see the token.
    Foreign(String),
    /// An answer that can't be read.
    Malformed(String),
    /// A long-running operation ended with an error.
    Operation(ErrorBody),
    /// A long-running operation was cancelled.
    Canceled,
    /// A long-running operation did not end in time.
    Deadline(Duration),
    /// Something was accepted, and no operation was named: only the server's state tells whether it is done.
    Unwatched,
}

impl Fault {
    /// From an error status and its body, of which HTML is not shown.
    pub(crate) fn answer(status: u16, body: &[u8], retry_after: Option<Duration>, request_id: Option<String>) -> Self {
        #[derive(Deserialize)]
        struct Envelope {
            error: ErrorBody,
        }
        let body = serde_json::from_slice::<Envelope>(body)
            .map(|envelope| envelope.error)
            .or_else(|_| serde_json::from_slice::<ErrorBody>(body))
            .unwrap_or_default();
        Self::Answer { status, body, retry_after, request_id }
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

    /// The server works on another operation, or is not in the state for this one: nothing was changed.
    pub(crate) fn is_busy(&self) -> bool {
        const BUSY: [&str; 6] =
            ["ServerIsBusy", "ServerBusy", "ServerIsNotReady", "Conflict", "AnotherOperationInProgress", "ResourceIsBusy"];
        let known = |code: &str| BUSY.iter().any(|busy| busy.eq_ignore_ascii_case(code));
        match self {
            Self::Answer { status, body, .. } => known(body.code()) || (*status == 409 && body.code().is_empty()),
            Self::Operation(body) => known(body.code()),
            _ => false,
        }
    }

    pub(crate) fn is_throttled(&self) -> bool {
        self.status() == Some(429)
    }

    /// Azure's own trouble, with the request or with the operation that it started; what it did until then is unknown.
    pub(crate) fn is_server_error(&self) -> bool {
        const PASSING: [&str; 5] = ["InternalServerError", "InternalError", "ServiceUnavailable", "GatewayTimeout", "OperationTimedOut"];
        match self {
            Self::Answer { status, .. } => *status >= 500 || *status == 408,
            Self::Operation(body) => PASSING.iter().any(|code| code.eq_ignore_ascii_case(body.code())),
            _ => false,
        }
    }

    /// Nothing came back.
    pub(crate) fn is_silence(&self) -> bool {
        matches!(self, Self::NotSent { .. } | Self::Lost { .. })
    }

    /// The same request may do better in a while.
    pub(crate) fn is_passing(&self) -> bool {
        self.is_busy() || self.is_throttled() || self.is_server_error() || self.is_silence()
    }

    /// It is unknown whether ARM took the request.
    pub(crate) fn is_ambiguous(&self) -> bool {
        matches!(self, Self::Lost { .. } | Self::Unwatched) || (self.is_server_error() && !self.is_busy())
    }

    pub(crate) fn is_not_found(&self) -> bool {
        self.status() == Some(404)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer { status, body, request_id, .. } => {
                write!(f, "Azure answered {status}")?;
                let text = body.text();
                if !text.is_empty() {
                    write!(f, " {text}")?;
                }
                match request_id {
                    Some(id) => write!(f, " (request {id})"),
                    None => Ok(()),
                }
            }
            Self::NotSent { host, cause } => write!(f, "no connection to {host}: {cause}"),
            Self::Lost { host, cause } => write!(f, "no answer from {host}: {cause}"),
            Self::Credential(message) => write!(f, "no access token: {message}"),
            Self::Foreign(origin) => write!(f, "refused to follow a link to {origin}"),
            Self::Malformed(what) => write!(f, "an answer of Azure can't be read: {what}"),
            Self::Operation(body) => match body.text() {
                text if text.is_empty() => write!(f, "Azure's operation failed without a reason"),
                text => write!(f, "Azure's operation failed: {text}"),
            },
            Self::Canceled => write!(f, "Azure's operation was cancelled"),
            Self::Unwatched => write!(f, "Azure accepted it without naming an operation"),
            Self::Deadline(most) => write!(f, "Azure's operation did not end within {} s", most.as_secs()),
        }
    }
}

impl std::error::Error for Fault {}

impl From<Fault> for legacy::Error {
    fn from(fault: Fault) -> Self {
        legacy::Error::new(legacy::error::ErrorKind::Other, fault)
    }
}

impl From<legacy::Error> for Fault {
    fn from(error: legacy::Error) -> Self {
        // All but failed parses and URL joins of the crate are ours, made in the transport.
        match error.into_downcast::<Fault>() {
            Ok(fault) => fault,
            Err(error) => Fault::Malformed(error.to_string()),
        }
    }
}

/// What was being done, for the error's text, and the right that it takes.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) what: String,
    pub(crate) action: &'static str,
}

impl Call {
    pub(crate) fn new(what: impl Into<String>, action: &'static str) -> Self {
        Self { what: what.into(), action }
    }

    /// The error for the operator. `credential` is who was refused.
    pub(crate) fn error(&self, fault: Fault, credential: &Credential) -> Error {
        let kind = match &fault {
            Fault::Credential(_) => ErrorKind::Credentials,
            Fault::NotSent { .. } | Fault::Lost { .. } => ErrorKind::Unreachable,
            Fault::Deadline(_) => ErrorKind::Timeout,
            Fault::Answer { status: 401, .. } => ErrorKind::Credentials,
            Fault::Answer { status: 403, .. } => ErrorKind::Permission,
            Fault::Answer { status: 404, .. } => ErrorKind::NotFound,
            _ => ErrorKind::Cloud,
        };
        let error = Error::new(kind, format!("could not {}: {fault}", self.what));
        match kind {
            ErrorKind::Credentials => error.hint(credential.remedy()),
            ErrorKind::Permission => error
                .hint(format!("give {credential} a role with {} on it or its resource group (`az role assignment create`)", self.action)),
            _ => error,
        }
    }
}
