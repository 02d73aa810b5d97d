//! Sessions of a compare, and its one wait at a time.

use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use azure2neon_postgres::Session;
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::context::Context;
use crate::direction::Direction;
use crate::error::{Error, ErrorKind, Result};

/// So many sessions on each side, each with one process of its server.
pub(super) const SESSIONS: usize = 4;
/// A chunk is a range of an index; whatever the statistics say, all of the table is not read for it. No helpers, no compiler.
const SETTINGS: &str = "set max_parallel_workers_per_gather = 0; set jit = off; set enable_seqscan = off";

/// How often it is looked whether a wait has grown so long that the operator should know.
const TELL: Duration = Duration::from_millis(250);

/// Opens a session.
pub(super) type Open<'a> = Box<dyn Fn() -> BoxFuture<'a, Result<Session>> + Send + Sync + 'a>;

/// Sessions by this function.
pub(super) fn opening<'a, F>(open: impl Fn() -> F + Send + Sync + 'a) -> Open<'a>
where
    F: Future<Output = Result<Session>> + Send + 'a,
{
    Box::new(move || open().boxed())
}

/// Sessions on one side, taken in turn.
pub(super) struct Pool<'a> {
    open: Open<'a>,
    idle: Mutex<Vec<Session>>,
    free: Semaphore,
}

impl<'a> Pool<'a> {
    pub(super) fn new(open: Open<'a>) -> Self {
        Self { open, idle: Mutex::default(), free: Semaphore::new(SESSIONS) }
    }

    /// The sessions that nobody uses now.
    pub(super) fn take_idle(&self) -> Vec<Session> {
        std::mem::take(&mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A session, waiting for one.
    pub(super) async fn lease(&self) -> Result<Lease<'_>> {
        let permit = self.free.acquire().await.map_err(|_| Error::new(ErrorKind::Internal, "the compare's sessions are gone"))?;
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let session = match idle {
            Some(session) => session,
            None => {
                let session = (self.open)().await?;
                session.batch_execute(SETTINGS).await?;
                session
            }
        };
        Ok(Lease { session: Some(session), idle: &self.idle, _permit: permit })
    }
}

/// A session that goes back when this is dropped.
pub(super) struct Lease<'p> {
    session: Option<Session>,
    idle: &'p Mutex<Vec<Session>>,
    _permit: SemaphorePermit<'p>,
}

impl Deref for Lease<'_> {
    type Target = Session;

    #[allow(clippy::expect_used)]
    fn deref(&self) -> &Session {
        self.session.as_ref().expect("there until it is dropped")
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).extend(self.session.take());
    }
}

/// Waits until the target has applied what was committed on the source. One wait serves all who asked before it began.
pub(super) struct Marker<'a> {
    cx: &'a Context,
    step: &'static str,
    direction: Direction,
    deadline: Duration,
    asked: AtomicU64,
    turn: tokio::sync::Mutex<Turn>,
}

#[derive(Default)]
struct Turn {
    /// Where the changes come from, and where they go to.
    sessions: Option<(Session, Session)>,
    served: u64,
}

impl<'a> Marker<'a> {
    pub(super) fn new(cx: &'a Context, (step, direction): (&'static str, Direction), deadline: Duration) -> Self {
        Self { cx, step, direction, deadline, asked: AtomicU64::new(0), turn: tokio::sync::Mutex::default() }
    }

    /// Returns when all that was committed on the source before the call is on the target.
    pub(super) async fn passed(&self) -> Result<()> {
        let number = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        let mut turn = self.turn.lock().await;
        if turn.served >= number {
            return Ok(());
        }
        let serves = self.asked.load(Ordering::SeqCst);
        // A wait that fails or is dropped in its midst leaves no sessions behind that may be in any state.
        let (from, to) = match turn.sessions.take() {
            Some(sessions) => sessions,
            None => tokio::try_join!(self.direction.from_session(self.cx), self.direction.to_session(self.cx))?,
        };
        let mut wait = self.cx.wait(
            self.step,
            format!("the {} to apply what the {} held", self.direction.to(), self.direction.from()),
            Some(self.deadline),
        );
        let tell = async {
            // The other one says more when the deadline has come.
            while wait.pause(TELL).await.is_ok() {}
            std::future::pending().await
        };
        tokio::select! {
            applied = self.direction.wait_applied(self.cx, (&from, &to), self.deadline) => applied?,
            never = tell => never,
        };
        *turn = Turn { sessions: Some((from, to)), served: serves };
        Ok(())
    }
}
