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
        let (source, target) = tokio::try_join!(cx.source(), cx.target())?;
        way_back::open(cx, Sides { source: &source, target: &target }).await?;
        Ok(Value::Null)
    }
}
