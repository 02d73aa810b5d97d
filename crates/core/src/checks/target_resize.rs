//! A compute that is restarted at the finish.

use super::{Area, Check, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "target-resize",
    severity: Severity::Note,
    area: Area::Target,
    of_replication: false,
    looks_for: "a compute that is restarted at the finish",
    why: "The application's sessions drop for some seconds.",
    look: Look::Planner,
};
