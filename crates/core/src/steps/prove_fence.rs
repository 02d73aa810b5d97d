use async_trait::async_trait;
use azure2neon_postgres::fence::FenceProof;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::context::Context;
use crate::direction::Direction;
use crate::error::{Error, ErrorKind, Result};
use crate::operation::{Observed, Operation, Together};
use crate::plan::Effect;

/// Reads in the log that nothing but ours was committed behind the fence: that it held is proven, not assumed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ProveFence {
    /// Which way the changes flow.
    #[serde(default)]
    pub direction: Direction,
}

#[async_trait]
impl Operation for ProveFence {
    fn effect(&self) -> Effect {
        Effect::Reads
    }

    fn describe(&self) -> String {
        format!("read in the {}'s log that nothing was written behind the fence; nothing is handed over otherwise", self.direction.from())
    }

    async fn observe(&self, _cx: &Context) -> Result<Observed> {
        Ok(Observed::OnlyByDoing)
    }

    async fn apply(&self, cx: &Context) -> Result<Value> {
        let held = cx.held().await?;
        let FenceProof { position, .. } = cx.folder.output(self.direction.fence())?;
        let Some((session, witness)) = &held.witness else {
            return Err(Error::new(ErrorKind::Internal, "nobody watches the log behind the fence"));
        };
        let foreign = witness.ask(session, position).await?;
        if foreign.transactions > 0 {
            let what = format!(
                "{} transactions with {} changes were committed behind the fence, in {}",
                foreign.transactions,
                foreign.changes,
                foreign.tables.join(", ")
            );
            return Err(Error::new(ErrorKind::NotEqual, what)
                .hint("a superuser's session or a background job wrote them, and they come over, too; stop it, then try again"));
        }
        Ok(json!({ "behind": position }))
    }

    fn together(&self, _cx: &Context) -> Option<Together> {
        Some(Together::Prove)
    }

    fn note(&self, output: &Value) -> String {
        format!("nothing was written behind {}", output.get("behind").and_then(Value::as_str).unwrap_or_default())
    }
}
