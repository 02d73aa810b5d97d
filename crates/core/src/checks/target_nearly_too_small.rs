//! A database that is about as large as the Neon plan lets a branch be.

use super::target_too_small::{REMEDY, too_large};
use super::{Area, Check, Facts, Found, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "target-nearly-too-small",
    severity: Severity::Warns,
    area: Area::Target,
    of_replication: false,
    looks_for: "a database that is about as large as the Neon plan lets a branch be",
    why: "The copy leaves bloat behind, but what it writes may still fill the branch.",
    look: Look::Survey(look),
};

fn look(facts: &Facts<'_>) -> Option<Found> {
    let (limits, bytes) = (&facts.survey.limits, facts.survey.inventory.stored_bytes());
    let most = limits.branch_bytes.filter(|most| bytes > most / 10 * 8 && bytes / 2 <= *most)?;
    Some(Found { what: too_large(limits, bytes, most), remedy: REMEDY.to_owned() })
}
