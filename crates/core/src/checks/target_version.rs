//! A version of PostgreSQL that the target can not have.

use super::{Area, Check, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "target-version",
    severity: Severity::Blocks,
    area: Area::Target,
    of_replication: false,
    looks_for: "a version of PostgreSQL that the target can not have",
    why: "A dump goes into the same major version or a later one, and before 16 only a superuser may subscribe.",
    look: Look::Planner,
};
