//! A server that is not ready.

use super::{Area, Check, Facts, Found, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "server-state",
    severity: Severity::Blocks,
    area: Area::Server,
    of_replication: false,
    looks_for: "a server that is not ready",
    why: "Nothing can be looked at or changed on it.",
    look: Look::Survey(look),
};

fn look(facts: &Facts<'_>) -> Option<Found> {
    let server = &facts.survey.server;
    (!server.ready).then(|| Found {
        what: format!("server {} is {}, not ready", server.name, server.state),
        remedy: format!("start it, `{}`, or wait until it is ready, then run the same command again", server.az("start", "")),
    })
}
