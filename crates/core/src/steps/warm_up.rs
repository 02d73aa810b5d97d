use std::time::Duration;

use async_trait::async_trait;
use azure2neon_postgres::fence::{self, END_LONG_WRITERS, FenceBefore, LONG_TRANSACTIONS, PREPARED_TRANSACTIONS};
use azure2neon_postgres::{Session, replication};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::new_connection;
use crate::clock;
use crate::context::Context;
use crate::direction::Direction;
use crate::error::{Error, ErrorKind, Result};
use crate::fencing;
use crate::handover::Before;
use crate::held::{self, Held};
use crate::operation::{Observed, Operation, output};
use crate::plan::{Effect, Mode};
use crate::units::{self, count};
use crate::way_back;

/// Opens every session that the cut-over needs and calls the witness, shortly before the fence: what can fail or wait does so now,
/// while the source serves.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WarmUp {
    /// Which way the changes flow.
    #[serde(default)]
    pub direction: Direction,
}

/// The step's id for the way back.
pub(super) const WARM_UP_BACK: &str = "warm-up-back";

/// The step's output.
#[derive(Serialize, Deserialize)]
pub(super) struct WarmedUp {
    /// The settings that the fence changes.
    pub(super) before: FenceBefore,
    /// What the places of the hand-over are now, for a way back.
    places: Vec<Before>,
    /// How many transactions it will end that have run for long.
    long_transactions: usize,
    /// How long the last marker took to come through, in milliseconds.
    lag_milliseconds: u64,
}

/// Whoever is not farther behind than this is drained soon;
const NEAR: Duration = Duration::from_millis(500);
/// after so long of trying, the pause is tried all the same, for it is bounded.
const FAR: Duration = Duration::from_secs(30);

/// The witness's slot waits for transactions that run when it is made. Those of the database are long after this time, and ended;
pub(crate) const SHORT: Duration = Duration::from_secs(12);
/// those of others on the same server are named after this one.
const WITNESS: Duration = Duration::from_secs(60);

/// What the places of the hand-over were shortly before the fence.
pub(super) fn places(cx: &Context) -> Result<Vec<Before>> {
    Ok(cx.folder.output::<WarmedUp>("warm-up")?.places)
}

impl WarmUp {
    /// Looks whether the places of the hand-over are there and may be changed, and what they are now.
    async fn check_places(&self, cx: &Context) -> Result<Vec<Before>> {
        cx.clouds.places.check_all(cx.max_pause()).await?;
        match self.direction {
            Direction::Forward => cx.clouds.places.before_all(&new_connection(cx).await?).await,
            Direction::Back => Ok(Vec::new()),
        }
    }

    /// Waits until the other side is so near that the drain will be short; how far behind it is then, in milliseconds.
    async fn come_near(&self, cx: &Context, held: &Held) -> Result<u64> {
        if cx.plan.mode == Mode::Offline {
            return Ok(0);
        }
        let began = clock::stopwatch();
        loop {
            let since = clock::stopwatch();
            self.direction.wait_applied(cx, (&held.from, &held.to), FAR).await?;
            let lag = since.elapsed();
            if lag <= NEAR.min(cx.max_pause() / 4) || began.elapsed() > FAR {
                return Ok(u64::try_from(lag.as_millis()).unwrap_or(u64::MAX));
            }
        }
    }
}

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
        "connect, name prepared and long transactions, end those that have written for more than 10 s, wait until the other side is near"
            .into()
    }

    fn inverse(&self) -> Option<String> {
        Some("drop the slot by which the fence is proven".into())
    }

    async fn observe(&self, _cx: &Context) -> Result<Observed> {
        Ok(Observed::OnlyByDoing)
    }

    async fn apply(&self, cx: &Context) -> Result<Value> {
        if self.direction == Direction::Back {
            way_back::prepare_forward(cx).await?;
        }
        let held = Held::open(cx, self.direction).await?;
        if let Some(ferry) = &held.ferry {
            // Most of it is there then, when the pause copies what has changed since.
            ferry.lock().await.copy(&held.unlogged).await?;
        }
        let prepared = found(&held.from, PREPARED_TRANSACTIONS).await?;
        if !prepared.is_empty() {
            let what = format!("prepared transactions may commit behind the fence: {}", prepared.join(", "));
            return Err(
                Error::new(ErrorKind::Blocked, what).hint("commit or roll them back (COMMIT PREPARED, ROLLBACK PREPARED); then cut over")
            );
        }
        let long = found(&held.from, LONG_TRANSACTIONS).await?;
        if !long.is_empty() {
            cx.events.notice(format!("{} will be ended: {}", count(long.len(), "long transaction"), long.join("; ")));
        }
        let warm = WarmedUp {
            before: fence::fence_state(&held.from, self.direction.database(cx)).await?,
            places: self.check_places(cx).await?,
            long_transactions: long.len(),
            lag_milliseconds: self.come_near(cx, &held).await?,
        };
        // Last, for both read from here on what is written until they are asked.
        if held.turns() {
            way_back::keep_near(cx, self.direction, held.turning()?).await?;
        }
        if let Some((session, witness)) = &held.witness {
            // A slot waits for every transaction that has written, as the pause would for those that the fence has to end.
            held.from.query(END_LONG_WRITERS, &[]).await?;
            if witness.call(session, SHORT).await.is_err() {
                held.from.query(END_LONG_WRITERS, &[]).await?;
                witness.call(session, WITNESS).await?;
            }
        }
        fencing::rehearse(cx, &held).await?;
        cx.hold(held).await;
        output(&warm)
    }

    async fn undo(&self, cx: &Context) -> Result<()> {
        if let Ok(held) = cx.held().await
            && held.direction == self.direction
            && let Some((session, witness)) = &held.witness
            && witness.dismiss(session).await.is_ok()
        {
            cx.let_go().await;
            return Ok(());
        }
        cx.let_go().await;
        let witness = held::witness(cx, Vec::new());
        if self.direction == Direction::Back && cx.project_unless_gone().await?.is_none() {
            return Ok(());
        }
        let session = self.direction.from_session(cx).await?;
        if replication::slot(&session, &witness.slot).await?.is_some() {
            witness.dismiss(&self.direction.slots_session(cx).await?).await?;
        }
        Ok(())
    }

    async fn left_over(&self, cx: &Context) -> Result<Option<String>> {
        let slot = held::witness(cx, Vec::new()).slot;
        if self.direction == Direction::Back && cx.project_unless_gone().await?.is_none() {
            return Ok(None);
        }
        let session = self.direction.from_session(cx).await?;
        Ok(replication::slot(&session, &slot).await?.map(|_| format!("replication slot {slot}")))
    }

    fn note(&self, output: &Value) -> String {
        serde_json::from_value::<WarmedUp>(output.clone())
            .map(|warm| format!("{} behind", units::milliseconds(warm.lag_milliseconds)))
            .unwrap_or_default()
    }
}
