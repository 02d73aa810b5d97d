//! Publications.

use super::{Area, Check, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "publications",
    severity: Severity::Note,
    area: Area::Database,
    of_replication: false,
    looks_for: "publications",
    why: "They are not carried over; whoever subscribes to them goes on with the source.",
    look: Look::Listed { one: "publication", remedy: "create them on the target after the cut-over, and move their subscribers" },
};
