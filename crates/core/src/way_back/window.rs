//! How the way back is while its window is open.

use std::collections::BTreeSet;

use azure2neon_postgres::subscription::{self, Health};
use azure2neon_postgres::{QualifiedName, Session, barrier, replication};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::direction::Direction;
use crate::error::Result;
use crate::units;

/// After how long Neon removes a slot that nobody reads: one page of its documentation says so while others are read, another in any
/// case. Which holds is not verified (2026-11).
const EARLIEST: SignedDuration = SignedDuration::from_mins(75);
const LATEST: SignedDuration = SignedDuration::from_hours(40);

/// How the way back is, as far as could be seen.
#[derive(Clone, Debug, Default, Serialize)]
pub struct WindowState {
    /// The subscription on the source is meant to run.
    pub enabled: Option<bool>,
    /// Its worker runs.
    pub running: Option<bool>,
    /// Times that applying failed on the source (PostgreSQL 15+).
    pub apply_errors: Option<i64>,
    /// The slot on the target.
    pub slot: Option<Slot>,
    /// Tables on the target whose changes do not flow back, since they were made after the hand-over.
    pub not_carried: Vec<String>,
    /// Bytes of WAL that the source keeps for the way forward, which nobody takes.
    pub forward_bytes: Option<i64>,
    /// What is wrong, in words, with what to do.
    pub troubles: Vec<String>,
}

/// The slot that keeps what the source has not taken yet.
#[derive(Clone, Debug, Serialize)]
pub struct Slot {
    /// The source reads it.
    pub active: bool,
    /// `reserved`, `extended`, `unreserved` or `lost`.
    pub wal_status: String,
    /// Bytes of WAL that the source has not confirmed; a position, not a size of data.
    pub lag_bytes: u64,
    /// Bytes of WAL that Neon keeps for it.
    pub retained_bytes: i64,
    /// Since when nobody reads it, where the server says so (PostgreSQL 17+).
    pub inactive_since: Option<Timestamp>,
}

/// Looks at the way back of the run with this mark, over sessions in any database of the source and in the target's own; a side
/// without one stays unknown.
pub async fn look(mark: &str, source: Option<&Session>, target: Option<&Session>) -> Result<WindowState> {
    let feed = Direction::Back.feed_of(mark);
    let mut state = WindowState::default();
    if let Some(source) = source {
        match subscription::health(source, &feed.name).await? {
            None => state.troubles.push(format!("the subscription {} is gone from the source: there is no way back", feed.name)),
            Some(health) => state.take(health),
        }
        state.forward_bytes = replication::slot(source, mark).await?.map(|slot| slot.retained_bytes);
    }
    if let Some(target) = target {
        match replication::slot(target, &feed.name).await? {
            None => state.troubles.push(format!("the slot {} is gone from Neon: there is no way back", feed.name)),
            Some(slot) => {
                let inactive_since = replication::inactive_since(target, &feed.name).await?.and_then(|text| text.parse().ok());
                let lag = barrier::lag(target, &feed.name).await?.map_or(0, |lag| lag.bytes);
                let replication::Slot { active, wal_status, retained_bytes, .. } = slot;
                state.slot = Some(Slot { active, wal_status, lag_bytes: lag, retained_bytes, inactive_since });
            }
        }
        if let Some(source) = source {
            state.not_carried = not_carried(&feed.name, source, target).await?;
        }
    }
    state.find_troubles();
    Ok(state)
}

/// Tables that are published and that the source's subscription does not know: it passes their changes over without a word.
async fn not_carried(name: &str, source: &Session, target: &Session) -> Result<Vec<String>> {
    // Only the source's own database tells.
    let Some(known) = subscription::subscription(source, name).await? else { return Ok(Vec::new()) };
    let known: BTreeSet<QualifiedName> = known.tables.into_iter().map(|(table, _)| table).collect();
    let sql = "select schemaname::pg_catalog.text, tablename::pg_catalog.text from pg_catalog.pg_publication_tables where pubname = $1";
    let published = target.query(sql, &[&name]).await?;
    let published = published.iter().map(|row| QualifiedName::new(row.get::<_, String>(0), row.get::<_, String>(1)));
    Ok(published.filter(|table| !known.contains(table)).map(|table| table.to_string()).collect())
}

impl WindowState {
    fn take(&mut self, Health { enabled, running, apply_errors }: Health) {
        (self.enabled, self.running, self.apply_errors) = (Some(enabled), Some(running), Some(apply_errors));
    }

