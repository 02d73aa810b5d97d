//! A database on Neon that holds something.

use super::{Area, Check, Facts, Found, Look};
use crate::plan::Severity;
use crate::units;

pub(crate) const CHECK: Check = Check {
    id: "target-not-empty",
    severity: Severity::Blocks,
    area: Area::Target,
    of_replication: false,
    looks_for: "a database on Neon that holds something",
    why: "What others made is never touched, and the schema would run into it.",
    look: Look::Survey(look),
};

/// So many objects are named.
const NAMED: usize = 5;

fn look(facts: &Facts<'_>) -> Option<Found> {
    let there = facts.survey.existing.as_ref().filter(|there| !there.objects.is_empty())?;
    Some(Found {
        what: format!(
            "the target's database in the Neon project {} is not empty: it holds {}",
            there.project.name,
            units::listed(&there.objects, NAMED)
        ),
        remedy: "name another one, which is created if it isn't there: `database = \"…\"` under [target]; nothing was changed".to_owned(),
    })
}
