//! The initial load: what is not yet copied, under one snapshot, by several workers, each table with its indexes as soon as it is in.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use futures::future::try_join_all;
use tokio_postgres::types::Type;

use super::manners::Manners;
use super::marks::{Epoch, Marks};
use super::progress::{Expected, Progress, Tracker};
use super::queue::{Queue, Ranked};
use super::snapshot::Snapshot;
use super::tables::{Measured, indexes_by_table, measure};
use super::units::{Extent, Unit, storage};
use crate::connect::{Endpoint, Session};
use crate::error::Result;
use crate::ident::QualifiedName;
use crate::schema::{self, Entry};

/// Tables that are smaller than this on average, in bytes, go as one.
const AS_ONE: i64 = 2 << 20;

/// What all workers together take of the target's memory for index builds at least, in MiB.
const UPKEEP_MEMORY: i64 = 512;

/// A load to be done.
pub struct Load<'a> {
    /// The source, as a role that sees every row.
    pub source: &'a Endpoint,
    /// The target, as the owner of its tables.
    pub target: &'a Endpoint,
    /// What is read.
    pub snapshot: &'a Snapshot,
    /// The snapshot's epoch, by which what is copied is marked.
    pub epoch: Epoch,
    /// The target's schema for marks.
    pub marker_schema: &'a str,
    /// Everything that is to be copied in the end; what is marked is left out.
    pub units: &'a [Unit],
    /// The rest of the schema; of it the tables' own indexes and constraints are made as each table is in.
    pub entries: &'a [Entry],
    /// How many parts are copied at once at most, each over a connection of its own to either side; and what the workers obey.
    pub manners: &'a Manners,
    /// All rows are there already: only indexes are made, and statistics gathered.
    pub rows_are_in: bool,
    /// From then on no part is begun: the source can't clean up behind a snapshot.
    pub until: Option<Instant>,
}

/// What was loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// Whether all units are in. Else the snapshot came to its end, and another load goes on under a new one.
    pub complete: bool,
    /// Parts that this load copied.
    pub parts: usize,
    /// Rows that it copied.
    pub rows: u64,
    /// Bytes, as they went through this machine.
    pub bytes: u64,
    /// Tables that are no longer there on the source.
    pub gone: Vec<QualifiedName>,
}

/// Something that a worker does.
pub(super) enum Work {
    /// A part of the unit at this place.
    Copy { unit: usize, part: i32 },
    /// One index of a table.
    Index { table: usize, index: usize },
    /// All indexes of small tables, and their statistics.
    IndexAll { tables: Vec<usize> },
    /// A table's statistics.
    Analyze { table: usize },
}

/// A table, and what is left of it.
pub(super) struct Loading {
    pub(super) measured: Measured,
    pub(super) indexes: Vec<Entry>,
    pub(super) parts_left: AtomicUsize,
    pub(super) indexes_left: AtomicUsize,
}

/// A load under way.
pub(super) struct Running<'a> {
    pub(super) load: &'a Load<'a>,
    pub(super) marks: Marks,
    pub(super) tables: Vec<Loading>,
    pub(super) by_name: BTreeMap<QualifiedName, usize>,
    pub(super) applied: BTreeSet<String>,
    pub(super) queue: Queue<Work>,
    pub(super) over: AtomicBool,
    pub(super) left_out: AtomicUsize,
    pub(super) parts_in: AtomicUsize,
    pub(super) gone: Mutex<BTreeSet<QualifiedName>>,
    pub(super) tracker: Tracker,
    /// What each worker's session on the target may use to build indexes, as statements.
    pub(super) upkeep: String,
}

