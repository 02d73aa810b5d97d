use async_trait::async_trait;
use azure2neon_postgres::fence::FenceBefore;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::warm_up::{WARM_UP_BACK, WarmedUp};
use crate::context::Context;
use crate::direction::Direction;
use crate::error::Result;
use crate::fencing;
use crate::operation::{Observed, Operation};
use crate::plan::Effect;

/// Stops writes to the target's database, as `fence-writes` does on the source. It stays closed while the application is on the source.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FenceTarget {}

/// The database's own settings before.
pub(super) fn before(cx: &Context) -> Result<FenceBefore> {
    Ok(cx.done::<WarmedUp>(WARM_UP_BACK)?.map(|warm| warm.before).unwrap_or_default())
}

#[async_trait]
impl Operation for FenceTarget {
    fn effect(&self) -> Effect {
        Effect::Interrupts
    }

    fn describe(&self) -> String {
        "close the target's database to connections and writes, end its sessions, prove that none is left".into()
    }

    fn inverse(&self) -> Option<String> {
        Some("let the target take writes again".into())
    }

    async fn observe(&self, _cx: &Context) -> Result<Observed> {
        Ok(Observed::OnlyByDoing)
    }

    async fn apply(&self, cx: &Context) -> Result<Value> {
        fencing::raise(cx, Direction::Back).await
    }

    async fn undo(&self, cx: &Context) -> Result<()> {
        if cx.project_unless_gone().await?.is_none() {
            return Ok(());
        }
        fencing::take_back(cx, Direction::Back, &before(cx)?).await
    }

    async fn left_over(&self, cx: &Context) -> Result<Option<String>> {
        if cx.project_unless_gone().await?.is_none() {
            return Ok(None);
        }
        fencing::left_over(cx, Direction::Back, &before(cx)?).await
    }

    fn note(&self, output: &Value) -> String {
        fencing::note(output)
    }
}
