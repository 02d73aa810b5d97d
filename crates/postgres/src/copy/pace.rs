//! How fast bytes go, and what that says about the rest.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The rate is that of this time.
const WINDOW: Duration = Duration::from_secs(10);
/// An estimate looks back this far, to see how much the rate varies.
const MEMORY: Duration = Duration::from_secs(60);
/// Notes are kept this far apart.
const APART: Duration = Duration::from_secs(1);
/// No estimate before this time,
const EARLY: Duration = Duration::from_secs(5);
/// and this much of all is done,
const LITTLE: f64 = 0.02;
/// or while the fastest stretch was so many times as fast as the slowest.
const UNSTEADY: f64 = 2.5;

/// How many bytes had gone, and when.
pub(super) struct Pace {
    /// The last minute, about one a second; the newest last.
    notes: VecDeque<(Instant, u64)>,
    since: Instant,
}

impl Pace {
    pub(super) fn new(now: Instant) -> Self {
        Self { notes: VecDeque::new(), since: now }
    }

    /// So many bytes have gone by now.
    pub(super) fn note(&mut self, bytes: u64, now: Instant) {
        // The newest is replaced until it is a second from the one before.
        if let [.., before, newest] = &*self.notes.make_contiguous()
            && newest.0 - before.0 < APART
        {
            self.notes.pop_back();
        }
        self.notes.push_back((now, bytes));
        while self.notes.len() > 2 && now - self.notes[1].0 >= MEMORY {
            self.notes.pop_front();
        }
    }

    /// Bytes per second over the last ten seconds, or over what there was of them.
    pub(super) fn rate(&self) -> Option<u64> {
        let newest = self.notes.len().checked_sub(1)?;
        self.rate_until(newest).map(|rate| rate as u64)
    }

    /// Bytes per second in the window that ends with this note; none if it is shorter than a second.
    fn rate_until(&self, end: usize) -> Option<f64> {
        let (until, bytes) = self.notes[end];
        let begin = self.notes.iter().take(end).find(|(at, _)| until - *at <= WINDOW + APART / 2)?;
        let time = until - begin.0;
        (time >= APART).then(|| bytes.saturating_sub(begin.1) as f64 / time.as_secs_f64())
    }

    /// How long so many bytes will take, at least and at most, by the fastest and the slowest stretch of the last minute. None at
    /// the beginning, and while the rate varies so much that it would mean nothing. `done` is what part of all is done.
    pub(super) fn left(&self, bytes: u64, done: f64, now: Instant) -> Option<(Duration, Duration)> {
        if now - self.since < EARLY || done < LITTLE || bytes == 0 {
            return None;
        }
        let full = |end: &usize| self.notes[*end].0 - self.notes[0].0 >= EARLY;
        let rates: Vec<f64> = (0..self.notes.len()).filter(full).filter_map(|end| self.rate_until(end)).collect();
        let (slow, fast) = rates.iter().fold((f64::MAX, 0.0_f64), |(slow, fast), rate| (slow.min(*rate), fast.max(*rate)));
        if rates.is_empty() || slow <= 0.0 || fast > slow * UNSTEADY {
            return None;
        }
        let at = |rate: f64| Duration::try_from_secs_f64(bytes as f64 / rate).ok();
        at(fast).zip(at(slow))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pace after these rates, each for so many seconds, looked at four times a second; and the time after it.
    fn after(stretches: &[(u64, u64)]) -> (Pace, Instant) {
        let mut now = Instant::now();
        let (mut pace, mut bytes) = (Pace::new(now), 0);
        pace.note(0, now);
        for (rate, seconds) in stretches {
            for _ in 0..seconds * 4 {
                now += Duration::from_millis(250);
                bytes += rate / 4;
                pace.note(bytes, now);
            }
        }
        (pace, now)
    }

    fn left(stretches: &[(u64, u64)], done: f64) -> Option<(u64, u64)> {
        let (pace, now) = after(stretches);
        pace.left(100_000, done, now).map(|(least, most)| (least.as_secs(), most.as_secs()))
    }

    #[test]
    fn the_rate_is_that_of_the_last_ten_seconds() {
        assert_eq!(after(&[]).0.rate(), None);
        assert_eq!(after(&[(1_000, 2)]).0.rate(), Some(1_000));
        assert_eq!(after(&[(1_000, 120), (4_000, 10)]).0.rate(), Some(4_000));
        assert_eq!(after(&[(1_000, 120), (4_000, 5)]).0.rate(), Some(2_500));
        assert_eq!(after(&[(1_000, 20), (0, 11)]).0.rate(), Some(0));
        assert!(after(&[(1_000, 600)]).0.notes.len() < 65);
    }

    #[test]
    fn nothing_is_said_of_what_is_left_until_it_means_something() {
        assert_eq!(left(&[(1_000, 4)], 0.5), None, "too early");
        assert_eq!(left(&[(1_000, 30)], 0.01), None, "too little");
        assert_eq!(left(&[(1_000, 30)], 0.5), Some((100, 100)));
        assert_eq!(left(&[(1_000, 30), (0, 20)], 0.5), None, "it stands still");
        assert_eq!(left(&[(1_000, 30), (5_000, 20)], 0.5), None, "it varies too much");
    }

    #[test]
    fn a_rate_that_varies_makes_a_range_and_the_past_is_forgotten() {
        let (least, most) = left(&[(1_000, 30), (2_000, 20)], 0.5).unwrap();
        assert!((50..=52).contains(&least) && (99..=100).contains(&most), "{least} to {most} s");
        assert_eq!(left(&[(1_000, 30), (5_000, 75)], 0.5), Some((20, 20)));
    }
}
