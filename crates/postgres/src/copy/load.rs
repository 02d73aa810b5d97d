//! The initial load: every table under one snapshot, by several workers, each table with its indexes as soon as it is in.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use futures::future::try_join_all;

use super::queue::{Queue, Ranked};
use super::tables::{Copied, Piece, pieces, tables_to_copy};
use super::transfer::transfer;
use crate::connect::{Endpoint, Session};
use crate::error::{Doing, Result};
use crate::ident::{QualifiedName, literal};
use crate::lsn::Lsn;
use crate::schema::{self, Entry};

/// What all workers together may take of the target's memory for index builds, in MiB.
const MAINTENANCE_MEMORY: usize = 512;

/// A load to be done.
pub struct Load<'a> {
    /// The source, as a role that sees every row.
    pub source: &'a Endpoint,
    /// The target, as the owner of its tables.
    pub target: &'a Endpoint,
    /// The name of the snapshot under which the tables are read.
    pub snapshot: &'a str,
    /// The position of that snapshot, which the mark of a finished load gets.
    pub position: Lsn,
    /// The target's schema for marks, of entries as of the load.
    pub marker_schema: &'a str,
    /// The rest of the schema; of it the tables' own indexes and constraints are made as each table is in.
    pub entries: &'a [Entry],
    /// How many tables or parts are copied at once, each over a connection of its own to either side.
    pub workers: usize,
}

/// How far a load is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Tables whose rows are all in.
    pub tables: usize,
    /// Tables in all.
    pub of_tables: usize,
    /// Bytes that have gone through this machine.
    pub bytes: u64,
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
    tables_in: AtomicUsize,
    rows: AtomicU64,
    bytes: AtomicU64,
    progress: &'a (dyn Fn(Progress) + Sync),
}

impl Load<'_> {
    /// Empties the target's tables and fills them. An index that can't be made is left to whoever applies all entries.
    /// Nothing of a load that failed or was dropped counts: the next one begins again, under a new snapshot.
    ///
    /// # Errors
    /// What either server answered, or a connection that broke.
    pub async fn run(&self, progress: &(dyn Fn(Progress) + Sync)) -> Result<Loaded> {
        // Every worker imports the snapshot before any of them reads, so that losing the snapshot's connection later does no harm.
        let workers = try_join_all((0..self.workers).map(|_| self.worker())).await?;
        let Some((source, target)) = workers.first() else {
            return Ok(Loaded { tables: 0, rows: 0, bytes: 0 });
        };
        forget(target, self.marker_schema).await?;
        let running = self.prepare(source, target, progress).await?;
        try_join_all(workers.iter().map(|(source, target)| running.work(source, target))).await?;
        remember(target, self.marker_schema, self.position).await?;
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Ok(Loaded { tables: running.tables.len(), rows: count(&running.rows), bytes: count(&running.bytes) })
    }

    /// A worker's sessions: the source's under the snapshot, the target's with what index builds may take.
    async fn worker(&self) -> Result<(Session, Session)> {
        let (source, target) = tokio::try_join!(self.source.connect(), self.target.connect())?;
        let import = format!("begin isolation level repeatable read read only; set transaction snapshot {}", literal(self.snapshot));
        source.batch_execute(&import).await.doing(|| "import the snapshot")?;
        // The mark of a finished load is written synchronously, and with it everything before it.
        let settings = format!("set synchronous_commit = off; set maintenance_work_mem = '{}MB'", MAINTENANCE_MEMORY / self.workers.max(1));
        target.batch_execute(&settings).await.doing(|| "prepare a worker's session on the target")?;
        Ok((source, target))
    }

    async fn prepare<'a>(&'a self, source: &Session, target: &Session, progress: &'a (dyn Fn(Progress) + Sync)) -> Result<Running<'a>> {
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
        let (tables_in, rows, bytes) = (AtomicUsize::new(0), AtomicU64::new(0), AtomicU64::new(0));
        Ok(Running { load: self, tables, left, applied, queue, tables_in, rows, bytes, progress })
    }
}

impl Running<'_> {
    async fn work(&self, source: &Session, target: &Session) -> Result<()> {
        while let Some(work) = self.queue.take().await {
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
                    Vec::new()
                }
            };
            self.queue.done(ready);
        }
        Ok(())
    }

    async fn copy_whole(&self, source: &Session, target: &Session, tables: &[usize]) -> Result<Vec<Ranked<Work>>> {
        let names: Vec<String> = tables.iter().map(|table| self.tables[*table].table.name.to_string()).collect();
        // Rows can be frozen in the transaction that emptied their table: nobody else can see them yet.
        let begin = format!("begin; truncate only {}", names.join(", only "));
        target.batch_execute(&begin).await.doing(|| format!("empty {}", names.join(", ")))?;
        let statements: Vec<_> = tables.iter().map(|table| self.tables[*table].statements(0, 1)).collect();
        self.transfer(source, target, &statements).await?;
        target.batch_execute("commit").await.doing(|| format!("commit the copy of {}", names.join(", ")))?;
        self.say_in(tables.len());
        if let [table] = tables {
            return Ok(self.table_is_in(*table));
        }
        let indexes: Vec<&Entry> = tables.iter().flat_map(|table| &self.tables[*table].indexes).collect();
        self.make_indexes(target, &indexes).await?;
        self.analyze(target, tables).await?;
        Ok(Vec::new())
    }

    async fn copy_part(&self, source: &Session, target: &Session, (table, n, parts): (usize, usize, usize)) -> Result<Vec<Ranked<Work>>> {
        self.transfer(source, target, &[self.tables[table].statements(n, parts)]).await?;
        if self.left[table].parts.fetch_sub(1, Ordering::AcqRel) > 1 {
            return Ok(Vec::new());
        }
        self.say_in(1);
        Ok(self.table_is_in(table))
    }

    async fn transfer(&self, source: &Session, target: &Session, statements: &[super::transfer::Statements]) -> Result<()> {
        let moved = |bytes: usize| {
            self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        };
        let rows = transfer(source, target, statements, &moved).await?;
        self.rows.fetch_add(rows, Ordering::Relaxed);
        Ok(())
    }

    fn say_in(&self, tables: usize) {
        let tables = self.tables_in.fetch_add(tables, Ordering::Relaxed) + tables;
        (self.progress)(Progress { tables, of_tables: self.tables.len(), bytes: self.bytes.load(Ordering::Relaxed) });
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
