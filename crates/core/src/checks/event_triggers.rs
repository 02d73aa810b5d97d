//! Event triggers.

use super::{Area, Check, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "event-triggers",
    severity: Severity::Warns,
    area: Area::Database,
    of_replication: false,
    looks_for: "event triggers",
    why: "Event triggers belong to superusers: the target's roles may not be allowed to create them, and where they are, they fire for the migration's own statements there.",
    look: Look::Listed { one: "event trigger", remedy: "list them under [schema] expected_failures = [\"EVENT TRIGGER *\"] if they may be missing on the target" },
};
