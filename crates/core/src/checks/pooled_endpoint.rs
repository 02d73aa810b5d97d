//! A pooler between here and the source.

use super::{Area, Check, Facts, Found, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "pooled-endpoint",
    severity: Severity::Blocks,
    area: Area::Server,
    of_replication: false,
    looks_for: "a pooler between here and the source",
    why: "Snapshots, locks and settings live in a server process: they are lost when each statement may meet another one.",
    look: Look::Survey(look),
};

fn look(facts: &Facts<'_>) -> Option<Found> {
    let survey = facts.survey;
    survey.on_server.pooled.then(|| Found {
        what: format!("something between here and {} shares connections out: two statements of one session met two processes", survey.server.host),
        remedy: "connect to the server itself, on port 5432: see `addresses` under [network]".to_owned(),
    })
}
