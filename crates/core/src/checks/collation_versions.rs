//! Collations whose library has changed.

use super::{Area, Check, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "collation-versions",
    severity: Severity::Warns,
    area: Area::Database,
    of_replication: false,
    looks_for: "collations whose library has changed since they were used first",
    why: "Indexes that were built with the older version may be out of order: queries miss rows, and a unique index may hold duplicates, which fail on the target.",
    look: Look::Listed { one: "collation whose library has changed since it was used first", remedy: "on the source, before: `reindex database concurrently NAME`, then `alter database NAME refresh collation version` or `alter collation NAME refresh version`" },
};
