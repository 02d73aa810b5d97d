//! Foreign keys to what the selection leaves out.

use super::{Area, Check, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "foreign-keys-leave-selection",
    severity: Severity::Warns,
    area: Area::Database,
    of_replication: false,
    looks_for: "foreign keys to what the selection leaves out",
    why: "They are not created on the target, where nothing keeps the rows' references from then on.",
    look: Look::Planner,
};
