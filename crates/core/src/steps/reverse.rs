use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::operation::{Observed, Operation};
use crate::plan::Effect;

/// Takes an earlier step back, if this run did it: the inverse is written once, in that step.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Reverse {
    /// Id of the step to take back.
    pub of: String,
    /// What that is, in words.
    pub description: String,
}

impl Reverse {
    fn operation<'a>(&self, cx: &'a Context) -> Result<&'a dyn Operation> {
        cx.plan
            .step(&self.of)
            .map(|step| step.action.operation())
            .ok_or_else(|| Error::new(ErrorKind::Internal, format!("the plan has no step {}", self.of)))
    }
}

#[async_trait]
impl Operation for Reverse {
    fn effect(&self) -> Effect {
        Effect::Removes
    }

    fn describe(&self) -> String {
        self.description.clone()
    }

    async fn observe(&self, cx: &Context) -> Result<Observed> {
        if !cx.folder.touched(&self.of) {
            return Ok(Observed::present());
        }
        Ok(match self.operation(cx)?.left_over(cx).await? {
            None => Observed::present(),
            Some(what) => Observed::Partial(what),
        })
    }

    async fn apply(&self, cx: &Context) -> Result<Value> {
        self.operation(cx)?.undo(cx).await?;
        Ok(Value::Null)
    }
}
