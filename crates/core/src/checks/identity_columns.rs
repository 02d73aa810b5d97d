//! Identity columns that take no value.

use super::{Area, Check, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "identity-columns",
    severity: Severity::Note,
    area: Area::Database,
    of_replication: false,
    looks_for: "identity columns that are GENERATED ALWAYS",
    why: "Their values come over as they are; the sequences behind them are set in the cut-over.",
    look: Look::Listed { one: "identity column that is GENERATED ALWAYS", remedy: "nothing to do" },
};
