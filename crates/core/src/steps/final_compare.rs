use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::comparison::{Comparison, Scope, compare_at_rest};
use crate::context::Context;
use crate::error::Result;
use crate::operation::{Observed, Operation, output};
use crate::plan::Effect;

/// Compares every table by count and digest, both sides at rest: the gate before the hand-over.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FinalCompare {}

#[async_trait]
impl Operation for FinalCompare {
    fn effect(&self) -> Effect {
        Effect::Reads
    }

    fn describe(&self) -> String {
        "compare every table by count and content digest, both sides at rest; nothing is handed over unless all are equal".into()
    }

    async fn observe(&self, _cx: &Context) -> Result<Observed> {
        Ok(Observed::OnlyByDoing)
    }

    async fn apply(&self, cx: &Context) -> Result<Value> {
        let comparison = compare_at_rest(cx, "final-compare", Scope::default()).await?;
        comparison.demand_equal()?;
        output(&comparison)
    }

    fn note(&self, output: &Value) -> String {
        serde_json::from_value::<Comparison>(output.clone()).map(|comparison| comparison.note()).unwrap_or_default()
    }
}
