//! Indexed text that the target puts into another order.

use super::{Area, Check, Facts, Found, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "text-order",
    severity: Severity::Warns,
    area: Area::Database,
    of_replication: false,
    looks_for: "indexed columns of text that the target puts into another order",
    why: "A sample of their values was sorted as the source and as the target do: ORDER BY, ranges and paging by such a column give other rows there. Indexes are built there, so nothing is corrupt.",
    look: Look::Survey(look),
};

fn look(facts: &Facts<'_>) -> Option<Found> {
    let order = &facts.survey.text_order;
    facts.listed(
        "indexed column of text that the target puts into another order",
        "indexed columns of text that the target puts into another order",
        order.otherwise.iter().map(super::named),
        "where the application depends on the order, name the collation: `order by name collate \"en-US-x-icu\"`, with an index of that collation",
    )
}
