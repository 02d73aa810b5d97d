//! That the target takes the schema, found by restoring it.

use super::{Area, Check, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "dry-restored",
    severity: Severity::Note,
    area: Area::Target,
    of_replication: false,
    looks_for: "with `plan --dry-restore`: that the target takes every schema statement",
    why: "The schema was restored into a place of its own on the target's side, which is removed again.",
    look: Look::Planner,
};
