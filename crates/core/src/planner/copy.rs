//! How the rows get to the target, and the steps of it.

use std::time::Duration;

use azure2neon_postgres::copy::Division;

use crate::plan::{CopyPath, Mode, PlannedCopy};
use crate::settings::Settings;
use crate::steps::{self, Action};
use crate::survey::Survey;
use crate::units;

/// Connections to each side in a copy through this machine, unless configured: a small target's cores are busy with two, a far one's line with four.
const WORKERS: usize = 4;

/// A smaller database is not worth the way through this machine, in bytes;
const WORTH_STREAMING: i64 = 1 << 30;

/// nor is one that this machine is farther away from,
const NEAR: Duration = Duration::from_millis(100);

/// or over a line that brings less than this in a second, in bytes: the clouds have a wider one between them.
const WIDE: u64 = 10 << 20;

/// A table larger than this is copied in parts, in bytes: so much at most does each worker copy again after a break.
const PART_BYTES: i64 = 4 << 30;

/// A snapshot is read for this long, since the source can't clean up what was deleted meanwhile.
const SNAPSHOT_AGE: Duration = Duration::from_secs(4 * 3600);

/// How the rows get to the target, and why that way.
pub(super) fn path(survey: &Survey, settings: &Settings) -> PlannedCopy {
    let size = survey.inventory.stored_bytes();
    let line = format!(
        "the source is {} away from this machine, at {}/s",
        units::round_trip(survey.round_trip),
        units::bytes(i64::try_from(survey.bandwidth).unwrap_or(i64::MAX))
    );
    let is_worth_it = size >= WORTH_STREAMING && survey.round_trip <= NEAR && survey.bandwidth >= WIDE;
    let (path, reason) = match settings.copy {
        _ if settings.mode == Mode::Offline => (CopyPath::Stream, format!("while the source refuses writes; {line}")),
        Some(path) => (path, format!("as configured; {line}")),
        None if is_worth_it => (
            CopyPath::Stream,
            format!("{} are copied sooner, and can be resumed, through here: {line}; --copy direct leaves it to Neon", units::bytes(size)),
        ),
        None => (CopyPath::Direct, format!("the cloud's own way for {}: {line}; --copy stream takes it through here", units::bytes(size))),
    };
    PlannedCopy { path, reason }
}

/// How the tables are cut for a copy through this machine.
pub(super) fn division(settings: &Settings) -> Division {
    Division { workers: settings.manners.workers.unwrap_or(WORKERS), part_bytes: settings.part_bytes.unwrap_or(PART_BYTES) }
}

/// What is published: a copy through this machine can be resumed unit by unit.
pub(super) fn publication(survey: &Survey, settings: &Settings, path: CopyPath, mark: &str) -> steps::CreatePublication {
    let name = mark.to_owned();
    match path {
        CopyPath::Direct => steps::CreatePublication { name, tables: survey.inventory.publishable(), division: None },
        CopyPath::Stream => steps::CreatePublication { name, tables: survey.inventory.replicated(), division: Some(division(settings)) },
    }
}

/// The copy, and the subscription. What spans tables is built while that rests.
pub(super) fn bring_over(path: CopyPath, settings: &Settings, mark: &str) -> Vec<Action> {
    let name = mark.to_owned();
    match path {
        CopyPath::Direct => vec![
            Action::Subscribe(steps::Subscribe { name, copy_data: true }),
            Action::CopyData(steps::CopyData {}),
            Action::BuildIndexes(steps::BuildIndexes { workers: Some(division(settings).workers) }),
        ],
        CopyPath::Stream => {
            let snapshot_seconds = settings.snapshot_age.unwrap_or(SNAPSHOT_AGE).as_secs();
            vec![
                Action::CreateSlot(steps::CreateSlot { name: name.clone() }),
                Action::StreamData(steps::StreamData { workers: division(settings).workers, snapshot_seconds }),
                Action::Subscribe(steps::Subscribe { name, copy_data: false }),
                Action::BuildIndexes(steps::BuildIndexes { workers: None }),
            ]
        }
    }
}
