//! Compares the rows of both servers, chunk by chunk, while the source is written to or both stand still.
//!
//! A chunk is digested on the source, then on the target when that has applied all that was committed by then. Equal is equal. Else the
//! source is digested again: it may have held then what the target does now. What stays in doubt is divided, down to single rows. Of a row
//! the source says too whether anybody wrote it meanwhile, so that a difference is a difference and not a row in flight.

mod bracket;
mod describe;
mod evidence;
mod pairing;
mod ready;
mod repair;
mod rows;
mod sessions;
mod verify;

use std::collections::BTreeSet;
use std::time::Duration;

use azure2neon_postgres::QualifiedName;
use serde::{Deserialize, Serialize};

pub use evidence::{Changed, Evidence, Tokens, changed_since};
pub use ready::Ready;
pub use repair::{Repaired, RepairedTable};
use sessions::opening;
pub use verify::{Verified, verify};

use crate::context::Context;
use crate::direction::Direction;
use crate::error::{Error, ErrorKind, Result};
use crate::selection::Selection;
use crate::{clock, units};
use pairing::Pairing;

/// So many differences of a table are kept with the result,
const SHOWN: usize = 100;
/// and so many lines are printed of all.
const LINES: usize = 60;

/// What was found for a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Every row is on both sides.
    Equal,
    /// Some rows changed each time that they were looked at; the final compare, with both sides at rest, decides.
    Changing,
    /// Some rows differ.
    Different,
    /// It is on one side only.
    Missing,
}

/// A table's comparison.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableVerdict {
    /// The table.
    pub table: QualifiedName,
    /// The verdict.
    pub verdict: Verdict,
    /// Rows on the source.
    pub source_rows: i64,
    /// Rows on the target.
    pub target_rows: i64,
    /// Heap and TOAST on the source, in bytes.
    #[serde(default)]
    pub bytes: i64,
    /// In how many chunks it was read.
    #[serde(default)]
    pub chunks: u64,
    /// How often a chunk was asked again, since it was being written to.
    #[serde(default)]
    pub asked_again: u64,
    /// The rows that differ, the first of them.
    #[serde(default)]
    pub differences: Vec<Difference>,
    /// How many more rows differ, at least.
    #[serde(default)]
    pub more_differences: u64,
    /// Rows that changed each time, the first of them.
    #[serde(default)]
    pub changing: Vec<String>,
    /// Why it differs, where that is not a matter of rows.
    #[serde(default)]
    pub why: Option<String>,
    /// By which it is known later whether it was written to since.
    #[serde(default)]
    pub evidence: Option<Evidence>,
}

/// How a row differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// It is on the source only.
    Missing,
    /// It is on the target only.
    Extra,
    /// It is on both, with other values.
    Changed,
}

/// A row that differs. Values are not shown, only their digests: they may be personal or secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// What names it: its key, or its digest where the table has no key.
    pub row: String,
    /// How.
    pub kind: Kind,
    /// The row's digest on the source, or how many such rows there are.
    pub source: Option<String>,
    /// The same on the target.
    pub target: Option<String>,
    /// The columns that differ; only of the first rows of a table.
    #[serde(default)]
    pub columns: Vec<ColumnDifference>,
}

/// A column whose values differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnDifference {
    /// Its name.
    pub column: String,
    /// The value's digest on the source; none if it is null.
    pub source: Option<String>,
    /// The same on the target.
    pub target: Option<String>,
}

/// All tables' comparison.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comparison {
    /// By name.
    pub tables: Vec<TableVerdict>,
    /// When it began.
    #[serde(default)]
    pub at: Option<jiff::Timestamp>,
    /// How long it took.
    #[serde(default)]
    pub milliseconds: u64,
    /// Tables that the time did not suffice for.
    #[serde(default)]
    pub left: Vec<QualifiedName>,
    /// Since when both servers count writes.
    #[serde(default)]
    pub tokens: Tokens,
}

/// What to compare, and how long.
#[derive(Default)]
pub struct Scope {
    /// These tables only; all that are moved, if not given.
    pub only: Option<BTreeSet<QualifiedName>>,
    /// Of those the ones that this names.
    pub selection: Selection,
    /// Stop after this time, and say what is left; the smallest tables come first then.
    pub budget: Option<Duration>,
    /// Which way the changes flow, where they do.
    pub direction: Direction,
}

