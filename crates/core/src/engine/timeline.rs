//! How long each part of a cut-over took, from the fence on.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::clock;
use crate::event::{Event, TimelinePart};

/// Takes the times while it goes on.
pub(super) struct Stopwatch {
    since: Instant,
    parts: Mutex<Vec<TimelinePart>>,
}

impl Stopwatch {
    /// Begins now, right before the fence.
    pub(super) fn start() -> Self {
        Self { since: clock::stopwatch(), parts: Mutex::default() }
    }

    /// When it began.
    pub(super) fn since(&self) -> Instant {
        self.since
    }

    /// Since when.
    pub(super) fn elapsed(&self) -> Duration {
        self.since.elapsed()
    }

    /// Does it, and notes how long it took.
    pub(super) async fn time<T>(&self, part: &str, work: impl Future<Output = T>) -> T {
        let began = self.since.elapsed();
        let done = work.await;
        let took = self.since.elapsed().saturating_sub(began);
        if let Ok(mut parts) = self.parts.lock() {
            parts.push(TimelinePart { part: part.to_owned(), at: milliseconds(began), milliseconds: milliseconds(took) });
        }
        done
    }

    /// The parts so far, in the order in which they began.
    pub(super) fn timeline(&self, outage: Duration) -> Event {
        let mut parts = self.parts.lock().map(|parts| parts.clone()).unwrap_or_default();
        parts.sort_by(|a, b| a.at.total_cmp(&b.at));
        Event::Timeline { parts, outage_milliseconds: milliseconds(outage) }
    }
}

/// To a tenth.
fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e4).round() / 10.0
}
