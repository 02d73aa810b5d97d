//! A server that Neon can not reach.

use super::{Area, Check, Facts, Found, Look, OR_OFFLINE};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "private-network",
    severity: Severity::Blocks,
    area: Area::Server,
    of_replication: true,
    looks_for: "a server that Neon can not reach",
    why: "Neon has no private way into an Azure network, and its subscription fetches the changes from the source.",
    look: Look::Survey(look),
};

fn look(facts: &Facts<'_>) -> Option<Found> {
    let server = &facts.survey.server;
    server.unreachable_because.as_ref().map(|why| Found {
        what: format!("Neon can't reach server {}: {why}", server.name),
        remedy: format!("Neon has no private way into an Azure network: give the server public access for the migration; {OR_OFFLINE}"),
    })
}
