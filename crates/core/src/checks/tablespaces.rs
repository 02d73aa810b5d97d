//! Tablespaces.

use super::{Area, Check, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "tablespaces",
    severity: Severity::Note,
    area: Area::Database,
    of_replication: false,
    looks_for: "relations in tablespaces of their own",
    why: "Neon has none: everything is stored in one place there.",
    look: Look::Listed { one: "relation in a tablespace of its own", remedy: "nothing to do" },
};
