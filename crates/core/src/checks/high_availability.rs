//! A standby that takes over when the server fails.

use super::{Area, Check, Facts, Found, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "high-availability",
    severity: Severity::Warns,
    area: Area::Server,
    of_replication: true,
    looks_for: "a standby that takes over when the server fails",
    why: "The standby does not have the migration's replication slot: after a failover the run stops and says that the slot is gone, and the copy begins anew.",
    look: Look::Survey(look),
};

fn look(facts: &Facts<'_>) -> Option<Found> {
    facts.survey.server.high_availability.then(|| Found {
        what: "the server has a standby, which does not have the migration's replication slot".to_owned(),
        remedy: "keep maintenance and planned failovers out of the way; after one: `azure2neon abort`, then copy again".to_owned(),
    })
}
