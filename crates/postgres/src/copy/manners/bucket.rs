//! A rate limit over all who share it.

use std::time::{Duration, Instant};

/// So much of what was not used may be made up for: timers are no finer than this.
const BURST: Duration = Duration::from_millis(50);

/// Bytes that may go, as time passes. Whoever wants to send draws a ticket; tickets are due in the order in which they were drawn,
/// at whatever the rate is meanwhile.
pub(super) struct Bucket {
    /// Bytes that were allowed to go, up to `at`.
    allowed: f64,
    at: Instant,
    /// Bytes that were asked for.
    asked: f64,
}

impl Bucket {
    pub(super) fn new(now: Instant) -> Self {
        Self { allowed: 0.0, at: now, asked: 0.0 }
    }

    /// Asks for so many bytes. The time before counts at `rate`, in bytes per second.
    pub(super) fn ticket(&mut self, bytes: usize, rate: u64, now: Instant) -> f64 {
        self.pass(rate, now);
        self.asked += bytes as f64;
        self.asked
    }

    /// How long the ticket's bytes have to wait still.
    pub(super) fn wait(&mut self, ticket: f64, rate: u64, now: Instant) -> Duration {
        self.pass(rate, now);
        Duration::try_from_secs_f64(((ticket - self.allowed) / rate as f64).max(0.0)).unwrap_or(Duration::MAX)
    }

    /// Lets the time up to `now` count at this rate: before another one is in force.
    pub(super) fn pass(&mut self, rate: u64, now: Instant) {
        let passed = now.saturating_duration_since(self.at);
        self.at = self.at.max(now);
        let rate = rate as f64;
        self.allowed = (self.allowed + rate * passed.as_secs_f64()).min(self.asked + rate * BURST.as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIECE: usize = 64 * 1024;

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    /// How long it takes to send so many pieces, by a sender whose timer is late by this much each time.
    fn time_for(pieces: usize, rate: u64, late: Duration) -> f64 {
        let begin = Instant::now();
        let (mut bucket, mut now) = (Bucket::new(begin), begin);
        for _ in 0..pieces {
            let ticket = bucket.ticket(PIECE, rate, now);
            let wait = bucket.wait(ticket, rate, now);
            now += if wait.is_zero() { wait } else { wait + late };
        }
        (now - begin).as_secs_f64()
    }

    #[test]
    fn bytes_take_as_long_as_the_rate_says_whatever_the_timer_is_like() {
        let rate = 64 << 20;
        let ideal = (1024 * PIECE) as f64 / rate as f64;
        for late in [0.0, 0.001, 0.01] {
            let time = time_for(1024, rate, seconds(late));
            assert!(time >= ideal - 0.05 && time < ideal + 0.05, "{time} s with a timer {late} s late");
        }
    }

    #[test]
    fn what_was_not_used_is_lost_but_for_a_moment() {
        let begin = Instant::now();
        let mut bucket = Bucket::new(begin);
        let later = begin + seconds(100.0);
        let ticket = bucket.ticket(1_000_000, 1_000_000, later);
        let wait = bucket.wait(ticket, 1_000_000, later);
        assert!(wait > seconds(0.94) && wait < seconds(0.96), "{wait:?}");
    }

    #[test]
    fn those_who_wait_follow_each_other_and_a_new_rate_counts_at_once() {
        let begin = Instant::now();
        let mut bucket = Bucket::new(begin);
        let (first, second) = (bucket.ticket(1000, 1000, begin), bucket.ticket(1000, 1000, begin));
        assert_eq!(bucket.wait(first, 1000, begin), seconds(1.0));
        assert_eq!(bucket.wait(second, 1000, begin), seconds(2.0));
        let half = begin + seconds(0.5);
        bucket.pass(1000, half);
        assert_eq!(bucket.wait(first, 500, half), seconds(1.0));
        assert_eq!(bucket.wait(first, 500_000, half), seconds(0.001));
    }
}
