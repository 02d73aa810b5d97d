use std::time::{Duration, Instant};

use async_trait::async_trait;
use azure2neon_postgres::copy::manners::Manners;
use azure2neon_postgres::copy::{Load, Loaded, Snapshot};
use azure2neon_postgres::{Endpoint, QualifiedName};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::import_schema;
use crate::context::Context;
use crate::control::Listener;
use crate::epochs::{self, Epochs};
use crate::error::{Error, ErrorKind, Result};
use crate::operation::{Observed, Operation};
use crate::plan::Effect;
use crate::{clock, copying, units};

/// Its id.
const STEP: &str = "stream-data";

/// Copies every table through this machine, under a slot's snapshot, each with its indexes as soon as it is in.
///
/// What is finished is marked on the target and not copied again, whatever happens: see [`crate::epochs`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StreamData {
    /// How many tables, or parts of one, are copied at once.
    pub workers: usize,
    /// For how many seconds a snapshot is read at most: as long the source can't clean up behind it.
    pub snapshot_seconds: u64,
}

/// So many snapshots may come to nothing, one after another.
const FRUITLESS: usize = 5;

#[async_trait]
impl Operation for StreamData {
    fn effect(&self) -> Effect {
        Effect::Creates
    }

    fn describe(&self) -> String {
        format!("copy every table through this machine with {} workers, each with its indexes as soon as it is in", self.workers)
    }

    async fn observe(&self, cx: &Context) -> Result<Observed> {
        let epochs = Epochs::open(cx).await?;
        Ok(match epochs.is_complete().await? {
            true => Observed::Present(json!({ "units": epochs.units.len() })),
            false => Observed::Partial(format!("{} of {} units are copied", epochs.finished().await?.len(), epochs.units.len())),
        })
    }

    async fn apply(&self, cx: &Context) -> Result<Value> {
        self.copy(cx).await?;
        Ok(Value::Null)
    }

    fn note(&self, output: &Value) -> String {
        format!("{} units", output.get("units").and_then(Value::as_u64).unwrap_or_default())
    }
}

impl StreamData {
    /// Copies what is not copied yet, with as many workers as the source bears, and stands still while it is told to.
    pub(super) async fn copy(&self, cx: &Context) -> Result<()> {
        // No snapshot is made while nothing may be copied: it would age.
        Listener::new(cx, STEP).unpaused().await;
        let manners = Manners::new(self.workers);
        manners.limit(cx.settings.manners.rate_limit);
        let bounds = copying::bounds(cx, &manners).await;
        let since = clock::stopwatch();
        let (rows, bytes) = tokio::select! {
            copied = self.copy_under_snapshots(cx, &manners) => copied?,
            never = Listener::new(cx, STEP).obey(&manners) => match never {},
            never = copying::watch_source(cx, STEP, &manners, bounds) => match never {},
        };
        let seconds = since.elapsed().as_secs_f64().max(0.001);
        cx.events.notice(format!(
            "Copied {rows} rows, {} at {}/s.",
            units::bytes(signed(bytes)),
            units::bytes((bytes as f64 / seconds) as i64)
        ));
        Ok(())
    }

    /// Under as many snapshots as it takes; returns the rows and bytes.
    async fn copy_under_snapshots(&self, cx: &Context, manners: &Manners) -> Result<(u64, u64)> {
        let (source, target) = (cx.replication_endpoint().await?, cx.target_endpoint().await?);
        say_round_trips(cx, &source, &target).await?;
        let mut held = cx.take_slot().await.map(|slot| (1, slot));
        let (mut rows, mut bytes, mut fruitless) = (0, 0, 0);
        loop {
            // Looked at anew for each snapshot: what ended that one may have ended any session.
            let epochs = Epochs::open(cx).await?;
            if held.is_none() {
                epochs.take_up().await?;
            }
            let (epoch, snapshot) = if epochs.is_complete().await? {
                // Nothing is left but indexes.
                (1, Snapshot::now(&source).await?)
            } else {
                let (epoch, slot) = match held.take() {
                    Some(held) => held,
                    None => {
                        let epoch = epochs.next().await?;
                        // A snapshot would age while nothing may be copied.
                        manners.unpaused().await;
                        (epoch, epochs::begin(cx, epoch).await?)
                    }
                };
                (epoch, Snapshot::of_slot(&source, &slot).await?)
            };
            let load = Load {
                source: &source,
                target: &target,
                snapshot: &snapshot,
                epoch,
                marker_schema: &cx.names().mark,
                units: &epochs.units,
                entries: &import_schema::entries(cx)?,
                manners,
                rows_are_in: false,
                until: Instant::now().checked_add(Duration::from_secs(self.snapshot_seconds)),
            };
            let loaded = load.run(&|progress| cx.events.say(copying::event(STEP, progress))).await?;
            (rows, bytes) = (rows + loaded.rows, bytes + loaded.bytes);
            drop_gone(cx, &loaded.gone).await?;
            if loaded.complete {
                return Ok((rows, bytes));
            }
            fruitless = if loaded.parts > 0 { 0 } else { fruitless + 1 };
            go_on(cx, &loaded, fruitless).await?;
        }
    }
}

/// After a snapshot that ended before the copy did.
async fn go_on(cx: &Context, loaded: &Loaded, fruitless: usize) -> Result<()> {
    let epochs = Epochs::open(cx).await?;
    cx.events.notice(format!(
        "The source's snapshot was lost or grew too old after {} parts: {} of {} units stay, the rest is copied under a new one.",
        loaded.parts,
        epochs.finished().await?.len(),
        epochs.units.len()
    ));
    if fruitless < FRUITLESS {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Database, format!("{fruitless} snapshots of the source ended before a unit was copied")).hint(
        "something ends idle sessions on the source: see its parameters idle_session_timeout and \
         idle_in_transaction_session_timeout, and its log",
    ))
}

async fn say_round_trips(cx: &Context, source: &Endpoint, target: &Endpoint) -> Result<()> {
    let (to_source, to_target) = tokio::try_join!(source.connect(), target.connect())?;
    let (to_source, to_target) = tokio::try_join!(to_source.round_trip(), to_target.round_trip())?;
    cx.events.notice(format!(
        "Round trip from here: {} to the source, {} to the target.",
        units::round_trip(to_source),
        units::round_trip(to_target)
    ));
    Ok(())
}

/// Tables that were dropped on the source meanwhile go from the target too, where this run made them.
async fn drop_gone(cx: &Context, gone: &[QualifiedName]) -> Result<()> {
    if gone.is_empty() {
        return Ok(());
    }
    import_schema::leave_out(cx, gone)?;
    let target = cx.target().await?;
    for table in gone {
        cx.events.notice(match target.batch_execute(&format!("drop table if exists {table}")).await {
            Ok(()) => format!("{table} was dropped on the source meanwhile, and so it is on the target."),
            Err(error) => format!("{table} was dropped on the source meanwhile; it stays, empty, on the target: {error}"),
        });
    }
    Ok(())
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
