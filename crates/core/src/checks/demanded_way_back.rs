//! A way back that is demanded and can not be.

use super::{Area, Check, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "demanded-way-back",
    severity: Severity::Blocks,
    area: Area::Target,
    of_replication: false,
    looks_for: "a way back that is demanded and can not be",
    why: "What is written after the hand-over would be on the target alone.",
    look: Look::Planner,
};
