//! Large objects.

use super::{Area, Check, Facts, Found, Look};
use crate::plan::Severity;
use crate::units;

pub(crate) const CHECK: Check = Check {
    id: "large-objects",
    severity: Severity::Blocks,
    area: Area::Database,
    of_replication: false,
    looks_for: "large objects",
    why: "Replication never carries them, and Neon does not support them.",
    look: Look::Survey(look),
};

fn look(facts: &Facts<'_>) -> Option<Found> {
    let n = facts.survey.inventory.large_objects;
    (n > 0).then(|| Found {
        what: format!("the database holds {}, which replication never carries", units::count(usize::try_from(n).unwrap_or(usize::MAX), "large object")),
        remedy: "move them into bytea columns first".to_owned(),
    })
}
