//! Neon's operations: what a mutation really does, one step after the other, after the API has answered.

use std::sync::Arc;

use futures::future::BoxFuture;
use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};

use super::branch::Branch;
use super::project::{Project, State};
use super::{Neon, not_found, seconds, window};
use crate::error::{Error, Result};
use crate::http::{Answer, Call, Outcome};
use crate::random;

/// A failure with this code passes: the operation is tried again after a while, as the real control plane does.
const PASSING: &str = "retry";

/// One operation.
pub(super) struct Operation {
    pub(super) id: String,
    action: &'static str,
    branch: String,
    endpoint: Option<String>,
    status: &'static str,
    error: Option<String>,
    failures: u32,
    retry_at: Option<Timestamp>,
    /// Differs from that of every other operation of the project, since it is the cursor of lists.
    created: Timestamp,
    updated: Timestamp,
    started: Timestamp,
    milliseconds: i64,
}

/// What an operation will do.
pub(super) struct Step {
    action: &'static str,
    branch: String,
    endpoint: Option<String>,
    work: BoxFuture<'static, Result<()>>,
}

/// What a mutation made, and the operations that make it real, as the API shows them.
pub(super) struct Mutation<T> {
    pub(super) made: T,
    pub(super) operations: Value,
}

impl Step {
    /// An operation on the branch.
    pub(super) fn on_branch(action: &'static str, branch: &Branch, work: impl Future<Output = Result<()>> + Send + 'static) -> Self {
        Self { action, branch: branch.id.clone(), endpoint: None, work: Box::pin(work) }
    }

    /// An operation on the branch's compute.
    pub(super) fn on_endpoint(action: &'static str, branch: &Branch, work: impl Future<Output = Result<()>> + Send + 'static) -> Self {
        let endpoint = branch.endpoint.as_ref().map(|endpoint| endpoint.id.clone());
        Self { endpoint, ..Self::on_branch(action, branch, work) }
    }
}

impl Operation {
    fn new(step: &Step, created: Timestamp) -> Self {
        Self {
            id: random::uuid(),
            action: step.action,
            branch: step.branch.clone(),
            endpoint: step.endpoint.clone(),
            status: "scheduling",
            error: None,
            failures: 0,
            retry_at: None,
            created,
            updated: created,
            started: created,
            milliseconds: 0,
        }
    }

    pub(super) fn unfinished(&self) -> bool {
        matches!(self.status, "scheduling" | "running") || self.retry_at.is_some()
    }

    /// The state in which the endpoint will be after it.
    pub(super) fn leads_to(&self, endpoint: &str) -> Option<&'static str> {
        match self.action {
            _ if self.endpoint.as_deref() != Some(endpoint) => None,
            "start_compute" => Some("active"),
            "suspend_compute" => Some("idle"),
            _ => None,
        }
    }

    pub(super) fn json(&self, project: &Project) -> Value {
        let mut operation = json!({
            "id": self.id,
            "project_id": project.id,
            "branch_id": self.branch,
            "action": self.action,
            "status": self.status,
            "failures_count": self.failures,
            "created_at": seconds(self.created),
            "updated_at": seconds(self.updated),
            "total_duration_ms": self.milliseconds,
        });
        if let Some(endpoint) = &self.endpoint {
            operation["endpoint_id"] = json!(endpoint);
        }
        if let Some(error) = &self.error {
            operation["error"] = json!(error);
        }
        if let Some(retry_at) = self.retry_at {
            operation["retry_at"] = json!(seconds(retry_at));
        }
        operation
    }
}

