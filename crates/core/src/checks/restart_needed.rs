//! Parameters that change at a restart.

use super::{Area, Check, Facts, Found, Look};
use crate::plan::Severity;
use crate::planner::parameter_changes;
use crate::steps::ParameterChange;

pub(crate) const CHECK: Check = Check {
    id: "restart-needed",
    severity: Severity::Warns,
    area: Area::Server,
    of_replication: true,
    looks_for: "parameters that change at a restart",
    why: "All sessions of the server drop, those of its other databases too; a restart takes about a minute.",
    look: Look::Survey(look),
};

fn look(facts: &Facts<'_>) -> Option<Found> {
    let survey = facts.survey;
    let changes: Vec<ParameterChange> = parameter_changes(survey).into_iter().filter(|change| !change.dynamic).collect();
    let first = changes.first()?;
    let told: Vec<String> = changes
        .iter()
        .map(|change| match change.from == change.to {
            true => format!("{} = {} (set, and not yet in force)", change.name, change.to),
            false => format!("{} = {} (now {})", change.name, change.to, change.from),
        })
        .collect();
    Some(Found {
        what: format!("the source is restarted once, to put in force {}", told.join(", ")),
        remedy: format!(
            "run `azure2neon migrate` at a quiet hour; or set them before a restart of your own, then the migration needs none: `{}`",
            survey.server.az_parameter(&first.name, &first.to)
        ),
    })
}
