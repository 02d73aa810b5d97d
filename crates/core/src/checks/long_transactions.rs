//! Long transactions.

use super::{Area, Check, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "long-transactions",
    severity: Severity::Warns,
    area: Area::Database,
    of_replication: true,
    looks_for: "sessions that have been in a transaction for more than a minute",
    why: "The replication slot waits for every transaction that is running when it is made, and the fence ends those that are open.",
    look: Look::Listed { one: "session that has been in a transaction for more than a minute", remedy: "let them end, or end them: `select pg_terminate_backend(PID)`" },
};
