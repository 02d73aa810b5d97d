//! What the operator tells a copy that is under way, from another process: a small file in the run's folder, which the copy obeys
//! and confirms. It outlives both processes: what was paused stays paused.

use std::convert::Infallible;
use std::path::Path;
use std::time::{Duration, Instant};

use azure2neon_postgres::copy::manners::Manners;
use serde::{Deserialize, Serialize};

use crate::clock;
use crate::context::Context;
use crate::error::Result;
use crate::event::Event;
use crate::journal::{read_document, write_document};

/// What was told.
const TOLD: &str = "control.json";
/// What the copy did about it.
const OBEYED: &str = "control.obeyed.json";
/// How often the copy looks.
const EVERY: Duration = Duration::from_millis(500);

/// What the operator wants of a copy through this machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Control {
    /// Nothing shall move.
    pub paused: bool,
    /// Since when it is so.
    pub since: jiff::Timestamp,
}

/// What the run was told last; none if it was told nothing.
pub fn told(folder: &Path) -> Result<Option<Control>> {
    read_document(folder, TOLD)
}

/// Since when the run is paused, if it is.
pub fn paused_since(folder: &Path) -> Result<Option<jiff::Timestamp>> {
    Ok(told(folder)?.filter(|told| told.paused).map(|told| told.since))
}

/// Tells it, whether a copy is under way or not.
pub fn tell(folder: &Path, paused: bool) -> Result<Control> {
    let control = Control { paused, since: clock::now() };
    write_document(folder, TOLD, &control)?;
    Ok(control)
}

/// Waits a little for a copy that does what it was told. False if there is none at the moment.
pub async fn is_obeyed(folder: &Path, control: &Control) -> Result<bool> {
    let since = clock::stopwatch();
    while since.elapsed() < EVERY * 6 {
        if read_document(folder, OBEYED)?.as_ref() == Some(control) {
            return Ok(true);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(false)
}

/// A copy's ear.
pub struct Listener<'a> {
    cx: &'a Context,
    step: &'static str,
    obeyed: Option<Control>,
    said: Option<Instant>,
}

impl<'a> Listener<'a> {
    /// For this step.
    pub fn new(cx: &'a Context, step: &'static str) -> Self {
        Self { cx, step, obeyed: None, said: None }
    }

    /// Pauses and resumes the copy as the operator says, until it is dropped.
    pub async fn obey(mut self, manners: &Manners) -> Infallible {
        loop {
            let heard = self.listen();
            let changed = if heard.as_ref().is_some_and(|control| control.paused) { manners.pause() } else { manners.resume() };
            if changed {
                self.cx.events.notice(if manners.allowed().paused {
                    "Paused by the operator. The snapshot and the slot age meanwhile: the source keeps what was deleted since, and its WAL."
                } else {
                    "Resumed by the operator."
                });
            }
            self.confirm(heard, "the snapshot ages");
            tokio::time::sleep(EVERY).await;
        }
    }

    /// Waits as long as the run is paused, before a copy begins.
    pub async fn unpaused(mut self) {
        loop {
            let heard = self.listen();
            let paused = heard.as_ref().is_some_and(|control| control.paused);
            self.confirm(heard, "the copy has not begun");
            if !paused {
                return;
            }
            tokio::time::sleep(EVERY).await;
        }
    }

    /// What was told last. What can't be read is no reason to stop a copy, nor to go on with one.
    fn listen(&self) -> Option<Control> {
        told(self.cx.folder.path()).unwrap_or_else(|error| {
            tracing::warn!("{error}");
            self.obeyed.clone()
        })
    }

    /// Confirms what is new, and says once a second that the copy is paused, and what that means.
    fn confirm(&mut self, heard: Option<Control>, meanwhile: &str) {
        let Some(control) = heard else { return };
        if self.obeyed.as_ref() != Some(&control) {
            if let Err(error) = self.cx.folder.keep(OBEYED, &control) {
                tracing::warn!("{error}");
            }
            self.obeyed = Some(control.clone());
        }
        if control.paused && self.said.is_none_or(|said| said.elapsed() >= Duration::from_secs(1)) {
            self.said = Some(clock::stopwatch());
            self.cx.events.say(Event::Waiting {
                step: self.step.to_owned(),
                reason: format!("`azure2neon resume`: paused by the operator; {meanwhile}"),
                seconds: u64::try_from(clock::now().duration_since(control.since).as_secs()).unwrap_or(0),
                deadline_seconds: None,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_told_stays_and_is_obeyed_only_by_a_copy_that_says_so() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(told(folder.path()).unwrap(), None);
        let pause = tell(folder.path(), true).unwrap();
        assert_eq!(paused_since(folder.path()).unwrap(), Some(pause.since));
        write_document(folder.path(), OBEYED, &pause).unwrap();
        assert!(is_obeyed(folder.path(), &pause).await.unwrap());
        let resume = tell(folder.path(), false).unwrap();
        assert_eq!(paused_since(folder.path()).unwrap(), None);
        // An earlier copy's word says nothing of this one.
        assert!(!is_obeyed(folder.path(), &resume).await.unwrap());
    }
}
