//! Tables without a primary key or unique index that could name their rows.

use super::{Area, Check, Facts, Found, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "tables-without-key",
    severity: Severity::Note,
    area: Area::Database,
    of_replication: true,
    looks_for: "tables without a primary key or unique index that could name their rows",
    why: "Their whole rows identify them during the migration (REPLICA IDENTITY FULL); updates of large ones are slow to apply.",
    look: Look::Survey(look),
};

fn look(facts: &Facts<'_>) -> Option<Found> {
    facts.listed(
        "table without a primary key or unique index",
        "tables without a primary key or unique index",
        facts.without_key().into_iter().map(super::sized),
        "give large ones that are often updated a primary key first",
    )
}
