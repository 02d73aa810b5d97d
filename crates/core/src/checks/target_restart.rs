//! A compute of an existing project that is restarted at the start.

use super::{Area, Check, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "target-restart",
    severity: Severity::Warns,
    area: Area::Target,
    of_replication: false,
    looks_for: "a compute of an existing project that is restarted at the start",
    why: "Sessions in its other databases drop for some seconds.",
    look: Look::Planner,
};
