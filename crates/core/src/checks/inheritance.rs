//! Tables that inherit from others.

use super::{Area, Check, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "inheritance",
    severity: Severity::Note,
    area: Area::Database,
    of_replication: false,
    looks_for: "tables that inherit from others",
    why: "Parent and child are copied and compared each by itself, as they are stored.",
    look: Look::Listed { one: "table that inherits from another", remedy: "nothing to do" },
};
