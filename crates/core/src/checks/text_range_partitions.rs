//! Tables partitioned by ranges of text.

use super::{Area, Check, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "text-range-partitions",
    severity: Severity::Warns,
    area: Area::Database,
    of_replication: false,
    looks_for: "tables partitioned by ranges of text",
    why: "Which partition a row belongs to depends on the order of text, which is another on the target: a row may not fit the partition that it is in.",
    look: Look::Listed { one: "table partitioned by ranges of text", remedy: "partition by list or by another column, or make the column `collate \"C\"` on the source" },
};
