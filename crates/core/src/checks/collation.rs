//! A database that sorts otherwise than the target.

use super::{Area, Check, Facts, Found, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "collation",
    severity: Severity::Warns,
    area: Area::Database,
    of_replication: false,
    looks_for: "a database that sorts otherwise than the target",
    why: "ORDER BY on text and ranges of text give another order on the target; indexes are built there, so that nothing is corrupt.",
    look: Look::Survey(look),
};

/// What a database on Neon sorts by unless somebody made it with SQL.
const USUAL: &str = "C.UTF-8";

fn look(facts: &Facts<'_>) -> Option<Found> {
    let here = facts.survey.inventory.collate.as_str();
    let there = facts.survey.existing.as_ref().and_then(|existing| existing.collate.as_deref()).unwrap_or(USUAL);
    let differs = here != there && !(by_code_point(here) && by_code_point(there));
    differs.then(|| Found {
        what: format!("the database sorts by {here}, the target by {there}"),
        remedy: "where people see the order, name the collation: `order by name collate \"en-US-x-icu\"`".to_owned(),
    })
}

/// Whether it is the order of the characters' numbers.
fn by_code_point(collate: &str) -> bool {
    matches!(collate, "C" | "C.UTF-8" | "C.utf8" | "POSIX" | "PG_UNICODE_FAST")
}
