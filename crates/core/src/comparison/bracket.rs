//! The compare of chunks.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use azure2neon_postgres::QualifiedName;
use azure2neon_postgres::digest::{self, Digest, Extent, Piece, Subject};
use futures::FutureExt;
use futures::future::{BoxFuture, try_join_all};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::pairing::Pair;
use super::rows::{Found, ROWS_AT_ONCE};
use super::sessions::{Marker, Open, Pool};
use crate::context::Context;
use crate::error::Result;
use crate::event::Event;
use crate::units;

/// So many chunks are under way at once: more than there are sessions, since most of the time each waits for the target.
const UNDER_WAY: usize = 16;
/// A chunk holds about so many bytes,
const CHUNK_BYTES: i64 = 16 << 20;
/// and not many more rows than this.
const CHUNK_ROWS: f64 = 100_000.0;
/// So many small tables share a statement.
const BATCH: usize = 64;
/// A bucket holds about so many rows.
const BUCKET_ROWS: f64 = 4_000.0;
/// Not more buckets than this: each is a line of the answer.
const MOST_BUCKETS: i64 = 1 << 14;
/// A chunk that is in doubt so often is divided.
const TRIES: usize = 2;
/// A table without ranges is not read more often than this for rows that are in doubt.
const MOST_SCANS: usize = 16;
/// So many lists of single rows are in memory at once.
const LISTS: usize = 4;

/// Digests by bucket; one without rows is left out.
type Buckets = BTreeMap<i64, Digest>;

/// Some rows of a table that are compared as a whole.
#[derive(Clone, Debug)]
pub(super) struct Work {
    pub(super) table: usize,
    pub(super) extent: Extent,
}

/// What is still in doubt, with what both sides held last.
struct Doubt {
    work: Work,
    source: Buckets,
    target: Buckets,
}

/// What was found of a table so far.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) source_rows: i64,
    pub(super) target_rows: i64,
    pub(super) chunks: u64,
    pub(super) asked_again: u64,
    pub(super) found: Vec<Found>,
    /// Rows that differ too, at least.
    pub(super) more: u64,
    pub(super) changing: Vec<digest::Identity>,
    /// Chunks that are not compared yet,
    open: usize,
    /// of so many.
    of: usize,
}

impl Tally {
    fn is_cut(&mut self, chunks: usize) {
        (self.open, self.of) = (chunks, chunks);
    }
}

/// A compare.
pub(super) struct Job<'a> {
    cx: &'a Context,
    step: &'static str,
    pub(super) source: Pool<'a>,
    pub(super) target: Pool<'a>,
    /// None where both sides stand still.
    pub(super) marker: Option<Marker<'a>>,
    pub(super) pairs: Vec<Pair>,
    tallies: Vec<Mutex<Tally>>,
    pub(super) lists: Semaphore,
    bytes: AtomicI64,
    tables: AtomicUsize,
}

impl<'a> Job<'a> {
    pub(super) fn new(
        cx: &'a Context,
        step: &'static str,
        (source, target): (Open<'a>, Open<'a>),
        marker: Option<Marker<'a>>,
        mut pairs: Vec<Pair>,
    ) -> Self {
        pairs.sort_by_key(|pair| std::cmp::Reverse(pair.source.bytes));
        Self {
            cx,
            step,
            source: Pool::new(source),
            target: Pool::new(target),
            marker,
            tallies: pairs.iter().map(|_| Mutex::default()).collect(),
            pairs,
            lists: Semaphore::new(LISTS),
            bytes: AtomicI64::new(0),
            tables: AtomicUsize::new(0),
        }
    }

    pub(super) fn subject(&self, table: usize) -> &Subject {
        &self.pairs[table].subject
    }

    pub(super) fn tally(&self, table: usize) -> MutexGuard<'_, Tally> {
        self.tallies[table].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The tables that are not wholly compared.
    pub(super) fn left(&self) -> Vec<QualifiedName> {
        (0..self.pairs.len()).filter(|table| self.tally(*table).open > 0).map(|table| self.subject(table).name.clone()).collect()
    }