impl Comparison {
    /// How many tables have this verdict.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.tables.iter().filter(|table| table.verdict == verdict).count()
    }

    /// Rows on the source, in all.
    pub fn rows(&self) -> i64 {
        self.tables.iter().map(|table| table.source_rows).sum()
    }

    /// Bytes on the source, in all.
    pub fn bytes(&self) -> i64 {
        self.tables.iter().map(|table| table.bytes).sum()
    }

    /// How often a chunk was asked again.
    pub fn asked_again(&self) -> u64 {
        self.tables.iter().map(|table| table.asked_again).sum()
    }

    /// Whether no table is known to differ.
    pub fn is_green(&self) -> bool {
        self.bad().next().is_none()
    }

    /// In a few words.
    pub fn note(&self) -> String {
        let changing = match self.count(Verdict::Changing) {
            0 => String::new(),
            n => format!(", {n} changing all the time (decided in the final compare)"),
        };
        let left = match self.left.len() {
            0 => String::new(),
            n => format!(", {} not compared yet", units::count(n, "table")),
        };
        format!("{} of {} tables equal, {} rows{changing}{left}", self.count(Verdict::Equal), self.tables.len(), self.rows())
    }

    fn bad(&self) -> impl Iterator<Item = &TableVerdict> {
        self.tables.iter().filter(|table| matches!(table.verdict, Verdict::Different | Verdict::Missing))
    }

    /// Puts these verdicts in the place of those of the same tables.
    pub fn replace(&mut self, newer: Self) {
        for verdict in newer.tables {
            match self.tables.iter_mut().find(|table| table.table == verdict.table) {
                Some(older) => *older = verdict,
                None => self.tables.push(verdict),
            }
        }
    }

    /// Adds what a compare that began at `since` found.
    async fn add(&mut self, job: &bracket::Job<'_>, since: std::time::Instant) -> Result<()> {
        self.tables.extend(describe::verdicts(job).await?);
        self.tables.sort_by(|a, b| a.table.cmp(&b.table));
        self.left = job.left();
        self.milliseconds += clock::milliseconds_since(since);
        Ok(())
    }

    /// Fails with the tables that are not equal, and how.
    pub fn demand_equal(&self) -> Result<()> {
        let bad = self.bad().count();
        if bad == 0 {
            return Ok(());
        }
        let lines: Vec<String> = self.bad().flat_map(TableVerdict::lines).collect();
        let more = lines.len().saturating_sub(LINES);
        let mut text: String = lines.iter().take(LINES).map(|line| format!("\n  {line}")).collect();
        if more > 0 {
            text.push_str(&format!("\n  … and {more} more lines; `azure2neon verify --output json` has them"));
        }
        Err(Error::new(ErrorKind::NotEqual, format!("{bad} of {} tables are not equal:{text}", self.tables.len())).hint(
            "somebody wrote to the target, or changed a table's columns on the source: `azure2neon verify --repair` copies the named rows \
             again; or `azure2neon abort` and start again",
        ))
    }
}

impl TableVerdict {
    /// A verdict about a table of which no row was read.
    fn of_table(table: QualifiedName, verdict: Verdict, why: Option<String>) -> Self {
        Self {
            table,
            verdict,
            source_rows: 0,
            target_rows: 0,
            bytes: 0,
            chunks: 0,
            asked_again: 0,
            differences: Vec::new(),
            more_differences: 0,
            changing: Vec::new(),
            why,
            evidence: None,
        }
    }

    /// Names the sides rightly after a compare that began with the target.
    fn turn(&mut self) {
        std::mem::swap(&mut self.source_rows, &mut self.target_rows);
        for difference in &mut self.differences {
            std::mem::swap(&mut difference.source, &mut difference.target);
            difference.kind = match difference.kind {
                Kind::Missing => Kind::Extra,
                Kind::Extra => Kind::Missing,
                Kind::Changed => Kind::Changed,
            };
            difference.columns.iter_mut().for_each(|column| std::mem::swap(&mut column.source, &mut column.target));
        }
    }

    /// How many rows differ, at least.
    pub fn different_rows(&self) -> u64 {
        self.differences.len() as u64 + self.more_differences
    }

    /// What is wrong with it, one line for the table and one for each row and column.
    pub fn lines(&self) -> Vec<String> {
        let head = match (self.verdict, &self.why) {
            (Verdict::Missing, _) => format!("{} is not on both sides", self.table),
            (_, Some(why)) => format!("{}: {why}", self.table),
            _ if self.source_rows != self.target_rows => format!(
                "{}: {} on the source, {} on the target, {} differ",
                self.table,
                rows(self.source_rows),
                self.target_rows,
                self.different_rows()
            ),
            _ => format!("{}: {} on both sides, {} differ", self.table, rows(self.source_rows), self.different_rows()),
        };
        let mut lines = vec![head];
        for difference in &self.differences {
            lines.push(format!("  {}", difference.line()));
            lines.extend(difference.columns.iter().map(|column| {
                let digest = |value: &Option<String>| value.clone().unwrap_or_else(|| "null".into());
                format!("    column {}: {} on the source, {} on the target", column.column, digest(&column.source), digest(&column.target))
            }));
        }
        if self.more_differences > 0 {
            lines.push(format!("  … and {} more", self.more_differences));
        }
        lines
    }
}

