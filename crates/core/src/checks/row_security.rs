//! Tables with row-level security.

use super::{Area, Check, Facts, Found, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "row-security",
    severity: Severity::Note,
    area: Area::Database,
    of_replication: false,
    looks_for: "tables with row-level security",
    why: "A role that does not see every row would copy a part and no error would say so: that the role which reads them sees all of them is proven before the copy.",
    look: Look::Survey(look),
};

fn look(facts: &Facts<'_>) -> Option<Found> {
    let tables = facts.survey.inventory.tables.iter().filter(|table| table.row_security);
    facts.listed("table with row-level security", "tables with row-level security", tables.map(super::sized), "nothing to do; their policies come over, the roles that they name don't")
}
