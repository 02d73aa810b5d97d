//! An existing project in a region that is closing.

use super::{Area, Check, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "target-region-closing",
    severity: Severity::Warns,
    area: Area::Target,
    of_replication: false,
    looks_for: "an existing project in a region that is closing",
    why: "The project can be used, but has no long future there.",
    look: Look::Planner,
};
