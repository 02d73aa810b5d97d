//! Checks that the server did not let be made.

use super::{Area, Check, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "unchecked",
    severity: Severity::Warns,
    area: Area::Database,
    of_replication: false,
    looks_for: "checks that could not be made",
    why: "What could not be looked for may be there.",
    look: Look::Listed { one: "check that could not be made", remedy: "let the login read what it lacks, then plan again" },
};
