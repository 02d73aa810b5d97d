//! A worker of the load: its two connections, and one piece of work after another.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::load::{Running, Work};
use super::manners::Permit;
use super::progress::Begun;
use super::queue::Ranked;
use super::units::Extent;
use super::wire::{Cargo, Meter, Wire, carry};
use crate::error::{Doing, Error, Result};
use crate::ident::literal;
use crate::schema::{self, Entry};

/// So often a worker whose connections break takes up its work again,
const TRIES: u32 = 6;
/// after this long at first, and twice as long each time.
const PAUSE: Duration = Duration::from_millis(500);

/// A worker's connections.
struct Lines {
    source: Wire,
    target: Wire,
}

impl Lines {
    fn are_broken(&self) -> bool {
        !(self.source.is_usable() && self.target.is_usable())
    }
}

/// Lets the rows of a part through, and counts them.
struct Gate<'a> {
    permit: Permit<'a>,
    begun: Vec<Begun<'a>>,
}

impl Meter for Gate<'_> {
    async fn pass(&self, table: usize, bytes: usize) {
        self.permit.spend(bytes).await;
        if let Some(begun) = self.begun.get(table) {
            begun.moved(bytes);
        }
    }
}

impl Running<'_> {
    /// Works until there is nothing left to do.
    pub(super) async fn work(&self) -> Result<()> {
        let mut lines = self.connect().await?;
        while let Some(work) = self.queue.take().await {
            self.load.manners.unpaused().await;
            let ready = self.persist(&mut lines, &work).await?;
            self.queue.done(ready);
        }
        Ok(())
    }

    async fn connect(&self) -> Result<Lines> {
        let (source, mut target) = tokio::try_join!(Wire::connect(self.load.source), Wire::connect(self.load.target))?;
        // What is marked is flushed at the end, and with it everything before.
        target
            .execute(&format!("set synchronous_commit = off; {}", self.upkeep))
            .await
            .doing(|| "prepare a worker's session on the target")?;
        Ok(Lines { source, target })
    }

    /// Does the work, again if a connection breaks meanwhile.
    async fn persist(&self, lines: &mut Lines, work: &Work) -> Result<Vec<Ranked<Work>>> {
        let mut tried = 0;
        loop {
            let error = match self.perform(lines, work, tried > 0).await {
                Ok(ready) => return Ok(ready),
                Err(error) => error,
            };
            if !lines.are_broken() {
                return Err(error);
            }
            tracing::debug!("a connection of the copy broke: {error}");
            loop {
                tried += 1;
                if tried > TRIES {
                    return Err(error);
                }
                tokio::time::sleep(PAUSE * 2_u32.pow(tried - 1)).await;
                if let Ok(again) = self.connect().await {
                    *lines = again;
                    break;
                }
            }
        }
    }

    async fn perform(&self, lines: &mut Lines, work: &Work, again: bool) -> Result<Vec<Ranked<Work>>> {
        match work {
            Work::Copy { unit, part } => self.copy(lines, (*unit, *part), again).await,
            Work::Index { table, index } => {
                self.make_indexes(&mut lines.target, &self.missing([&self.tables[*table].indexes[*index]])).await?;
                let last = self.tables[*table].indexes_left.fetch_sub(1, Ordering::AcqRel) == 1;
                Ok(last.then(|| self.analysis(*table)).into_iter().collect())
            }
            Work::IndexAll { tables } => {
                let indexes = self.missing(tables.iter().flat_map(|table| &self.tables[*table].indexes));
                self.make_indexes(&mut lines.target, &indexes).await?;
                self.analyze(&mut lines.target, tables).await
            }
            Work::Analyze { table } => self.analyze(&mut lines.target, &[*table]).await,
        }
    }

    /// Whether the snapshot is not to be read any more.
    fn is_over(&self) -> bool {
        let load = self.load;
        self.over.load(Ordering::Relaxed) || !load.snapshot.is_alive() || load.until.is_some_and(|until| Instant::now() >= until)
    }

    async fn copy(&self, lines: &mut Lines, at: (usize, i32), again: bool) -> Result<Vec<Ranked<Work>>> {
        let (unit, part) = at;
        let is_marked = self.marks.is_marked(&self.load.units[unit], part);
        if again && lines.target.query_text(&is_marked).await.doing(|| "read the marks of the copy")?.is_some() {
            return Ok(self.finish(unit, false));
        }
        loop {
            let gate = self.gate(unit).await;
            if self.is_over() {
                self.left_out.fetch_add(1, Ordering::Relaxed);
                return Ok(Vec::new());
            }
            let error = match self.transact(lines, at, gate).await {
                Ok(indexed) => return Ok(self.finish(unit, indexed)),
                Err(error) => error,
            };
            if lines.are_broken() {
                return Err(error);
            }
            lines.source.execute("rollback").await.doing(|| "roll back on the source")?;
            if !self.is_over() && !self.notice_gone(lines, unit, &error).await? {
                return Err(error);
            }
        }
    }

    /// The right to copy a part of the unit, and the counts of its tables.
    async fn gate(&self, unit: usize) -> Gate<'_> {
        let permit = self.load.manners.admit().await;
        Gate { permit, begun: self.tables_of(unit).map(|table| self.tracker.begin(table)).collect() }
    }

    /// Copies the part in one transaction on either side, so that neither's locks outlive it, nor the source's snapshot its keeper.
    /// Returns whether the tables' indexes were made with them.
    async fn transact(&self, lines: &mut Lines, (at, part): (usize, i32), gate: Gate<'_>) -> Result<bool> {
        if let Err(error) = lines.source.execute(&self.load.snapshot.begin()).await {
            // By these the server says that the snapshot has gone with its session.
            if matches!(error.sqlstate(), Some("22023" | "42704")) {
                self.over.store(true, Ordering::Relaxed);
            }
            return Err(error.doing("read the snapshot"));
        }
        let cargo = self.cargo(at, part);
        let carried = carry(&mut lines.source, &mut lines.target, &cargo, &gate).await?;
        gate.begun.into_iter().zip(carried.rows).for_each(|(begun, rows)| begun.is_in(rows));
        // What the target has committed stays, whatever becomes of this; a source that is lost is noticed by the next part.
        let _ = lines.source.execute("commit").await;
        if let Some(error) = &carried.unfinished {
            tracing::debug!("indexes are made one by one: {error}");
        }
        Ok(self.goes_as_one(at) && carried.unfinished.is_none())
    }

    fn cargo(&self, at: usize, part: i32) -> Cargo {
        let unit = &self.load.units[at];
        let tables: Vec<usize> = self.tables_of(at).collect();
        let as_one = self.goes_as_one(at);
        let statements = |table: &usize| {
            let measured = &self.tables[*table].measured;
            match &unit.extent {
                Extent::Tables(_) if as_one => measured.whole(),
                Extent::Tables(_) => measured.frozen(),
                Extent::Blocks { parts, .. } => measured.part(part, *parts),
                Extent::Range(range) => measured.range(range),
            }
        };
        let before = match unit.extent {
            // Rows can be frozen in the transaction that emptied their table: nobody else can see them yet. For small tables it doesn't pay.
            Extent::Tables(_) if !tables.is_empty() && !as_one => format!("begin; truncate only {}", self.names(&tables).join(", only ")),
            _ => "begin".to_owned(),
        };
        let mut after = format!("{}; commit", self.marks.mark(unit, part, self.load.epoch));
        if as_one {
            let indexes = self.missing(tables.iter().flat_map(|table| &self.tables[*table].indexes));
            after.push_str(&format!("; {}; {}", schema::transaction(self.load.marker_schema, &indexes), self.analysis_of(&tables)));
        }
        Cargo { before, tables: tables.iter().map(statements).collect(), after }
    }

    /// Whether the copy failed since tables were dropped on the source meanwhile. They are left out from now on.
    async fn notice_gone(&self, lines: &mut Lines, unit: usize, error: &Error) -> Result<bool> {
        if error.sqlstate() != Some("42P01") {
            return Ok(false);
        }
        let mut found = false;
        for name in self.load.units[unit].tables() {
            let there = format!("select pg_catalog.to_regclass({})::pg_catalog.oid", literal(&name.to_string()));
            if lines.source.query_text(&there).await.doing(|| format!("look for {name}"))?.is_none() {
                found |= self.gone().insert(name.clone());
            }
        }
        Ok(found)
    }

    /// Counts the part down: what is complete can be indexed, unless it is.
    fn finish(&self, unit: usize, indexed: bool) -> Vec<Ranked<Work>> {
        self.parts_in.fetch_add(1, Ordering::Relaxed);
        let complete: Vec<usize> =
            self.tables_of(unit).filter(|table| self.tables[*table].parts_left.fetch_sub(1, Ordering::AcqRel) == 1).collect();
        if indexed {
            complete.iter().for_each(|table| self.tracker.done(*table));
            return Vec::new();
        }
        if self.goes_as_one(unit) {
            let cost = complete.iter().map(|table| self.tables[*table].measured.data_bytes).sum();
            return vec![Ranked { cost, work: Work::IndexAll { tables: complete } }];
        }
        complete.into_iter().flat_map(|table| self.table_is_in(table)).collect()
    }

    /// All in one transaction, or if one of them is refused, each in its own. Whoever applies all entries tries a refused one again,
    /// and says why it can't be made.
    async fn make_indexes(&self, target: &mut Wire, entries: &[&Entry]) -> Result<()> {
        let Err(error) = self.make(target, entries).await else { return Ok(()) };
        if !target.is_usable() {
            return Err(error);
        }
        if let [entry] = entries {
            tracing::debug!("left for later: {} {}: {error}", entry.kind, entry.name);
            return Ok(());
        }
        for entry in entries {
            Box::pin(self.make_indexes(target, &[entry])).await?;
        }
        Ok(())
    }

    /// In one transaction, again if it loses a deadlock.
    async fn make(&self, target: &mut Wire, entries: &[&Entry]) -> Result<()> {
        if entries.is_empty() {
            return Ok(());
        }
        let mut tried = 0;
        loop {
            let Err(error) = target.execute(&schema::transaction(self.load.marker_schema, entries)).await else { return Ok(()) };
            if target.is_usable() {
                target.execute("rollback").await?;
            }
            tried += 1;
            if !error.is_lock_conflict() || tried > TRIES {
                return Err(error);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn analyze(&self, target: &mut Wire, tables: &[usize]) -> Result<Vec<Ranked<Work>>> {
        if !tables.is_empty() {
            target.execute(&self.analysis_of(tables)).await.doing(|| format!("analyze {}", self.names(tables).join(", ")))?;
        }
        tables.iter().for_each(|table| self.tracker.done(*table));
        Ok(Vec::new())
    }

    fn analysis_of(&self, tables: &[usize]) -> String {
        format!("analyze {}", self.names(tables).join(", "))
    }

    fn names(&self, tables: &[usize]) -> Vec<String> {
        tables.iter().map(|table| self.tables[*table].measured.table.name.to_string()).collect()
    }
}
