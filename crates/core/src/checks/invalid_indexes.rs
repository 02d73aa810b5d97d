//! Indexes that are not valid.

use super::{Area, Check, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "invalid-indexes",
    severity: Severity::Warns,
    area: Area::Database,
    of_replication: false,
    looks_for: "indexes that are not valid",
    why: "Its concurrent build failed or goes on. A dump leaves it out, so the target will be without it.",
    look: Look::Listed { one: "index that is not valid", remedy: "if queries need it, rebuild it on the source: `reindex index concurrently NAME`" },
};
