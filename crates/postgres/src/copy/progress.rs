//! How far a copy is: by bytes and rows, per table and part, with what is left only where measured rates tell.

use std::convert::Infallible;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::manners::Manners;
use super::pace::Pace;
use crate::ident::QualifiedName;

/// Between two looks.
const EVERY: Duration = Duration::from_millis(250);
/// So many tables that are under way are named.
const NAMED: usize = 3;
/// A piece whose size was guessed is not done before it is done.
const NEARLY: f64 = 0.99;

/// How far a copy is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Progress {
    /// Tables whose rows are all in.
    pub tables: usize,
    /// Tables in all.
    pub of_tables: usize,
    /// Bytes that have gone through this machine.
    pub bytes: u64,
    /// How many it will be, by the tables' sizes and by what the finished ones came to.
    pub of_bytes: u64,
    /// Rows that are in.
    pub rows: u64,
    /// Bytes per second over the last ten seconds; none at the beginning.
    pub rate: Option<u64>,
    /// How long the rows will take still, at least and at most; none until that means something.
    pub left: Option<(Duration, Duration)>,
    /// The largest tables that are under way, the largest first.
    pub under_way: Vec<TableProgress>,
}

/// How far a table is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableProgress {
    /// Its name.
    pub table: QualifiedName,
    /// What is done with it.
    pub state: TableState,
    /// How much of its rows is in, in percent.
    pub percent: u8,
    /// Parts that are in.
    pub parts: usize,
    /// Parts in all.
    pub of_parts: usize,
    /// Bytes of it that have gone through this machine.
    pub bytes: u64,
    /// Rows that are in.
    pub rows: u64,
}

/// What is done with a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableState {
    /// Nothing yet.
    Waiting,
    /// Its rows are copied.
    Copying,
    /// Its rows are in; indexes and statistics are made.
    Indexing,
    /// It is done.
    Done,
}

/// A table to be copied.
#[derive(Clone, Debug)]
pub struct Expected {
    /// Its name.
    pub table: QualifiedName,
    /// Heap and TOAST, in bytes.
    pub bytes: u64,
    /// In how many parts it is copied.
    pub parts: usize,
}

/// Keeps count of a copy.
pub struct Tracker(Mutex<Counts>);

struct Counts {
    tables: Vec<Table>,
    bytes: u64,
    pace: Pace,
}

struct Table {
    expected: Expected,
    /// Parts that are in, and their bytes and rows.
    parts: usize,
    bytes: u64,
    rows: u64,
    /// Parts under way, by ids, and their bytes.
    pieces: Vec<(u64, u64)>,
    done: bool,
}

impl Table {
    fn state(&self) -> TableState {
        match self {
            _ if self.done => TableState::Done,
            _ if self.parts >= self.expected.parts => TableState::Indexing,
            _ if self.parts > 0 || !self.pieces.is_empty() => TableState::Copying,
            _ => TableState::Waiting,
        }
    }

    fn moved(&self) -> u64 {
        self.bytes + self.pieces.iter().map(|(_, bytes)| bytes).sum::<u64>()
    }

    /// How much of its rows is in, from 0 to 1. Rows weigh another on the wire than on disk; the parts that are in tell how much.
    fn fraction(&self) -> f64 {
        let of_parts = self.expected.parts.max(1) as f64;
        let part = match self.parts {
            0 => self.expected.bytes as f64 / of_parts,
            parts => self.bytes as f64 / parts as f64,
        };
        let piece = |bytes: u64| if part > 0.0 { (bytes as f64 / part).min(NEARLY) } else { 0.0 };
        let begun: f64 = self.pieces.iter().map(|(_, bytes)| piece(*bytes)).sum();
        ((self.parts as f64 + begun) / of_parts).min(1.0)
    }

    fn progress(&self) -> TableProgress {
        TableProgress {
            table: self.expected.table.clone(),
            state: self.state(),
            percent: (self.fraction() * 100.0) as u8,
            parts: self.parts,
            of_parts: self.expected.parts,
            bytes: self.moved(),
            rows: self.rows,
        }
    }
}

