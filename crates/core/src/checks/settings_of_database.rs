//! Settings of the database.

use super::{Area, Check, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "settings-of-database",
    severity: Severity::Warns,
    area: Area::Database,
    of_replication: false,
    looks_for: "settings of the database or of roles in it",
    why: "ALTER DATABASE … SET and ALTER ROLE … IN DATABASE … SET are not carried over: search_path, time zone or work_mem are others on the target.",
    look: Look::Listed { one: "setting of the database or of a role in it", remedy: "set them on the target: `alter database NAME set …`, as far as Neon lets you" },
};