    pub(super) fn is_finished(&self, table: usize) -> bool {
        self.tally(table).open == 0
    }

    /// The rows that differ, by table.
    pub(super) fn into_found(self) -> Vec<(Subject, Vec<Found>)> {
        let found = self.tallies.into_iter().map(|tally| tally.into_inner().unwrap_or_else(PoisonError::into_inner).found);
        self.pairs.into_iter().map(|pair| pair.subject).zip(found).filter(|(_, found)| !found.is_empty()).collect()
    }

    /// Compares everything, or what there is time for until `end`: then the smallest tables come first.
    pub(super) async fn run(&self, end: Option<Instant>) -> Result<()> {
        let (small, mut large): (Vec<usize>, Vec<usize>) = (0..self.pairs.len()).partition(|table| self.parts(*table) <= 1);
        (0..self.pairs.len()).for_each(|table| self.tally(table).is_cut(1));
        let mut batches = self.batches(&small);
        let Some(end) = end else {
            let cut = self.cut_all(large).await?;
            return self.drain(cut.into_iter().map(|work| vec![work]).chain(batches).collect(), None).await;
        };
        batches.make_contiguous().reverse();
        self.drain(batches, Some(end)).await?;
        large.reverse();
        // One after another, so that as many as possible are done at the end.
        for table in large {
            if Instant::now() >= end {
                break;
            }
            let work = self.cut(table).await?;
            self.drain(work.into_iter().map(|work| vec![work]).collect(), Some(end)).await?;
        }
        Ok(())
    }

    /// The chunks of these tables.
    async fn cut_all(&self, tables: Vec<usize>) -> Result<Vec<Work>> {
        let mut work = Vec::new();
        for some in tables.chunks(UNDER_WAY) {
            work.extend(try_join_all(some.iter().map(|table| self.cut(*table))).await?.into_iter().flatten());
        }
        Ok(work)
    }

    /// In how many chunks a table is read.
    fn parts(&self, table: usize) -> i64 {
        let known = &self.pairs[table].source;
        (known.bytes / CHUNK_BYTES + 1).max((known.estimated_rows / CHUNK_ROWS) as i64)
    }

    async fn cut(&self, table: usize) -> Result<Vec<Work>> {
        let (subject, known) = (self.subject(table), &self.pairs[table].source);
        let extents = if subject.key.as_ref().is_some_and(|key| key.in_ranges) {
            digest::cut(&*self.source.lease().await?, subject, self.parts(table), known.blocks).await?
        } else {
            vec![Extent::Buckets { count: buckets(known.estimated_rows), only: Vec::new() }]
        };
        self.tally(table).is_cut(extents.len());
        Ok(extents.into_iter().map(|extent| Work { table, extent }).collect())
    }

    /// Tables that are read as a whole, several in one statement.
    fn batches(&self, small: &[usize]) -> VecDeque<Vec<Work>> {
        let mut batches: VecDeque<Vec<Work>> = VecDeque::new();
        let mut bytes = 0;
        for &table in small {
            bytes += self.pairs[table].source.bytes;
            let work = Work { table, extent: Extent::All };
            match batches.back_mut() {
                Some(batch) if batch.len() < BATCH && bytes <= CHUNK_BYTES => batch.push(work),
                _ => {
                    bytes = self.pairs[table].source.bytes;
                    batches.push_back(vec![work]);
                }
            }
        }
        batches
    }

