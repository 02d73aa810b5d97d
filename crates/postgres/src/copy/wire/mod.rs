//! A connection of the copy's own. The driver holds each row whole and waits for an answer before the next request; here rows pass
//! in pieces, and everything that a piece of work needs is sent at once.

mod answer;
mod carry;
mod connect;
mod frames;

use std::fmt;
use std::time::Duration;

use tokio::io::AsyncWriteExt;

use crate::connect::{Endpoint, SETTINGS};
use crate::error::{Doing, Error, ErrorKind, Result};
use answer::{Answer, listen};
use frames::{Inbox, Outbox, Walked};

pub use carry::{Cargo, Carried, Meter, carry};

/// So many bytes of an answer that nobody wants any more are read to keep a connection,
const DRAINED: usize = 32 << 20;
/// for so long.
const DRAIN_DEADLINE: Duration = Duration::from_secs(5);

/// An open connection with the pinned settings; ends with this value.
pub struct Wire {
    stream: connect::Stream,
    inbox: Inbox,
    outbox: Outbox,
    /// The server waits for a query.
    idle: bool,
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.idle { "Wire(idle)" } else { "Wire(unusable)" })
    }
}

impl Wire {
    /// Connects as [`Endpoint::connect`] does.
    ///
    /// # Errors
    /// The same.
    pub async fn connect(endpoint: &Endpoint) -> Result<Self> {
        endpoint
            .patiently(|| async {
                let stream = connect::open(endpoint).await?;
                let mut wire = Self { stream, inbox: Inbox::new(), outbox: Outbox::new(), idle: true };
                wire.execute(SETTINGS).await?;
                Ok(wire)
            })
            .await
    }

    /// Whether the connection takes another query: not after it was lost, nor when a future that used it was dropped.
    pub fn is_usable(&self) -> bool {
        self.idle
    }

    /// Executes one or several statements, all but transaction statements' in one transaction. Rows are thrown away. After a refusal
    /// the connection is usable; a transaction that was begun is still open.
    ///
    /// # Errors
    /// What the server answered first, or a lost connection.
    pub async fn execute(&mut self, sql: &str) -> Result<()> {
        self.ask(sql).await.map(drop)
    }

    /// The first value of the first row, as text; none if there is no row, or it is null.
    ///
    /// # Errors
    /// As for [`Self::execute`].
    pub async fn query_text(&mut self, sql: &str) -> Result<Option<String>> {
        Ok(self.ask(sql).await?.value)
    }

    async fn ask(&mut self, sql: &str) -> Result<Answer> {
        self.send(sql).await?;
        let mut answer = listen(&mut self.inbox, &mut self.stream).await;
        self.idle = answer.over;
        answer.error.take().map_or(Ok(answer), Err)
    }

    /// Sends a query and leaves its answer to the caller, who says when it is over.
    async fn send(&mut self, sql: &str) -> Result<()> {
        if !self.idle {
            return Err(Error::new(ErrorKind::Unreachable, "", "the connection was lost before"));
        }
        self.outbox.clear();
        self.outbox.query(sql)?;
        self.idle = false;
        // The server reads a query to its end before it says a word, so that nobody has to listen meanwhile.
        let sent = async {
            self.stream.write_all(self.outbox.sealed()).await?;
            self.stream.flush().await
        };
        let sent = sent.await;
        self.outbox.clear();
        Ok(sent?)
    }

    /// Reads the rest of an answer that nobody wants, if it is not too long.
    async fn drain(&mut self) {
        let drained = tokio::time::timeout(DRAIN_DEADLINE, async {
            let (mut nowhere, mut answer) = (Outbox::new(), Answer::default());
            let mut bytes = 0;
            while !answer.over && bytes < DRAINED {
                let (moved, walked) = self.inbox.walk(&mut nowhere)?;
                bytes += moved;
                match walked {
                    Walked::Full => nowhere.clear(),
                    Walked::Hungry => self.inbox.fill(&mut self.stream).await?,
                    Walked::Message(tag, body) => answer.hear(tag, &body)?,
                }
            }
            Ok::<_, Error>(answer.over)
        });
        self.idle = matches!(drained.await, Ok(Ok(true)));
    }

    /// Ends a transaction that was begun and not completed, if there is one.
    async fn roll_back(&mut self) {
        if self.idle
            && let Err(error) = self.execute("rollback").await.doing(|| "roll back")
        {
            tracing::debug!("{error}");
        }
    }
}
