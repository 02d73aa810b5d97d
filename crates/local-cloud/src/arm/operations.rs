//! ARM's long-running operations, one at a time for the server.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use hyper::StatusCode;
use serde_json::{Value, json};

use super::{Azure, PROVIDER, State, error};
use crate::http::{Answer, Call, Outcome};
use crate::random;

/// All operations since the start.
#[derive(Default)]
pub(crate) struct Operations(Mutex<HashMap<String, Operation>>);

struct Operation {
    kind: &'static str,
    started: String,
    /// The query's part that a client can't guess: whoever polls without it has not used the URL as it was given.
    signature: String,
    status: Status,
    /// What the final answer of operationResults shows; null is 204.
    result: Value,
}

enum Status {
    InProgress,
    Succeeded,
    Failed(Outcome),
}

impl Operations {
    fn with<T>(&self, id: &str, read: impl FnOnce(&mut Operation) -> T) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_mut(id).map(read)
    }
}

/// The refusal while something else is going on.
pub(super) fn busy(name: &str) -> Answer {
    error(
        StatusCode::CONFLICT,
        "ServerIsBusy",
        format!("Cannot complete operation while server '{name}' is busy processing another operation. Try again later."),
    )
}

impl Azure {
    /// Claims the server for a write, from one state into another.
    pub(super) fn claim(&self, from: State, into: State) -> Result<(), Answer> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if *state != from {
            return Err(busy(&self.name));
        }
        *state = into;
        Ok(())
    }

    /// Answers 202 and does the work behind it. The server must have been claimed; it is in the state `after` some time later.
    pub(super) fn begin<F>(self: &Arc<Self>, call: &Call, kind: &'static str, after: State, result: Value, work: F) -> Answer
    where
        F: Future<Output = Result<(), Outcome>> + Send + 'static,
    {
        let id = random::uuid();
        let started = now();
        let signature = random::alphanumeric(43);
        let forced = self.faults.take_outcome("arm", call.method.as_str(), &format!("/{}", call.segments.join("/")));
        let operation = Operation { kind, started: started.clone(), signature: signature.clone(), status: Status::InProgress, result };
        self.operations.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone(), operation);

        let azure = Arc::clone(self);
        let operation_id = id.clone();
        tokio::spawn(async move {
            tokio::time::sleep(azure.delay).await;
            let outcome = match forced {
                Some(outcome) => Err(outcome),
                None => work.await,
            };
            azure.operations.with(&operation_id, |operation| {
                operation.status = outcome.map_or_else(Status::Failed, |()| Status::Succeeded);
            });
            // The real one stays busy for a moment after the operation has succeeded, and clients fall over that.
            tokio::time::sleep(azure.delay / 2).await;
            azure.set_state(after);
        });

        // Real ones carry a certificate and a signature of about 4 kB.
        let query = format!(
            "api-version={}&t={}&c={}&s={}&h={signature}",
            url::form_urlencoded::byte_serialize(call.query("api-version").unwrap_or_default().as_bytes()).collect::<String>(),
            jiff::Timestamp::now().as_millisecond(),
            random::alphanumeric(2700),
            random::alphanumeric(342),
        );
        let base = format!("{}/subscriptions/{}/providers/{PROVIDER}/locations/{}", call.origin, self.subscription, self.region_slug());
        let answer = Answer::new(StatusCode::ACCEPTED, json!({ "operation": kind, "startTime": started }))
            .with("azure-asyncoperation", format!("{base}/azureAsyncOperation/{id}?{query}"))
            .with("location", format!("{base}/operationResults/{id}?{query}"))
            .with(
                "x-ms-operation-identifier",
                format!("tenantId={},objectId={}/{}/{}", self.identity.tenant, self.identity.client, self.region_slug(), random::uuid()),
            );
        self.with_retry_after(answer)
    }

    fn with_retry_after(&self, answer: Answer) -> Answer {
        match self.retry_after {
            Some(seconds) => answer.with("retry-after", seconds.to_string()),
            // As the real one: not a word about when to come back.
            None => answer,
        }
    }

    fn polled<T>(&self, call: &Call, id: &str, read: impl FnOnce(&mut Operation) -> T) -> Result<T, Answer> {
        let missing = || error(StatusCode::NOT_FOUND, "OperationNotFound", format!("The operation '{id}' could not be found."));
        let signed = self.operations.with(id, |operation| call.query("h") == Some(operation.signature.as_str())).ok_or_else(missing)?;
        if !signed {
            return Err(error(
                StatusCode::FORBIDDEN,
                "InvalidOperationSignature",
                "The URL of the operation was not used as it was given.",
            ));
        }
        self.operations.with(id, read).ok_or_else(missing)
    }

    /// `azureAsyncOperation`: always 200, the status is in the body.
    pub(super) fn poll_operation(&self, call: &Call, id: &str) -> Answer {
        let body = self.polled(call, id, |operation| {
            let body = |status: &str| json!({ "name": id, "status": status, "startTime": operation.started });
            match &operation.status {
                Status::InProgress => body("InProgress"),
                Status::Succeeded => body("Succeeded"),
                Status::Failed(outcome) => {
                    let mut body = body("Failed");
                    body["error"] = json!({ "code": outcome.code, "message": outcome.message });
                    body
                }
            }
        });
        match body {
            Ok(body) => self.with_retry_after(Answer::ok(body)),
            Err(answer) => answer,
        }
    }

    /// `operationResults`: 202 until the end, then what the call would have answered.
    pub(super) fn poll_result(&self, call: &Call, id: &str) -> Answer {
        let answer = self.polled(call, id, |operation| match &operation.status {
            Status::InProgress => Answer::new(StatusCode::ACCEPTED, json!({ "operation": operation.kind, "startTime": operation.started })),
            Status::Succeeded if operation.result == Value::Null => Answer::empty(StatusCode::NO_CONTENT),
            Status::Succeeded => Answer::ok(operation.result.clone()),
            Status::Failed(outcome) => error(StatusCode::INTERNAL_SERVER_ERROR, &outcome.code, outcome.message.clone()),
        });
        match answer {
            Ok(answer) if answer.status == StatusCode::ACCEPTED => self.with_retry_after(answer),
            Ok(answer) | Err(answer) => answer,
        }
    }
}

/// The time with milliseconds, as ARM writes it.
pub(super) fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}
