//! A migration without replication.

use super::{Area, Check, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "offline",
    severity: Severity::Warns,
    area: Area::Server,
    of_replication: false,
    looks_for: "a migration without replication",
    why: "From the fence to the hand-over the source refuses writes.",
    look: Look::Planner,
};
