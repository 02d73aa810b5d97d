//! Tables without a primary key or unique index that could name their rows.

use azure2neon_postgres::Table;
use azure2neon_postgres::statistics::Changes;

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
        facts.without_key().into_iter().map(|table| (described(facts, table), table.bytes)),
        "give large ones that are often updated a primary key first",
    )
}

/// The table's name, and how often its rows are changed.
fn described(facts: &Facts<'_>, table: &Table) -> String {
    match facts.survey.changes.get(&table.name) {
        None => table.name.to_string(),
        Some(Changes { counted, hours: Some(hours) }) if *hours >= 1.0 => {
            format!("{}, {:.0} rows changed an hour", table.name, *counted as f64 / hours)
        }
        Some(Changes { counted, .. }) => format!("{}, {counted} rows changed since statistics are kept", table.name),
    }
}
