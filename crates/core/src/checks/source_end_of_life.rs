//! A version of PostgreSQL whose support ends.

use super::{Area, Check, Facts, Found, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "source-end-of-life",
    severity: Severity::Warns,
    area: Area::Server,
    of_replication: false,
    looks_for: "a version of PostgreSQL whose support ends",
    why: "It gets no corrections of its faults from then on, and Azure charges for extended support.",
    look: Look::Survey(look),
};

/// The last day of each major version: PostgreSQL's versioning policy (postgresql.org/support/versioning), which Azure's version
/// policy of flexible servers follows; as of 2026-11.
const ENDS: [(u32, &str); 5] = [(14, "2026-11-12"), (15, "2027-11-11"), (16, "2028-11-09"), (17, "2029-11-08"), (18, "2030-11-14")];

/// It is told so long before.
const SOON: jiff::SignedDuration = jiff::SignedDuration::from_hours(180 * 24);

fn look(facts: &Facts<'_>) -> Option<Found> {
    let survey = facts.survey;
    let (_, date) = ENDS.iter().find(|(major, _)| *major == survey.server.major)?;
    let end: jiff::Timestamp = format!("{date}T00:00:00Z").parse().ok()?;
    let has = format!("the source runs PostgreSQL {}, whose support", survey.server.major);
    let what = match survey.at {
        at if at >= end => format!("{has} ended on {date}"),
        at if at + SOON >= end => format!("{has} ends on {date}"),
        _ => return None,
    };
    Some(Found { what, remedy: "nothing: the target gets a later version, if --pg-version does not say otherwise".to_owned() })
}
