//! No free worker for a subscription of the source.

use super::{Area, Check, Facts, Found, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "workers-of-way-back",
    severity: Severity::Warns,
    area: Area::Server,
    of_replication: true,
    looks_for: "no free worker for a subscription of the source",
    why: "The way back is a subscription of the source, and one that gets no worker waits silently.",
    look: Look::Survey(look),
};

const MOST: &str = "max_logical_replication_workers";

fn look(facts: &Facts<'_>) -> Option<Found> {
    let on_server = &facts.survey.on_server;
    let most: i64 = on_server.settings.get(MOST)?.parse().ok()?;
    (facts.settings.way_back != Some(false) && most <= on_server.workers).then(|| Found {
        what: format!("{} of the source's {most} logical replication workers are in use, and the way back needs one", on_server.workers),
        remedy: format!(
            "`{}`, then restart the server at a quiet hour; or do without: --no-way-back",
            facts.survey.server.az_parameter(MOST, &(on_server.workers + 2).to_string())
        ),
    })
}
