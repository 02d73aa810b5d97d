//! Partition trees.

use super::{Area, Check, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "partitioned-tables",
    severity: Severity::Note,
    area: Area::Database,
    of_replication: false,
    looks_for: "partitioned tables",
    why: "Each partition is copied and compared by itself; one that is made while the migration runs is DDL, which is not replicated.",
    look: Look::Listed { one: "partitioned table", remedy: "see that no job makes or drops partitions between the import of the schema and the hand-over: make the next ones before" },
};
