use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::set_sequences_ahead::demand_unmoved;
use crate::catalog_comparison::compare_catalogs;
use crate::comparison::{Comparison, Scope, compare_live};
use crate::context::Context;
use crate::error::Result;
use crate::operation::{Observed, Operation, output};
use crate::plan::Effect;

/// Compares every row of every table while writes go on, the catalogs and the sequences.
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
        "compare every row of every table while writes go on, the catalogs object by object, and the sequences".into()
    }

    async fn observe(&self, _cx: &Context) -> Result<Observed> {
        Ok(Observed::OnlyByDoing)
    }

    async fn apply(&self, cx: &Context) -> Result<Value> {
        demand_like_catalogs(cx, "compare").await?;
        let comparison = compare_live(cx, "compare", Scope::default(), CATCH_UP).await?;
        comparison.demand_equal()?;
        output(&comparison)
    }

    fn note(&self, output: &Value) -> String {
        serde_json::from_value::<Comparison>(output.clone()).map(|comparison| comparison.note()).unwrap_or_default()
    }
}

/// Fails unless the catalogs are alike, but for what is to be expected, and the sequences are where this run set them.
pub(super) async fn demand_like_catalogs(cx: &Context, step: &str) -> Result<()> {
    let catalogs = compare_catalogs(cx).await?;
    cx.events.progress_note(step, &format!("catalogs: {}", catalogs.note()));
    catalogs.demand_alike()?;
    demand_unmoved(cx).await
}
