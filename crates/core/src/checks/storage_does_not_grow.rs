//! A disk that may be too small for the changes that wait for the target, and does not grow.

use super::{Area, Check, Facts, Found, Look};
use crate::plan::Severity;
use crate::units;

pub(crate) const CHECK: Check = Check {
    id: "storage-does-not-grow",
    severity: Severity::Warns,
    area: Area::Server,
    of_replication: true,
    looks_for: "a disk that may be too small for the changes that wait for the target, and does not grow",
    why: "The source keeps all changes until the target has them, and Azure stops writes when the disk is full.",
    look: Look::Survey(look),
};

fn look(facts: &Facts<'_>) -> Option<Found> {
    let (server, bytes) = (&facts.survey.server, facts.survey.inventory.stored_bytes());
    let storage = server.storage.filter(|storage| !storage.grows && bytes > storage.bytes - bytes)?;
    Some(Found {
        what: format!("the database takes {} of {}, and the storage doesn't grow", units::bytes(bytes), units::bytes(storage.bytes)),
        remedy: format!("let it grow: `{}`", server.az_update("--storage-auto-grow Enabled")),
    })
}