impl Tracker {
    /// Counts for these tables, which are named by their index from now on.
    pub fn new(tables: impl IntoIterator<Item = Expected>) -> Self {
        let table = |expected: Expected| Table { expected, parts: 0, bytes: 0, rows: 0, pieces: Vec::new(), done: false };
        Self(Mutex::new(Counts { tables: tables.into_iter().map(table).collect(), bytes: 0, pace: Pace::new(Instant::now()) }))
    }

    /// A table, or a part of it, is begun.
    pub fn begin(&self, table: usize) -> Begun<'_> {
        let mut counts = self.counts();
        let Some(counted) = counts.tables.get_mut(table) else { return Begun { tracker: self, table, id: 0 } };
        let id = counted.pieces.last().map_or(1, |(id, _)| id + 1);
        counted.pieces.push((id, 0));
        Begun { tracker: self, table, id }
    }

    /// All is done with the table, its indexes and statistics too.
    pub fn done(&self, table: usize) {
        if let Some(table) = self.counts().tables.get_mut(table) {
            table.done = true;
        }
    }

    /// How far it is.
    pub fn progress(&self) -> Progress {
        self.counts().progress(Instant::now())
    }

    /// Says how far it is, four times a second at most and where something changed, until it is dropped. Says nothing while the
    /// copy is paused, which is no slow rate either.
    pub async fn watch(&self, manners: &Manners, say: &(dyn Fn(Progress) + Sync)) -> Infallible {
        let mut said = Progress::default();
        loop {
            tokio::time::sleep(EVERY).await;
            let paused = manners.allowed().paused;
            let progress = {
                let (mut counts, now) = (self.counts(), Instant::now());
                if paused {
                    counts.pace = Pace::new(now);
                }
                counts.look(now)
            };
            if !paused && progress != said {
                say(progress.clone());
                said = progress;
            }
        }
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    /// How far it is, and remembered for the rate.
    fn look(&mut self, now: Instant) -> Progress {
        self.pace.note(self.bytes, now);
        self.progress(now)
    }

    fn progress(&self, now: Instant) -> Progress {
        let is_in = |table: &&Table| table.parts >= table.expected.parts;
        // What the tables that are in weigh on the wire, against what they weigh on disk.
        let (wire, disk) = self.tables.iter().filter(is_in).fold((0, 0), |(wire, disk), t| (wire + t.bytes, disk + t.expected.bytes));
        let ratio = if disk > 0 { wire as f64 / disk as f64 } else { 1.0 };
        let left = |table: &Table| match (1.0 - table.fraction(), table.parts) {
            (rest, 0) => rest * table.expected.bytes as f64 * ratio,
            (rest, parts) => rest * table.bytes as f64 / parts as f64 * table.expected.parts as f64,
        };
        let left: f64 = self.tables.iter().map(left).sum();
        let moved: u64 = self.tables.iter().map(Table::moved).sum();
        let of_bytes = moved + left as u64;
        let done = if of_bytes == 0 { 1.0 } else { moved as f64 / of_bytes as f64 };
        let mut under_way: Vec<&Table> =
            self.tables.iter().filter(|table| matches!(table.state(), TableState::Copying | TableState::Indexing)).collect();
        under_way.sort_by_key(|table| std::cmp::Reverse(table.expected.bytes));
        Progress {
            tables: self.tables.iter().filter(is_in).count(),
            of_tables: self.tables.len(),
            bytes: moved,
            of_bytes,
            rows: self.tables.iter().map(|table| table.rows).sum(),
            rate: self.pace.rate(),
            left: self.pace.left(left as u64, done, now),
            under_way: under_way.into_iter().take(NAMED).map(Table::progress).collect(),
        }
    }
}

/// A table, or a part of it, that is under way. If it is dropped before it is in, its bytes don't count.
pub struct Begun<'a> {
    tracker: &'a Tracker,
    table: usize,
    id: u64,
}

