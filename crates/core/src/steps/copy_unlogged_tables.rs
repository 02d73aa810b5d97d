use async_trait::async_trait;
use azure2neon_postgres::copy;
use azure2neon_postgres::inventory::Persistence;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::context::Context;
use crate::error::Result;
use crate::operation::{Observed, Operation};
use crate::plan::Effect;

/// Copies unlogged tables inside the fence: replication never carries them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CopyUnloggedTables {
    /// How many there were when the plan was made; what counts is what is there inside the fence.
    pub planned: usize,
}

#[async_trait]
impl Operation for CopyUnloggedTables {
    fn effect(&self) -> Effect {
        if self.planned == 0 { Effect::Reads } else { Effect::Creates }
    }

    fn describe(&self) -> String {
        match self.planned {
            0 => "look for unlogged tables, which replication doesn't carry (none now)".into(),
            n => format!("copy {n} unlogged tables, which replication doesn't carry"),
        }
    }

    async fn observe(&self, _cx: &Context) -> Result<Observed> {
        Ok(Observed::OnlyByDoing)
    }

    async fn apply(&self, cx: &Context) -> Result<Value> {
        let mut tables = cx.source_inventory(&cx.source().await?).await?.tables;
        tables.retain(|table| table.persistence == Persistence::Unlogged && table.has_storage());
        let (source, target) = tokio::try_join!(cx.source_endpoint(), cx.target_endpoint())?;
        let rows = copy::copy_tables(&source, &target, &tables).await?;
        Ok(json!({ "tables": tables.len(), "rows": rows }))
    }

    fn note(&self, output: &Value) -> String {
        let number = |key| output.get(key).and_then(Value::as_u64).unwrap_or_default();
        format!("{} tables, {} rows", number("tables"), number("rows"))
    }
}
