//! The initial load: every table under one snapshot, by several workers, each table with its indexes as soon as it is in.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::try_join_all;

use super::manners::Manners;
use super::progress::{Expected, Progress, Tracker};
use super::queue::{Queue, Ranked};
use super::tables::{Copied, Piece, pieces, tables_to_copy};
use super::transfer::{Meter, transfer};
use crate::connect::{Endpoint, Session};
use crate::error::{Doing, Result};
use crate::ident::{QualifiedName, literal};
use crate::lsn::Lsn;
use crate::schema::{self, Entry};
use crate::walsender::ExportedSlot;

/// What all workers together may take of the target's memory for index builds, in MiB.
const MAINTENANCE_MEMORY: usize = 512;

/// A load to be done.
pub struct Load<'a> {
    /// The source, as a role that sees every row.
    pub source: &'a Endpoint,
    /// The target, as the owner of its tables.
    pub target: &'a Endpoint,
    /// The slot under whose snapshot the tables are read.
    pub slot: &'a ExportedSlot,
    /// The target's schema for marks, of entries as of the load.
    pub marker_schema: &'a str,
    /// The rest of the schema; of it the tables' own indexes and constraints are made as each table is in.
    pub entries: &'a [Entry],
    /// How many tables or parts are copied at once, each over a connection of its own to either side.
    pub workers: usize,
    /// What the workers obey.
    pub manners: &'a Manners,
}

/// What was loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// Tables.
    pub tables: usize,
    /// Rows.
    pub rows: u64,
    /// Bytes, as they went through this machine.
    pub bytes: u64,
}

/// Something that a worker does.
enum Work {
    Copy(Piece),
    Index { table: usize, index: usize },
    Analyze { table: usize },
}

/// What is left of a table, counted down.
struct Left {
    parts: AtomicUsize,
    indexes: AtomicUsize,
}

struct Running<'a> {
    load: &'a Load<'a>,
    tables: Vec<Copied>,
    left: Vec<Left>,
    applied: BTreeSet<String>,
    queue: Queue<Work>,
    tracker: Tracker,
}

impl Load<'_> {
    /// Empties the target's tables and fills them. An index that can't be made is left to whoever applies all entries.
    /// Nothing of a load that failed or was dropped counts: the next one begins again, under a new snapshot.
    ///
    /// # Errors
    /// What either server answered, or a connection that broke.
    pub async fn run(&self, progress: &(dyn Fn(Progress) + Sync)) -> Result<Loaded> {
        // Every worker imports the snapshot before any of them reads, so that losing the slot's connection later does no harm.
        let workers = try_join_all((0..self.workers).map(|_| self.worker())).await?;
        let Some((source, target)) = workers.first() else {
            return Ok(Loaded { tables: 0, rows: 0, bytes: 0 });
        };
        forget(target, self.marker_schema).await?;
        let running = self.prepare(source, target).await?;
        let work = try_join_all(workers.iter().map(|(source, target)| running.work(source, target)));
        tokio::select! {
            done = work => done?,
            never = running.tracker.watch(self.manners, progress) => match never {},
        };
        remember(target, self.marker_schema, self.slot.consistent_point).await?;
        let all = running.tracker.progress();
        let loaded = Loaded { tables: all.tables, rows: all.rows, bytes: all.bytes };
        progress(all);
        Ok(loaded)
    }

    /// A worker's sessions: the source's under the snapshot, the target's with what index builds may take.
    async fn worker(&self) -> Result<(Session, Session)> {
        let (source, target) = tokio::try_join!(self.source.connect(), self.target.connect())?;
        let import = format!("begin isolation level repeatable read read only; set transaction snapshot {}", literal(&self.slot.snapshot));
        source.batch_execute(&import).await.doing(|| "import the slot's snapshot")?;
        // The mark of a finished load is written synchronously, and with it everything before it.
        let settings = format!("set synchronous_commit = off; set maintenance_work_mem = '{}MB'", MAINTENANCE_MEMORY / self.workers.max(1));
        target.batch_execute(&settings).await.doing(|| "prepare a worker's session on the target")?;
        Ok((source, target))
    }

    async fn prepare(&self, source: &Session, target: &Session) -> Result<Running<'_>> {
        let tables = tables_to_copy(source, target, self.entries).await?;
        let applied = schema::applied(target, self.marker_schema).await?;
        let sizes: Vec<i64> = tables.iter().map(|table| table.data_bytes).collect();
        let pieces = pieces(&sizes, self.workers);
        let mut left: Vec<Left> =
            tables.iter().map(|table| Left { parts: AtomicUsize::new(1), indexes: AtomicUsize::new(table.indexes.len()) }).collect();
        let mut split = BTreeSet::new();
        for piece in &pieces {
            if let Piece::Part { table, parts, .. } = piece {
                left[*table].parts = AtomicUsize::new(*parts);
                split.insert(tables[*table].table.name.to_string());
            }
        }
        if !split.is_empty() {
            let names: Vec<String> = split.into_iter().collect();
            target.batch_execute(&format!("truncate only {}", names.join(", only "))).await.doing(|| "empty the target's tables")?;
        }
        let cost = |piece: &Piece| match piece {
            Piece::Whole(whole) => whole.iter().map(|table| tables[*table].path()).sum(),
            Piece::Part { table, .. } => tables[*table].path(),
        };
        let queue = Queue::new(pieces.into_iter().map(|piece| Ranked { cost: cost(&piece), work: Work::Copy(piece) }).collect::<Vec<_>>());
        let expected = |(table, left): (&Copied, &Left)| Expected {
            table: table.table.name.clone(),
            bytes: u64::try_from(table.data_bytes).unwrap_or(0),
            parts: left.parts.load(Ordering::Relaxed),
        };
        let tracker = Tracker::new(tables.iter().zip(&left).map(expected));
        Ok(Running { load: self, tables, left, applied, queue, tracker })
    }
}

