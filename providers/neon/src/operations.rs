//! Waiting for what a request started: an answer of Neon is a receipt, the work comes after it.

use serde::de::DeserializeOwned;
use tokio::time::Instant;

use crate::api::{Api, Request};
use crate::fault::Fault;
use crate::model::{OneOperation, Operation, Operations};
use azure2neon_core::patience::Awaited;

/// How often a write is sent whose answers are lost.
pub(crate) const TRIES: u32 = 3;

impl Api {
    /// Waits until all operations of the project have succeeded.
    pub(crate) async fn finish(&self, project: &str, operations: Vec<Operation>) -> Result<(), Fault> {
        for operation in operations {
            self.finish_one(project, operation).await?;
        }
        Ok(())
    }

    /// Waits until the project has no operation under way, whoever started it.
    pub(crate) async fn settle(&self, project: &str) -> Result<(), Fault> {
        let request = Request::get(&["projects", project, "operations"]).query("limit", "100");
        let listed: Operations = self.send(request).await?;
        let under_way = |operation: &Operation| ["scheduling", "running", "cancelling"].contains(&operation.status.as_str());
        self.finish(project, listed.operations.into_iter().filter(under_way).collect()).await
    }

    async fn finish_one(&self, project: &str, mut operation: Operation) -> Result<(), Fault> {
        let since = Instant::now();
        let mut failed_since = None;
        let mut delays = self.pace.poll.delays();
        loop {
            let ended = |operation: &Operation| Fault::Operation {
                action: operation.action.clone(),
                status: operation.status.clone(),
                message: operation.error.clone().unwrap_or_default(),
            };
            match operation.status.as_str() {
                "finished" | "skipped" => return Ok(()),
                "error" | "cancelled" => return Err(ended(&operation)),
                "failed" => {
                    // Not the end: Neon may try it again, and says when. But not for ever.
                    let failing = failed_since.get_or_insert_with(Instant::now).elapsed();
                    if operation.retry_at.is_none() && failing >= self.pace.failed_grace {
                        return Err(ended(&operation));
                    }
                }
                _ => failed_since = None,
            }
            let delay = delays.next().unwrap_or(self.pace.poll.most);
            if since.elapsed() + delay > self.pace.operation {
                return Err(match operation.status.as_str() {
                    "failed" => ended(&operation),
                    _ => Fault::Deadline { action: operation.action, most: self.pace.operation },
                });
            }
            let reason = format!("Neon to complete {}", operation.action);
            self.pace.waits.pause(delay, Awaited { reason: &reason, age: since.elapsed(), deadline: self.pace.operation }).await;
            let request = Request::get(&["projects", project, "operations", &operation.id]);
            match self.send::<OneOperation>(request).await {
                Ok(answer) => operation = answer.operation,
                // What was just made can be unknown for a moment.
                Err(fault) if fault.is_not_found() => {}
                Err(fault) => return Err(fault),
            }
        }
    }

    /// Sends a write and waits for what it starts.
    pub(crate) async fn write(&self, project: &str, request: Request) -> Result<(), Fault> {
        let started: Operations = self.send(request).await?;
        self.finish(project, started.operations).await
    }

    /// The same for a write that does no harm twice.
    pub(crate) async fn write_again(&self, project: &str, request: Request) -> Result<(), Fault> {
        let started: Operations = self.send_again(request).await?;
        self.finish(project, started.operations).await
    }

    /// Sends a write that does no harm twice again when its answer is lost.
    pub(crate) async fn send_again<T: DeserializeOwned>(&self, request: Request) -> Result<T, Fault> {
        for _ in 1..TRIES {
            match self.send(request.clone()).await {
                Err(fault) if fault.is_ambiguous() => tokio::time::sleep(self.pace.retry.first).await,
                result => return result,
            }
        }
        self.send(request).await
    }
}
