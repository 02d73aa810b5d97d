//! A disk that may fill up with the changes that wait for the target.

use super::{Area, Check, Facts, Found, Look};
use crate::plan::Severity;
use crate::units;
use std::time::Duration;

pub(crate) const CHECK: Check = Check {
    id: "storage-headroom",
    severity: Severity::Warns,
    area: Area::Server,
    of_replication: true,
    looks_for: "a disk that may fill up with the changes that wait for the target",
    why: "The source keeps all changes from the slot on until the target has them, and Azure stops writes when the disk is 95 % full.",
    look: Look::Survey(look),
};

/// A copy that is slower than most, in bytes a second,
const SLOW: f64 = 20.0 * 1024.0 * 1024.0;

/// and the time that the target may need afterwards.
const CATCH_UP: Duration = Duration::from_secs(3600);

fn look(facts: &Facts<'_>) -> Option<Found> {
    let (server, on_server) = (&facts.survey.server, &facts.survey.on_server);
    let storage = server.storage.filter(|_| on_server.databases_bytes > 0)?;
    let free = storage.bytes - storage.bytes / 20 - on_server.databases_bytes - on_server.held_bytes;
    let rate = facts.survey.log_rate.mean? as f64;
    let copy = facts.survey.inventory.stored_bytes() as f64 / SLOW;
    let kept = rate * (copy + CATCH_UP.as_secs_f64());
    (kept > free as f64).then(|| Found {
        what: format!(
            "{} are free of {}, and the migration may keep {}: the server writes {} of WAL an hour (its average), and a copy at {}/s \
             takes {}, with {} to catch up",
            units::bytes(free.max(0)),
            units::bytes(storage.bytes),
            units::bytes(kept as i64),
            units::bytes((rate * 3600.0) as i64),
            units::bytes(SLOW as i64),
            span(Duration::from_secs_f64(copy)),
            span(CATCH_UP),
        ),
        remedy: match storage.grows {
            true => "the storage grows then, and can't be made smaller again; a target near the source and a quiet hour keep it small".to_owned(),
            false => format!("let it grow: `{}`", server.az_update("--storage-auto-grow Enabled")),
        },
    })
}

/// A time in its largest unit.
fn span(time: Duration) -> String {
    let minutes = time.as_secs().div_ceil(60);
    match minutes {
        0..120 => format!("{minutes} min"),
        120..2880 => format!("{} h", minutes / 60),
        _ => format!("{} d", minutes / 1440),
    }
}
