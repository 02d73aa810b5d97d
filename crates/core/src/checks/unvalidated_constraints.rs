//! Constraints that are not validated.

use super::{Area, Check, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "unvalidated-constraints",
    severity: Severity::Note,
    area: Area::Database,
    of_replication: false,
    looks_for: "constraints that are not validated",
    why: "They come over as NOT VALID: rows that break them come over, too.",
    look: Look::Listed { one: "constraint that is not validated", remedy: "validate them when the target is ready: `alter table NAME validate constraint NAME`" },
};
