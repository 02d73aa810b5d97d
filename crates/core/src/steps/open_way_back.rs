use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::context::Context;
use crate::error::Result;
use crate::operation::{Observed, Operation};
use crate::plan::Effect;
use crate::way_back::{self, Sides};

/// Lets what the application writes on the target flow back to the source, until the finish or a rollback.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OpenWayBack {}

#[async_trait]
impl Operation for OpenWayBack {
    fn effect(&self) -> Effect {
        Effect::Changes
    }

    fn describe(&self) -> String {
        "let the target's changes flow back to the source, until `azure2neon finish` or `azure2neon rollback`".into()
    }

    async fn observe(&self, cx: &Context) -> Result<Observed> {
        Ok(if cx.has_way_back() { Observed::OnlyByDoing } else { Observed::present() })
    }

    async fn apply(&self, cx: &Context) -> Result<Value> {
        // With the sessions that are there: where one is let into the closed source, another may come in beside it.
        if let Ok(held) = cx.held().await
            && let Some((owner, _)) = &held.witness
        {
            way_back::open(cx, Sides { source: &held.from, target: &held.to }, owner).await?;
            return Ok(Value::Null);
        }
        let (source, target, owner) = tokio::try_join!(cx.source(), cx.target(), cx.source_as_replication())?;
        way_back::open(cx, Sides { source: &source, target: &target }, &owner).await?;
        Ok(Value::Null)
    }
}
