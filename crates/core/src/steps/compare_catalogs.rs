use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::set_sequences_ahead::{demand_unmoved, moved_sequences};
use crate::catalog_comparison::compare_catalogs;
use crate::context::Context;
use crate::error::Result;
use crate::operation::{Observed, Operation};
use crate::plan::Effect;

/// Compares the catalogs object by object, and looks whether the sequences are where this run set them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CompareCatalogs {}

#[async_trait]
impl Operation for CompareCatalogs {
    fn effect(&self) -> Effect {
        Effect::Reads
    }

    fn describe(&self) -> String {
        "compare the catalogs of both sides object by object, and look whether anybody moved the target's sequences".into()
    }

    async fn observe(&self, _cx: &Context) -> Result<Observed> {
        Ok(Observed::OnlyByDoing)
    }

    async fn apply(&self, cx: &Context) -> Result<Value> {
        let catalogs = compare_catalogs(cx).await?;
        catalogs.demand_alike()?;
        demand_unmoved(&moved_sequences(cx).await?)?;
        // Each expected difference is one, and there are thousands in a large database.
        Ok(json!({ "objects": catalogs.objects, "note": catalogs.note() }))
    }

    fn note(&self, output: &Value) -> String {
        output.get("note").and_then(Value::as_str).unwrap_or_default().to_owned()
    }
}
