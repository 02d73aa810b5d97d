use async_trait::async_trait;
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
        format!("copy {}, which replication doesn't carry", count(self.planned, "unlogged table"))
    }

    async fn observe(&self, _cx: &Context) -> Result<Observed> {
        Ok(Observed::OnlyByDoing)
    }

    async fn apply(&self, cx: &Context) -> Result<Value> {
        let held = cx.held().await?;
        let rows = match &held.ferry {
            Some(ferry) => ferry.lock().await.copy(&held.unlogged).await?,
            None => 0,
        };
        Ok(json!({ "tables": held.unlogged.len(), "rows": rows }))
    }

    fn together(&self, _cx: &Context) -> Option<Together> {
        Some(Together::Complete)
    }

    fn note(&self, output: &Value) -> String {
        let number = |key| output.get(key).and_then(Value::as_u64).unwrap_or_default();
        format!("{} tables, {} rows", number("tables"), number("rows"))
    }
}
