//! Keys that are deferrable.

use super::{Area, Check, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "deferrable-keys",
    severity: Severity::Note,
    area: Area::Database,
    of_replication: true,
    looks_for: "keys that are deferrable",
    why: "A deferrable key can be broken for a moment inside a transaction, so it identifies no row for replication: another unique index or the whole row does during the migration.",
    look: Look::Listed { one: "key that is deferrable", remedy: "nothing to do; large tables that are often updated are applied faster with a key that is not deferrable" },
};
