//! An encoding other than UTF8.

use super::{Area, Check, Facts, Found, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "encoding",
    severity: Severity::Blocks,
    area: Area::Database,
    of_replication: false,
    looks_for: "an encoding other than UTF8",
    why: "Neon has UTF8 only.",
    look: Look::Survey(look),
};

fn look(facts: &Facts<'_>) -> Option<Found> {
    let encoding = &facts.survey.inventory.encoding;
    (encoding != "UTF8").then(|| Found {
        what: format!("the database's encoding is {encoding}; Neon has UTF8 only"),
        remedy: "convert it on the source first".to_owned(),
    })
}