impl Running<'_> {
    async fn work(&self, source: &Session, target: &Session) -> Result<()> {
        while let Some(work) = self.queue.take().await {
            self.load.manners.unpaused().await;
            let ready = match work {
                Work::Copy(Piece::Whole(tables)) => self.copy_whole(source, target, &tables).await?,
                Work::Copy(Piece::Part { table, n, parts }) => self.copy_part(source, target, (table, n, parts)).await?,
                Work::Index { table, index } => {
                    self.make_indexes(target, &[&self.tables[table].indexes[index]]).await?;
                    let last = self.left[table].indexes.fetch_sub(1, Ordering::AcqRel) == 1;
                    last.then(|| self.analysis(table)).into_iter().collect()
                }
                Work::Analyze { table } => {
                    self.analyze(target, &[table]).await?;
                    self.tracker.done(table);
                    Vec::new()
                }
            };
            self.queue.done(ready);
        }
        Ok(())
    }

    async fn copy_whole(&self, source: &Session, target: &Session, tables: &[usize]) -> Result<Vec<Ranked<Work>>> {
        let meter = self.meter(tables).await;
        let names: Vec<String> = tables.iter().map(|table| self.tables[*table].table.name.to_string()).collect();
        // Rows can be frozen in the transaction that emptied their table: nobody else can see them yet.
        let begin = format!("begin; truncate only {}", names.join(", only "));
        target.batch_execute(&begin).await.doing(|| format!("empty {}", names.join(", ")))?;
        let statements: Vec<_> = tables.iter().map(|table| self.tables[*table].statements(0, 1)).collect();
        let rows = transfer(source, target, &statements, Some(&meter)).await?;
        target.batch_execute("commit").await.doing(|| format!("commit the copy of {}", names.join(", ")))?;
        are_in(meter, rows);
        if let [table] = tables {
            return Ok(self.table_is_in(*table));
        }
        let indexes: Vec<&Entry> = tables.iter().flat_map(|table| &self.tables[*table].indexes).collect();
        self.make_indexes(target, &indexes).await?;
        self.analyze(target, tables).await?;
        tables.iter().for_each(|table| self.tracker.done(*table));
        Ok(Vec::new())
    }

    async fn copy_part(&self, source: &Session, target: &Session, (table, n, parts): (usize, usize, usize)) -> Result<Vec<Ranked<Work>>> {
        let meter = self.meter(&[table]).await;
        let rows = transfer(source, target, &[self.tables[table].statements(n, parts)], Some(&meter)).await?;
        are_in(meter, rows);
        if self.left[table].parts.fetch_sub(1, Ordering::AcqRel) > 1 {
            return Ok(Vec::new());
        }
        Ok(self.table_is_in(table))
    }

    /// The right to copy these tables, or parts of them, and their count.
    async fn meter(&self, tables: &[usize]) -> Meter<'_> {
        let permit = self.load.manners.admit().await;
        Meter { permit, begun: tables.iter().map(|table| self.tracker.begin(*table)).collect() }
    }

    /// What a table's last row makes ready: its indexes, or if it has none, its statistics.
    fn table_is_in(&self, table: usize) -> Vec<Ranked<Work>> {
        let copied = &self.tables[table];
        let count = copied.indexes.len();
        if count == 0 {
            return vec![self.analysis(table)];
        }
        // An index costs a pass over the table and what it weighs itself; the next ones and the statistics wait for it.
        let cost = copied.data_bytes / 4 + copied.index_bytes / i64::try_from(count).unwrap_or(1);
        (0..count).map(|index| Ranked { cost, work: Work::Index { table, index } }).collect()
    }

    fn analysis(&self, table: usize) -> Ranked<Work> {
        Ranked { cost: self.tables[table].data_bytes / 50, work: Work::Analyze { table } }
    }

    async fn make_indexes(&self, target: &Session, entries: &[&Entry]) -> Result<()> {
        let missing: Vec<&Entry> = entries.iter().copied().filter(|entry| !self.applied.contains(&entry.id)).collect();
        // Whoever applies all entries will try these again, and say why they can't be made.
        for refused in schema::execute(target, self.load.marker_schema, &missing).await? {
            tracing::debug!("left for later: {} {}: {}", refused.kind, refused.name, refused.message);
        }
        Ok(())
    }

    async fn analyze(&self, target: &Session, tables: &[usize]) -> Result<()> {
        let names: Vec<String> = tables.iter().map(|table| self.tables[*table].table.name.to_string()).collect();
        target.batch_execute(&format!("analyze {}", names.join(", "))).await.doing(|| format!("analyze {}", names.join(", ")))
    }
}

