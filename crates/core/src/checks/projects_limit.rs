//! An account that may have no more projects.

use super::{Area, Check, Facts, Found, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "projects-limit",
    severity: Severity::Warns,
    area: Area::Target,
    of_replication: false,
    looks_for: "an account that may have no more projects",
    why: "Neon refuses a further one.",
    look: Look::Survey(look),
};

fn look(facts: &Facts<'_>) -> Option<Found> {
    let (there, most) = facts.survey.limits.projects.filter(|(there, most)| there >= most && facts.survey.existing.is_none())?;
    Some(Found {
        what: format!("the Neon account has {there} projects, and may have {most}"),
        remedy: "delete one in the Neon console, migrate into one that is there with --existing-project, or raise the plan under Billing".to_owned(),
    })
}
