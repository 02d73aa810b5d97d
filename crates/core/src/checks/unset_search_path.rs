//! Functions that depend on search_path where there is none.

use super::{Area, Check, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "unset-search-path",
    severity: Severity::Warns,
    area: Area::Database,
    of_replication: false,
    looks_for: "functions in indexes, constraints or generated columns that depend on search_path",
    why: "The subscription applies rows with an empty search_path, and from PostgreSQL 17 on indexes are built without one: a function that names an object without its schema fails there.",
    look: Look::Listed { one: "function in an index, constraint or generated column that depends on search_path", remedy: "on the source: `alter function NAME set search_path = SCHEMA, pg_catalog`" },
};
