use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::compare::CATCH_UP;
use crate::comparison::{Comparison, Scope, changed_since, compare_live};
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::operation::{Observed, Operation, output};
use crate::plan::Effect;
use crate::{clock, units};

/// Compares again what changed since the compare, shortly before the fence: the gate before the cut-over.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CompareAgain {}

/// Its id.
pub(super) const STEP: &str = "compare-again";
/// A compare that is older proves too little.
const RECENT: Duration = Duration::from_secs(24 * 3600);

/// The compare that came before, if it is good enough to go on from.
fn earlier(cx: &Context) -> Result<Comparison> {
    let refuse =
        |why: String| Err(Error::new(ErrorKind::Blocked, why).hint("`azure2neon verify` compares now; then `azure2neon cut-over`"));
    let Some(comparison) = cx.done::<Comparison>("compare")? else {
        return refuse("there is no compare that found both sides equal".to_owned());
    };
    comparison.demand_equal()?;
    let age = comparison.at.map(|at| clock::now().duration_since(at)).and_then(|age| Duration::try_from(age).ok());
    match age {
        Some(age) if age <= RECENT => Ok(comparison),
        _ => {
            let hours = age.map_or_else(|| "too long".to_owned(), |age| format!("{} h", age.as_secs() / 3600));
            refuse(format!("both sides were compared {hours} ago; that is too long for a cut-over"))
        }
    }
}

#[async_trait]
impl Operation for CompareAgain {
    fn effect(&self) -> Effect {
        Effect::Reads
    }

    fn describe(&self) -> String {
        "compare again the tables that were written to since the compare; no cut-over unless all are equal".into()
    }

    async fn observe(&self, _cx: &Context) -> Result<Observed> {
        Ok(Observed::OnlyByDoing)
    }

    async fn apply(&self, cx: &Context) -> Result<Value> {
        let mut comparison = earlier(cx)?;
        let changed = {
            let (source, target) = tokio::try_join!(cx.source(), cx.target())?;
            changed_since(&comparison, &source, &target).await?
        };
        cx.events.progress_note(
            STEP,
            &format!(
                "{} with {} were written to since the compare, {} were not",
                units::count(changed.tables.len(), "table"),
                units::bytes(changed.bytes),
                changed.unchanged
            ),
        );
        let only: BTreeSet<_> = changed.tables.into_iter().collect();
        if !only.is_empty() {
            comparison.replace(compare_live(cx, STEP, Scope { only: Some(only), ..Scope::default() }, CATCH_UP).await?);
        }
        comparison.demand_equal()?;
        output(&comparison)
    }

    fn note(&self, output: &Value) -> String {
        serde_json::from_value::<Comparison>(output.clone()).map(|comparison| comparison.note()).unwrap_or_default()
    }
}