impl Load<'_> {
    /// Copies what is not marked, and makes the indexes of whatever is in. A connection that breaks is made anew; of what was finished
    /// nothing is copied again. An index that can't be made is left to whoever applies all entries.
    ///
    /// # Errors
    /// What either server answered, or a server that can't be reached any more. What is marked stays.
    pub async fn run(&self, progress: &(dyn Fn(Progress) + Sync)) -> Result<Loaded> {
        let (source, target) = tokio::try_join!(self.source.connect(), self.target.connect())?;
        let running = self.prepare(&source, &target).await?;
        drop(source);
        let work = try_join_all((0..self.manners.most()).map(|_| running.work()));
        tokio::select! {
            done = work => done?,
            never = running.tracker.watch(self.manners, progress) => match never {},
        };
        running.marks.flush(&target, self.epoch).await?;
        let all = running.tracker.progress();
        let (rows, bytes) = (all.rows, all.bytes);
        progress(all);
        Ok(Loaded {
            complete: running.left_out.load(Ordering::Relaxed) == 0,
            parts: running.parts_in.load(Ordering::Relaxed),
            rows,
            bytes,
            gone: running.gone().iter().cloned().collect(),
        })
    }

    async fn prepare(&self, source: &Session, target: &Session) -> Result<Running<'_>> {
        let marks = Marks::new(self.marker_schema);
        marks.create(target).await?;
        let finished = marks.finished(target, self.units).await?;
        let is_open = |at: &usize| !self.rows_are_in && !finished.contains_key(&self.units[*at].number);
        let open: Vec<usize> = (0..self.units.len()).filter(is_open).collect();
        // Some of its parts may be there from an earlier snapshot.
        let begun: Vec<&Unit> =
            open.iter().map(|at| &self.units[*at]).filter(|unit| matches!(unit.extent, Extent::Blocks { .. })).collect();
        marks.forget(target, &begun).await?;

        let names: BTreeSet<&QualifiedName> = self.units.iter().flat_map(Unit::tables).collect();
        let names: Vec<&QualifiedName> = names.into_iter().collect();
        let present = storage(target, &names).await?;
        let wanted: Vec<QualifiedName> = names.into_iter().filter(|name| present.contains_key(name)).cloned().collect();
        let mut indexes = indexes_by_table(self.entries);
        let tables: Vec<Loading> = measure(source, &wanted)
            .await?
            .into_iter()
            .map(|measured| {
                let indexes = indexes.remove(&measured.table.name).unwrap_or_default();
                let indexes_left = AtomicUsize::new(indexes.len());
                Loading { measured, indexes, parts_left: AtomicUsize::new(0), indexes_left }
            })
            .collect();
        let by_name: BTreeMap<QualifiedName, usize> =
            tables.iter().enumerate().map(|(at, table)| (table.measured.table.name.clone(), at)).collect();
        let gone = wanted.into_iter().filter(|name| !by_name.contains_key(name)).collect();
        let tracker = self.tracker(&tables, &by_name, &open);
        let running = Running {
            load: self,
            marks,
            tables,
            by_name,
            applied: schema::applied(target, self.marker_schema).await?,
            queue: Queue::new([]),
            over: AtomicBool::new(false),
            left_out: AtomicUsize::new(0),
            parts_in: AtomicUsize::new(0),
            gone: Mutex::new(gone),
            tracker,
            upkeep: upkeep(target, self.manners.most()).await?,
        };
        let ready = running.first(&open);
        running.queue.add(ready);
        Ok(running)
    }

    /// What is expected of each table, with the parts that are in already.
    fn tracker(&self, tables: &[Loading], by_name: &BTreeMap<QualifiedName, usize>, open: &[usize]) -> Tracker {
        let mut parts = vec![(0, 0); tables.len()];
        for (at, unit) in self.units.iter().enumerate() {
            let count = unit.parts().unsigned_abs() as usize;
            for table in unit.tables().iter().filter_map(|name| by_name.get(name)) {
                parts[*table].0 += count;
                parts[*table].1 += if open.contains(&at) { 0 } else { count };
            }
        }
        let expected = |(table, (of_parts, _)): (&Loading, &(usize, usize))| Expected {
            table: table.measured.table.name.clone(),
            bytes: u64::try_from(table.measured.data_bytes).unwrap_or(0),
            parts: *of_parts,
        };
        let tracker = Tracker::new(tables.iter().zip(&parts).map(expected));
        for (table, (of_parts, there)) in parts.into_iter().enumerate() {
            (0..there).for_each(|_| tracker.begin(table).is_in(0));
            if there == of_parts {
                tracker.done(table);
            }
        }
        tracker
    }
}

