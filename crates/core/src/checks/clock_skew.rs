//! Clocks that differ.

use super::{Area, Check, Facts, Found, Look};
use crate::plan::Severity;
use crate::units;

pub(crate) const CHECK: Check = Check {
    id: "clock-skew",
    severity: Severity::Warns,
    area: Area::Server,
    of_replication: false,
    looks_for: "clocks that differ",
    why: "Access tokens and the times in the journal and the logs are then hard to match; a token may seem to be expired.",
    look: Look::Survey(look),
};

/// More than the look itself takes.
const MOST: u64 = 5_000;

fn look(facts: &Facts<'_>) -> Option<Found> {
    let skew = facts.survey.clock_skew_milliseconds;
    (skew.unsigned_abs() > MOST).then(|| Found {
        what: format!(
            "this machine's clock is {} {} the source's",
            units::milliseconds(skew.unsigned_abs()),
            if skew > 0 { "ahead of" } else { "behind" }
        ),
        remedy: "set this machine's clock by a time server".to_owned(),
    })
}
