//! Which way the changes flow: to the target, or, after the hand-over, back to the source. What a cut-over does is the same both ways.

use std::time::Duration;

use azure2neon_postgres::barrier::{self, Feed};
use azure2neon_postgres::{Endpoint, Lsn, QualifiedName, Session, roles};
use serde::{Deserialize, Serialize};

use crate::context::{Context, FENCE, FENCE_TARGET};
use crate::error::Result;
use crate::event::Event;

/// Which way the changes flow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// From the source to the target: the application writes on the source.
    #[default]
    Forward,
    /// From the target to the source: the application writes on the target.
    Back,
}

impl Direction {
    /// The other one.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Forward => Self::Back,
            Self::Back => Self::Forward,
        }
    }

    /// The step that closes where the changes come from.
    pub fn fence(self) -> &'static str {
        match self {
            Self::Forward => FENCE,
            Self::Back => FENCE_TARGET,
        }
    }

    /// The server that the changes come from, in words.
    pub fn from(self) -> &'static str {
        match self {
            Self::Forward => "source",
            Self::Back => "target",
        }
    }

    /// The server that they go to, in words.
    pub fn to(self) -> &'static str {
        match self {
            Self::Forward => "target",
            Self::Back => "source",
        }
    }

    /// The stream that carries them.
    pub fn feed(self, cx: &Context) -> Feed {
        self.feed_of(&cx.names().mark)
    }

    /// The same, of the run with this mark.
    pub fn feed_of(self, mark: &str) -> Feed {
        match self {
            Self::Forward => Feed::nth(mark, 1),
            Self::Back => Feed { name: format!("{mark}_back"), barrier: QualifiedName::new(mark, "barrier_back") },
        }
    }

    /// The database that they come from.
    pub fn database(self, cx: &Context) -> &str {
        match self {
            Self::Forward => &cx.plan.source.database,
            Self::Back => &cx.plan.target.database,
        }
    }

    /// How to connect to where they come from.
    pub async fn from_endpoint(self, cx: &Context) -> Result<Endpoint> {
        match self {
            Self::Forward => cx.source_endpoint().await,
            Self::Back => cx.target_endpoint().await,
        }
    }

    /// A session where they come from.
    pub async fn from_session(self, cx: &Context) -> Result<Session> {
        match self {
            Self::Forward => cx.source().await,
            Self::Back => cx.target().await,
        }
    }

    /// A session where they go to.
    pub async fn to_session(self, cx: &Context) -> Result<Session> {
        match self {
            Self::Forward => cx.target().await,
            Self::Back => cx.source().await,
        }
    }

    /// Waits until everything that was written by now where they come from is on the disk of where they go to, and says meanwhile how far
    /// that is behind. Returns the position there.
    pub async fn wait_applied(self, cx: &Context, (from, to): (&Session, &Session), deadline: Duration) -> Result<Lsn> {
        let report = &mut |lag: &barrier::Lag| cx.events.say(Event::Lag { bytes: lag.bytes });
        Ok(barrier::wait_applied(from, to, &self.feed(cx), deadline, report).await?)
    }

    /// A session where they come from, which may use replication slots there.
    pub async fn slots_session(self, cx: &Context) -> Result<Session> {
        let session = self.from_session(cx).await?;
        roles::act_as(&session, &cx.names().mark).await?;
        Ok(session)
    }
}
