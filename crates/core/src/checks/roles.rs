//! Roles.

use super::{Area, Check, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "roles",
    severity: Severity::Note,
    area: Area::Database,
    of_replication: false,
    looks_for: "roles with rights in the database",
    why: "Roles are not carried over, nor what is granted to them, and nobody can read their passwords, nor does the target take their hashes: on the target everything belongs to one role.",
    look: Look::Listed { one: "role with rights in the database", remedy: "create on the target the roles that the application uses, and grant them what they need" },
};
