use async_trait::async_trait;
use azure2neon_postgres::copy::{self, Load, Progress};
use azure2neon_postgres::replication;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{create_slot, import_schema};
use crate::clock;
use crate::context::Context;
use crate::error::Result;
use crate::event::Event;
use crate::operation::{Observed, Operation};
use crate::plan::Effect;
use crate::units;

/// Copies every table through this machine, under the slot's snapshot, each with its indexes as soon as it is in.
///
/// All or nothing: a copy that was broken off lost its snapshot, so that the next one makes the slot anew and begins again.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StreamData {
    /// The slot's name.
    pub slot: String,
    /// How many tables, or parts of one, are copied at once.
    pub workers: usize,
}

#[async_trait]
impl Operation for StreamData {
    fn effect(&self) -> Effect {
        Effect::Creates
    }

    fn describe(&self) -> String {
        format!("copy every table through this machine with {} workers, each with its indexes as soon as it is in", self.workers)
    }

    async fn observe(&self, cx: &Context) -> Result<Observed> {
        let loaded = copy::loaded_at(&cx.target().await?, &cx.names().mark).await?;
        let slot = replication::slot(&cx.source().await?, &self.slot).await?;
        // Until it is subscribed to, a slot stands where its snapshot was taken.
        Ok(match (loaded, slot) {
            (Some(point), Some(slot)) if slot.confirmed_flush == point => Observed::Present(json!({ "position": point })),
            _ => Observed::Absent,
        })
    }

    async fn apply(&self, cx: &Context) -> Result<Value> {
        let slot = match cx.take_slot().await {
            Some(slot) => slot,
            None => create_slot::create_afresh(cx, &self.slot).await?,
        };
        let (source, target) = (cx.replication_endpoint().await?, cx.target_endpoint().await?);
        let (to_source, to_target) = tokio::try_join!(source.connect(), target.connect())?;
        let (to_source, to_target) = tokio::try_join!(to_source.round_trip(), to_target.round_trip())?;
        cx.events.notice(format!(
            "Round trip from here: {} to the source, {} to the target.",
            units::round_trip(to_source),
            units::round_trip(to_target)
        ));
        let entries = import_schema::entries(cx)?;
        let marker_schema = cx.names().mark;
        let load = Load {
            source: &source,
            target: &target,
            snapshot: &slot.snapshot,
            position: slot.consistent_point,
            marker_schema: &marker_schema,
            entries: &entries,
            workers: self.workers,
        };
        let since = clock::stopwatch();
        let loaded = load.run(&|progress| cx.events.say(event(progress))).await?;
        let seconds = since.elapsed().as_secs_f64().max(0.001);
        cx.events.notice(format!(
            "Copied {} rows of {} tables, {} at {}/s.",
            loaded.rows,
            loaded.tables,
            units::bytes(signed(loaded.bytes)),
            units::bytes((loaded.bytes as f64 / seconds) as i64),
        ));
        Ok(Value::Null)
    }

    fn note(&self, output: &Value) -> String {
        format!("as of {}", output.get("position").and_then(Value::as_str).unwrap_or_default())
    }
}

fn event(progress: Progress) -> Event {
    Event::Progress {
        step: "stream-data".into(),
        done: progress.tables as u64,
        total: progress.of_tables as u64,
        unit: "tables".into(),
        detail: format!("{} copied", units::bytes(signed(progress.bytes))),
    }
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