    async fn drain(&self, work: VecDeque<Vec<Work>>, end: Option<Instant>) -> Result<()> {
        let queue = Mutex::new(work);
        let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let worker = async || {
            while let Some(work) = next() {
                let settled = self.settle(work.clone());
                match end {
                    None => settled.await?,
                    Some(end) if Instant::now() >= end => return Ok(()),
                    // What was under way at the end is left.
                    Some(end) => match tokio::time::timeout_at(end, settled).await {
                        Ok(settled) => settled?,
                        Err(_) => return Ok(()),
                    },
                }
                self.done(&work);
            }
            Ok(())
        };
        try_join_all((0..UNDER_WAY).map(|_| worker())).await.map(|_| ())
    }

    fn done(&self, work: &[Work]) {
        for work in work {
            let mut tally = self.tally(work.table);
            let share = self.pairs[work.table].source.bytes / i64::try_from(tally.of.max(1)).unwrap_or(1);
            self.bytes.fetch_add(share, Ordering::Relaxed);
            tally.open -= 1;
            if tally.open == 0 {
                self.tables.fetch_add(1, Ordering::Relaxed);
            }
        }
        let total: i64 = self.pairs.iter().map(|pair| pair.source.bytes).sum();
        self.cx.events.say(Event::Progress {
            step: self.step.to_owned(),
            done: self.tables.load(Ordering::Relaxed) as u64,
            total: self.pairs.len() as u64,
            unit: "tables".into(),
            detail: format!("compared, {} of {}", units::bytes(self.bytes.load(Ordering::Relaxed)), units::bytes(total)),
        });
    }

    async fn read(&self, pool: &Pool<'_>, work: &[Work]) -> Result<Vec<Buckets>> {
        let pieces: Vec<Piece<'_>> =
            work.iter().map(|work| Piece { subject: self.subject(work.table), extent: work.extent.clone() }).collect();
        Ok(digest::digests(&*pool.lease().await?, &pieces).await?)
    }

