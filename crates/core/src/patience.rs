//! How the clouds' clients wait, and how the operator hears of it.

use std::sync::Arc;
use std::time::Duration;

/// A delay that grows from `first` by `factor` up to `most`.
#[derive(Clone, Copy)]
pub struct Growth {
    /// The first delay.
    pub first: Duration,
    /// By how much each is longer than the one before.
    pub factor: f64,
    /// The longest.
    pub most: Duration,
}

impl Growth {
    /// The delays, without end.
    pub fn delays(self) -> impl Iterator<Item = Duration> + Send {
        std::iter::successors(Some(self.first.min(self.most)), move |delay| Some(delay.mul_f64(self.factor).min(self.most)))
    }
}

/// Something that is waited for.
pub struct Awaited<'a> {
    /// What, and why: it is shown, so it must not hold a secret.
    pub reason: &'a str,
    /// Since when.
    pub age: Duration,
    /// Until when at most.
    pub deadline: Duration,
}

type Listener = dyn Fn(&Awaited<'_>) + Send + Sync;

/// Hears what a cloud's client waits for.
#[derive(Clone)]
pub struct Waits(Arc<Listener>);

impl Waits {
    /// Waits that this function hears of.
    pub fn new(listener: impl Fn(&Awaited<'_>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(listener))
    }

    /// Sleeps for `delay`. Whoever has waited for a second by then is told what for.
    pub async fn pause(&self, delay: Duration, awaited: Awaited<'_>) {
        if awaited.age + delay >= Duration::from_secs(1) {
            (self.0)(&awaited);
        }
        tokio::time::sleep(delay).await;
    }
}

impl Default for Waits {
    /// Waits that nobody hears of.
    fn default() -> Self {
        Self::new(|_| {})
    }
}

/// `Retry-After` as both clouds send it: seconds, or a date.
pub fn retry_after(text: &str) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    Some(Duration::try_from(date.duration_since(crate::clock::now())).unwrap_or_default())
}

/// An error with its causes in one line: an HTTP client says the reason ("connection refused") only in them.
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let more = cause.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_up_to_the_longest_and_dates_are_read() {
        let ms = Duration::from_millis;
        let growth = Growth { first: ms(100), factor: 2.0, most: ms(300) };
        assert_eq!(retry_after(" 7 "), Some(Duration::from_secs(7)));
        assert_eq!(retry_after("Sat, 01 Jan 2000 00:00:00 GMT"), Some(Duration::ZERO));
        assert!(retry_after("Fri, 01 Jan 2100 00:00:00 GMT").is_some_and(|delay| delay.as_secs() > 1_000_000));
        assert_eq!(retry_after("soon"), None);
        assert_eq!(growth.delays().take(4).collect::<Vec<_>>(), [ms(100), ms(200), ms(300), ms(300)]);
    }
}
