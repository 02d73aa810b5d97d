//! Rules of tables.

use super::{Area, Check, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "rules",
    severity: Severity::Warns,
    area: Area::Database,
    of_replication: true,
    looks_for: "rules of tables",
    why: "Rules rewrite statements, and replicated rows come without any: what a rule does besides is not done again on the target, but comes as the rows that it wrote.",
    look: Look::Listed { one: "rule of a table", remedy: "see that no rule writes to another database or calls a function for its effect" },
};
