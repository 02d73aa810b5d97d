//! What the target refuses of the schema, found by restoring it.

use super::{Area, Check, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "dry-restore",
    severity: Severity::Blocks,
    area: Area::Target,
    of_replication: false,
    looks_for: "with `plan --dry-restore`: schema statements that the target refuses, each with all that fail because of it",
    why: "The same statements would fail when the schema is imported, and a run stops there.",
    look: Look::Planner,
};
