//! A Neon project that has the new one's name.

use super::{Area, Check, Facts, Found, Look};
use crate::plan::Severity;
use crate::steps::name_is_taken;

pub(crate) const CHECK: Check = Check {
    id: "project-name-taken",
    severity: Severity::Blocks,
    area: Area::Target,
    of_replication: false,
    looks_for: "a Neon project that has the new one's name",
    why: "Nobody could tell them apart, and what others made is never touched.",
    look: Look::Survey(look),
};

fn look(facts: &Facts<'_>) -> Option<Found> {
    let refused = name_is_taken(facts.survey.taken.as_ref()?);
    Some(Found { what: refused.message().to_owned(), remedy: refused.remedy().unwrap_or_default().to_owned() })
}
