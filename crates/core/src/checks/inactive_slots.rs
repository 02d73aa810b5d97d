//! Replication slots that nobody reads.

use super::{Area, Check, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "inactive-slots",
    severity: Severity::Warns,
    area: Area::Database,
    of_replication: true,
    looks_for: "replication slots that nobody reads",
    why: "Each keeps all changes since it was read last on the source's disk, and takes a place that the migration may need.",
    look: Look::Listed { one: "replication slot that nobody reads", remedy: "drop those that nobody will come back for: `select pg_drop_replication_slot(NAME)`" },
};
