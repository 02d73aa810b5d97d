//! One of the application's sessions.

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::time::error::Elapsed;
use tokio::time::{sleep, timeout};
use tokio_postgres::Client;

use super::report::Shared;
use super::transaction::{noted, transaction};
use super::{Connect, ConnectError, Connected};

/// How long to wait before asking the connector again after it could not connect; short, because it bounds how exact an outage is measured.
const RECONNECT_PAUSE: Duration = Duration::from_millis(2);
/// The same after a server that does answer refused the connection or a write. Longer, because each attempt costs that server a process.
const REFUSED_PAUSE: Duration = Duration::from_millis(5);
/// After this long without an answer a connection counts as lost.
const PATIENCE: Duration = Duration::from_secs(10);
/// So far behind its time a session may be and still catch up.
const LATE: Duration = Duration::from_secs(1);

/// How one attempt at a transaction ended.
pub(super) enum Attempt {
    Acknowledged,
    /// The transaction is rolled back, and the connection is as good as before.
    RolledBack(String),
    /// The server doesn't take this write, or the connection is lost; the transaction surely didn't commit.
    Refused(String),
    /// COMMIT was sent and nobody knows what became of it.
    Unknown(String),
}

pub(super) struct Session {
    pub(super) writer: i32,
    /// The sequence number of the last attempt. Each attempt takes a new one, whatever becomes of it.
    pub(super) seq: i64,
    pub(super) dice: fastrand::Rng,
    pub(super) shared: Arc<Shared>,
    pub(super) stopping: watch::Receiver<bool>,
    pub(super) every: Duration,
    pub(super) full: i64,
}

impl Session {
    pub(super) async fn run<C: Connect>(mut self, connect: Arc<C>) {
        while !self.stopped() {
            let connecting = tokio::select! {
                connecting = dial(&self.shared, &*connect) => connecting,
                _ = self.stopping.changed() => continue,
            };
            match connecting {
                Ok(Ok(connection)) => {
                    self.write_through(&connection).await;
                    self.rest(REFUSED_PAUSE).await;
                }
                Ok(Err(error)) => {
                    self.failed("connect", &describe(error.as_ref()));
                    let refused = error.downcast_ref::<tokio_postgres::Error>().is_some_and(|error| error.as_db_error().is_some());
                    self.rest(if refused { REFUSED_PAUSE } else { RECONNECT_PAUSE }).await;
                }
                Err(_) => self.failed("connect", "no answer"),
            }
        }
    }

    /// Writes until the connection is lost, the server refuses, or the writer is stopped.
    pub(super) async fn write_through(&mut self, connection: &Connected) {
        let mut due = Instant::now();
        while !self.stopped() {
            self.seq += 1;
            let entry = (self.writer, self.seq);
            match self.attempt(&connection.client).await {
                Attempt::Acknowledged => self.shared.log().acknowledge(entry, &connection.server),
                Attempt::RolledBack(why) => self.failed("write", &why),
                Attempt::Refused(why) => return self.failed("write", &why),
                Attempt::Unknown(why) => {
                    self.shared.log().unknown.push(entry);
                    return self.failed("commit", &why);
                }
            }
            let now = Instant::now();
            due = (due + self.every).max(now.checked_sub(LATE).unwrap_or(now));
            self.rest(due.saturating_duration_since(now)).await;
        }
    }

    /// One transaction in two round trips, so that a far server slows the application down as little as possible.
    pub(super) async fn attempt(&mut self, client: &Client) -> Attempt {
        let turn = self.seq - self.shared.first_seq;
        let (begin, rest) = (noted(self.writer, self.seq), turn % self.full == 0);
        let body = if rest { begin + &transaction(self.writer, self.seq, turn / self.full, &mut self.dice) } else { begin };
        match timeout(PATIENCE, client.batch_execute(&body)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) if is_only_this_transaction(&error) => {
                return match timeout(PATIENCE, client.batch_execute("ROLLBACK")).await {
                    Ok(Ok(())) => Attempt::RolledBack(describe(&error)),
                    _ => Attempt::Refused(describe(&error)),
                };
            }
            Ok(Err(error)) => return Attempt::Refused(describe(&error)),
            Err(_) => return Attempt::Refused("no answer".to_owned()),
        }
        match timeout(PATIENCE, client.batch_execute("COMMIT")).await {
            Ok(Ok(())) => Attempt::Acknowledged,
            // The server says itself that it didn't commit. A FATAL, like "terminating connection", says no such thing: it may arrive in place
            // of the answer to a commit that was made.
            Ok(Err(error)) if is_only_this_transaction(&error) => Attempt::RolledBack(describe(&error)),
            Ok(Err(error)) => Attempt::Unknown(describe(&error)),
            Err(_) => Attempt::Unknown("no answer".to_owned()),
        }
    }

    pub(super) fn failed(&self, doing: &str, why: &str) {
        self.shared.log().count(format!("{doing}: {why}"));
    }

    pub(super) fn stopped(&self) -> bool {
        // A dropped writer can't be stopped by anyone any more, so it stops by itself.
        *self.stopping.borrow() || self.stopping.has_changed().is_err()
    }

    pub(super) async fn rest(&mut self, pause: Duration) {
        tokio::select! {
            () = sleep(pause) => {}
            _ = self.stopping.changed() => {}
        }
    }
}

/// Connects, one session after the other as the pools of applications do: all at once, again and again, they would take the processor from
/// both servers just when an outage is measured.
async fn dial<C: Connect>(shared: &Shared, connect: &C) -> Result<Result<Connected, ConnectError>, Elapsed> {
    let _alone = shared.dialing.lock().await;
    timeout(PATIENCE, connect.connect()).await
}

/// Whether an error concerns one transaction and not the server: a broken constraint, a deadlock, a serialization failure.
pub(super) fn is_only_this_transaction(error: &tokio_postgres::Error) -> bool {
    error.code().is_some_and(|state| matches!(state.code().get(..2), Some("23" | "40")))
}

/// What an error says, with the SQLSTATE in front or the deepest cause at the end; it is used as a key, so it holds no values.
pub(super) fn describe(error: &(dyn StdError + 'static)) -> String {
    let mut cause = Some(error);
    while let Some(current) = cause {
        if let Some(refusal) = current.downcast_ref::<tokio_postgres::error::DbError>() {
            return format!("{} {}", refusal.code().code(), refusal.message());
        }
        cause = current.source();
        if cause.is_none() {
            return current.to_string();
        }
    }
    error.to_string()
}