/// What each of so many sessions may use to build indexes: what the server gives one by default, which Neon sizes by its compute, or its
/// part of what any compute has; and its part of the server's parallel workers.
async fn upkeep(target: &Session, sessions: usize) -> Result<String> {
    let sql = "select greatest(($1 / $2) << 10, m.setting::pg_catalog.int8),
                      greatest(w.setting::pg_catalog.int8, p.setting::pg_catalog.int8 / $2)
               from pg_catalog.pg_settings m, pg_catalog.pg_settings w, pg_catalog.pg_settings p
               where m.name = 'maintenance_work_mem' and w.name = 'max_parallel_maintenance_workers' and p.name = 'max_parallel_workers'";
    let sessions = i64::try_from(sessions).unwrap_or(i64::MAX);
    let row = target.query_typed_one(sql, &[(&UPKEEP_MEMORY, Type::INT8), (&sessions, Type::INT8)]).await?;
    let (kilobytes, workers): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
    Ok(format!("set maintenance_work_mem = '{kilobytes}kB'; set max_parallel_maintenance_workers = {workers}"))
}

impl Running<'_> {
    /// What can be done at once: the copy of every unit that is open, and the indexes of tables that are in.
    fn first(&self, open: &[usize]) -> Vec<Ranked<Work>> {
        let mut ready = Vec::new();
        for &unit in open {
            let parts = self.load.units[unit].parts();
            let tables: Vec<usize> = self.tables_of(unit).collect();
            for &table in &tables {
                self.tables[table].parts_left.fetch_add(parts.unsigned_abs() as usize, Ordering::Relaxed);
            }
            let cost = tables.iter().map(|table| self.tables[*table].measured.path()).sum();
            ready.extend((0..parts).map(|part| Ranked { cost, work: Work::Copy { unit, part } }));
        }
        for (at, table) in self.tables.iter().enumerate() {
            let indexed = table.indexes.iter().all(|entry| self.applied.contains(&entry.id));
            if table.parts_left.load(Ordering::Relaxed) == 0 && !indexed {
                ready.extend(self.table_is_in(at));
            }
        }
        ready
    }

    /// The tables of the unit at this place, but for those that are on one side only.
    pub(super) fn tables_of(&self, unit: usize) -> impl Iterator<Item = usize> {
        let gone = self.gone().clone();
        self.load.units[unit].tables().iter().filter(move |name| !gone.contains(name)).filter_map(|name| self.by_name.get(name).copied())
    }

    /// What a table's last row makes ready: its indexes, or if it has none, its statistics.
    pub(super) fn table_is_in(&self, table: usize) -> Vec<Ranked<Work>> {
        let loading = &self.tables[table];
        let count = loading.indexes.len();
        if count == 0 {
            return vec![self.analysis(table)];
        }
        // An index costs a pass over the table and what it weighs itself; the next ones and the statistics wait for it.
        let cost = loading.measured.data_bytes / 4 + loading.measured.index_bytes / i64::try_from(count).unwrap_or(1);
        (0..count).map(|index| Ranked { cost, work: Work::Index { table, index } }).collect()
    }

    pub(super) fn analysis(&self, table: usize) -> Ranked<Work> {
        Ranked { cost: self.tables[table].measured.data_bytes / 50, work: Work::Analyze { table } }
    }

    /// Whether the unit's tables are so small that they go as one from the first row to the last index.
    pub(super) fn goes_as_one(&self, unit: usize) -> bool {
        let Extent::Tables(_) = &self.load.units[unit].extent else { return false };
        let sizes: Vec<i64> = self.tables_of(unit).map(|table| self.tables[table].measured.data_bytes).collect();
        sizes.len() > 1 && sizes.iter().sum::<i64>() / i64::try_from(sizes.len()).unwrap_or(1) < AS_ONE
    }

    /// Those of the entries that were not applied before the load.
    pub(super) fn missing<'e>(&self, entries: impl IntoIterator<Item = &'e Entry>) -> Vec<&'e Entry> {
        entries.into_iter().filter(|entry| !self.applied.contains(&entry.id)).collect()
    }

    pub(super) fn gone(&self) -> std::sync::MutexGuard<'_, BTreeSet<QualifiedName>> {
        self.gone.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
