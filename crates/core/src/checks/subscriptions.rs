//! Subscriptions to other databases.

use super::{Area, Check, Facts, Found, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "subscriptions",
    severity: Severity::Warns,
    area: Area::Database,
    of_replication: false,
    looks_for: "subscriptions to other databases",
    why: "They are not carried over, and their writes can't be fenced.",
    look: Look::Survey(look),
};

fn look(facts: &Facts<'_>) -> Option<Found> {
    let subscriptions = facts.survey.inventory.subscriptions.iter().map(super::named);
    facts.listed("subscription to another database", "subscriptions to other databases", subscriptions, "disable them before the cut-over: `alter subscription NAME disable`")
}