impl Difference {
    fn line(&self) -> String {
        let digest = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".into());
        match self.kind {
            Kind::Missing => format!("{}: missing on the target ({} on the source)", self.row, digest(&self.source)),
            Kind::Extra => format!("{}: on the target only ({})", self.row, digest(&self.target)),
            Kind::Changed => format!("{}: {} on the source, {} on the target", self.row, digest(&self.source), digest(&self.target)),
        }
    }
}

fn rows(number: i64) -> String {
    units::count(usize::try_from(number).unwrap_or_default(), "row")
}

/// Compares every replicated table while writes go on. `catch_up` is how long the target may take to apply what the source held when a
/// chunk was looked at.
pub async fn compare_live(cx: &Context, step: &'static str, scope: Scope, catch_up: Duration) -> Result<Comparison> {
    Ok(compare(cx, step, scope, Some(catch_up)).await?.comparison)
}

/// A comparison with what is needed to repair what it found.
struct Compared {
    comparison: Comparison,
    /// By table.
    found: Vec<(azure2neon_postgres::digest::Subject, Vec<rows::Found>)>,
}

async fn compare(cx: &Context, step: &'static str, scope: Scope, catch_up: Option<Duration>) -> Result<Compared> {
    let (at, since) = (clock::now(), clock::stopwatch());
    let is_live = catch_up.is_some();
    let by_budget = scope.budget.map(|budget| tokio::time::Instant::now() + budget);
    let Pairing { pairs, verdicts, tokens } = pairing::pair(cx, &scope, is_live).await?;
    let direction = scope.direction;
    let marker = catch_up.map(|deadline| sessions::Marker::new(cx, (step, direction), deadline));
    let sides = (opening(move || direction.from_session(cx)), opening(move || direction.to_session(cx)));
    let job = bracket::Job::new(cx, step, sides, marker, pairs);
    job.run(by_budget).await?;
    let mut comparison = Comparison { tables: verdicts, at: Some(at), tokens, ..Comparison::default() };
    comparison.add(&job, since).await?;
    if direction == Direction::Back {
        comparison.tables.iter_mut().for_each(TableVerdict::turn);
    }
    Ok(Compared { comparison, found: job.into_found() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn different(rows: usize) -> TableVerdict {
        let column = |name: &str| ColumnDifference { column: name.into(), source: Some("ab".into()), target: None };
        let difference = |n| Difference {
            row: format!("id = {n}"),
            kind: Kind::Changed,
            source: Some("1".into()),
            target: Some("2".into()),
            columns: vec![column("name")],
        };
        let table = TableVerdict::of_table(QualifiedName::new("s", "t"), Verdict::Different, None);
        TableVerdict { source_rows: 5, target_rows: 5, differences: (0..rows).map(difference).collect(), more_differences: 3, ..table }
    }

    #[test]
    fn what_differs_is_named_line_by_line() {
        let comparison = Comparison { tables: vec![different(1)], ..Comparison::default() };
        assert_eq!(
            comparison.demand_equal().unwrap_err().message(),
            "1 of 1 tables are not equal:\n  \"s\".\"t\": 5 rows on both sides, 4 differ\n    id = 0: 1 on the source, 2 on the target\n      \
             column name: ab on the source, null on the target\n    … and 3 more"
        );
        assert!(!comparison.is_green());
    }

    #[test]
    fn an_error_is_bounded_and_one_of_the_earlier_format_is_read() {
        let comparison = Comparison { tables: (0..90).map(|_| different(20)).collect(), ..Comparison::default() };
        assert_eq!(comparison.demand_equal().unwrap_err().message().lines().count(), LINES + 2);
        let earlier = r#"{"tables": [{"table": {"schema": "s", "name": "t"}, "verdict": "equal", "source_rows": 1, "target_rows": 1}]}"#;
        let earlier: Comparison = serde_json::from_str(earlier).unwrap();
        assert!(earlier.is_green() && earlier.demand_equal().is_ok() && earlier.at.is_none());
    }
}
