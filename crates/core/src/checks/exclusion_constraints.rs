//! Exclusion constraints.

use super::{Area, Check, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "exclusion-constraints",
    severity: Severity::Note,
    area: Area::Database,
    of_replication: true,
    looks_for: "exclusion constraints",
    why: "The target checks them, too, one row after the other as they come: rows that replace each other in one transaction of the source come in the same order.",
    look: Look::Listed { one: "exclusion constraint", remedy: "nothing to do; a conflict stops the subscription and is named" },
};
