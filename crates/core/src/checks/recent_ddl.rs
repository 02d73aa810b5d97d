//! DDL that was counted lately.

use super::{Area, Check, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "recent-ddl",
    severity: Severity::Note,
    area: Area::Database,
    of_replication: true,
    looks_for: "kinds of DDL that pg_stat_statements counted",
    why: "DDL is not replicated: a table that is altered between the import of the schema and the hand-over stops the migration until both sides are alike. Only what the login may see of pg_stat_statements is counted.",
    look: Look::Listed { one: "kind of DDL that pg_stat_statements counted", remedy: "hold deployments and jobs that alter tables while the migration runs" },
};
