//! The one place where the library reads the clock.

use std::time::{Instant, SystemTime};

/// The current time, UTC, as it is written into the journal.
pub fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// The day of a time, UTC, as `2026-04-01`.
pub fn day(of: SystemTime) -> Option<String> {
    jiff::Timestamp::try_from(of).ok().map(|at| at.strftime("%Y-%m-%d").to_string())
}

/// A stopwatch for durations; unlike `now` it never jumps.
pub fn stopwatch() -> Instant {
    Instant::now()
}

/// Milliseconds since `start`.
pub fn milliseconds_since(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX)
}
