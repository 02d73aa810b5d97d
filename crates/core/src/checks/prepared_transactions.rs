//! Prepared transactions.

use super::{Area, Check, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "prepared-transactions",
    severity: Severity::Warns,
    area: Area::Database,
    of_replication: true,
    looks_for: "prepared transactions",
    why: "The replication slot waits for them, and one may be committed behind the fence: the cut-over refuses while there are any.",
    look: Look::Listed { one: "prepared transaction", remedy: "`commit prepared ID` or `rollback prepared ID`, in their database" },
};
