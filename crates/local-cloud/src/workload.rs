//! The writer: an application of the sample company Bikeparts that goes on writing while its database is moved.
//!
//! It notes every commit that was acknowledged to it, every one whose answer was lost, and how long it could not write.
//! [`verify`] then asks a server whether each acknowledged commit is there, once. It needs the schema of `fixtures/databases/bikeparts`.

mod report;
mod session;
mod transaction;
mod verdict;

pub use report::{Gap, Outage, Progress, WriterReport};
pub use verdict::{Verdict, verify};

use std::error::Error as StdError;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_postgres::Client;

use self::report::{Shared, milliseconds};
use self::session::Session;

/// One transaction of the application, as [`WriterReport`] names it: the number of the writer and its sequence number.
pub type Entry = (i32, i64);

/// Whatever kept a connector from connecting.
pub type ConnectError = Box<dyn StdError + Send + Sync>;

/// A connection that a [`Connect`] made.
pub struct Connected {
    client: Client,
    server: String,
}

impl Connected {
    /// Pairs a client, whose connection is being driven already, with the label of the server it is connected to.
    pub fn new(client: Client, server: impl Into<String>) -> Self {
        Self { client, server: server.into() }
    }
}

/// Where the application's database is, now. Any async closure that returns a [`Connected`] will do.
///
/// Called once a session at the start, and again each time a connection is lost or a write is refused, by one session after the other and
/// every few milliseconds while it fails. So it must look its destination up anew in each call, return quickly, and not retry by itself.
pub trait Connect: Send + Sync + 'static {
    /// Connects to the server that serves the application at this moment.
    fn connect(&self) -> impl Future<Output = Result<Connected, ConnectError>> + Send;
}

impl<F, Connecting> Connect for F
where
    F: Fn() -> Connecting + Send + Sync + 'static,
    Connecting: Future<Output = Result<Connected, ConnectError>> + Send,
{
    fn connect(&self) -> impl Future<Output = Result<Connected, ConnectError>> + Send {
        self()
    }
}

/// How busy the writer is.
#[derive(Debug, Clone)]
pub struct WriterOptions {
    /// Sessions that write at the same time; they are the writers 1, 2, ….
    pub sessions: usize,
    /// How often each session begins a transaction; one that was late makes up for a second at most.
    pub every: Duration,
    /// Of so many transactions one does all that the application does; the others note themselves in its two ledgers only.
    pub full: u32,
}

impl Default for WriterOptions {
    fn default() -> Self {
        Self { sessions: 4, every: Duration::from_millis(10), full: 1 }
    }
}

/// An application that writes until it is stopped. Dropping it stops it too, without a report.
pub struct Writer {
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    sessions: Vec<JoinHandle<()>>,
}

impl Writer {
    /// Starts the sessions. They connect by themselves and survive every failure, so this never fails.
    pub fn start(connect: impl Connect, options: WriterOptions) -> Self {
        let (stop, stopping) = watch::channel(false);
        let shared = Arc::new(Shared::new(first_seq()));
        let connect = Arc::new(connect);
        let writers = 1..=i32::try_from(options.sessions).unwrap_or(i32::MAX);
        let sessions = writers
            .map(|writer| {
                let session = Session {
                    writer,
                    seq: shared.first_seq,
                    dice: fastrand::Rng::with_seed(u64::from(writer.unsigned_abs())),
                    shared: Arc::clone(&shared),
                    stopping: stopping.clone(),
                    every: options.every,
                    full: i64::from(options.full.max(1)),
                };
                tokio::spawn(session.run(Arc::clone(&connect)))
            })
            .collect();
        Self { shared, stop, sessions }
    }

    /// What happened until now.
    pub fn progress(&self) -> Progress {
        let log = self.shared.log();
        let last = log.commits.last();
        Progress {
            acknowledged: log.commits.len(),
            unknown: log.unknown.len(),
            failures: log.errors.values().sum(),
            server: last.and_then(|commit| log.servers.get(commit.server).cloned()),
            last_commit: last.map(|commit| commit.at),
            silent_milliseconds: milliseconds(last.map_or(self.shared.started, |commit| commit.instant).elapsed()),
        }
    }

    /// Lets each session finish the transaction it is in, and reports.
    pub async fn stop(self) -> WriterReport {
        let sessions = self.sessions.len();
        // Fails only if every session has ended already.
        let _ = self.stop.send(true);
        for session in self.sessions {
            if let Err(error) = session.await {
                self.shared.log().count(format!("session: {error}"));
            }
        }
        let log = std::mem::take(&mut *self.shared.log());
        log.report(&self.shared, sessions)
    }
}

/// A number above all that an earlier writer can have used: microseconds since 1970.
fn first_seq() -> i64 {
    Timestamp::now().as_microsecond()
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use std::time::Instant;

    use super::report::{Commit, Log};
    use super::*;

    fn commit(writer: i32, seq: i64, server: usize, at: Instant) -> Commit {
        Commit { entry: (writer, seq), server, at: Timestamp::UNIX_EPOCH, instant: at }
    }

    #[test]
    fn an_outage_lies_between_commits_on_two_servers_and_gaps_belong_to_sessions() {
        let start = Instant::now();
        let after = |ms| start + Duration::from_millis(ms);
        let shared = Shared::new(1);
        let log = Log {
            commits: vec![commit(1, 1, 0, after(0)), commit(2, 1, 0, after(40)), commit(2, 2, 1, after(340)), commit(1, 3, 1, after(400))],
            servers: vec!["azure".to_owned(), "neon".to_owned()],
            ..Log::default()
        };
        let report = log.report(&shared, 3);
        assert_eq!(report.longest_outage(), 300);
        assert_eq!(report.outages.len(), 1);
        let gaps: Vec<_> = report.longest_gaps.iter().map(|gap| (gap.writer, gap.commits, gap.milliseconds)).collect();
        assert_eq!(gaps, [(1, 2, 400), (2, 2, 300), (3, 0, 0)]);
        assert_eq!(report.commits.get("neon"), Some(&2));
    }

    #[tokio::test]
    async fn a_writer_without_a_server_reports_why() {
        let nowhere = || async { Err::<Connected, ConnectError>("no server yet".into()) };
        let writer = Writer::start(nowhere, WriterOptions { sessions: 2, ..WriterOptions::default() });
        sleep(Duration::from_millis(20)).await;
        assert!(writer.progress().failures > 0);
        let report = writer.stop().await;
        assert!(report.acknowledged.is_empty());
        assert_eq!(report.errors.keys().collect::<Vec<_>>(), ["connect: no server yet"]);
    }
}
