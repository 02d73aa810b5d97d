//! Faults on request, and a record of what was asked.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What goes wrong with a call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Fault {
    /// It is answered with this status, in the API's own words for it, without being looked at.
    Status(u16),
    /// It is answered so without being looked at; `Retry-After` in seconds goes along.
    Answer {
        /// The HTTP status.
        status: u16,
        /// The body; none if null. Text is sent as an HTML page, as the proxies in front of an API do.
        #[serde(default)]
        body: Value,
        /// `Retry-After`, in seconds.
        #[serde(default)]
        retry_after: Option<u64>,
    },
    /// It is carried out, but the connection breaks before the answer.
    LoseAnswer,
    /// The connection breaks before it is carried out.
    LoseRequest,
    /// It is neither carried out nor answered; the connection stays open.
    Stall,
    /// It is carried out and answered after this time; in milliseconds on the control endpoint.
    #[serde(with = "milliseconds")]
    Delay(Duration),
    /// It is accepted, and its asynchronous operation fails with this code and message.
    FailOperation {
        /// ARM's error code. Neon shows only the message; with the code `retry` the operation is tried again, and succeeds.
        code: String,
        /// For people.
        message: String,
    },
}

mod milliseconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}

/// One request as it was received; no headers and no body, where the secrets are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Recorded {
    /// `arm`, `entra` (the tokens) or `neon`.
    pub api: &'static str,
    /// The method.
    pub method: String,
    /// The path without its query.
    pub path: String,
    /// The status that was answered; 0 if none was.
    pub status: u16,
    /// Whether a fault on request befell it.
    pub failed: bool,
}

/// Calls that shall fail, and how.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Armed {
    /// Equal to the call's method; `*` is any.
    #[serde(default = "any")]
    method: String,
    /// In the call's path, whatever its case; a `*` stands for anything, a `$` at the end for the path's end.
    #[serde(default)]
    path: String,
    /// How many calls of this kind will fail.
    #[serde(default = "once")]
    times: usize,
    /// What happens to them.
    fault: Fault,
}

fn any() -> String {
    "*".to_owned()
}

fn once() -> usize {
    1
}

impl Armed {
    pub(crate) fn new(method: &str, path: &str, times: usize, fault: Fault) -> Self {
        Self { method: method.to_owned(), path: path.to_owned(), times, fault }
    }

    fn concerns(&self, method: &str, path: &str) -> bool {
        (self.method == "*" || self.method.eq_ignore_ascii_case(method)) && contains(&path.to_lowercase(), &self.path.to_lowercase())
    }
}

/// Whether the text contains the pattern, in which a `*` stands for anything and a `$` at the end for the text's end.
fn contains(text: &str, pattern: &str) -> bool {
    let (pattern, ended) = pattern.strip_suffix('$').map_or((pattern, false), |pattern| (pattern, true));
    let (parts, last) = pattern.rsplit_once('*').unwrap_or(("", pattern));
    let mut rest = text;
    let found = parts.split('*').all(|part| match rest.find(part) {
        Some(at) => {
            rest = &rest[at + part.len()..];
            true
        }
        None => false,
    });
    found && if ended { rest.ends_with(last) } else { rest.contains(last) }
}

/// A fault that befalls every request once.
struct Each {
    api: &'static str,
    fault: Fault,
    seen: HashSet<(String, String)>,
}

#[derive(Default)]
struct Waiting {
    armed: Vec<Armed>,
    each: Vec<Each>,
}

/// The faults that wait for their calls, and the calls so far.
#[derive(Default)]
pub(crate) struct Faults {
    waiting: Mutex<Waiting>,
    calls: Mutex<Vec<Recorded>>,
}

/// What a failing operation says.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    pub(crate) code: String,
    pub(crate) message: String,
}

impl Faults {
    /// Lets calls fail.
    pub(crate) fn arm(&self, armed: Armed) {
        if armed.times > 0 {
            self.waiting().armed.push(armed);
        }
    }

    /// Lets each call of the API fail once: the first of its method and path.
    pub(crate) fn arm_each(&self, api: &'static str, fault: Fault) {
        self.waiting().each.push(Each { api, fault, seen: HashSet::new() });
    }

    pub(crate) fn disarm(&self) {
        *self.waiting() = Waiting::default();
    }

