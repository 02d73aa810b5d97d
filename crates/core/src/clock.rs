//! The one place where the library reads the clock.

use std::time::Instant;

/// The current time, UTC, as it is written into the journal.
pub fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// A stopwatch for durations; unlike `now` it never jumps.
pub fn stopwatch() -> Instant {
    Instant::now()
}

/// Milliseconds since `start`.
pub fn milliseconds_since(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX)
}
