//! How much the source bears: looks at its load every other second and decides how many workers may copy.

use std::convert::Infallible;
use std::fmt::Display;
use std::time::Duration;

use tokio_postgres::types::Type;

use super::Manners;
use crate::connect::Session;
use crate::error::{Doing, Result};

/// Others' busy sessions and the replicas' lag, by our application name.
pub const SOURCE_LOAD: &str = include_str!("../../../sql/source_load.sql");
/// Between two looks.
const EVERY: Duration = Duration::from_secs(2);
/// A look that takes longer than this is given up.
const BOUND: Duration = Duration::from_secs(3);
/// The load before the copy is the highest of so many looks,
const BASELINE_LOOKS: u32 = 3;
/// this far apart.
const BASELINE_EVERY: Duration = Duration::from_millis(200);
/// So many looks in a row above a bound take half of the workers away; a single one does if it is twice the bound.
const STRAINED: u32 = 2;
/// So many looks in a row well below every bound give a worker back.
const CALM: u32 = 5;
/// Sessions are few: so many more than before the copy mean nothing by themselves.
const MORE_BUSY: usize = 8;
const MORE_WAITING: usize = 4;
/// A replica that is so many bytes behind is too far behind, however fast it catches up.
const LAG_BYTES: u64 = 1 << 30;

/// The source's load at one moment, without our own sessions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// None if our role may not see what others do.
    pub sessions: Option<Sessions>,
    /// Of the physical replica that is farthest behind; none if our role may not see it.
    pub lag: Option<Lag>,
}

/// Others' sessions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sessions {
    /// How many are at work, on a processor or waiting inside the server.
    pub busy: usize,
    /// How many of them wait.
    pub waiting: usize,
    /// For what: `3 IO, 1 Lock`.
    pub waits: String,
}

/// How far a replica is behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lag {
    /// In time.
    pub time: Duration,
    /// In bytes of WAL.
    pub bytes: u64,
}

/// Up to where the source's load is no reason to copy with fewer workers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    busy: usize,
    waiting: usize,
    lag: Lag,
    most: usize,
}

/// What was decided, and what it takes to decide otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Decision {
    workers: usize,
    why: String,
    strained: u32,
    calm: u32,
}

/// Another number of workers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// How many may copy now.
    pub workers: usize,
    /// Of how many.
    pub of: usize,
    /// Why.
    pub why: String,
}

enum Strain {
    Calm(String),
    Some,
    Above { why: String, far: bool },
}

impl Bounds {
    /// By the load before the copy, for at most `most` workers. `busy` replaces what follows from it for the sessions;
    /// replicas may be `lag` behind, or twice as far as before.
    pub fn new(before: &Sample, busy: Option<usize>, lag: Duration, most: usize) -> Self {
        let sessions = before.sessions.clone().unwrap_or_default();
        let was = before.lag.unwrap_or_default();
        let grown = |was: usize, more: usize| (was * 2).max(was + more);
        Self {
            busy: busy.unwrap_or(grown(sessions.busy, MORE_BUSY)),
            waiting: busy.unwrap_or(grown(sessions.waiting, MORE_WAITING)),
            lag: Lag { time: lag.max(was.time * 2), bytes: LAG_BYTES.max(was.bytes * 2) },
            most,
        }
    }

    fn strain(&self, sample: &Sample) -> Strain {
        let sessions = sample.sessions.clone().unwrap_or_default();
        let lag = sample.lag.unwrap_or_default();
        let ratio = |is: f64, bound: f64| is / bound.max(1.0);
        let measures = [
            (
                ratio(sessions.waiting as f64, self.waiting as f64),
                format!("{} of the application's sessions wait ({}), {} may", sessions.waiting, sessions.waits, self.waiting),
            ),
            (
                ratio(sessions.busy as f64, self.busy as f64),
                format!("{} of the application's sessions are busy, {} may be", sessions.busy, self.busy),
            ),
            (
                ratio(lag.time.as_secs_f64(), self.lag.time.as_secs_f64()),
                format!("a replica is {} s behind, {} s are borne", lag.time.as_secs(), self.lag.time.as_secs()),
            ),
            (
                ratio(lag.bytes as f64, self.lag.bytes as f64),
                format!("a replica is {} MiB behind, {} MiB are borne", lag.bytes >> 20, self.lag.bytes >> 20),
            ),
        ];
        let worst = measures.into_iter().max_by(|a, b| a.0.total_cmp(&b.0));
        match worst {
            Some((ratio, why)) if ratio > 1.0 => Strain::Above { why, far: ratio >= 2.0 },
            Some((ratio, _)) if ratio > 0.75 => Strain::Some,
            _ => Strain::Calm(format!("the source is at ease: {} of the application's sessions are busy", sessions.busy)),
        }
    }
}

