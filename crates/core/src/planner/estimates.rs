//! What the migration will take.

use std::time::Duration;

use crate::estimate::{Estimate, Quantity, Unit};
use crate::plan::{CopyPath, Mode};
use crate::settings::Settings;
use crate::steps::CompareWhen;
use crate::survey::Survey;
use crate::units;

/// Bytes of rows that a target takes in a second, on the smallest compute and on a large one. Measured with 2 cores for both servers
/// (docs/performance.md): 24 MiB; others report up to 150 MiB with 8 cores.
const ROWS_IN: (f64, f64) = (10e6, 150e6);
/// Bytes of indexes that it builds in a second; measured: 35 MB a core.
const INDEXES_IN: (f64, f64) = (10e6, 140e6);
/// Bytes of log whose changes it applies in a second.
const LOG_IN: (f64, f64) = (5e6, 50e6);
/// Bytes of rows that both servers digest in a second, at the same time; measured: 50 MB with 2 cores for both, up to 570 MB a core.
const DIGESTED: (f64, f64) = (25e6, 500e6);
/// Round trips that a table costs a synchronization worker, of which there are two (docs/performance.md).
const ROUND_TRIPS_A_TABLE: f64 = 20.0 / 2.0;
/// Between two regions that are near each other, at most; in milliseconds.
const NEAR: f64 = 30.0;

/// What it will take, in the order of the migration.
pub(super) fn estimates(survey: &Survey, settings: &Settings, path: CopyPath, when: CompareWhen) -> Vec<Estimate> {
    let sheet = Sheet { survey, settings, path, when };
    sheet.volume().into_iter().chain(sheet.lines()).chain(sheet.times()).collect()
}

struct Sheet<'a> {
    survey: &'a Survey,
    settings: &'a Settings,
    path: CopyPath,
    when: CompareWhen,
}

/// Seconds, between two bounds.
type Seconds = (f64, f64);

