//! A read replica or an elastic cluster.

use super::{Area, Check, Facts, Found, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "unsupported-server",
    severity: Severity::Blocks,
    area: Area::Server,
    of_replication: false,
    looks_for: "a read replica or an elastic cluster",
    why: "A replica takes no writes, so that nothing can be prepared or fenced there; the tables of a cluster lie on several servers.",
    look: Look::Survey(look),
};

fn look(facts: &Facts<'_>) -> Option<Found> {
    let server = &facts.survey.server;
    server.unsupported_because.as_ref().map(|why| Found {
        what: format!("server {} can't be a source: {why}", server.name),
        remedy: "name the primary, unclustered server that takes the writes: --server NAME".to_owned(),
    })
}
