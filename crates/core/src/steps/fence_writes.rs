use async_trait::async_trait;
use azure2neon_postgres::Session;
use azure2neon_postgres::barrier::barrier_id;
use azure2neon_postgres::fence::{self, Fence, FenceBefore, FenceProof};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::context::Context;
use crate::epochs;
use crate::error::{Error, Result};
use crate::operation::{Observed, Operation, output};
use crate::plan::{Effect, Mode};

/// Stops writes to the source's database: no new connection, read-only by default, every session ended, none left that began before.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FenceWrites {
    /// The database's own settings before; the planner read them, so that a killed run knows how to reopen.
    pub before: FenceBefore,
}

impl FenceWrites {
    /// Opens the source again, from the sessions at hand or from a new one.
    async fn lower(&self, cx: &Context) -> Result<()> {
        let database = &cx.plan.source.database;
        if let Ok(held) = cx.held().await
            && fence::lower(&held.reopener, database, &self.before).await.is_ok()
        {
            return Ok(());
        }
        Ok(fence::lower(&beside(cx).await?, database, &self.before).await?)
    }
}

/// A session on the source's server that the fence does not keep out.
async fn beside(cx: &Context) -> Result<Session> {
    Ok(fence::beside(&cx.source_endpoint().await?).connect().await?)
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
        let held = cx.held().await?;
        let own = held.pids().await;
        let (barrier, marker) = (epochs::feed(cx, 1).barrier, barrier_id());
        // Offline, the copy opens its connections behind the fence.
        let is_online = cx.plan.mode == Mode::Online;
        let fence = Fence {
            database: &cx.plan.source.database,
            own: &own,
            closed: is_online,
            sequences: &held.sequences,
            marker: is_online.then_some((&barrier, &*marker)),
        };
        output(&fence::raise(&held.source, fence).await?)
    }

    async fn undo(&self, cx: &Context) -> Result<()> {
        self.lower(cx).await.map_err(|error| {
            let statements = fence::lowering(&cx.plan.source.database, &self.before);
            Error::new(error.kind(), "THE SOURCE IS STILL CLOSED: it could not be reopened")
                .because(error)
                .hint(format!("run `azure2neon abort`, or on the source, in another database such as postgres: {statements}"))
        })
    }

    async fn left_over(&self, cx: &Context) -> Result<Option<String>> {
        let now = fence::fence_state(&beside(cx).await?, &cx.plan.source.database).await?;
        Ok((now != self.before).then(|| {
            let value = now.default_transaction_read_only.unwrap_or_else(|| "unset".into());
            format!("default_transaction_read_only of the source's database is {value}, its connection limit {}", now.connection_limit)
        }))
    }

    fn note(&self, output: &Value) -> String {
        serde_json::from_value::<FenceProof>(output.clone())
            .map(|proof| format!("{} sessions ended, the last write is at {}", proof.ended, proof.position))
            .unwrap_or_default()
    }
}