/// What follows from this look: down fast, up slowly, and neither between.
fn decide(previous: &Decision, sample: &Sample, bounds: &Bounds) -> Decision {
    let (strained, calm) = (previous.strained + 1, previous.calm + 1);
    let keep = |strained, calm| Decision { strained, calm, ..previous.clone() };
    let take = |workers, why| Decision { workers, why, strained: 0, calm: 0 };
    match bounds.strain(sample) {
        Strain::Above { why, far } if previous.workers > 1 && (far || strained >= STRAINED) => take(previous.workers / 2, why),
        Strain::Above { .. } => keep(strained, 0),
        Strain::Some => keep(0, 0),
        Strain::Calm(why) if previous.workers < bounds.most && calm >= CALM => take(previous.workers + 1, why),
        Strain::Calm(_) => keep(0, calm),
    }
}

/// The load now. `ours` is the application name of our own sessions.
///
/// # Errors
/// What the server answered.
async fn sample(session: &Session, ours: &str) -> Result<Sample> {
    let row = session.query_typed_one(SOURCE_LOAD, &[(&ours, Type::TEXT)]).await.doing(|| "read the source's load")?;
    let count = |column: &str| -> Result<usize> { Ok(usize::try_from(row.try_get::<_, i64>(column)?).unwrap_or(0)) };
    let sessions = Sessions {
        busy: count("busy")?,
        waiting: count("waiting")?,
        waits: row.try_get::<_, Option<String>>("waits")?.unwrap_or_default(),
    };
    let seconds: Option<f64> = row.try_get("lag_seconds")?;
    let bytes: Option<i64> = row.try_get("lag_bytes")?;
    let lag = Lag {
        time: Duration::try_from_secs_f64(seconds.unwrap_or(0.0)).unwrap_or_default(),
        bytes: u64::try_from(bytes.unwrap_or(0)).unwrap_or(0),
    };
    let (sessions_hidden, replicas_hidden): (bool, bool) = (row.try_get("sessions_hidden")?, row.try_get("replicas_hidden")?);
    Ok(Sample { sessions: (!sessions_hidden).then_some(sessions), lag: (!replicas_hidden).then_some(lag) })
}

/// The load before the copy: the highest of a few looks within half a second. `ours` is the application name of our own sessions.
///
/// # Errors
/// What the server answered.
pub async fn baseline(session: &Session, ours: &str) -> Result<Sample> {
    let mut highest = sample(session, ours).await?;
    for _ in 1..BASELINE_LOOKS {
        tokio::time::sleep(BASELINE_EVERY).await;
        let next = sample(session, ours).await?;
        if let (Some(highest), Some(next)) = (&mut highest.sessions, next.sessions) {
            (highest.busy, highest.waiting) = (highest.busy.max(next.busy), highest.waiting.max(next.waiting));
        }
        if let (Some(highest), Some(next)) = (&mut highest.lag, next.lag) {
            (highest.time, highest.bytes) = (highest.time.max(next.time), highest.bytes.max(next.bytes));
        }
    }
    Ok(highest)
}

/// Looks at the source while a copy runs.
pub struct Watch<'a> {
    /// Whose number of workers it decides.
    pub manners: &'a Manners,
    /// What the source bears.
    pub bounds: Bounds,
    /// The application name of our own sessions.
    pub ours: &'a str,
    /// Hears of every change.
    pub say: &'a (dyn Fn(Change) + Sync),
}