impl Begun<'_> {
    /// So many bytes more have gone through.
    pub fn moved(&self, bytes: usize) {
        let mut counts = self.tracker.counts();
        counts.bytes += bytes as u64;
        let pieces = counts.tables.get_mut(self.table).map(|table| table.pieces.as_mut_slice()).unwrap_or_default();
        if let Some((_, moved)) = pieces.iter_mut().find(|(id, _)| *id == self.id) {
            *moved += bytes as u64;
        }
    }

    /// It is in, with so many rows.
    pub fn is_in(self, rows: u64) {
        self.end(Some(rows));
    }

    /// Takes it off what is under way; it counts if it came in.
    fn end(&self, rows: Option<u64>) {
        let mut counts = self.tracker.counts();
        let Some(table) = counts.tables.get_mut(self.table) else { return };
        let Some(at) = table.pieces.iter().position(|(id, _)| *id == self.id) else { return };
        let (_, bytes) = table.pieces.remove(at);
        if let Some(rows) = rows {
            table.parts += 1;
            table.bytes += bytes;
            table.rows += rows;
        }
    }
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        self.end(None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tracker(tables: &[(u64, usize)]) -> Tracker {
        let expected = |(n, (bytes, parts)): (usize, &(u64, usize))| Expected {
            table: QualifiedName::new("public", format!("t{n}")),
            bytes: *bytes,
            parts: *parts,
        };
        Tracker::new(tables.iter().enumerate().map(expected))
    }

    #[test]
    fn a_table_goes_from_waiting_to_done_and_the_largest_is_named_first() {
        let tracker = tracker(&[(1_000, 1), (8_000, 2), (0, 1)]);
        assert_eq!(tracker.progress(), Progress { of_tables: 3, of_bytes: 9_000, ..Progress::default() });
        let (small, part) = (tracker.begin(0), tracker.begin(1));
        small.moved(430);
        part.moved(1_000);
        let progress = tracker.progress();
        let named: Vec<_> = progress.under_way.iter().map(|t| (t.table.name.as_str(), t.percent, t.parts, t.of_parts)).collect();
        assert_eq!(named, [("t1", 12, 0, 2), ("t0", 43, 0, 1)]);
        small.is_in(10);
        part.is_in(20);
        let progress = tracker.progress();
        assert_eq!((progress.tables, progress.rows, progress.bytes), (1, 30, 1_430));
        assert_eq!(progress.under_way.iter().map(|t| t.state).collect::<Vec<_>>(), [TableState::Copying, TableState::Indexing]);
        tracker.done(0);
        assert_eq!(tracker.progress().under_way.len(), 1);
    }

    #[test]
    fn what_is_left_is_guessed_by_what_the_finished_came_to() {
        let tracker = tracker(&[(1_000, 1), (1_000, 1), (4_000, 4)]);
        let (whole, part) = (tracker.begin(0), tracker.begin(2));
        whole.moved(2_000);
        whole.is_in(1);
        // Twice of what it takes on disk: so will the other be.
        assert_eq!(tracker.progress().of_bytes, 2_000 + 2_000 + 8_000);
        part.moved(500);
        part.is_in(1);
        // Its own parts know better.
        assert_eq!(tracker.progress().of_bytes, 2_000 + 2_000 + 2_000);
        let next = tracker.begin(2);
        next.moved(400);
        assert_eq!(tracker.progress().under_way[0].percent, 45);
        next.moved(400);
        assert_eq!(tracker.progress().under_way[0].percent, 49, "not done before it is done");
    }

    #[test]
    fn a_piece_that_failed_counts_for_nothing() {
        let tracker = tracker(&[(1_000, 1)]);
        let piece = tracker.begin(0);
        piece.moved(900);
        drop(piece);
        let progress = tracker.progress();
        assert_eq!((progress.bytes, progress.of_bytes, progress.under_way.len()), (0, 1_000, 0));
    }
}
