//! Objects that only a superuser may create.

use super::{Area, Check, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "superuser-objects",
    severity: Severity::Warns,
    area: Area::Database,
    of_replication: false,
    looks_for: "objects that only a superuser may create",
    why: "There is no superuser on Neon: they and all that uses them fail when the schema is imported.",
    look: Look::Listed { one: "object that only a superuser may create", remedy: "drop them on the source if nothing uses them, or list them under [schema] expected_failures" },
};
