//! Columns that the server computes.

use super::{Area, Check, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "generated-columns",
    severity: Severity::Note,
    area: Area::Database,
    of_replication: false,
    looks_for: "generated columns",
    why: "The target computes them itself from the other columns; the compare covers them.",
    look: Look::Listed { one: "generated column", remedy: "nothing to do, unless their functions give another result there, by collation or time zone" },
};
