//! Compares the tables of both servers by count and content digest.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use azure2neon_postgres::digest::{TableDigest, digest};
use azure2neon_postgres::inventory::{self, Inventory, Persistence, Table};
use azure2neon_postgres::{QualifiedName, Session};
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::steps::wait_applied;

/// How many tables are digested at once, each on both servers.
const PARALLEL: usize = 4;

/// What was found for a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Counts and digests agree.
    Equal,
    /// It changed each time that it was looked at; the final compare, with both sides at rest, decides.
    Changing,
    /// Counts or digests differ.
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
}

/// All tables' comparison.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comparison {
    /// By name.
    pub tables: Vec<TableVerdict>,
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

    /// In a few words.
    pub fn note(&self) -> String {
        let changing = match self.count(Verdict::Changing) {
            0 => String::new(),
            n => format!(", {n} changing all the time (decided in the final compare)"),
        };
        format!("{} of {} tables equal, {} rows{changing}", self.count(Verdict::Equal), self.tables.len(), self.rows())
    }

    /// Fails with the tables that are not equal.
    pub fn demand_equal(&self) -> Result<()> {
        let bad: Vec<String> = self
            .tables
            .iter()
            .filter(|table| matches!(table.verdict, Verdict::Different | Verdict::Missing))
            .map(|table| match table.verdict {
                Verdict::Missing => format!("\n  {} is not on both sides", table.table),
                _ if table.source_rows != table.target_rows => {
                    format!("\n  {}: {} rows on the source, {} on the target", table.table, table.source_rows, table.target_rows)
                }
                _ => format!("\n  {}: {} rows on both sides, but other contents", table.table, table.source_rows),
            })
            .collect();
        if bad.is_empty() {
            return Ok(());
        }
        Err(Error::new(ErrorKind::NotEqual, format!("{} of {} tables are not equal:{}", bad.len(), self.tables.len(), bad.concat()))
            .hint("a table that somebody wrote to on the target, or DDL on the source since the start, does this; `azure2neon abort` and start again"))
    }
}

/// The tables that hold rows on either side.
pub struct Pairing {
    /// Tables of the source that the target has too, largest first.
    pub pairs: Vec<Table>,
    /// Tables that one side only has.
    pub missing: Vec<TableVerdict>,
}

/// Reads both catalogs and pairs the tables that are moved by name.
async fn pair_tables(cx: &Context, source: &Session, target: &Session) -> Result<Pairing> {
    let right = async { Ok(inventory::inventory(target).await?) };
    let (left, right) = tokio::try_join!(cx.source_inventory(source), right)?;
    Ok(pair(left, right))
}

fn pair(source: Inventory, target: Inventory) -> Pairing {
    let stored = |inventory: Inventory| -> BTreeMap<QualifiedName, Table> {
        inventory.tables.into_iter().filter(Table::has_storage).map(|table| (table.name.clone(), table)).collect()
    };
    let (source, mut target) = (stored(source), stored(target));
    let mut pairs = Vec::new();
    let mut missing = Vec::new();
    let lonely = |name: QualifiedName| TableVerdict { table: name, verdict: Verdict::Missing, source_rows: 0, target_rows: 0 };
    for (name, table) in source {
        match target.remove(&name) {
            Some(_) => pairs.push(table),
            None => missing.push(lonely(name)),
        }
    }
    missing.extend(target.into_keys().map(lonely));
    pairs.sort_by_key(|table| std::cmp::Reverse(table.bytes));
    Pairing { pairs, missing }
}

/// Digests every pair on both servers, both at rest.
pub async fn compare_at_rest(cx: &Context, step: &'static str) -> Result<Comparison> {
    let (source, target) = tokio::try_join!(cx.source(), cx.target())?;
    let pairing = pair_tables(cx, &source, &target).await?;
    drop((source, target));
    let digests = digest_pairs(cx, step, &pairing.pairs).await?;
    let mut tables = pairing.missing;
    tables.extend(digests.into_iter().map(|(table, left, right)| verdict(&table, &left, &right)));
    tables.sort_by(|a, b| a.table.cmp(&b.table));
    Ok(Comparison { tables })
}

