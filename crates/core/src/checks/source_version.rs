//! A version that is too old to be migrated.

use super::{Area, Check, Facts, Found, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "source-version",
    severity: Severity::Blocks,
    area: Area::Server,
    of_replication: false,
    looks_for: "a version that is too old to be migrated",
    why: "What the copy and the compare use came with PostgreSQL 14.",
    look: Look::Survey(look),
};

/// The oldest source that this version handles.
pub(crate) const OLDEST: u32 = 14;

fn look(facts: &Facts<'_>) -> Option<Found> {
    let server = &facts.survey.server;
    (server.major < OLDEST).then(|| Found {
        what: format!("server {} runs PostgreSQL {}; {OLDEST} is the oldest that can be migrated", server.name, server.major),
        remedy: format!("upgrade it first: `{}`", server.az("upgrade", "--version 16")),
    })
}
