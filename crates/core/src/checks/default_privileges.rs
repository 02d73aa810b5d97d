//! Default privileges.

use super::{Area, Check, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "default-privileges",
    severity: Severity::Note,
    area: Area::Database,
    of_replication: false,
    looks_for: "default privileges",
    why: "Grants are not carried over, nor what ALTER DEFAULT PRIVILEGES grants on what is made later.",
    look: Look::Listed { one: "default privilege", remedy: "repeat them on the target once its roles are there: `alter default privileges … grant …`" },
};
