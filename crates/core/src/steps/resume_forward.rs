use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::set_sequences_again;
use crate::context::Context;
use crate::error::Result;
use crate::operation::{Observed, Operation};
use crate::plan::Effect;
use crate::way_back::{self, Sides};

/// Lets the source's changes flow to the target again: the run is where it was before the cut-over.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ResumeForward {}

#[async_trait]
impl Operation for ResumeForward {
    fn effect(&self) -> Effect {
        Effect::Changes
    }

    fn describe(&self) -> String {
        "let the source's changes flow to the target again, so that another cut-over may follow".into()
    }

    async fn observe(&self, _cx: &Context) -> Result<Observed> {
        Ok(Observed::OnlyByDoing)
    }

    async fn apply(&self, cx: &Context) -> Result<Value> {
        let (source, target) = tokio::try_join!(cx.source(), cx.target())?;
        way_back::resume_forward(cx, Sides { source: &source, target: &target }).await?;
        // The application moved them; from here on nobody but us does, until the next cut-over.
        set_sequences_again(cx).await?;
        Ok(Value::Null)
    }
}