    /// Compares these rows until nothing of them is in doubt.
    fn settle(&self, mut open: Vec<Work>) -> BoxFuture<'_, Result<()>> {
        async move {
            let mut before = None;
            let mut doubts = Vec::new();
            for _ in 0..TRIES {
                doubts = self.bracket(&open, before.take()).await?;
                if doubts.is_empty() {
                    return Ok(());
                }
                if self.marker.is_none() {
                    break;
                }
                doubts.iter().for_each(|doubt| self.tally(doubt.work.table).asked_again += 1);
                open = doubts.iter().map(|doubt| doubt.work.clone()).collect();
                before = Some(doubts.iter().map(|doubt| doubt.source.clone()).collect::<Vec<_>>());
            }
            for doubt in doubts {
                self.divide(doubt).await?;
            }
            Ok(())
        }
        .boxed()
    }

    /// One look at both sides; what is equal is counted, the rest is in doubt.
    async fn bracket(&self, open: &[Work], before: Option<Vec<Buckets>>) -> Result<Vec<Doubt>> {
        let is_first = before.is_none();
        let (before, there) = match &self.marker {
            None => tokio::try_join!(self.read(&self.source, open), self.read(&self.target, open))?,
            Some(marker) => {
                let before = match before {
                    Some(before) => before,
                    None => self.read(&self.source, open).await?,
                };
                marker.passed().await?;
                (before, self.read(&self.target, open).await?)
            }
        };
        if is_first {
            open.iter().for_each(|work| self.tally(work.table).chunks += 1);
        }
        let doubts = open.iter().cloned().zip(before).zip(there).map(|((work, source), target)| Doubt { work, source, target });
        let doubts: Vec<Doubt> = doubts.filter_map(|doubt| self.unless_equal(doubt)).collect();
        if doubts.is_empty() || self.marker.is_none() {
            return Ok(doubts);
        }
        let work: Vec<Work> = doubts.iter().map(|doubt| doubt.work.clone()).collect();
        let after = self.read(&self.source, &work).await?;
        Ok(doubts.into_iter().zip(after).filter_map(|(doubt, source)| self.unless_equal(Doubt { source, ..doubt })).collect())
    }

    /// Counts the buckets that are equal; the others stay in doubt.
    fn unless_equal(&self, doubt: Doubt) -> Option<Doubt> {
        let Doubt { mut work, mut source, mut target } = doubt;
        let buckets: BTreeSet<i64> = source.keys().chain(target.keys()).copied().collect();
        let mut tally = self.tally(work.table);
        let mut open = Vec::new();
        for bucket in buckets {
            if source.get(&bucket) != target.get(&bucket) {
                open.push(bucket);
            } else if let Some(equal) = target.remove(&bucket) {
                source.remove(&bucket);
                tally.source_rows += equal.rows;
                tally.target_rows += equal.rows;
            }
        }
        if open.is_empty() {
            return None;
        }
        if let Extent::Buckets { only, .. } = &mut work.extent {
            *only = open;
        }
        Some(Doubt { work, source, target })
    }

    /// Looks closer at what is in doubt.
    async fn divide(&self, doubt: Doubt) -> Result<()> {
        let Doubt { work, source, target } = doubt;
        let rows = |buckets: &Buckets| buckets.values().map(|digest| digest.rows).sum::<i64>();
        let (here, there) = (rows(&source), rows(&target));
        let subject = self.subject(work.table);
        let in_ranges = subject.key.as_ref().is_some_and(|key| key.in_ranges);
        if here.max(there) <= ROWS_AT_ONCE {
            return self.list(&work, (here, there)).await;
        }
        match &work.extent {
            Extent::Buckets { count, only } => {
                // Buckets that fit into a list together; those are read by one scan.
                let mut groups: Vec<(Vec<i64>, i64, i64)> = Vec::new();
                for bucket in only {
                    let of = |buckets: &Buckets| buckets.get(bucket).map_or(0, |digest| digest.rows);
                    let (here, there) = (of(&source), of(&target));
                    match groups.last_mut() {
                        Some((buckets, left, right)) if (*left + here).max(*right + there) <= ROWS_AT_ONCE => {
                            buckets.push(*bucket);
                            (*left, *right) = (*left + here, *right + there);
                        }
                        _ => groups.push((vec![*bucket], here, there)),
                    }
                }
                for (n, (only, here, there)) in groups.into_iter().enumerate() {
                    if n >= MOST_SCANS {
                        let mut tally = self.tally(work.table);
                        (tally.source_rows, tally.target_rows) = (tally.source_rows + here, tally.target_rows + there);
                        tally.changing.push(vec![format!("{} of {count} buckets", only.len())]);
                        continue;
                    }
                    let extent = Extent::Buckets { count: *count, only };
                    self.list(&Work { table: work.table, extent }, (here, there)).await?;
                }
                Ok(())
            }
            extent if in_ranges => {
                let pool = if here >= there { &self.source } else { &self.target };
                let extents = digest::split(&*pool.lease().await?, subject, extent, ROWS_AT_ONCE / 2).await?;
                if extents.len() == 1 {
                    return self.list(&work, (here, there)).await;
                }
                let parts: Vec<Work> = extents.into_iter().map(|extent| Work { table: work.table, extent }).collect();
                for some in parts.chunks(UNDER_WAY) {
                    self.settle(some.to_vec()).await?;
                }
                Ok(())
            }
            _ => {
                let extent = Extent::Buckets { count: buckets(here.max(there) as f64), only: Vec::new() };
                self.settle(vec![Work { table: work.table, extent }]).await
            }
        }
    }
}

/// Into how many buckets so many rows are put.
fn buckets(rows: f64) -> i64 {
    let wanted = (rows / BUCKET_ROWS).clamp(16.0, MOST_BUCKETS as f64) as u64;
    wanted.next_power_of_two().cast_signed()
}

#[cfg(test)]
mod tests {
    use super::buckets;

    #[test]
    fn buckets_are_a_power_of_two() {
        assert_eq!([buckets(-1.0), buckets(100_000.0), buckets(1e12)], [16, 32, 1 << 14]);
    }
}
