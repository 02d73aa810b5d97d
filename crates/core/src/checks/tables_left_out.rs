//! Tables that the selection leaves out.

use super::{Area, Check, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "tables-left-out",
    severity: Severity::Note,
    area: Area::Database,
    of_replication: false,
    looks_for: "tables that the selection leaves out",
    why: "They stay on the source alone, with all that is theirs; partitions go with their root.",
    look: Look::Planner,
};
