//! The places from which the application takes its connection string, and how all of them are given a new one.
//!
//! A place is written, read back, and released by itself as soon as that is done, all places at once: clients that one of them
//! holds must not wait for the slowest. Commands come last, since they make the application read what the others wrote.

mod command;
mod connection;
mod env_file;
mod files;
mod keepsake;
mod pgbouncer;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::{BoxFuture, join_all};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use command::Command;
pub use connection::Connection;
pub use env_file::EnvFile;
pub use keepsake::Keepsakes;
pub use pgbouncer::PgBouncer;

use crate::error::{Error, ErrorKind, Result};

/// A place from which the application takes its connection string.
///
/// Any process may call any of these again, also after another one was killed in the middle: each goes on from what is there.
/// Errors say what failed and why; [`Places`] adds which place it was.
#[async_trait]
pub trait Place: Send + Sync {
    /// What is changed, in words, without a secret: "the secret shop-db of the key vault kv-shop".
    fn name(&self) -> String;

    /// Whether it is there and may be changed; changes nothing. Called before writes are stopped, which may last `pause`.
    async fn check(&self, pause: Duration) -> Result<()>;

    /// What [`Place::restore`] needs to put it back as it is now; holds no secret, for it goes into the journal. What it shows of `to`
    /// was written by an earlier call of [`Place::point`]: then what that call found counts.
    async fn before(&self, to: &Connection) -> Result<Value>;

    /// Lets clients wait, right before writes are stopped; fails when that took longer than `most`, and then nobody waits.
    async fn hold(&self, _most: Duration) -> Result<()> {
        Ok(())
    }

    /// Writes the connection string.
    async fn point(&self, to: &Connection) -> Result<()>;

    /// Reads back what was written.
    async fn verify(&self, to: &Connection) -> Result<()>;

    /// Lets clients that wait go on; no error if nobody waits.
    async fn release(&self) -> Result<()> {
        Ok(())
    }

    /// Puts it back as `before` says, and reads that back. `old` is the database that the application had before.
    async fn restore(&self, before: &Value, old: &Connection) -> Result<()>;

    /// Removes what was kept for [`Place::restore`].
    async fn forget(&self, _before: &Value) -> Result<()> {
        Ok(())
    }

    /// Whether it must wait until all others are written.
    fn comes_last(&self) -> bool {
        false
    }
}

/// What a place was before the hand-over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Before {
    /// The place's name.
    pub place: String,
    /// What it said of itself.
    pub value: Value,
}

/// All places of a hand-over.
#[derive(Clone, Default)]
pub struct Places(Vec<Arc<dyn Place>>);

impl Places {
    /// These places, in the order in which they are told of.
    pub fn new(places: Vec<Arc<dyn Place>>) -> Self {
        Self(places)
    }

    /// Their names.
    pub fn names(&self) -> Vec<String> {
        self.0.iter().map(|place| place.name()).collect()
    }

    /// Whether each is there and may be changed.
    pub async fn check_all(&self, pause: Duration) -> Result<()> {
        let checks = self.each().map(async |place| named(place, "can't be handed over to", place.check(pause).await));
        all(join_all(checks).await)
    }

    /// What each is now, for a way back.
    pub async fn before_all(&self, to: &Connection) -> Result<Vec<Before>> {
        let looks = self.each().map(async |place| {
            let value = named(place, "could not be read", place.before(to).await)?;
            Ok(Before { place: place.name(), value })
        });
        join_all(looks).await.into_iter().collect()
    }

    /// Lets clients wait. When one place fails to, none lets anybody wait.
    pub async fn hold_all(&self, most: Duration) -> Result<()> {
        let holds = self.each().map(async |place| named(place, "could not be held", place.hold(most).await));
        let held = all(join_all(holds).await);
        if let Err(error) = held {
            // The first error is the one to tell; who still waits is told by the release's.
            return Err(match self.release_all().await {
                Ok(()) => error,
                Err(other) => error.because(other),
            });
        }
        Ok(())
    }

    /// Lets clients go on; tries each place, whatever becomes of the others.
    pub async fn release_all(&self) -> Result<()> {
        all(join_all(self.each().map(release)).await)
    }

    /// Hands over: writes, reads back and releases each place. All are tried, whatever becomes of the others.
    pub async fn hand_over(&self, to: &Connection) -> Result<()> {
        self.in_order(|place| Box::pin(hand_over(place, to))).await
    }

    /// The way back: puts each place back as it was, and releases it. All are tried, whatever becomes of the others.
    pub async fn restore_all(&self, before: &[Before], old: &Connection) -> Result<()> {
        self.in_order(|place| Box::pin(restore(place, before, old))).await
    }

    /// Removes what was kept for the way back.
    pub async fn forget_all(&self, before: &[Before]) -> Result<()> {
        let forgets = before.iter().filter_map(|was| Some((self.each().find(|place| place.name() == was.place)?, was)));
        all(join_all(forgets.map(async |(place, was)| named(place, "could not be cleaned up", place.forget(&was.value).await))).await)
    }

    /// Does it for all places at once but those that come last, and for these one after the other.
    async fn in_order<'a>(&'a self, one: impl Fn(&'a dyn Place) -> BoxFuture<'a, Result<()>>) -> Result<()> {
        let (last, first): (Vec<_>, Vec<_>) = self.each().partition(|place| place.comes_last());
        all(join_all(first.into_iter().map(&one)).await)?;
        for place in last {
            one(place).await?;
        }
        Ok(())
    }

    fn each(&self) -> impl Iterator<Item = &dyn Place> {
        self.0.iter().map(|place| &**place)
    }
}

const AGAIN: &str = "the source stays closed; mend it and run `azure2neon cut-over` again: it goes on with the hand-over";
const BACK_AGAIN: &str = "mend it and run `azure2neon rollback` again: it goes on from here";

async fn hand_over(place: &dyn Place, to: &Connection) -> Result<()> {
    let written = async {
        place.point(to).await?;
        place.verify(to).await
    };
    named(place, "was not handed over", written.await).map_err(|error| error.or_hint(AGAIN))?;
    release(place).await
}

async fn restore(place: &dyn Place, before: &[Before], old: &Connection) -> Result<()> {
    let name = place.name();
    let Some(was) = before.iter().find(|was| was.place == name) else {
        let text = format!("nothing is known of what {name} was before the hand-over; it was not touched");
        return Err(Error::new(ErrorKind::Configuration, text)
            .hint("put the old connection string back by hand, or leave the place out of [hand_over]"));
    };
    named(place, "was not put back", place.restore(&was.value, old).await).map_err(|error| error.or_hint(BACK_AGAIN))?;
    release(place).await
}

async fn release(place: &dyn Place) -> Result<()> {
    named(place, "still lets clients wait", place.release().await)
}

fn named<T>(place: &dyn Place, what: &str, result: Result<T>) -> Result<T> {
    result.map_err(|error| error.of(&format!("{} {what}", place.name())))
}

/// What a place said of itself before.
fn said<T: serde::de::DeserializeOwned>(before: &Value) -> Result<T> {
    T::deserialize(before)
        .map_err(|error| Error::new(ErrorKind::RunFolder, "what the journal says of the time before is not readable").because(error))
}

/// The first error, with the messages of the others.
fn all(results: Vec<Result<()>>) -> Result<()> {
    let mut errors = results.into_iter().filter_map(Result::err);
    let Some(first) = errors.next() else { return Ok(()) };
    Err(errors.fold(first, |first, next| first.and(&next)))
}

#[cfg(test)]
mod tests;