impl Watch<'_> {
    /// Looks and decides until it is dropped. A look that fails is logged and decides nothing; `connect` is asked for another
    /// session then.
    pub async fn run<F, E>(&self, connect: impl Fn() -> F) -> Infallible
    where
        F: Future<Output = Result<Session, E>>,
        E: Display,
    {
        let most = self.manners.most();
        let mut decision = Decision { workers: most, why: String::new(), strained: 0, calm: 0 };
        let mut session = None;
        loop {
            tokio::time::sleep(EVERY).await;
            let looked = tokio::time::timeout(BOUND, async {
                let session = match &session {
                    Some(session) => session,
                    None => session.insert(connect().await.map_err(|error| error.to_string())?),
                };
                sample(session, self.ours).await.map_err(|error| error.to_string())
            });
            let sample = match looked.await.unwrap_or_else(|_| Err(format!("no answer within {} s", BOUND.as_secs()))) {
                Ok(sample) => sample,
                Err(error) => {
                    tracing::warn!("the source's load is unknown, so the number of workers stays: {error}");
                    session = None;
                    continue;
                }
            };
            let next = decide(&decision, &sample, &self.bounds);
            if next.workers != decision.workers {
                self.manners.allow(next.workers);
                (self.say)(Change { workers: next.workers, of: most, why: next.why.clone() });
            }
            decision = next;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sessions(busy: usize, waiting: usize) -> Sample {
        Sample { sessions: Some(Sessions { busy, waiting, waits: format!("{waiting} IO") }), lag: Some(Lag::default()) }
    }

    fn behind(seconds: u64) -> Sample {
        Sample { lag: Some(Lag { time: Duration::from_secs(seconds), bytes: 0 }), ..sessions(0, 0) }
    }

    /// The workers after each of these looks, at most eight, by a source that had four busy sessions before, none of them waiting.
    fn decisions(samples: &[Sample]) -> Vec<usize> {
        let bounds = Bounds::new(&sessions(4, 0), None, Duration::from_secs(10), 8);
        let mut decision = Decision { workers: 8, why: String::new(), strained: 0, calm: 0 };
        let next = |sample: &Sample| {
            decision = decide(&decision, sample, &bounds);
            decision.workers
        };
        samples.iter().map(next).collect()
    }

    #[test]
    fn workers_go_down_fast_and_come_back_slowly() {
        assert_eq!(decisions(&[sessions(13, 0), sessions(13, 0), sessions(13, 0), sessions(13, 0)]), [8, 4, 4, 2]);
        assert_eq!(decisions(&[sessions(24, 0), sessions(24, 0), sessions(24, 0), sessions(24, 0)]), [4, 2, 1, 1], "never none");
        let mut looks = vec![sessions(5, 5), sessions(5, 5)];
        looks.extend(vec![sessions(4, 1); 11]);
        assert_eq!(decisions(&looks), [8, 4, 4, 4, 4, 4, 5, 5, 5, 5, 5, 6, 6]);
    }

    #[test]
    fn a_single_peak_and_what_lies_between_change_nothing() {
        let (peak, between) = (sessions(13, 0), sessions(11, 0));
        assert_eq!(decisions(&[peak.clone(), between.clone(), peak.clone(), sessions(0, 0), peak]), [8; 5]);
        let mut looks = vec![sessions(30, 0)];
        looks.extend([sessions(0, 0), sessions(0, 0), sessions(0, 0), sessions(0, 0), between.clone(), sessions(0, 0)]);
        assert_eq!(decisions(&looks), [4; 7], "calm begins anew");
    }

    #[test]
    fn a_replica_that_falls_behind_counts_and_one_that_always_was_does_not() {
        assert_eq!(decisions(&[behind(11), behind(11)]), [8, 4]);
        let bounds = Bounds::new(&behind(3600), None, Duration::from_secs(10), 8);
        assert!(matches!(bounds.strain(&behind(3700)), Strain::Calm(_)));
        assert!(matches!(bounds.strain(&behind(7201)), Strain::Above { far: false, .. }));
    }

    #[test]
    fn the_reason_is_the_worst_measure_and_what_is_hidden_is_none() {
        let bounds = Bounds::new(&sessions(4, 0), None, Duration::from_secs(10), 8);
        let Strain::Above { why, .. } = bounds.strain(&sessions(13, 9)) else { panic!("not above") };
        assert_eq!(why, "9 of the application's sessions wait (9 IO), 4 may");
        assert!(matches!(bounds.strain(&Sample::default()), Strain::Calm(_)));
        let configured = Bounds::new(&sessions(4, 0), Some(100), Duration::from_secs(10), 8);
        assert!(matches!(configured.strain(&sessions(60, 60)), Strain::Calm(_)));
    }
}
