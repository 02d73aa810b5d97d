//! A Neon key that may not make a project.

use super::{Area, Check, Facts, Found, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "key-of-one-project",
    severity: Severity::Blocks,
    area: Area::Target,
    of_replication: false,
    looks_for: "a Neon key that may not make a project",
    why: "Neon refuses the project.",
    look: Look::Survey(look),
};

fn look(facts: &Facts<'_>) -> Option<Found> {
    facts.survey.no_new_project.as_ref().map(|why| Found {
        what: format!("the Neon key may not make a project: {why}"),
        remedy: "use a key of the organisation or of a member of it; one of a single project can only migrate into that: --existing-project ID"
            .to_owned(),
    })
}
