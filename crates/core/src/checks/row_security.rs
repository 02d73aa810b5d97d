//! Tables with row-level security.

use super::{Area, Check, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "row-security",
    severity: Severity::Note,
    area: Area::Database,
    of_replication: false,
    looks_for: "tables with row-level security",
    why: "A role that does not see every row would copy a part and no error would say so: that the role which reads them sees all of them is proven before the copy.",
    look: Look::Listed { one: "table with row-level security", remedy: "nothing to do; their policies come over, the roles that they name must be made on the target" },
};
