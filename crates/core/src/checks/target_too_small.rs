//! A database that is far larger than the Neon plan lets a branch be: more than twice, which no bloat explains.

use super::{Area, Check, Facts, Found, Look};
use crate::cloud::TargetLimits;
use crate::plan::Severity;
use crate::units;

pub(crate) const CHECK: Check = Check {
    id: "target-too-small",
    severity: Severity::Blocks,
    area: Area::Target,
    of_replication: false,
    looks_for: "a database that is far larger than the Neon plan lets a branch be",
    why: "The copy ends in the middle, when the branch is full.",
    look: Look::Survey(look),
};

/// What to do about it.
pub(super) const REMEDY: &str = "raise the plan in the Neon console under Billing, or move fewer tables (--table, --exclude-table)";

fn look(facts: &Facts<'_>) -> Option<Found> {
    let (limits, bytes) = (&facts.survey.limits, facts.survey.inventory.stored_bytes());
    let most = limits.branch_bytes.filter(|most| bytes / 2 > *most)?;
    Some(Found { what: too_large(limits, bytes, most), remedy: REMEDY.to_owned() })
}

/// How large the database is, and may be.
pub(super) fn too_large(limits: &TargetLimits, bytes: i64, most: i64) -> String {
    let plan = limits.plan.as_deref().unwrap_or("chosen");
    format!("the database takes {}, and a branch of Neon's plan {plan} holds {} at most", units::bytes(bytes), units::bytes(most))
}
