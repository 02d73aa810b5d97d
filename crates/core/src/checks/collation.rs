//! A database that does not sort by C.

use super::{Area, Check, Facts, Found, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "collation",
    severity: Severity::Warns,
    area: Area::Database,
    of_replication: false,
    looks_for: "a database that does not sort by C",
    why: "ORDER BY on text and ranges of text give another order on the target; indexes are built there, so that nothing is corrupt.",
    look: Look::Survey(look),
};

fn look(facts: &Facts<'_>) -> Option<Found> {
    let collate = &facts.survey.inventory.collate;
    (!matches!(collate.as_str(), "C" | "C.UTF-8" | "C.utf8" | "POSIX")).then(|| Found {
        what: format!("the database sorts by {collate}, the target by C.UTF-8"),
        remedy: "where people see the order, name the collation: `order by name collate \"en-US-x-icu\"`".to_owned(),
    })
}
