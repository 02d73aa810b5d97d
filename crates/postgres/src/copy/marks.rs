//! What of the copy is finished, as the target remembers it: each part in the transaction that wrote its rows.

use std::collections::BTreeMap;

use super::units::{Extent, Unit};
use crate::connect::Session;
use crate::error::{Doing, Result};
use crate::ident::{Ident, QualifiedName};

/// The epoch, that is the slot's number, whose snapshot a unit was copied under. From there on its changes come through that slot.
pub type Epoch = i32;

/// The marks in a schema of the target.
#[derive(Clone, Debug)]
pub struct Marks {
    table: QualifiedName,
}

impl Marks {
    /// The marks in this schema.
    pub fn new(schema: &str) -> Self {
        Self { table: QualifiedName::new(schema, "copied") }
    }

    /// Makes the table unless it is there.
    pub(super) async fn create(&self, target: &Session) -> Result<()> {
        let Self { table } = self;
        let sql = format!(
            "create schema if not exists {};
             create table if not exists {table} (
                 unit pg_catalog.int4, part pg_catalog.int4, epoch pg_catalog.int4 not null, primary key (unit, part))",
            Ident::new(&*table.schema)
        );
        target.batch_execute(&sql).await.doing(|| format!("make the table of marks {table}"))
    }

    /// Writes something that is waited for until it is durable, and with it all that was written before.
    pub(super) async fn flush(&self, target: &Session, epoch: Epoch) -> Result<()> {
        let Self { table } = self;
        let sql = format!("insert into {table} values (0, 0, {epoch}) on conflict (unit, part) do update set epoch = excluded.epoch",);
        target.batch_execute(&sql).await.doing(|| format!("write to the marks in {table}"))
    }

    /// The units that are wholly copied, each with its epoch.
    ///
    /// # Errors
    /// What the server answered.
    pub async fn finished(&self, target: &Session, units: &[Unit]) -> Result<BTreeMap<i32, Epoch>> {
        let doing = || format!("read the marks in {}", self.table);
        let there = "select pg_catalog.to_regclass($1) is not null";
        if !target.query_one(there, &[&self.table.to_string()]).await.doing(doing)?.try_get::<_, bool>(0)? {
            return Ok(BTreeMap::new());
        }
        let sql = format!("select unit, epoch, pg_catalog.count(*) from {} group by unit, epoch", self.table);
        let mut found: BTreeMap<i32, (Epoch, i64)> = BTreeMap::new();
        for row in target.query(&sql, &[]).await.doing(doing)? {
            found.insert(row.try_get(0)?, (row.try_get(1)?, row.try_get(2)?));
        }
        let whole = |unit: &Unit| found.get(&unit.number).filter(|(_, parts)| *parts == i64::from(unit.parts()));
        Ok(units.iter().filter_map(|unit| whole(unit).map(|(epoch, _)| (unit.number, *epoch))).collect())
    }

    /// The statement that marks a part, for the transaction that wrote it.
    pub(super) fn mark(&self, unit: &Unit, part: i32, epoch: Epoch) -> String {
        format!("insert into {} values ({}, {part}, {epoch})", self.table, unit.number)
    }

    /// The query that finds a row if the part is marked: a commit whose answer was lost may have had its effect.
    pub(super) fn is_marked(&self, unit: &Unit, part: i32) -> String {
        format!("select epoch from {} where unit = {} and part = {part}", self.table, unit.number)
    }

    /// Takes the units back, marks and rows.
    ///
    /// # Errors
    /// What the server answered.
    pub async fn forget(&self, target: &Session, units: &[&Unit]) -> Result<()> {
        for unit in units {
            let rows = match &unit.extent {
                Extent::Range(range) => format!("delete from only {} where {}", range.table, range.condition()),
                Extent::Blocks { .. } | Extent::Tables(_) => {
                    format!("truncate only {}", unit.tables().iter().map(ToString::to_string).collect::<Vec<_>>().join(", only "))
                }
            };
            let sql = format!("begin; {rows}; delete from {} where unit = {}; commit", self.table, unit.number);
            let done = target.batch_execute(&sql).await;
            if done.is_err() {
                let _ = target.batch_execute("rollback").await;
            }
            done.doing(|| {
                format!("take back the copy of {}", unit.tables().iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
            })?;
        }
        Ok(())
    }

    /// What was copied in one epoch belongs to another from now on.
    ///
    /// # Errors
    /// What the server answered.
    pub async fn move_epoch(&self, target: &Session, from: Epoch, to: Epoch) -> Result<()> {
        let sql = format!("update {} set epoch = {to} where epoch = {from}", self.table);
        target.batch_execute(&sql).await.doing(|| format!("move the marks in {}", self.table))
    }
}