/// Compares every replicated table while writes go on. A table counts as equal when the target's digest, taken after it
/// applied all that the source held at its first digest, agrees with the source's digest before or after; as different
/// when the source stood still meanwhile and they don't agree. `catch_up` is how long the target may take to apply.
pub async fn compare_live(cx: &Context, step: &'static str, rounds: usize, catch_up: Duration) -> Result<Comparison> {
    let (source, target) = tokio::try_join!(cx.source(), cx.target())?;
    let pairing = pair_tables(cx, &source, &target).await?;
    let mut open: Vec<Table> = pairing.pairs.into_iter().filter(|table| table.persistence == Persistence::Permanent).collect();
    let mut tables = pairing.missing;
    for round in 1..=rounds {
        let before = digest_side(cx, step, &open, Side::Source).await?;
        wait_applied(cx, &source, &target, catch_up).await?;
        let on_target = digest_side(cx, step, &open, Side::Target).await?;
        let after = digest_side(cx, step, &open, Side::Source).await?;
        let mut again = Vec::new();
        for (((table, before), on_target), after) in open.into_iter().zip(before).zip(on_target).zip(after) {
            if on_target == before || on_target == after {
                tables.push(verdict(&table, &on_target, &on_target));
            } else if before == after && round > 1 {
                tables.push(verdict(&table, &before, &on_target));
            } else if round == rounds {
                tables.push(TableVerdict {
                    verdict: if before == after { Verdict::Different } else { Verdict::Changing },
                    ..verdict(&table, &after, &on_target)
                });
            } else {
                again.push(table);
            }
        }
        open = again;
        if open.is_empty() {
            break;
        }
    }
    tables.sort_by(|a, b| a.table.cmp(&b.table));
    Ok(Comparison { tables })
}

fn verdict(table: &Table, source: &TableDigest, target: &TableDigest) -> TableVerdict {
    TableVerdict {
        table: table.name.clone(),
        verdict: if source == target { Verdict::Equal } else { Verdict::Different },
        source_rows: source.rows,
        target_rows: target.rows,
    }
}

#[derive(Clone, Copy)]
enum Side {
    Source,
    Target,
}

async fn digest_pairs(cx: &Context, step: &'static str, tables: &[Table]) -> Result<Vec<(Table, TableDigest, TableDigest)>> {
    let (left, right) = tokio::try_join!(digest_side(cx, step, tables, Side::Source), digest_side(cx, step, tables, Side::Target))?;
    Ok(tables.iter().cloned().zip(left).zip(right).map(|((table, left), right)| (table, left, right)).collect())
}

/// Digests of these tables, in their order. The largest come first, so that no worker is left with one at the end.
async fn digest_side(cx: &Context, step: &'static str, tables: &[Table], side: Side) -> Result<Vec<TableDigest>> {
    let pool = Pool { cx, step, side, total: tables.len(), done: AtomicUsize::new(0), idle: Mutex::default() };
    let work: Vec<BoxFuture<'_, Result<TableDigest>>> = tables.iter().map(|table| pool.digest(table).boxed()).collect();
    stream::iter(work).buffered(PARALLEL).try_collect().await
}

/// Sessions on one side, taken in turn.
struct Pool<'a> {
    cx: &'a Context,
    step: &'static str,
    side: Side,
    total: usize,
    done: AtomicUsize,
    idle: Mutex<Vec<Session>>,
}

impl Pool<'_> {
    async fn digest(&self, table: &Table) -> Result<TableDigest> {
        let pooled = self.idle.lock().await.pop();
        let worker = match (pooled, self.side) {
            (Some(worker), _) => worker,
            (None, Side::Source) => self.cx.source().await?,
            (None, Side::Target) => self.cx.target().await?,
        };
        let found = digest(&worker, table).await?;
        self.idle.lock().await.push(worker);
        self.cx.events.say(Event::Progress {
            step: self.step.to_owned(),
            done: self.done.fetch_add(1, Ordering::Relaxed) as u64 + 1,
            total: self.total as u64,
            unit: "tables".into(),
            detail: match self.side {
                Side::Source => "on the source".into(),
                Side::Target => "on the target".into(),
            },
        });
        Ok(found)
    }
}
