//! Too few free workers for a subscription on a compute that is there.

use super::{Area, Check, Facts, Found, Look, OR_OFFLINE};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "target-workers",
    severity: Severity::Warns,
    area: Area::Target,
    of_replication: true,
    looks_for: "too few free workers for a subscription on a compute that is there",
    why: "Subscriptions share a few workers, which can't be raised on Neon: one that gets none waits silently.",
    look: Look::Survey(look),
};

/// One that applies, and two that copy tables.
const NEEDED: i64 = 3;

fn look(facts: &Facts<'_>) -> Option<Found> {
    let there = facts.survey.existing.as_ref()?;
    let workers = there.workers.filter(|workers| workers.most - workers.used < NEEDED)?;
    Some(Found {
        what: format!(
            "{} of the {} logical replication workers of the Neon project {} are in use, and the migration needs {NEEDED}",
            workers.used, workers.most, there.project.name
        ),
        remedy: format!("finish other migrations into it first, or use a project of its own: --project; {OR_OFFLINE}"),
    })
}
