use async_trait::async_trait;
use azure2neon_postgres::sequences;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::operation::{Observed, Operation};
use crate::plan::Effect;

/// Sets every sequence to the source's value, called or not: replication doesn't carry them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SetSequences {
    /// How many there were when the plan was made.
    pub planned: usize,
}

#[async_trait]
impl Operation for SetSequences {
    fn effect(&self) -> Effect {
        Effect::Changes
    }

    fn describe(&self) -> String {
        format!("set {} sequences (identity, serial, standalone) to the source's values", self.planned)
    }

    async fn observe(&self, _cx: &Context) -> Result<Observed> {
        Ok(Observed::OnlyByDoing)
    }

    async fn apply(&self, cx: &Context) -> Result<Value> {
        let (source, target) = tokio::try_join!(cx.source(), cx.target())?;
        let names = cx.source_inventory(&source).await?.sequences;
        let wanted = sequences::read_sequences(&source, &names).await?;
        sequences::set_sequences(&target, &wanted).await?;
        let mut is = sequences::read_sequences(&target, &names).await?;
        is.retain(|value| !wanted.contains(value));
        if let Some(first) = is.first() {
            return Err(Error::new(
                ErrorKind::NotEqual,
                format!("{} sequences differ after they were set, the first is {}", is.len(), first.name),
            ));
        }
        Ok(json!({ "sequences": wanted.len() }))
    }

    fn note(&self, output: &Value) -> String {
        format!("{} sequences", output.get("sequences").and_then(Value::as_u64).unwrap_or_default())
    }
}
