//! Tables near the wraparound of transaction ids.

use super::{Area, Check, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "wraparound",
    severity: Severity::Warns,
    area: Area::Database,
    of_replication: false,
    looks_for: "tables near the wraparound of transaction ids",
    why: "The migration's snapshot and slot hold vacuum back while they last; a server that runs out of transaction ids stops taking writes.",
    look: Look::Listed { one: "table near the wraparound of transaction ids", remedy: "on the source, before: `vacuum (freeze) NAME`" },
};
