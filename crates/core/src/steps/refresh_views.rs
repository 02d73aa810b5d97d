use async_trait::async_trait;
use azure2neon_postgres::views;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::context::Context;
use crate::error::Result;
use crate::operation::{Observed, Operation};
use crate::plan::Effect;

/// Refreshes, in the order of their dependencies, the materialized views that hold data on the source.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RefreshViews {
    /// How many there were when the plan was made.
    pub planned: usize,
}

#[async_trait]
impl Operation for RefreshViews {
    fn effect(&self) -> Effect {
        Effect::Changes
    }

    fn describe(&self) -> String {
        format!("refresh {} materialized views", self.planned)
    }

    async fn observe(&self, _cx: &Context) -> Result<Observed> {
        Ok(Observed::OnlyByDoing)
    }

    async fn apply(&self, cx: &Context) -> Result<Value> {
        let (source, target) = tokio::try_join!(cx.source(), cx.target())?;
        let mut refreshed = 0;
        for view in cx.source_inventory(&source).await?.materialized_views.iter().filter(|view| view.populated) {
            views::refresh(&target, &view.name).await?;
            refreshed += 1;
        }
        Ok(json!({ "views": refreshed }))
    }

    fn note(&self, output: &Value) -> String {
        format!("{} views", output.get("views").and_then(Value::as_u64).unwrap_or_default())
    }
}
