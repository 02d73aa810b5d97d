//! A Burstable server.

use super::{Area, Check, Facts, Found, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "burstable",
    severity: Severity::Note,
    area: Area::Server,
    of_replication: false,
    looks_for: "a Burstable server",
    why: "Its CPU is throttled when the credits are used up; the copy and the compares use them, and other queries may get slow meanwhile.",
    look: Look::Survey(look),
};

fn look(facts: &Facts<'_>) -> Option<Found> {
    facts.survey.server.burstable.then(|| Found {
        what: "the server is Burstable: its CPU is throttled when the credits are used up".to_owned(),
        remedy: "migrate at a quiet hour, or give it another tier meanwhile".to_owned(),
    })
}
