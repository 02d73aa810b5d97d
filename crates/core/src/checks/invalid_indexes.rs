//! Indexes that are not valid.

use super::{Area, Check, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "invalid-indexes",
    severity: Severity::Warns,
    area: Area::Database,
    of_replication: false,
    looks_for: "indexes that are not valid",
    why: "An index whose concurrent build failed is dumped like any other and built anew on the target, where a unique one fails on the rows that broke it.",
    look: Look::Listed { one: "index that is not valid", remedy: "rebuild it on the source, `reindex index concurrently NAME`, or drop it" },
};
