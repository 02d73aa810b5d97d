use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::create_publication::{schema_drop, schema_exists};
use crate::context::Context;
use crate::error::Result;
use crate::operation::{Observed, Operation};
use crate::plan::Effect;

/// Drops the schema in which the run remembered on the target what was done. Where there is a subscription, it goes with that.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DropMarks {
    /// The schema.
    pub schema: String,
}

#[async_trait]
impl Operation for DropMarks {
    fn effect(&self) -> Effect {
        Effect::Removes
    }

    fn describe(&self) -> String {
        format!("drop the schema {} with the run's marks on the target", self.schema)
    }

    async fn observe(&self, cx: &Context) -> Result<Observed> {
        Ok(match cx.target_unless_gone().await? {
            Some(target) if schema_exists(&target, &self.schema).await? => Observed::Partial("the schema is there".into()),
            _ => Observed::present(),
        })
    }

    async fn apply(&self, cx: &Context) -> Result<Value> {
        cx.target().await?.batch_execute(&schema_drop(&self.schema)).await?;
        Ok(Value::Null)
    }
}
