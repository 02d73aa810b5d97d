//! Temporary tables of open sessions.

use super::{Area, Check, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "temporary-tables",
    severity: Severity::Note,
    area: Area::Database,
    of_replication: false,
    looks_for: "temporary tables of open sessions",
    why: "They belong to their sessions, which the fence ends; nobody carries them over.",
    look: Look::Listed { one: "temporary table of an open session", remedy: "nothing to do; the application makes them anew when it connects to the target" },
};
