//! A worker of the load: its two connections, and one piece of work after another.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::load::{Running, Work};
use super::queue::Ranked;
use super::transfer::{Statements, transfer};
use super::units::{Extent, Unit, storage};
use crate::connect::Session;
use crate::error::{Doing, Error, Result};
use crate::ident::QualifiedName;
use crate::schema::{self, Entry};

/// What all workers together may take of the target's memory for index builds, in MiB.
const MAINTENANCE_MEMORY: usize = 512;
/// Tables that are smaller than this on average have their indexes made together, in bytes.
const INDEXED_TOGETHER: i64 = 2 << 20;
/// So often a worker whose connections break takes up its work again,
const TRIES: u32 = 6;
/// after this long at first, and twice as long each time.
const PAUSE: Duration = Duration::from_millis(500);

/// A worker's connections.
struct Lines {
    source: Session,
    target: Session,
}

impl Lines {
    fn are_broken(&self) -> bool {
        self.source.is_closed() || self.target.is_closed()
    }

    /// Ends the transactions that something failed in.
    async fn roll_back(&self) -> Result<()> {
        tokio::try_join!(self.source.batch_execute("rollback"), self.target.batch_execute("rollback")).doing(|| "roll back")?;
        Ok(())
    }
}

impl Running<'_> {
    /// Works until there is nothing left to do.
    pub(super) async fn work(&self) -> Result<()> {
        let mut lines = self.connect().await?;
        while let Some(work) = self.queue.take().await {
            let ready = self.persist(&mut lines, &work).await?;
            self.queue.done(ready);
        }
        Ok(())
    }

    async fn connect(&self) -> Result<Lines> {
        let (source, target) = tokio::try_join!(self.load.source.connect(), self.load.target.connect())?;
        // What is marked is flushed at the end, and with it everything before.
        let memory = MAINTENANCE_MEMORY / self.load.workers.max(1);
        let settings = format!("set synchronous_commit = off; set maintenance_work_mem = '{memory}MB'");
        target.batch_execute(&settings).await.doing(|| "prepare a worker's session on the target")?;
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

    async fn perform(&self, lines: &Lines, work: &Work, again: bool) -> Result<Vec<Ranked<Work>>> {
        match work {
            Work::Copy { unit, part } => self.copy(lines, (*unit, *part), again).await,
            Work::Index { table, index } => {
                self.make_indexes(&lines.target, &[&self.tables[*table].indexes[*index]]).await?;
                let last = self.tables[*table].indexes_left.fetch_sub(1, Ordering::AcqRel) == 1;
                Ok(last.then(|| self.analysis(*table)).into_iter().collect())
            }
            Work::IndexAll { tables } => {
                let indexes: Vec<&Entry> = tables.iter().flat_map(|table| &self.tables[*table].indexes).collect();
                self.make_indexes(&lines.target, &indexes).await?;
                self.analyze(&lines.target, tables).await.map(|()| Vec::new())
            }
            Work::Analyze { table } => self.analyze(&lines.target, &[*table]).await.map(|()| Vec::new()),
        }
    }

    /// Whether the snapshot is not to be read any more.
    fn is_over(&self) -> bool {
        let load = self.load;
        self.over.load(Ordering::Relaxed) || !load.snapshot.is_alive() || load.until.is_some_and(|until| Instant::now() >= until)
    }

    async fn copy(&self, lines: &Lines, at: (usize, i32), again: bool) -> Result<Vec<Ranked<Work>>> {
        let unit = &self.load.units[at.0];
        if !(again && self.marks.is_marked(&lines.target, unit, at.1).await?) {
            loop {
                if self.is_over() {
                    self.left_out.fetch_add(1, Ordering::Relaxed);
                    return Ok(Vec::new());
                }
                let Err(error) = self.transact(lines, at).await else { break };
                if lines.are_broken() {
                    return Err(error);
                }
                lines.roll_back().await?;
                if !self.is_over() && !self.notice_gone(lines, unit, &error).await? {
                    return Err(error);
                }
            }
        }
        Ok(self.finish(at.0))
    }

    /// Copies the part in one transaction on either side, so that neither's locks outlive it, nor the source's snapshot the slot's.
    async fn transact(&self, lines: &Lines, (at, part): (usize, i32)) -> Result<()> {
        let unit = &self.load.units[at];
        let tables: Vec<usize> = self.tables_of(at).collect();
        let names: Vec<String> = tables.iter().map(|table| self.tables[*table].measured.table.name.to_string()).collect();
        let doing = || format!("copy {}", names.join(", "));
        if let Err(error) = lines.source.batch_execute(&self.load.snapshot.begin()).await {
            let error = Error::from(error);
            // By these the server says that the snapshot has gone with its session.
            if matches!(error.sqlstate(), Some("22023" | "42704")) {
                self.over.store(true, Ordering::Relaxed);
            }
            return Err(error.doing("read the snapshot"));
        }
        let empty = match unit.extent {
            // Rows can be frozen in the transaction that emptied their table: nobody else can see them yet.
            Extent::Tables(_) if !names.is_empty() => format!("; truncate only {}", names.join(", only ")),
            _ => String::new(),
        };
        lines.target.batch_execute(&format!("begin{empty}")).await.doing(doing)?;
        let statements: Vec<Statements> = tables
            .iter()
            .map(|table| {
                let measured = &self.tables[*table].measured;
                match &unit.extent {
                    Extent::Tables(_) => measured.whole(),
                    Extent::Blocks { parts, .. } => measured.part(part, *parts),
                    Extent::Range(range) => measured.range(range),
                }
            })
            .collect();
        let moved = |bytes: usize| {
            self.counts.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        };
        let rows = transfer(&lines.source, &lines.target, &statements, &moved).await?;
        let mark = self.marks.mark(unit, part, self.load.epoch);
        let (to_source, to_target) = ("commit", format!("{mark}; commit"));
        tokio::try_join!(lines.source.batch_execute(to_source), lines.target.batch_execute(&to_target)).doing(doing)?;
        self.counts.rows.fetch_add(rows, Ordering::Relaxed);
        Ok(())
    }

    /// Whether the copy failed since tables were dropped on the source meanwhile. They are left out from now on.
    async fn notice_gone(&self, lines: &Lines, unit: &Unit, error: &Error) -> Result<bool> {
        if error.sqlstate() != Some("42P01") {
            return Ok(false);
        }
        let names: Vec<&QualifiedName> = unit.tables().iter().collect();
        let present = storage(&lines.source, &names).await?;
        let mut gone = self.gone();
        let before = gone.len();
        gone.extend(names.into_iter().filter(|name| !present.contains_key(name)).cloned());
        Ok(gone.len() > before)
    }

    /// Counts the part down: what is complete can be indexed.
    fn finish(&self, at: usize) -> Vec<Ranked<Work>> {
        self.counts.units.fetch_add(1, Ordering::Relaxed);
        let complete: Vec<usize> =
            self.tables_of(at).filter(|table| self.tables[*table].parts_left.fetch_sub(1, Ordering::AcqRel) == 1).collect();
        self.counts.tables.fetch_add(complete.len(), Ordering::Relaxed);
        self.say();
        let cost: i64 = complete.iter().map(|table| self.tables[*table].measured.data_bytes).sum();
        if complete.len() > 1 && cost / i64::try_from(complete.len()).unwrap_or(1) < INDEXED_TOGETHER {
            return vec![Ranked { cost, work: Work::IndexAll { tables: complete } }];
        }
        complete.into_iter().flat_map(|table| self.table_is_in(table)).collect()
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
        let names: Vec<String> = tables.iter().map(|table| self.tables[*table].measured.table.name.to_string()).collect();
        target.batch_execute(&format!("analyze {}", names.join(", "))).await.doing(|| format!("analyze {}", names.join(", ")))
    }
}
