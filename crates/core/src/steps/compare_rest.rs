use std::collections::BTreeSet;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::compare::CATCH_UP;
use crate::comparison::{Comparison, Scope, compare_live};
use crate::context::Context;
use crate::direction::Direction;
use crate::error::Result;
use crate::operation::{Observed, Operation, output};
use crate::plan::Effect;

/// Compares, while the application is on the target already, what the final compare left: what both sides held when they were at rest.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CompareRest {}

/// Its id.
const STEP: &str = "compare-rest";

#[async_trait]
impl Operation for CompareRest {
    fn effect(&self) -> Effect {
        Effect::Reads
    }

    fn describe(&self) -> String {
        "compare what the pause left no time for, as both sides were at rest; `azure2neon rollback` is ready meanwhile".into()
    }

    async fn observe(&self, cx: &Context) -> Result<Observed> {
        let comparison: Comparison = cx.folder.output("final-compare")?;
        Ok(if comparison.left.is_empty() { Observed::Present(output(&comparison)?) } else { Observed::OnlyByDoing })
    }

    async fn apply(&self, cx: &Context) -> Result<Value> {
        let mut comparison: Comparison = cx.folder.output("final-compare")?;
        let only: BTreeSet<_> = std::mem::take(&mut comparison.left).into_iter().collect();
        let rest = match cx.held().await {
            Ok(held) => held.ready()?.compare(cx, STEP, Some(&only), None).await?,
            Err(_) => {
                cx.events.notice(
                    "The process that kept what both sides held at rest has ended: the tables are compared as they are now, while the \
                     target's changes flow back.",
                );
                let scope = Scope { only: Some(only), direction: Direction::Back, ..Scope::default() };
                compare_live(cx, STEP, scope, CATCH_UP).await?
            }
        };
        rest.demand_equal().map_err(|error| {
            error.hint(
                "the application is on the target already: `azure2neon rollback` brings it back to the source, with all that it has \
                 written since",
            )
        })?;
        comparison.replace(rest);
        output(&comparison)
    }

    fn note(&self, output: &Value) -> String {
        serde_json::from_value::<Comparison>(output.clone()).map(|comparison| comparison.note()).unwrap_or_default()
    }
}
