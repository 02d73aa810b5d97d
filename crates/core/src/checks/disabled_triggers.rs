//! Triggers that are disabled.

use super::{Area, Check, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "disabled-triggers",
    severity: Severity::Note,
    area: Area::Database,
    of_replication: false,
    looks_for: "triggers that are disabled",
    why: "They come over as they are, disabled.",
    look: Look::Listed { one: "trigger that is disabled", remedy: "nothing to do" },
};
