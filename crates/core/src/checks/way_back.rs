//! Whether the application can return to the source after the hand-over.

use super::{Area, Check, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "way-back",
    severity: Severity::Note,
    area: Area::Target,
    of_replication: false,
    looks_for: "whether the application can return to the source after the hand-over",
    why: "Neon's changes flow back to the source until `azure2neon finish`, so that `azure2neon rollback` can return to it.",
    look: Look::Planner,
};
