//! Unlogged tables.

use super::{Area, Check, Facts, Found, Look};
use crate::plan::Severity;

use azure2neon_postgres::inventory::Persistence;

pub(crate) const CHECK: Check = Check {
    id: "unlogged-tables",
    severity: Severity::Note,
    area: Area::Database,
    of_replication: false,
    looks_for: "unlogged tables",
    why: "Replication leaves them out, so they are copied inside the pause, and logged on the target: Neon would empty an unlogged table at each suspend.",
    look: Look::Survey(look),
};

fn look(facts: &Facts<'_>) -> Option<Found> {
    let tables = facts.survey.inventory.tables.iter().filter(|table| table.persistence == Persistence::Unlogged);
    facts.listed("unlogged table", "unlogged tables", tables.map(super::sized), "empty what needn't be kept before the cut-over: large ones make the pause longer")
}
