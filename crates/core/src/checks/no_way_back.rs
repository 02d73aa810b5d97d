//! Why the application can't return to the source after the hand-over.

use super::{Area, Check, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "no-way-back",
    severity: Severity::Warns,
    area: Area::Target,
    of_replication: false,
    looks_for: "why the application can't return to the source after the hand-over",
    why: "What is written after the hand-over is on the target alone.",
    look: Look::Planner,
};
