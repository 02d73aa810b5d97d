//! Objects made of what the selection leaves out.

use super::{Area, Check, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "objects-leave-selection",
    severity: Severity::Warns,
    area: Area::Database,
    of_replication: false,
    looks_for: "objects made of what the selection leaves out",
    why: "They are not created on the target; what the bodies of other functions refer to is not looked into.",
    look: Look::Planner,
};
