use async_trait::async_trait;
use azure2neon_postgres::digest::{TableDigest, digest};
use azure2neon_postgres::{Session, Table};
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::context::Context;
use crate::error::Result;
use crate::operation::{Observed, Operation, Together};
use crate::plan::Effect;
use crate::units::count;

/// Copies unlogged tables inside the fence: replication never carries them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CopyUnloggedTables {
    /// How many there were when the plan was made; what counts is what is there shortly before the fence.
    pub planned: usize,
}

#[async_trait]
impl Operation for CopyUnloggedTables {
    fn effect(&self) -> Effect {
        Effect::Creates
    }

    fn describe(&self) -> String {
        format!("copy {}, which replication doesn't carry, where it changed since the warm-up", count(self.planned, "unlogged table"))
    }

    async fn observe(&self, _cx: &Context) -> Result<Observed> {
        Ok(Observed::OnlyByDoing)
    }

    async fn apply(&self, cx: &Context) -> Result<Value> {
        let held = cx.held().await?;
        let Some(ferry) = &held.ferry else { return Ok(json!({ "tables": 0, "rows": 0 })) };
        // They were copied in the warm-up; what has not changed since need not be copied again.
        let (from, to) = tokio::try_join!(digests(&held.from, &held.unlogged), digests(&held.to, &held.unlogged))?;
        let changed = held.unlogged.iter().zip(from.iter().zip(&to)).filter(|(_, (from, to))| from != to);
        let changed: Vec<Table> = changed.map(|(table, _)| table.clone()).collect();
        let rows = ferry.lock().await.copy(&changed).await?;
        Ok(json!({ "tables": changed.len(), "rows": rows }))
    }

    fn together(&self, _cx: &Context) -> Option<Together> {
        Some(Together::Complete)
    }

    fn note(&self, output: &Value) -> String {
        let number = |key| output.get(key).and_then(Value::as_u64).unwrap_or_default();
        format!("{} tables, {} rows", number("tables"), number("rows"))
    }
}

/// All are under way at once.
async fn digests(session: &Session, tables: &[Table]) -> Result<Vec<TableDigest>> {
    Ok(try_join_all(tables.iter().map(|table| digest(session, table))).await?)
}
