//! How long to wait, and for how long: the one place that holds the durations.

use std::time::Duration;

use azure2neon_core::patience::{Growth, Waits};

/// All durations of this crate, which tests shrink, and who hears of waits.
#[derive(Clone)]
pub(crate) struct Pace {
    /// Who hears of waits.
    pub(crate) waits: Waits,
    /// Between two looks at an operation.
    pub(crate) poll: Growth,
    /// Between two tries of a request, before jitter.
    pub(crate) retry: Growth,
    /// The longest `Retry-After` that is obeyed.
    pub(crate) retry_after_most: Duration,
    /// Until an operation must have come to an end.
    pub(crate) operation: Duration,
    /// For how long an operation may stay `failed`, which Neon may try again by itself.
    pub(crate) failed_grace: Duration,
    /// For how long a locked project or a throttled account is waited out.
    pub(crate) locked: Duration,
    /// For how long a read is tried again because nothing, or a 5xx, came back.
    pub(crate) silence: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        let ms = Duration::from_millis;
        Self {
            waits: Waits::default(),
            poll: Growth { first: ms(200), factor: 1.5, most: ms(5_000) },
            retry: Growth { first: ms(200), factor: 1.8, most: ms(5_000) },
            retry_after_most: Duration::from_secs(60),
            operation: Duration::from_secs(5 * 60),
            failed_grace: Duration::from_secs(30),
            locked: Duration::from_secs(5 * 60),
            silence: Duration::from_secs(60),
        }
    }
}

/// Between half of `delay` and all of it, so that two programs that met a lock don't meet again.
pub(crate) fn jitter(delay: Duration) -> Duration {
    delay.mul_f64(0.5 + fastrand::f64() / 2.0)
}
