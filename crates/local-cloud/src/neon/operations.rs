//! Neon's operations: what a mutation really does, one step after the other, after the API has answered.

use std::sync::Arc;

use futures::future::BoxFuture;
use hyper::StatusCode;
use serde_json::{Value, json};

use super::project::{Project, State};
use super::{Neon, now};
use crate::error::{Error, Result};
use crate::http::{Answer, Call};
use crate::random;

/// One operation.
pub(super) struct Operation {
    pub(super) id: String,
    action: &'static str,
    on_endpoint: bool,
    status: &'static str,
    error: Option<String>,
    created: String,
    updated: String,
    started: jiff::Timestamp,
    milliseconds: i64,
}

/// What an operation will do.
pub(super) struct Step {
    action: &'static str,
    on_endpoint: bool,
    work: BoxFuture<'static, Result<()>>,
}

impl Step {
    /// An operation on the branch.
    pub(super) fn on_branch(action: &'static str, work: impl Future<Output = Result<()>> + Send + 'static) -> Self {
        Self { action, on_endpoint: false, work: Box::pin(work) }
    }

    /// An operation on the compute.
    pub(super) fn on_endpoint(action: &'static str, work: impl Future<Output = Result<()>> + Send + 'static) -> Self {
        Self { action, on_endpoint: true, work: Box::pin(work) }
    }
}

impl Operation {
    fn new(step: &Step) -> Self {
        Self {
            id: random::uuid(),
            action: step.action,
            on_endpoint: step.on_endpoint,
            status: "scheduling",
            error: None,
            created: now(),
            updated: now(),
            started: jiff::Timestamp::now(),
            milliseconds: 0,
        }
    }

    pub(super) fn unfinished(&self) -> bool {
        matches!(self.status, "scheduling" | "running")
    }

    pub(super) fn json(&self, project: &Project) -> Value {
        let mut operation = json!({
            "id": self.id,
            "project_id": project.id,
            "branch_id": project.branch,
            "action": self.action,
            "status": self.status,
            "failures_count": u8::from(self.error.is_some()),
            "created_at": self.created,
            "updated_at": self.updated,
            "total_duration_ms": self.milliseconds,
        });
        if self.on_endpoint {
            operation["endpoint_id"] = json!(project.endpoint);
        }
        if let Some(error) = &self.error {
            operation["error"] = json!(error);
        }
        operation
    }
}

impl Neon {
    /// Changes a project unless an operation is under way, and starts the operations that make the change real.
    /// The change tells the answer's body, to which the operations are added.
    pub(super) fn mutate(
        self: &Arc<Self>,
        call: &Call,
        status: StatusCode,
        project: &Arc<Project>,
        change: impl FnOnce(&mut State) -> Result<(Value, Vec<Step>), Answer>,
    ) -> Result<Answer, Answer> {
        let mut state = project.state();
        if state.deleted {
            return Err(super::not_found("project"));
        }
        if state.busy() {
            return Err(super::locked());
        }
        let (mut body, steps) = change(&mut state)?;
        state.updated = now();
        let mut operations: Vec<Operation> = steps.iter().map(Operation::new).collect();
        // The first one runs already when the answer is written.
        if let Some(first) = operations.first_mut() {
            first.status = "running";
        }
        body["operations"] = operations.iter().map(|operation| operation.json(project)).collect();
        let ids: Vec<String> = operations.iter().map(|operation| operation.id.clone()).collect();
        state.operations.extend(operations);
        drop(state);

        let forced = self.faults.take_outcome("neon", call.method.as_str(), &format!("/{}", call.segments.join("/")));
        let (neon, project) = (Arc::clone(self), Arc::clone(project));
        tokio::spawn(async move {
            let last = steps.len().saturating_sub(1);
            let mut failed = false;
            for (index, (step, id)) in steps.into_iter().zip(ids).enumerate() {
                if failed {
                    project.finish(&id, "cancelled", None);
                    continue;
                }
                project.run(&id);
                tokio::time::sleep(neon.delay).await;
                let outcome = match &forced {
                    Some(outcome) if index == last => Err(Error::new(outcome.message.clone())),
                    _ => step.work.await,
                };
                failed = outcome.is_err();
                match outcome {
                    Ok(()) => project.finish(&id, "finished", None),
                    Err(error) => {
                        tracing::warn!("the operation {} of {} failed: {error}", step.action, project.id);
                        project.finish(&id, "failed", Some(error.to_string()));
                    }
                }
            }
        });
        Ok(Answer::new(status, body))
    }

    /// Newest first.
    pub(super) fn list_operations(&self, call: &Call, project: &Project) -> Answer {
        let state = project.state();
        let limit = call.query("limit").and_then(|limit| limit.parse().ok()).unwrap_or(10usize);
        let skip = call.query("cursor").and_then(|cursor| cursor.parse().ok()).unwrap_or(0usize);
        let operations: Vec<Value> =
            state.operations.iter().rev().skip(skip).take(limit).map(|operation| operation.json(project)).collect();
        let next = skip + operations.len();
        Answer::ok(json!({ "operations": operations, "pagination": { "cursor": next.to_string() } }))
    }
}

impl Project {
    fn run(&self, id: &str) {
        self.update(id, |operation| {
            operation.status = "running";
            operation.started = jiff::Timestamp::now();
        });
    }

    fn finish(&self, id: &str, status: &'static str, error: Option<String>) {
        self.update(id, |operation| {
            operation.status = status;
            operation.error = error;
            operation.milliseconds = jiff::Timestamp::now().as_millisecond() - operation.started.as_millisecond();
        });
    }

    fn update(&self, id: &str, change: impl FnOnce(&mut Operation)) {
        if let Some(operation) = self.state().operations.iter_mut().find(|operation| operation.id == id) {
            change(operation);
            operation.updated = now();
        }
    }
}
