//! Extensions that stay behind.

use super::{Area, Check, Facts, Found, Look};
use crate::extensions::{Fate, fates};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "extensions-left-behind",
    severity: Severity::Note,
    area: Area::Database,
    of_replication: false,
    looks_for: "extensions that stay behind",
    why: "They are the source's cloud's own or serve its administrator, and no object of the database needs them; jobs and settings that they hold stay on the source.",
    look: Look::Survey(look),
};

fn look(facts: &Facts<'_>) -> Option<Found> {
    let fates = fates(facts.survey, facts.settings);
    let behind = fates.iter().filter(|(.., fate)| *fate == Fate::StaysBehind).map(|(name, version, _)| (format!("{name} {version}"), 0));
    facts.listed(
        "extension that stays behind",
        "extensions that stay behind",
        behind,
        "where the application itself calls one of them: create it on the target with `create extension`, if it is offered there",
    )
}
