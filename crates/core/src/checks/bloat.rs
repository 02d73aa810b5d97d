//! Tables with many dead rows.

use super::{Area, Check, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "bloat",
    severity: Severity::Note,
    area: Area::Database,
    of_replication: false,
    looks_for: "tables with many dead rows",
    why: "The copy reads dead rows, too, and the compare as well.",
    look: Look::Listed { one: "table with many dead rows", remedy: "on the source, before: `vacuum NAME`; it interrupts nobody" },
};
