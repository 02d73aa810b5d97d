//! Triggers that also fire for replicated rows (ENABLE ALWAYS, ENABLE REPLICA).

use super::{Area, Check, Facts, Found, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "always-triggers",
    severity: Severity::Warns,
    area: Area::Database,
    of_replication: true,
    looks_for: "triggers that also fire for replicated rows (ENABLE ALWAYS, ENABLE REPLICA)",
    why: "They run on both sides while the target follows the source; what they write may differ.",
    look: Look::Survey(look),
};

fn look(facts: &Facts<'_>) -> Option<Found> {
    let triggers = facts.survey.inventory.always_triggers.iter().map(super::named);
    facts.listed(
        "trigger that also fires for replicated rows",
        "triggers that also fire for replicated rows",
        triggers,
        "if what they write is replicated, too: `alter table NAME enable trigger NAME` on the source before",
    )
}