impl Neon {
    /// Changes a project unless an operation is under way, and starts the operations that make the change real.
    pub(super) fn mutate<T>(
        self: &Arc<Self>,
        call: &Call,
        project: &Arc<Project>,
        change: impl FnOnce(&mut State) -> Result<(T, Vec<Step>), Answer>,
    ) -> Result<Mutation<T>, Answer> {
        let mut state = project.state();
        if state.deleted {
            return Err(not_found("project"));
        }
        if state.busy() {
            return Err(super::locked());
        }
        let (made, steps) = change(&mut state)?;
        state.updated = super::now();
        let after = state.operations.last().map_or(Timestamp::MIN, |last| last.created + 1.microsecond());
        let first = Timestamp::now().max(after);
        let mut operations: Vec<Operation> =
            steps.iter().zip(0..).map(|(step, index)| Operation::new(step, first + i64::microseconds(index))).collect();
        // The first one runs already when the answer is written.
        if let Some(first) = operations.first_mut() {
            first.status = "running";
        }
        let shown = operations.iter().map(|operation| operation.json(project)).collect();
        let ids: Vec<String> = operations.iter().map(|operation| operation.id.clone()).collect();
        state.operations.extend(operations);
        drop(state);

        let forced = self.faults.take_outcome("neon", call.method.as_str(), &format!("/{}", call.segments.join("/")));
        tokio::spawn(Arc::clone(self).carry_out(Arc::clone(project), steps.into_iter().zip(ids).collect(), forced));
        Ok(Mutation { made, operations: shown })
    }

    /// Runs the operations one after the other; after one that failed the others are cancelled. The last one suffers the fault.
    async fn carry_out(self: Arc<Self>, project: Arc<Project>, steps: Vec<(Step, String)>, forced: Option<Outcome>) {
        let last = steps.len().saturating_sub(1);
        let mut failed = false;
        for (index, (step, id)) in steps.into_iter().enumerate() {
            if failed {
                project.finish(&id, "cancelled", None);
                continue;
            }
            project.run(&id);
            tokio::time::sleep(self.delay).await;
            let outcome = match forced.as_ref().filter(|_| index == last) {
                Some(outcome) if outcome.code == PASSING => {
                    project.postpone(&id, &outcome.message, self.delay);
                    tokio::time::sleep(self.delay).await;
                    project.run(&id);
                    step.work.await
                }
                Some(outcome) => Err(Error::new(outcome.message.clone())),
                None => step.work.await,
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
    }

    /// Newest first.
    pub(super) fn list_operations(&self, call: &Call, project: &Project) -> Result<Answer, Answer> {
        let state = project.state();
        let newest_first: Vec<&Operation> = state.operations.iter().rev().collect();
        let page = window(call, &newest_first, |operation| operation.created.to_string())?;
        let mut body = json!({ "operations": page.iter().map(|operation| operation.json(project)).collect::<Vec<_>>() });
        if let Some(last) = page.last() {
            body["pagination"] = json!({ "cursor": last.created.to_string() });
        }
        Ok(Answer::ok(body))
    }
}

impl Project {
    pub(super) fn operation(&self, id: &str) -> Result<Answer, Answer> {
        let state = self.state();
        let operation = state.operations.iter().find(|operation| operation.id == id).ok_or_else(|| not_found("operation"))?;
        Ok(Answer::ok(json!({ "operation": operation.json(self) })))
    }

    fn run(&self, id: &str) {
        self.update(id, |operation| {
            operation.status = "running";
            operation.started = Timestamp::now();
            operation.retry_at = None;
        });
    }

    fn postpone(&self, id: &str, error: &str, delay: std::time::Duration) {
        self.update(id, |operation| {
            operation.status = "failed";
            operation.error = Some(error.to_owned());
            operation.failures += 1;
            operation.retry_at = Some(Timestamp::now().saturating_add(delay).unwrap_or(Timestamp::MAX));
        });
    }

    fn finish(&self, id: &str, status: &'static str, error: Option<String>) {
        self.update(id, |operation| {
            operation.status = status;
            operation.failures += u32::from(error.is_some());
            operation.error = error;
            operation.milliseconds = Timestamp::now().as_millisecond() - operation.started.as_millisecond();
        });
    }

    fn update(&self, id: &str, change: impl FnOnce(&mut Operation)) {
        if let Some(operation) = self.state().operations.iter_mut().find(|operation| operation.id == id) {
            change(operation);
            operation.updated = Timestamp::now();
        }
    }
}
