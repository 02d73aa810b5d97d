//! A database without tables.

use super::{Area, Check, Facts, Found, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "no-tables",
    severity: Severity::Warns,
    area: Area::Database,
    of_replication: false,
    looks_for: "a database without tables",
    why: "It may be the wrong one.",
    look: Look::Survey(look),
};

fn look(facts: &Facts<'_>) -> Option<Found> {
    facts.survey.inventory.tables.is_empty().then(|| Found {
        what: "the database holds no tables".to_owned(),
        remedy: "see that it is the right one: `database` under [source]".to_owned(),
    })
}
