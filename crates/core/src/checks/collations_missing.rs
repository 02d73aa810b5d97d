//! Collations that the target does not have.

use super::{Area, Check, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "collations-missing",
    severity: Severity::Blocks,
    area: Area::Database,
    of_replication: false,
    looks_for: "collations of the C library other than C and C.UTF-8",
    why: "Neon has no other locales of the C library: what names such a collation fails when the schema is imported.",
    look: Look::Listed { one: "collation of the C library other than C and C.UTF-8", remedy: "name an ICU collation instead, on the source: `alter table NAME alter column NAME type text collate \"en-US-x-icu\"`, which rewrites its indexes" },
};
