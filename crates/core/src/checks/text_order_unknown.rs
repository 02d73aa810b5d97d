//! Indexed text whose order on the target is not known.

use super::{Area, Check, Facts, Found, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "text-order-unknown",
    severity: Severity::Note,
    area: Area::Database,
    of_replication: false,
    looks_for: "indexed columns of text whose order on the target is not known before it exists",
    why: "They name an ICU collation, whose order depends on the version of ICU; the database's default is known beforehand, for Neon sorts by code points.",
    look: Look::Survey(look),
};

fn look(facts: &Facts<'_>) -> Option<Found> {
    let order = &facts.survey.text_order;
    facts.listed(
        "indexed column of text whose order on the target is not known",
        "indexed columns of text whose order on the target is not known",
        order.unknown.iter().map(super::named),
        "on both sides, when the target exists: `select collname, collversion from pg_collation`; the same version orders alike",
    )
}
