//! Settings that end replication slots.

use super::{Area, Check, Facts, Found, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "slot-limits",
    severity: Severity::Warns,
    area: Area::Server,
    of_replication: true,
    looks_for: "settings that end replication slots",
    why: "A slot that is ended has lost changes that the target still needs: the copy begins anew.",
    look: Look::Survey(look),
};

/// How much WAL a slot may keep.
const KEPT: &str = "max_slot_wal_keep_size";

/// What may end a slot.
const LIMITS: [&str; 2] = ["idle_replication_slot_timeout", KEPT];

fn look(facts: &Facts<'_>) -> Option<Found> {
    let settings = &facts.survey.on_server.settings;
    let limited = |name: &&str| settings.get(*name).is_some_and(|value| !matches!(value.as_str(), "0" | "-1"));
    let names: Vec<&str> = LIMITS.into_iter().filter(limited).collect();
    let first = names.first()?;
    let told: Vec<String> = names.iter().filter_map(|name| Some(format!("{name} = {}", settings.get(*name)?))).collect();
    let off = if *first == KEPT { "-1" } else { "0" };
    Some(Found {
        what: format!("the source ends replication slots by {}", told.join(" and ")),
        remedy: format!("switch that off while the migration lasts: `{}`", facts.survey.server.az_parameter(first, off)),
    })
}
