//! Views of what the selection leaves out.

use super::{Area, Check, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "views-leave-selection",
    severity: Severity::Warns,
    area: Area::Database,
    of_replication: false,
    looks_for: "views of what the selection leaves out",
    why: "They are not created on the target; the application can't read them there.",
    look: Look::Planner,
};
