//! Functions that only a superuser may create.

use super::{Area, Check, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "untrusted-functions",
    severity: Severity::Warns,
    area: Area::Database,
    of_replication: false,
    looks_for: "functions in C or an untrusted language",
    why: "Only a superuser may create them, and there is none on Neon: they and all that uses them fail when the schema is imported.",
    look: Look::Listed { one: "function in C or an untrusted language", remedy: "rewrite them in SQL or PL/pgSQL, or list them under [schema] expected_failures" },
};
