//! How long to wait, and for how long: the one place that holds the durations.

use std::time::Duration;

use azure2neon_core::patience::{Awaited, Growth, Waits};
use tokio::time::Instant;

use crate::fault::Fault;

/// All durations of this crate, which tests shrink, and who hears of waits.
#[derive(Clone)]
pub(crate) struct Pace {
    /// Who hears of waits.
    pub(crate) waits: Waits,
    /// Between two looks at an operation or a server's state, when Azure does not say.
    pub(crate) poll: Growth,
    /// Between two tries of a request.
    pub(crate) retry: Growth,
    /// The longest `Retry-After` that is obeyed.
    pub(crate) retry_after_most: Duration,
    /// Until an operation or a server's state must have come to an end.
    pub(crate) operation: Duration,
    /// For how long a write is tried again because the server is busy.
    pub(crate) busy: Duration,
    /// For how long a read is tried again because of a passing trouble, and a write because nothing came back.
    pub(crate) silence: Duration,
    /// For how long the server's state is watched after the answer to a restart was lost.
    pub(crate) restart_grace: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        let ms = Duration::from_millis;
        Self {
            waits: Waits::default(),
            poll: Growth { first: ms(250), factor: 1.6, most: ms(5_000) },
            retry: Growth { first: ms(500), factor: 1.8, most: ms(15_000) },
            retry_after_most: Duration::from_secs(60),
            operation: Duration::from_secs(15 * 60),
            busy: Duration::from_secs(15 * 60),
            silence: Duration::from_secs(60),
            restart_grace: Duration::from_secs(45),
        }
    }
}

/// The tries of one call: decides whether there is another one, and sleeps before it.
pub(crate) struct Tries {
    pace: Pace,
    delays: Box<dyn Iterator<Item = Duration> + Send>,
    since: Instant,
    /// Since when nothing useful came back, without a break.
    silent: Option<Instant>,
    write: bool,
}

impl Tries {
    /// Tries of a read.
    pub(crate) fn read(pace: &Pace) -> Self {
        Self { delays: Box::new(pace.retry.delays()), pace: pace.clone(), since: Instant::now(), silent: None, write: false }
    }

    /// Tries of a write, which may find the server busy for longer.
    pub(crate) fn write(pace: &Pace) -> Self {
        Self { write: true, ..Self::read(pace) }
    }

    /// Whether `fault` is worth another try and there is time for one; sleeps until it is due.
    pub(crate) async fn again(&mut self, fault: &Fault) -> bool {
        let now = Instant::now();
        if !fault.is_passing() {
            return false;
        }
        let (since, most) = if self.write && !fault.is_silence() {
            self.silent = None;
            (self.since, self.pace.busy)
        } else {
            (*self.silent.get_or_insert(now), self.pace.silence)
        };
        let own = self.delays.next().unwrap_or(self.pace.retry.most);
        let delay = fault.retry_after().map_or(own, |asked| asked.min(self.pace.retry_after_most));
        if since.elapsed() + delay > most {
            return false;
        }
        tracing::debug!(fault = %fault, delay_ms = delay.as_millis() as u64, "trying again");
        let reason = format!("an answer of Azure; the last was: {fault}");
        self.pace.waits.pause(delay, Awaited { reason: &reason, age: since.elapsed(), deadline: most }).await;
        true
    }
}