    /// What is armed, but for the faults of each call.
    pub(crate) fn armed(&self) -> Vec<Armed> {
        self.waiting().armed.clone()
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The fault for this call, which is used up by it. Faults of operations are kept for the operation.
    pub(crate) fn take(&self, api: &str, method: &str, path: &str) -> Option<Fault> {
        self.pick(api, method, path, |fault| !matches!(fault, Fault::FailOperation { .. }))
    }

    /// How the operation that this call starts will fail, if it will.
    pub(crate) fn take_outcome(&self, api: &str, method: &str, path: &str) -> Option<Outcome> {
        match self.pick(api, method, path, |fault| matches!(fault, Fault::FailOperation { .. }))? {
            Fault::FailOperation { code, message } => Some(Outcome { code, message }),
            _ => None,
        }
    }

    fn pick(&self, api: &str, method: &str, path: &str, wanted: impl Fn(&Fault) -> bool) -> Option<Fault> {
        let mut waiting = self.waiting();
        let Waiting { armed, each } = &mut *waiting;
        if let Some(index) = armed.iter().position(|armed| wanted(&armed.fault) && armed.concerns(method, path)) {
            let fault = armed[index].fault.clone();
            armed[index].times -= 1;
            if armed[index].times == 0 {
                armed.remove(index);
            }
            return Some(fault);
        }
        let first =
            |each: &mut &mut Each| each.api == api && wanted(&each.fault) && each.seen.insert((method.to_owned(), path.to_lowercase()));
        each.iter_mut().find_map(|mut each| first(&mut each).then(|| each.fault.clone()))
    }

    pub(crate) fn record(&self, call: Recorded) {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).push(call);
    }

    pub(crate) fn calls(&self) -> Vec<Recorded> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::{Armed, Fault, Faults, contains};

    #[test]
    fn a_fault_is_used_up_by_the_calls_it_was_meant_for() {
        let faults = Faults::default();
        faults.arm(Armed::new("get", "/Projects", 2, Fault::LoseAnswer));
        assert!(faults.take("neon", "POST", "/api/v2/projects").is_none());
        assert!(faults.take("neon", "GET", "/api/v2/regions").is_none());
        assert!(faults.take_outcome("neon", "GET", "/api/v2/projects").is_none());
        assert!(faults.take("neon", "GET", "/api/v2/projects").is_some());
        assert!(faults.take("neon", "GET", "/api/v2/projects/p").is_some());
        assert!(faults.take("neon", "GET", "/api/v2/projects").is_none());
    }

    #[test]
    fn a_fault_of_each_call_befalls_each_once() {
        let faults = Faults::default();
        faults.arm_each("arm", Fault::LoseAnswer);
        assert!(faults.take("neon", "GET", "/a").is_none());
        assert!(faults.take("arm", "GET", "/a").is_some());
        assert!(faults.take("arm", "GET", "/A").is_none());
        assert!(faults.take("arm", "GET", "/b").is_some());
        assert!(faults.take("arm", "PUT", "/a").is_some());
    }

    #[test]
    fn a_star_stands_for_anything() {
        assert!(contains("/projects/p-1/branches/b-1/roles", "/projects/*/roles"));
        assert!(contains("/projects", ""));
        assert!(contains("/projects/p-1/branches", "/projects/*$"));
        assert!(contains("/projects", "/projects$"));
        assert!(!contains("/projects/p-1", "/projects$"));
        assert!(!contains("/projects/p-1/branches", "/projects/*/roles"));
    }

    #[test]
    fn faults_have_a_written_form() {
        let read = |text: &str| serde_json::from_str::<Armed>(text).map(|armed| armed.fault);
        assert_eq!(read(r#"{"fault":"lose-answer"}"#).unwrap(), Fault::LoseAnswer);
        assert_eq!(read(r#"{"method":"PUT","times":3,"fault":{"status":429}}"#).unwrap(), Fault::Status(429));
        assert_eq!(read(r#"{"fault":{"delay":250}}"#).unwrap(), Fault::Delay(std::time::Duration::from_millis(250)));
        assert!(read(r#"{"fault":"nonsense"}"#).is_err());
        assert!(read(r#"{"fautl":"stall"}"#).is_err());
    }
}