    fn find_troubles(&mut self) {
        let mut troubles = Vec::new();
        if self.enabled == Some(false) {
            troubles.push("the subscription on the source rests: `azure2neon cut-over` opens the way back".to_owned());
        } else if self.running == Some(false) {
            troubles.push("the source's worker does not run: see the source's log, and whether it still reaches Neon".to_owned());
        }
        if let Some(errors) = self.apply_errors.filter(|errors| *errors > 0) {
            troubles.push(format!("applying on the source has failed {errors} times: its log says why"));
        }
        if self.slot.as_ref().is_some_and(|slot| slot.wal_status == "lost") {
            troubles.push("the slot on Neon has lost its WAL: there is no way back".to_owned());
        }
        if !self.not_carried.is_empty() {
            let tables = self.not_carried.join(", ");
            troubles.push(format!("made after the hand-over, so their changes do not flow back: {tables}"));
        }
        if let Some(bytes) = self.forward_bytes {
            let bytes = units::bytes(bytes);
            troubles.push(format!("the source keeps {bytes} of WAL for the way forward, which `azure2neon finish` ends"));
        }
        self.troubles.extend(troubles);
    }

    /// Whether everything that could be seen is as it should be.
    pub fn is_well(&self) -> bool {
        self.troubles.is_empty()
    }

    /// The slot in words, with what Neon's rule for idle slots means for it at this moment.
    pub fn describe_slot(&self, now: Timestamp) -> Option<String> {
        let slot = self.slot.as_ref()?;
        let kept = units::bytes(slot.retained_bytes);
        let lag = units::bytes(i64::try_from(slot.lag_bytes).unwrap_or(i64::MAX));
        let place = format!("{lag} behind, Neon keeps {kept} of WAL ({})", slot.wal_status);
        if slot.active {
            return Some(format!("the source reads it; {place}"));
        }
        const RULE: &str = "Neon's documentation says 75 minutes in one place and about 40 hours in another; which holds is not verified";
        let Some(since) = slot.inactive_since else {
            return Some(format!("nobody reads it, since when is unknown; {place}. Neon removes such a slot: {RULE}"));
        };
        let idle = units::milliseconds(u64::try_from(now.duration_since(since).as_millis()).unwrap_or(0));
        let at = |after: SignedDuration| since.saturating_add(after).map_or_else(|_| "?".to_owned(), |moment| format!("{moment:.0}"));
        Some(format!(
            "nobody has read it for {idle}; {place}. Neon may remove it from {} on, at the latest at {}: {RULE}",
            at(EARLIEST),
            at(LATEST)
        ))
    }

    /// All of it, a line each.
    pub fn lines(&self, now: Timestamp) -> Vec<String> {
        let mut lines = Vec::new();
        if let (Some(enabled), Some(running)) = (self.enabled, self.running) {
            let word = if running {
                "runs"
            } else if enabled {
                "is enabled, but does not run"
            } else {
                "rests"
            };
            lines.push(format!("subscription on the source: {word}, {} apply errors", self.apply_errors.unwrap_or(0)));
        }
        lines.extend(self.describe_slot(now).map(|slot| format!("slot on Neon: {slot}")));
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(active: bool, since: Option<&str>) -> WindowState {
        let inactive_since = since.map(|text| text.parse().unwrap());
        let slot = Slot { active, wal_status: "reserved".into(), lag_bytes: 2048, retained_bytes: 1 << 20, inactive_since };
        WindowState { enabled: Some(true), running: Some(active), apply_errors: Some(0), slot: Some(slot), ..WindowState::default() }
    }

    #[test]
    fn an_idle_slot_has_deadlines() {
        // As PostgreSQL prints it.
        let state = slot(false, Some("2026-11-26 10:00:00.5+00"));
        let text = state.describe_slot("2026-11-26T11:00:00Z".parse().unwrap()).unwrap();
        assert!(text.contains("2026-11-26T11:15:0") && text.contains("2026-11-28T02:00:0") && text.contains("not verified"), "{text}");
        assert!(slot(false, None).describe_slot(Timestamp::UNIX_EPOCH).unwrap().contains("since when is unknown"));
    }

    #[test]
    fn what_is_wrong_is_said_and_what_is_well_is_not() {
        let mut well = slot(true, None);
        well.find_troubles();
        assert!(well.is_well(), "{well:?}");
        let mut ill = slot(false, None);
        ill.apply_errors = Some(3);
        ill.not_carried = vec!["public.new".into()];
        ill.forward_bytes = Some(16 << 20);
        ill.find_troubles();
        assert_eq!(ill.troubles.len(), 4, "{ill:?}");
    }
}