impl Sheet<'_> {
    fn volume(&self) -> [Estimate; 4] {
        let volume = &self.survey.volume;
        let unknown = match volume.unanalyzed {
            0 => String::new(),
            n => format!("; {} never analyzed", units::count(usize::try_from(n).unwrap_or_default(), "table was")),
        };
        let of = |of, value, unit, basis: String| Estimate { of, least: value, most: Some(value), unit, basis };
        let rows = "the planner's statistics (pg_class.reltuples)";
        [
            Estimate {
                most: (volume.unanalyzed == 0).then_some(volume.rows),
                ..of(Quantity::Rows, volume.rows, Unit::Count, format!("{rows}{unknown}"))
            },
            of(Quantity::Data, volume.bytes, Unit::Bytes, "tables with TOAST, on disk, bloat included".into()),
            of(Quantity::Indexes, volume.indexes, Unit::Count, "pg_index".into()),
            of(Quantity::IndexData, volume.index_bytes, Unit::Bytes, "on disk, bloat included".into()),
        ]
    }

    fn lines(&self) -> Vec<Estimate> {
        let micros = |time: Duration| i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
        let rate = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
        let measured = |of, value, unit, basis: &str| Estimate { of, least: value, most: Some(value), unit, basis: basis.to_owned() };
        let three = "the shortest of three, just now";
        let fetched = "one connection, just now";
        let survey = self.survey;
        let mut lines = vec![
            measured(Quantity::RoundTripToSource, micros(survey.round_trip), Unit::Microseconds, three),
            measured(Quantity::LineFromSource, rate(survey.bandwidth), Unit::BytesPerSecond, fetched),
        ];
        match survey.existing.as_ref().and_then(|there| there.line) {
            Some((round_trip, bandwidth)) => lines.extend([
                measured(Quantity::RoundTripToTarget, micros(round_trip), Unit::Microseconds, three),
                measured(Quantity::LineFromTarget, rate(bandwidth), Unit::BytesPerSecond, fetched),
            ]),
            None => lines.push(Estimate {
                of: Quantity::RoundTripToTarget,
                least: 0,
                most: None,
                unit: Unit::Microseconds,
                basis: "the target's database is not there yet".into(),
            }),
        }
        if self.settings.mode == Mode::Online {
            lines.push(Estimate {
                of: Quantity::RoundTripBetween,
                least: 0,
                most: Some((NEAR * 1e3) as i64),
                unit: Unit::Microseconds,
                basis: format!(
                    "not measured: the source's firewall is closed to Neon until allow-target-inbound; {} and {} are taken to be near",
                    survey.region.0, survey.server.region
                ),
            });
        }
        lines
    }

    fn times(&self) -> Vec<Estimate> {
        let (log, log_basis) = self.log_rate();
        let copy = self.copy();
        let kept = (copy.0 * log.0, copy.1 * log.1);
        let compare = self.compare();
        let catch_up = (kept.0 / LOG_IN.1, kept.1 / (LOG_IN.0 - log.1).max(LOG_IN.0 / 10.0));
        let bytes = self.survey.volume.bytes as f64;
        let time = |of, (least, most): Seconds, basis: String| Estimate {
            of,
            least: (least * 1e3) as i64,
            most: Some((most * 1e3) as i64),
            unit: Unit::Milliseconds,
            basis,
        };
        let size =
            |of, (least, most): (f64, f64), unit, basis: String| Estimate { of, least: least as i64, most: Some(most as i64), unit, basis };
        let is_online = self.settings.mode == Mode::Online;
        let workers = match self.path {
            CopyPath::Stream => format!("{} workers over the line above", super::copy::division(self.settings).workers),
            CopyPath::Direct => format!("two synchronization workers on the target, some {} round trips a table", 20),
        };
        let mut times = Vec::new();
        if is_online {
            times.push(size(Quantity::LogRate, log, Unit::BytesPerSecond, log_basis));
        }
        times.push(time(
            Quantity::Copy,
            copy,
            format!("{workers}; a target that takes {} to {} MB/s of rows and builds {} to {} MB/s of indexes", 10, 150, 10, 140),
        ));
        if is_online {
            times.push(size(Quantity::LogDuringCopy, kept, Unit::Bytes, "the log's rate for as long as the copy lasts".into()));
            times.push(time(Quantity::CatchUp, catch_up, "changes of 5 to 50 MB of log applied in a second".into()));
        }
        times.push(time(Quantity::Compare, compare, "both servers digest 25 to 500 MB/s, while writes go on".into()));
        times.push(self.pause(copy, compare));
        let through_here = if self.path == CopyPath::Stream { " (to this machine, unless it is in the same region)" } else { "" };
        times.push(size(
            Quantity::Egress,
            (bytes * 0.8, bytes * 1.2 + if is_online { kept.1 + (catch_up.1 + compare.1) * log.1 } else { 0.0 }),
            Unit::Bytes,
            format!(
                "the rows once, and what is written until the cut-over{through_here}; Azure's price list says what a GB costs from {}",
                self.survey.server.region
            ),
        ));
        times
    }

    fn log_rate(&self) -> ((f64, f64), String) {
        let rate = self.survey.log_rate;
        let (now, mean) = (rate.now as f64, rate.mean.map_or(rate.now as f64, |mean| mean as f64));
        let since = if rate.mean.is_some() { "; the mean since pg_stat_wal was reset" } else { "" };
        ((now.min(mean), now.max(mean)), format!("watched for the time that this plan took{since}"))
    }

    fn copy(&self) -> Seconds {
        let volume = &self.survey.volume;
        let (rows, indexes) = (volume.bytes as f64, volume.index_bytes as f64);
        let line = self.survey.bandwidth.max(1) as f64;
        let (slow, fast) = match self.path {
            CopyPath::Stream => {
                let workers = super::copy::division(self.settings).workers as f64;
                (line.min(ROWS_IN.0), (line * workers).min(ROWS_IN.1))
            }
            CopyPath::Direct => ROWS_IN,
        };
        let tables = self.survey.inventory.publishable().len() as f64;
        let apiece = match self.path {
            CopyPath::Direct => tables * ROUND_TRIPS_A_TABLE * NEAR / 1e3,
            CopyPath::Stream => tables / 20.0 * self.survey.round_trip.as_secs_f64(),
        };
        (rows / fast + indexes / INDEXES_IN.1, rows / slow + indexes / INDEXES_IN.0 + apiece)
    }

    fn compare(&self) -> Seconds {
        let bytes = self.survey.volume.bytes as f64;
        (bytes / DIGESTED.1, bytes / DIGESTED.0 + 10.0 * self.survey.round_trip.as_secs_f64())
    }

    fn pause(&self, copy: Seconds, compare: Seconds) -> Estimate {
        let most = self.settings.max_pause_in(self.settings.mode);
        let limit = format!("; after {} (--max-pause) the source takes writes again", units::milliseconds(millis(most)));
        let estimate = |(least, most): Seconds, basis: String| Estimate {
            of: Quantity::Pause,
            least: (least * 1e3) as i64,
            most: Some((most * 1e3) as i64),
            unit: Unit::Milliseconds,
            basis: basis + &limit,
        };
        if self.settings.mode == Mode::Offline {
            return estimate((copy.0 + compare.0, copy.1 + compare.1), "copy, index builds and compare".into());
        }
        let three = 3.0 * self.survey.round_trip.as_secs_f64();
        match self.when {
            CompareWhen::After => estimate((three + 0.04, three + 0.15), "three round trips, and 40 to 150 ms measured here".into()),
            CompareWhen::Before | CompareWhen::AllBefore => {
                let limit = most.as_secs_f64();
                estimate(
                    (three + 0.04, (three + 0.15 + compare.1).min(limit).max(three + 0.15)),
                    "three round trips, 40 to 150 ms, and the final compare of what was written since the last".into(),
                )
            }
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use azure2neon_postgres::volume::{LogRate, Volume};

    use super::super::tests::{settings, survey};
    use super::*;

    fn of(mode: Mode, path: CopyPath, when: CompareWhen, change: impl FnOnce(&mut Survey)) -> Vec<Estimate> {
        let mut survey = survey(Vec::new());
        survey.round_trip = Duration::from_millis(40);
        survey.bandwidth = 50_000_000;
        survey.volume = Volume { rows: 1_000_000, unanalyzed: 0, bytes: 10 << 30, indexes: 50, index_bytes: 4 << 30 };
        survey.log_rate = LogRate { now: 100_000, mean: Some(50_000) };
        change(&mut survey);
        estimates(&survey, &Settings { mode, ..settings() }, path, when)
    }

    fn figure(estimates: &[Estimate], quantity: Quantity) -> (i64, Option<i64>) {
        let found = estimates.iter().find(|estimate| estimate.of == quantity).unwrap();
        assert!(!found.basis.is_empty(), "{quantity:?}");
        (found.least, found.most)
    }

    #[test]
    fn no_figure_is_upside_down_and_none_is_there_twice() {
        for mode in [Mode::Online, Mode::Offline] {
            for path in [CopyPath::Direct, CopyPath::Stream] {
                for when in [CompareWhen::After, CompareWhen::Before, CompareWhen::AllBefore] {
                    let estimates = of(mode, path, when, |_| {});
                    assert!(estimates.iter().all(|estimate| estimate.most.is_none_or(|most| estimate.least <= most)), "{estimates:?}");
                    assert!(estimates.is_sorted_by(|one, next| one.of < next.of), "{estimates:?}");
                }
            }
        }
    }

    #[test]
    fn what_is_not_known_has_no_upper_bound() {
        let unanalyzed = of(Mode::Online, CopyPath::Direct, CompareWhen::After, |survey| survey.volume.unanalyzed = 3);
        assert_eq!(figure(&unanalyzed, Quantity::Rows), (1_000_000, None));
        assert_eq!(figure(&unanalyzed, Quantity::RoundTripToTarget), (0, None));
    }

    #[test]
    fn the_copy_is_bound_by_the_line_through_here_and_by_the_target_else() {
        let slow = |survey: &mut Survey| survey.bandwidth = 1_000_000;
        let stream = |change: fn(&mut Survey)| figure(&of(Mode::Online, CopyPath::Stream, CompareWhen::After, change), Quantity::Copy);
        assert!(stream(slow).0 > 4 * stream(|_| {}).0);
        let direct = |change: fn(&mut Survey)| figure(&of(Mode::Online, CopyPath::Direct, CompareWhen::After, change), Quantity::Copy);
        assert_eq!(direct(slow), direct(|_| {}));
    }

    #[test]
    fn the_pause_is_three_round_trips_and_a_little_or_the_whole_copy() {
        let pause = |mode, when| figure(&of(mode, CopyPath::Stream, when, |_| {}), Quantity::Pause);
        assert_eq!(pause(Mode::Online, CompareWhen::After), (160, Some(270)));
        assert_eq!(pause(Mode::Online, CompareWhen::Before).1, Some(5_000), "--max-pause ends it");
        assert!(pause(Mode::Offline, CompareWhen::AllBefore).0 > 60_000);
    }
}
