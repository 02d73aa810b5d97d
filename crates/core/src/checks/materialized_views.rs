//! Materialized views.

use super::{Area, Check, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "materialized-views",
    severity: Severity::Note,
    area: Area::Database,
    of_replication: false,
    looks_for: "materialized views",
    why: "Their rows are not replicated: those that hold data are refreshed on the target right before the cut-over, offline in it.",
    look: Look::Listed { one: "materialized view", remedy: "one that takes long to refresh keeps the cut-over waiting, and makes an offline one longer; see how long with `refresh materialized view NAME` on the source at a quiet hour" },
};
