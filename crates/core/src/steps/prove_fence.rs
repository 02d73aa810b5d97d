use async_trait::async_trait;
use azure2neon_postgres::fence::FenceProof;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::context::{Context, FENCE};
use crate::error::{Error, ErrorKind, Result};
use crate::operation::{Observed, Operation};
use crate::plan::Effect;

/// Reads in the source's log that nothing but ours was committed behind the fence: that it held is proven, not assumed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ProveFence {}

#[async_trait]
impl Operation for ProveFence {
    fn effect(&self) -> Effect {
        Effect::Reads
    }

    fn describe(&self) -> String {
        "read in the source's log that nothing was written behind the fence; nothing is handed over otherwise".into()
    }

    async fn observe(&self, _cx: &Context) -> Result<Observed> {
        Ok(Observed::OnlyByDoing)
    }

    async fn apply(&self, cx: &Context) -> Result<Value> {
        let held = cx.held().await?;
        let FenceProof { position, .. } = cx.folder.output(FENCE)?;
        let Some((session, witness)) = &held.witness else {
            return Err(Error::new(ErrorKind::Internal, "nobody watches the source's log"));
        };
        let foreign = witness.ask(session, position).await?;
        if foreign.transactions > 0 {
            let what = format!(
                "{} transactions with {} changes were committed behind the fence, in {}",
                foreign.transactions,
                foreign.changes,
                foreign.tables.join(", ")
            );
            return Err(Error::new(ErrorKind::NotEqual, what).hint(
                "a superuser's session or a background job wrote them, and they will come to the target; stop it, then cut over again",
            ));
        }
        Ok(json!({ "behind": position }))
    }

    fn note(&self, output: &Value) -> String {
        format!("nothing was written behind {}", output.get("behind").and_then(Value::as_str).unwrap_or_default())
    }
}
