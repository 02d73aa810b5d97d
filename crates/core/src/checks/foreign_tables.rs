//! Foreign tables.

use super::{Area, Check, Facts, Found, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "foreign-tables",
    severity: Severity::Warns,
    area: Area::Database,
    of_replication: false,
    looks_for: "foreign tables",
    why: "Their rows live elsewhere and are not copied; user mappings, which hold passwords, are not carried over.",
    look: Look::Survey(look),
};

fn look(facts: &Facts<'_>) -> Option<Found> {
    let tables = facts.survey.inventory.foreign_tables.iter().map(super::named);
    facts.listed("foreign table", "foreign tables", tables, "create the user mappings on the target, if what they reach lets Neon in")
}
