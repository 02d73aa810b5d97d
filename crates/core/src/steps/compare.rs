use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::comparison::{Comparison, Scope, compare_live};
use crate::context::Context;
use crate::error::Result;
use crate::operation::{Observed, Operation, output};
use crate::plan::Effect;

/// Compares every row of every table while writes go on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Compare {}

/// How long the target may take to apply what the source held when a chunk was looked at.
pub(crate) const CATCH_UP: Duration = Duration::from_secs(600);

#[async_trait]
impl Operation for Compare {
    fn effect(&self) -> Effect {
        Effect::Reads
    }

    fn describe(&self) -> String {
        "compare every row of every table, while writes go on".into()
    }

    async fn observe(&self, _cx: &Context) -> Result<Observed> {
        Ok(Observed::OnlyByDoing)
    }

    async fn apply(&self, cx: &Context) -> Result<Value> {
        let comparison = compare_live(cx, "compare", Scope::default(), CATCH_UP).await?;
        comparison.demand_equal()?;
        output(&comparison)
    }

    fn note(&self, output: &Value) -> String {
        serde_json::from_value::<Comparison>(output.clone()).map(|comparison| comparison.note()).unwrap_or_default()
    }
}
