//! A source that replays another server's changes.

use super::{Area, Check, Facts, Found, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "endpoint-in-recovery",
    severity: Severity::Blocks,
    area: Area::Server,
    of_replication: false,
    looks_for: "a source that replays another server's changes",
    why: "It takes no writes, so that nothing can be prepared or fenced there.",
    look: Look::Survey(look),
};

fn look(facts: &Facts<'_>) -> Option<Found> {
    let server = &facts.survey.server;
    facts.survey.on_server.in_recovery.then(|| Found {
        what: format!("what answers at {} is a replica, though Azure calls the server a primary", server.host),
        remedy: "see that the name leads to the primary, also through `addresses` under [network]".to_owned(),
    })
}
