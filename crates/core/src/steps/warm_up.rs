use std::time::Duration;

use async_trait::async_trait;
use azure2neon_postgres::Session;
use azure2neon_postgres::fence::{LONG_TRANSACTIONS, PREPARED_TRANSACTIONS};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::held::{self, Held};
use crate::operation::{Observed, Operation};
use crate::plan::Effect;
use crate::units::count;

/// Opens every session that the cut-over needs and calls the witness, shortly before the fence: what can fail or wait does so now,
/// while the source serves.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WarmUp {}

/// The witness's slot waits for transactions that run when it is made; longer than this, and they would make the fence's pause long, too.
const WITNESS: Duration = Duration::from_secs(60);

/// Names of what a query finds in the source's database.
async fn found(source: &Session, sql: &str) -> Result<Vec<String>> {
    let rows = source.query(sql, &[]).await?;
    Ok(rows.iter().map(|row| row.try_get(0)).collect::<std::result::Result<_, _>>()?)
}

#[async_trait]
impl Operation for WarmUp {
    fn effect(&self) -> Effect {
        Effect::Creates
    }

    fn describe(&self) -> String {
        "connect, and name what the fence would wait for or end: prepared and long transactions".into()
    }

    fn inverse(&self) -> Option<String> {
        Some("drop the slot by which the fence is proven".into())
    }

    async fn observe(&self, _cx: &Context) -> Result<Observed> {
        Ok(Observed::OnlyByDoing)
    }

    async fn apply(&self, cx: &Context) -> Result<Value> {
        let source = cx.source().await?;
        let prepared = found(&source, PREPARED_TRANSACTIONS).await?;
        if !prepared.is_empty() {
            let what = format!("prepared transactions may commit behind the fence: {}", prepared.join(", "));
            return Err(
                Error::new(ErrorKind::Blocked, what).hint("commit or roll them back (COMMIT PREPARED, ROLLBACK PREPARED); then cut over")
            );
        }
        let long = found(&source, LONG_TRANSACTIONS).await?;
        if !long.is_empty() {
            cx.events.notice(format!("The fence will end {}: {}", count(long.len(), "long transaction"), long.join("; ")));
        }
        let held = Held::open(cx).await?;
        if let Some((session, witness)) = &held.witness {
            witness.call(session, WITNESS).await?;
        }
        cx.hold(held).await;
        Ok(json!({ "long_transactions": long.len() }))
    }

    async fn undo(&self, cx: &Context) -> Result<()> {
        cx.let_go().await;
        let witness = held::witness(cx, Vec::new());
        let source = cx.source().await?;
        if azure2neon_postgres::replication::slot(&source, &witness.slot).await?.is_some() {
            witness.dismiss(&cx.source_as_replication().await?).await?;
        }
        Ok(())
    }

    async fn left_over(&self, cx: &Context) -> Result<Option<String>> {
        let slot = held::witness(cx, Vec::new()).slot;
        Ok(azure2neon_postgres::replication::slot(&cx.source().await?, &slot).await?.map(|_| format!("replication slot {slot}")))
    }

    fn note(&self, output: &Value) -> String {
        match output.get("long_transactions").and_then(Value::as_u64).unwrap_or_default() {
            0 => String::new(),
            n => format!("{n} long transactions will be ended"),
        }
    }
}
