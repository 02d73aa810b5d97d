use std::collections::HashMap;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use azure2neon_postgres::subscription::{self, SubscriptionState};
use azure2neon_postgres::{QualifiedName, Session, replication};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::clock;
use crate::context::Context;
use crate::epochs::slot_is_gone;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::operation::{Observed, Operation};
use crate::plan::Effect;

/// Waits until the subscription has copied every table and each has caught up with the slot.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CopyData {}

/// A worker that fails is started again every five seconds; this many failures without a table finished are no accident.
const FAILURES_TOLERATED: i64 = 4;

/// Without a worker for this long, nothing goes on.
const WITHOUT_WORKER: Duration = Duration::from_secs(60);

#[async_trait]
impl Operation for CopyData {
    fn effect(&self) -> Effect {
        Effect::Creates
    }

    fn describe(&self) -> String {
        "wait until the subscription has copied every table".into()
    }

    async fn observe(&self, cx: &Context) -> Result<Observed> {
        let target = cx.target().await?;
        Ok(match subscription::subscription(&target, &cx.names().mark).await? {
            Some(state) if !state.tables.is_empty() && ready(&state) == state.tables.len() => {
                Observed::Present(json!({ "tables": state.tables.len() - 1, "bytes": database_bytes(&target).await? }))
            }
            _ => Observed::Absent,
        })
    }

    async fn apply(&self, cx: &Context) -> Result<Value> {
        let name = cx.names().mark;
        let (source, target) = (cx.source().await?, cx.target().await?);
        let mut watch = Watch::new();
        let mut wait = cx.wait("copy-data", "the subscription's initial copy", None);
        loop {
            let state = subscription::subscription(&target, &name).await?.ok_or_else(|| gone(&name))?;
            if replication::slot(&source, &name).await?.is_none() {
                return Err(slot_is_gone(&name));
            }
            let done = ready(&state);
            cx.events.say(Event::Progress {
                step: "copy-data".into(),
                done: done as u64,
                total: state.tables.len() as u64,
                unit: "tables".into(),
                detail: format!("{} on the target", crate::units::bytes(database_bytes(&target).await?)),
            });
            if done == state.tables.len() && !state.tables.is_empty() {
                return Ok(Value::Null);
            }
            watch.look(&state)?;
            wait.pause(Duration::from_millis(250)).await?;
        }
    }

    fn note(&self, output: &Value) -> String {
        let number = |key| output.get(key).and_then(Value::as_i64).unwrap_or_default();
        format!("{} tables, {} on the target", number("tables"), crate::units::bytes(number("bytes")))
    }
}

/// Tells a slow copy from one that goes nowhere.
struct Watch {
    errors_at_last_progress: i64,
    states: HashMap<QualifiedName, char>,
    worker_seen: Instant,
}

impl Watch {
    fn new() -> Self {
        Self { errors_at_last_progress: 0, states: HashMap::new(), worker_seen: clock::stopwatch() }
    }

    fn look(&mut self, state: &SubscriptionState) -> Result<()> {
        let errors = state.apply_errors + state.sync_errors;
        let states: HashMap<QualifiedName, char> = state.tables.iter().cloned().collect();
        if states.iter().any(|(table, now)| matches!(now, 's' | 'r') && self.states.get(table) != Some(now)) {
            self.errors_at_last_progress = errors;
        }
        self.states = states;
        if state.worker_pid.is_some() {
            self.worker_seen = clock::stopwatch();
        }
        let unfinished: Vec<String> =
            state.tables.iter().filter(|(_, s)| !matches!(s, 's' | 'r')).map(|(table, _)| table.to_string()).take(5).collect();
        if errors - self.errors_at_last_progress >= FAILURES_TOLERATED {
            return Err(Error::new(
                ErrorKind::Database,
                format!("the subscription's workers failed {errors} times; not finished: {}", unfinished.join(", ")),
            )
            .hint("its reason is in the target's log only; likely ones: a row that breaks a constraint on the target, a missing privilege on the source. `azure2neon abort` undoes the run"));
        }
        if self.worker_seen.elapsed() > WITHOUT_WORKER {
            return Err(Error::new(
                ErrorKind::Unreachable,
                format!("the subscription had no worker for {} s; not finished: {}", WITHOUT_WORKER.as_secs(), unfinished.join(", ")),
            )
            .hint("Neon can't reach the source, or its compute is suspended; run the same command again"));
        }
        Ok(())
    }
}

fn ready(state: &SubscriptionState) -> usize {
    state.tables.iter().filter(|(_, s)| *s == 'r').count()
}

async fn database_bytes(target: &Session) -> Result<i64> {
    Ok(target.query_one("select pg_catalog.pg_database_size(pg_catalog.current_database())", &[]).await?.get(0))
}

/// The error for a subscription that somebody dropped.
pub(super) fn gone(name: &str) -> Error {
    Error::new(ErrorKind::Database, format!("subscription {name} is gone from the target"))
        .hint("it can't be taken up again: `azure2neon abort`, then `azure2neon migrate`")
}
