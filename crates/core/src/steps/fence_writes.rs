use async_trait::async_trait;
use azure2neon_postgres::fence::FenceBefore;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::context::Context;
use crate::direction::Direction;
use crate::error::Result;
use crate::fencing;
use crate::operation::{Observed, Operation};
use crate::plan::Effect;

/// Stops writes to the source's database: no new connection, read-only by default, every session ended, none left that began before.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FenceWrites {
    /// The database's own settings before; the planner read them, so that a killed run knows how to reopen.
    pub before: FenceBefore,
}

#[async_trait]
impl Operation for FenceWrites {
    fn effect(&self) -> Effect {
        Effect::Interrupts
    }

    fn describe(&self) -> String {
        "close the source's database to connections and writes, end its sessions, prove that none is left".into()
    }

    fn inverse(&self) -> Option<String> {
        Some("let the source take writes again".into())
    }

    async fn observe(&self, _cx: &Context) -> Result<Observed> {
        Ok(Observed::OnlyByDoing)
    }

    async fn apply(&self, cx: &Context) -> Result<Value> {
        fencing::raise(cx, Direction::Forward).await
    }

    async fn undo(&self, cx: &Context) -> Result<()> {
        fencing::take_back(cx, Direction::Forward, &self.before).await
    }

    async fn left_over(&self, cx: &Context) -> Result<Option<String>> {
        fencing::left_over(cx, Direction::Forward, &self.before).await
    }

    fn note(&self, output: &Value) -> String {
        fencing::note(output)
    }
}