fn are_in(meter: Meter<'_>, rows: Vec<u64>) {
    meter.begun.into_iter().zip(rows).for_each(|(begun, rows)| begun.is_in(rows));
}

fn mark(schema: &str) -> QualifiedName {
    QualifiedName::new(schema, "loaded")
}

async fn forget(target: &Session, schema: &str) -> Result<()> {
    let mark = mark(schema);
    let sql = format!("create table if not exists {mark} (consistent_point pg_catalog.text not null); truncate {mark}");
    target.batch_execute(&sql).await.doing(|| format!("empty the mark {mark}"))
}

async fn remember(target: &Session, schema: &str, point: Lsn) -> Result<()> {
    let mark = mark(schema);
    let sql = format!("set synchronous_commit = on; insert into {mark} values ({})", literal(&point.to_string()));
    target.batch_execute(&sql).await.doing(|| format!("write the mark {mark}"))
}

/// The position of the snapshot of the load that was completed; none if none was.
///
/// # Errors
/// What the server answered.
pub async fn loaded_at(target: &Session, marker_schema: &str) -> Result<Option<Lsn>> {
    let mark = mark(marker_schema);
    let there = "select pg_catalog.to_regclass($1) is not null";
    let doing = || format!("read the mark {mark}");
    if !target.query_one(there, &[&mark.to_string()]).await.doing(doing)?.try_get::<_, bool>(0)? {
        return Ok(None);
    }
    let row = target.query_opt(&format!("select consistent_point from {mark}"), &[]).await.doing(doing)?;
    row.map(|row| row.try_get::<_, &str>(0)?.parse()).transpose()
}
