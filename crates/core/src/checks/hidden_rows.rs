//! Rows that the login does not see, in offline mode.

use super::{Area, Check, Facts, Found, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "hidden-rows",
    severity: Severity::Blocks,
    area: Area::Database,
    of_replication: false,
    looks_for: "rows that the login does not see, in offline mode",
    why: "No other role reads them then, so they would not be copied.",
    look: Look::Survey(look),
};

fn look(facts: &Facts<'_>) -> Option<Found> {
    let survey = facts.survey;
    if survey.hidden.is_empty() {
        return None;
    }
    let (user, tables) = (&survey.user, survey.hidden.join(", "));
    Some(Found {
        what: format!("{user} does not see every row of {tables}, and offline mode reads them as {user}"),
        remedy: format!(
            "grant {user} SELECT and, where row-level security hides rows, BYPASSRLS; or name their owner as `user` under [source]"
        ),
    })
}
