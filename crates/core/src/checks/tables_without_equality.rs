//! Tables without a key that have a column whose type has no equality (json, xml, point …).

use super::{Area, Check, Facts, Found, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "tables-without-equality",
    severity: Severity::Warns,
    area: Area::Database,
    of_replication: true,
    looks_for: "tables without a key that have a column whose type has no equality (json, xml, point …)",
    why: "Inserts replicate; an update or delete during the migration stops it.",
    look: Look::Survey(look),
};

fn look(facts: &Facts<'_>) -> Option<Found> {
    facts.listed(
        "table without key with a column type that can't be compared (json, xml, point …)",
        "tables without key with a column type that can't be compared (json, xml, point …)",
        facts.without_key().into_iter().filter(|table| !table.equality_for_all_columns).map(super::sized),
        "add a primary key if rows of it are updated or deleted, or turn json into jsonb",
    )
}
