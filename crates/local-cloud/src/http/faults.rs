//! Faults on request, and a record of what was asked.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;

/// What goes wrong with a call.
#[derive(Debug, Clone)]
pub enum Fault {
    /// It is answered so without being looked at; `Retry-After` in seconds goes along.
    Answer {
        /// The HTTP status.
        status: u16,
        /// The body; none if null.
        body: Value,
        /// `Retry-After`, in seconds.
        retry_after: Option<u64>,
    },
    /// It is carried out, but the connection breaks before the answer.
    LoseAnswer,
    /// The connection breaks before it is carried out.
    LoseRequest,
    /// It is carried out and answered after this time.
    Delay(Duration),
    /// It is accepted, and its asynchronous operation fails with this code and message.
    FailOperation {
        /// ARM's error code; Neon shows only the message.
        code: String,
        /// For people.
        message: String,
    },
}

/// One request as it was received; no headers and no body, where the secrets are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// `arm` or `neon`.
    pub api: &'static str,
    /// The method.
    pub method: String,
    /// The path without its query.
    pub path: String,
    /// The status that was answered; 0 if none was.
    pub status: u16,
}

struct Armed {
    method: String,
    path_contains: String,
    fault: Fault,
    times: usize,
}

/// The faults that wait for their calls, and the calls so far.
#[derive(Default)]
pub(crate) struct Faults {
    armed: Mutex<Vec<Armed>>,
    calls: Mutex<Vec<Recorded>>,
}

/// What a failing operation says.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    pub(crate) code: String,
    pub(crate) message: String,
}

impl Faults {
    /// Lets the next so many calls fail whose method is equal (`*` is any) and whose path contains the text, whatever its case.
    pub(crate) fn arm(&self, method: &str, path_contains: &str, times: usize, fault: Fault) {
        self.armed.lock().unwrap_or_else(PoisonError::into_inner).push(Armed {
            method: method.to_uppercase(),
            path_contains: path_contains.to_lowercase(),
            fault,
            times,
        });
    }

    pub(crate) fn disarm(&self) {
        self.armed.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The fault for this call, which is used up by it. Faults of operations are kept for the operation.
    pub(crate) fn take(&self, method: &str, path: &str) -> Option<Fault> {
        self.pick(method, path, |fault| !matches!(fault, Fault::FailOperation { .. }))
    }

    /// How the operation that this call starts will fail, if it will.
    pub(crate) fn take_outcome(&self, method: &str, path: &str) -> Option<Outcome> {
        match self.pick(method, path, |fault| matches!(fault, Fault::FailOperation { .. }))? {
            Fault::FailOperation { code, message } => Some(Outcome { code, message }),
            _ => None,
        }
    }

    fn pick(&self, method: &str, path: &str, wanted: impl Fn(&Fault) -> bool) -> Option<Fault> {
        let path = path.to_lowercase();
        let mut armed = self.armed.lock().unwrap_or_else(PoisonError::into_inner);
        let index = armed.iter().position(|armed| {
            wanted(&armed.fault) && (armed.method == "*" || armed.method == method) && path.contains(&armed.path_contains)
        })?;
        let fault = armed[index].fault.clone();
        armed[index].times = armed[index].times.saturating_sub(1);
        if armed[index].times == 0 {
            armed.remove(index);
        }
        Some(fault)
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
    use super::{Fault, Faults};

    #[test]
    fn a_fault_is_used_up_by_the_calls_it_was_meant_for() {
        let faults = Faults::default();
        faults.arm("get", "/Projects", 2, Fault::LoseAnswer);
        assert!(faults.take("POST", "/api/v2/projects").is_none());
        assert!(faults.take("GET", "/api/v2/regions").is_none());
        assert!(faults.take_outcome("GET", "/api/v2/projects").is_none());
        assert!(faults.take("GET", "/api/v2/projects").is_some());
        assert!(faults.take("GET", "/api/v2/projects/p").is_some());
        assert!(faults.take("GET", "/api/v2/projects").is_none());
    }
}
