use async_trait::async_trait;
use azure2neon_postgres::fence::{self, FenceBefore};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::context::Context;
use crate::error::{Error, Result};
use crate::operation::{Observed, Operation, output};
use crate::plan::Effect;

/// Stops writes to the source's database: read-only by default, every session ended, none left that began before.
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
        "make the source's database read-only, end its sessions, prove that none is left".into()
    }

    fn inverse(&self) -> Option<String> {
        Some("let the source take writes again".into())
    }

    async fn observe(&self, _cx: &Context) -> Result<Observed> {
        Ok(Observed::OnlyByDoing)
    }

    async fn apply(&self, cx: &Context) -> Result<Value> {
        let source = cx.source().await?;
        output(&fence::raise(&source, &cx.plan.source.database, &cx.names().mark).await?)
    }

    async fn undo(&self, cx: &Context) -> Result<()> {
        let database = &cx.plan.source.database;
        let reopened = async {
            let source = cx.source().await?;
            fence::lower(&source, database, &self.before).await?;
            Ok::<_, Error>(())
        };
        reopened.await.map_err(|error| {
            let statement = fence::lowering(database, &self.before);
            Error::new(error.kind(), "THE SOURCE IS STILL READ-ONLY: it could not be reopened")
                .because(error)
                .hint(format!("run `azure2neon abort`, or on the source: {statement}"))
        })
    }

    async fn left_over(&self, cx: &Context) -> Result<Option<String>> {
        let now = fence::fence_state(&cx.source().await?, &cx.plan.source.database).await?;
        Ok((now != self.before).then(|| {
            let value = now.default_transaction_read_only.unwrap_or_else(|| "unset".into());
            format!("default_transaction_read_only of the source's database is {value}")
        }))
    }

    fn note(&self, output: &Value) -> String {
        format!("{} sessions ended", output.get("ended").and_then(Value::as_u64).unwrap_or_default())
    }
}
