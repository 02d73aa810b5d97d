//! A region in which no new project can be created.

use super::{Area, Check, Facts, Found, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "region-closed",
    severity: Severity::Blocks,
    area: Area::Target,
    of_replication: false,
    looks_for: "a region in which no new project can be created",
    why: "Neon refuses the project.",
    look: Look::Survey(look),
};

fn look(facts: &Facts<'_>) -> Option<Found> {
    let survey = facts.survey;
    let why = survey.region_closed.as_ref().filter(|_| survey.existing.is_none())?;
    Some(Found {
        what: format!("no new project can be created in {}: {why}", survey.region.0),
        remedy: "name another one with --region (or `region` under [target])".to_owned(),
    })
}
