//! The writer: an application of the sample company Bikeparts that goes on writing while its database is moved.
//!
//! It notes every commit that was acknowledged to it, every one whose answer was lost, and how long it could not write.
//! [`verify`] then asks a server whether each acknowledged commit is there, once. It needs the schema of `fixtures/databases/bikeparts`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::error::Error as StdError;
use std::fmt::Write as _;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_postgres::Client;

/// How long to wait before asking the connector again after it could not connect; short, because it bounds how exact an outage is measured.
const RECONNECT_PAUSE: Duration = Duration::from_millis(2);
/// The same after a server that does answer refused to write. Longer, because each attempt costs that server a process.
const REFUSED_PAUSE: Duration = Duration::from_millis(5);
/// After this long without an answer a connection counts as lost.
const PATIENCE: Duration = Duration::from_secs(10);

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
/// Called once a session at the start, and again each time a connection is lost or a write is refused, by all sessions at once and every few
/// milliseconds while it fails. So it must look its destination up anew in each call, return quickly, and not retry by itself.
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
    /// How long each session rests between two transactions.
    pub pause_between: Duration,
}

impl Default for WriterOptions {
    fn default() -> Self {
        Self { sessions: 4, pause_between: Duration::from_millis(5) }
    }
}

/// What the writer has done so far.
#[derive(Debug, Clone, Serialize)]
pub struct Progress {
    /// Commits that were acknowledged.
    pub acknowledged: usize,
    /// Commits whose answer was lost.
    pub unknown: usize,
    /// Connections and writes that failed, whatever the reason.
    pub failures: u64,
    /// The server that acknowledged last.
    pub server: Option<String>,
    /// When it did.
    pub last_commit: Option<Timestamp>,
    /// Milliseconds since then, or since the start.
    pub silent_milliseconds: u64,
}

/// Two neighbouring commits of all sessions of which the second was on another server: the outage that users saw.
///
/// A hand-over makes one. More than one means that two servers took writes at the same time.
#[derive(Debug, Clone, Serialize)]
pub struct Outage {
    /// Label of the server of the last commit before.
    pub from: String,
    /// Label of the server of the first commit after.
    pub to: String,
    /// When the last commit on the old server was acknowledged.
    pub last_commit: Timestamp,
    /// When the first commit on the new server was acknowledged.
    pub first_commit: Timestamp,
    /// The time between the two, by a monotonic clock.
    pub milliseconds: u64,
}

/// The longest time that one session went without an acknowledged commit.
#[derive(Debug, Clone, Serialize)]
pub struct Gap {
    /// The session's writer number.
    pub writer: i32,
    /// The commits it got acknowledged in all.
    pub commits: usize,
    /// The commit before the gap; `None` with less than two commits.
    pub last_commit: Option<Timestamp>,
    /// The commit after the gap.
    pub first_commit: Option<Timestamp>,
    /// The gap's length.
    pub milliseconds: u64,
}

/// All that the writer saw, from its start until it was stopped.
#[derive(Debug, Clone, Serialize)]
pub struct WriterReport {
    /// Transactions whose commit was acknowledged. They must be in the database, once.
    pub acknowledged: Vec<Entry>,
    /// Transactions whose commit was sent and whose answer was lost. They may be in the database, once.
    pub unknown: Vec<Entry>,
    /// Changes of server, in order.
    pub outages: Vec<Outage>,
    /// Each session's longest gap, by writer number.
    pub longest_gaps: Vec<Gap>,
    /// Acknowledged commits by the server's label.
    pub commits: BTreeMap<String, usize>,
    /// What failed, and how often.
    pub errors: BTreeMap<String, u64>,
    /// Milliseconds from the last acknowledged commit, or from the start if there was none, to the stop.
    pub silent_milliseconds: u64,
    /// Sessions that wrote.
    pub sessions: usize,
    /// No transaction of this writer has a lower sequence number.
    pub first_seq: i64,
}

impl WriterReport {
    /// The longest of the outages, in milliseconds; 0 without one.
    pub fn longest_outage(&self) -> u64 {
        self.outages.iter().map(|outage| outage.milliseconds).max().unwrap_or(0)
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
        let shared = Arc::new(Shared { started: Instant::now(), first_seq: first_seq(), log: Mutex::new(Log::default()) });
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
                    pause_between: options.pause_between,
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

/// What a server holds of a writer's transactions.
#[derive(Debug, Clone, Serialize)]
pub struct Verdict {
    /// Acknowledged transactions that were looked for.
    pub acknowledged: usize,
    /// Acknowledged transactions that the server lacks, in whole or in part.
    pub missing: Vec<Entry>,
    /// Transactions that the server holds more than once.
    pub doubled: Vec<Entry>,
    /// Transactions of which the server holds a part only, acknowledged or not.
    pub torn: Vec<Entry>,
    /// Transactions that the server holds although the application was told that they failed.
    pub unexpected: Vec<Entry>,
    /// Of the transactions whose answer was lost, the number that did commit.
    pub unknown_committed: usize,
}

impl Verdict {
    /// Whether the server holds every acknowledged transaction once, and nothing else.
    pub fn is_clean(&self) -> bool {
        self.missing.is_empty() && self.doubled.is_empty() && self.torn.is_empty() && self.unexpected.is_empty()
    }
}

/// Compares what the writer was told with what the server behind `client` holds. Call it when the writer has stopped.
///
/// # Errors
/// When the two ledgers can't be read.
pub async fn verify(client: &Client, report: &WriterReport) -> Result<Verdict, tokio_postgres::Error> {
    let sessions = i32::try_from(report.sessions).unwrap_or(i32::MAX);
    let mut held: HashMap<Entry, (i64, i64)> = HashMap::new();
    // The copy has no key: what is applied twice fails in the ledger itself, or shows here.
    let rows = client
        .query(
            "SELECT writer, seq, count(*) FILTER (WHERE ledger), count(*) FILTER (WHERE NOT ledger)
             FROM (SELECT writer, seq, true AS ledger FROM app.ledger
                   UNION ALL
                   SELECT writer, seq, false FROM app.ledger_copy) AS entries
             WHERE writer BETWEEN 1 AND $1 AND seq >= $2
             GROUP BY writer, seq",
            &[&sessions, &report.first_seq],
        )
        .await?;
    for row in rows {
        held.insert((row.try_get(0)?, row.try_get(1)?), (row.try_get(2)?, row.try_get(3)?));
    }

    let acknowledged: BTreeSet<Entry> = report.acknowledged.iter().copied().collect();
    let unknown: BTreeSet<Entry> = report.unknown.iter().copied().collect();
    let sorted = |wanted: &dyn Fn(&Entry, i64, i64) -> bool| {
        let mut entries: Vec<Entry> =
            held.iter().filter(|(entry, (ledger, copy))| wanted(entry, *ledger, *copy)).map(|(entry, _)| *entry).collect();
        entries.sort_unstable();
        entries
    };
    Ok(Verdict {
        acknowledged: acknowledged.len(),
        missing: acknowledged
            .iter()
            .filter(|entry| held.get(entry).is_none_or(|(ledger, copy)| *ledger == 0 || *copy == 0))
            .copied()
            .collect(),
        doubled: sorted(&|_, ledger, copy| ledger > 1 || copy > 1),
        torn: sorted(&|_, ledger, copy| ledger == 0 || copy == 0),
        unexpected: sorted(&|entry, _, _| !acknowledged.contains(entry) && !unknown.contains(entry)),
        unknown_committed: unknown.iter().filter(|entry| held.contains_key(entry)).count(),
    })
}

struct Shared {
    started: Instant,
    first_seq: i64,
    log: Mutex<Log>,
}

impl Shared {
    /// The log is only ever appended to, so that it is whole even after a panic of a session that held it.
    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One acknowledged commit. `server` is an index into the log's labels.
struct Commit {
    entry: Entry,
    server: usize,
    at: Timestamp,
    instant: Instant,
}

#[derive(Default)]
struct Log {
    /// In the order of `instant`, which is taken under the lock.
    commits: Vec<Commit>,
    unknown: Vec<Entry>,
    servers: Vec<String>,
    errors: BTreeMap<String, u64>,
}

impl Log {
    fn server(&mut self, label: &str) -> usize {
        if let Some(known) = self.servers.iter().position(|server| server == label) {
            return known;
        }
        self.servers.push(label.to_owned());
        self.servers.len() - 1
    }

    fn acknowledge(&mut self, entry: Entry, server: &str) {
        let server = self.server(server);
        self.commits.push(Commit { entry, server, at: Timestamp::now(), instant: Instant::now() });
    }

    fn count(&mut self, error: String) {
        *self.errors.entry(error).or_default() += 1;
    }

    fn label(&self, server: usize) -> String {
        self.servers.get(server).cloned().unwrap_or_default()
    }

    fn report(self, shared: &Shared, sessions: usize) -> WriterReport {
        let outages = self
            .commits
            .iter()
            .zip(self.commits.iter().skip(1))
            .filter(|(before, after)| before.server != after.server)
            .map(|(before, after)| Outage {
                from: self.label(before.server),
                to: self.label(after.server),
                last_commit: before.at,
                first_commit: after.at,
                milliseconds: milliseconds(after.instant.duration_since(before.instant)),
            })
            .collect();
        let mut commits: BTreeMap<String, usize> = BTreeMap::new();
        for commit in &self.commits {
            *commits.entry(self.label(commit.server)).or_default() += 1;
        }
        let silent_since = self.commits.last().map_or(shared.started, |commit| commit.instant);
        WriterReport {
            outages,
            longest_gaps: self.longest_gaps(sessions),
            commits,
            silent_milliseconds: milliseconds(silent_since.elapsed()),
            sessions,
            first_seq: shared.first_seq,
            acknowledged: self.commits.iter().map(|commit| commit.entry).collect(),
            unknown: self.unknown,
            errors: self.errors,
        }
    }

    fn longest_gaps(&self, sessions: usize) -> Vec<Gap> {
        let mut by_writer: BTreeMap<i32, Vec<&Commit>> =
            (1..=i32::try_from(sessions).unwrap_or(i32::MAX)).map(|writer| (writer, Vec::new())).collect();
        for commit in &self.commits {
            by_writer.entry(commit.entry.0).or_default().push(commit);
        }
        by_writer
            .into_iter()
            .map(|(writer, commits)| {
                let longest = commits
                    .iter()
                    .zip(commits.iter().skip(1))
                    .map(|(before, after)| (after.instant.duration_since(before.instant), before.at, after.at))
                    .max_by_key(|(length, _, _)| *length);
                Gap {
                    writer,
                    commits: commits.len(),
                    last_commit: longest.map(|(_, before, _)| before),
                    first_commit: longest.map(|(_, _, after)| after),
                    milliseconds: longest.map_or(0, |(length, _, _)| milliseconds(length)),
                }
            })
            .collect()
    }
}

/// How one attempt at a transaction ended.
enum Attempt {
    Acknowledged,
    /// The transaction is rolled back, and the connection is as good as before.
    RolledBack(String),
    /// The server doesn't take this write, or the connection is lost; the transaction surely didn't commit.
    Refused(String),
    /// COMMIT was sent and nobody knows what became of it.
    Unknown(String),
}

struct Session {
    writer: i32,
    /// The sequence number of the last attempt. Each attempt takes a new one, whatever becomes of it.
    seq: i64,
    dice: fastrand::Rng,
    shared: Arc<Shared>,
    stopping: watch::Receiver<bool>,
    pause_between: Duration,
}

impl Session {
    async fn run<C: Connect>(mut self, connect: Arc<C>) {
        while !self.stopped() {
            let connecting = tokio::select! {
                connecting = timeout(PATIENCE, connect.connect()) => connecting,
                _ = self.stopping.changed() => continue,
            };
            match connecting {
                Ok(Ok(connection)) => {
                    self.write_through(&connection).await;
                    self.rest(REFUSED_PAUSE).await;
                }
                Ok(Err(error)) => {
                    self.failed("connect", &describe(error.as_ref()));
                    self.rest(RECONNECT_PAUSE).await;
                }
                Err(_) => self.failed("connect", "no answer"),
            }
        }
    }

    /// Writes until the connection is lost, the server refuses, or the writer is stopped.
    async fn write_through(&mut self, connection: &Connected) {
        while !self.stopped() {
            self.seq += 1;
            let entry = (self.writer, self.seq);
            match self.attempt(&connection.client).await {
                Attempt::Acknowledged => self.shared.log().acknowledge(entry, &connection.server),
                Attempt::RolledBack(why) => self.failed("write", &why),
                Attempt::Refused(why) => return self.failed("write", &why),
                Attempt::Unknown(why) => {
                    self.shared.log().unknown.push(entry);
                    return self.failed("commit", &why);
                }
            }
            self.rest(self.pause_between).await;
        }
    }

    /// One transaction in two round trips, so that a far server slows the application down as little as possible.
    async fn attempt(&mut self, client: &Client) -> Attempt {
        let body = transaction(self.writer, self.seq, self.seq - self.shared.first_seq, &mut self.dice);
        match timeout(PATIENCE, client.batch_execute(&body)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) if is_only_this_transaction(&error) => {
                return match timeout(PATIENCE, client.batch_execute("ROLLBACK")).await {
                    Ok(Ok(())) => Attempt::RolledBack(describe(&error)),
                    _ => Attempt::Refused(describe(&error)),
                };
            }
            Ok(Err(error)) => return Attempt::Refused(describe(&error)),
            Err(_) => return Attempt::Refused("no answer".to_owned()),
        }
        match timeout(PATIENCE, client.batch_execute("COMMIT")).await {
            Ok(Ok(())) => Attempt::Acknowledged,
            // The server says itself that it didn't commit. A FATAL, like "terminating connection", says no such thing: it may arrive in place
            // of the answer to a commit that was made.
            Ok(Err(error)) if is_only_this_transaction(&error) => Attempt::RolledBack(describe(&error)),
            Ok(Err(error)) => Attempt::Unknown(describe(&error)),
            Err(_) => Attempt::Unknown("no answer".to_owned()),
        }
    }

    fn failed(&self, doing: &str, why: &str) {
        self.shared.log().count(format!("{doing}: {why}"));
    }

    fn stopped(&self) -> bool {
        // A dropped writer can't be stopped by anyone any more, so it stops by itself.
        *self.stopping.borrow() || self.stopping.has_changed().is_err()
    }

    async fn rest(&mut self, pause: Duration) {
        tokio::select! {
            () = sleep(pause) => {}
            _ = self.stopping.changed() => {}
        }
    }
}

/// Whether an error concerns one transaction and not the server: a broken constraint, a deadlock, a serialization failure.
fn is_only_this_transaction(error: &tokio_postgres::Error) -> bool {
    error.code().is_some_and(|state| matches!(state.code().get(..2), Some("23" | "40")))
}

/// What an error says, with the SQLSTATE in front or the deepest cause at the end; it is used as a key, so it holds no values.
fn describe(error: &(dyn StdError + 'static)) -> String {
    let mut cause = Some(error);
    while let Some(current) = cause {
        if let Some(refusal) = current.downcast_ref::<tokio_postgres::error::DbError>() {
            return format!("{} {}", refusal.code().code(), refusal.message());
        }
        cause = current.source();
        if cause.is_none() {
            return current.to_string();
        }
    }
    error.to_string()
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A number above all that an earlier writer can have used: microseconds since 1970.
fn first_seq() -> i64 {
    Timestamp::now().as_microsecond()
}

/// The statements of one transaction but its COMMIT. They are made of numbers only, so that nothing needs to be quoted.
///
/// Always an entry in both ledgers and an order with its lines; the rest takes turns. Rows that sessions could fight over are touched in
/// one order or belong to one writer, so that deadlocks stay rare.
fn transaction(writer: i32, seq: i64, turn: i64, dice: &mut fastrand::Rng) -> String {
    let part = dice.i32(1..=11_990);
    let customer = dice.i32(1..=12_000);
    let lines = dice.i32(1..=4);
    let mut sql = format!(
        "BEGIN;
         INSERT INTO app.ledger (writer, seq, placed_at) VALUES ({writer}, {seq}, clock_timestamp());
         INSERT INTO app.ledger_copy (writer, seq) VALUES ({writer}, {seq});
         WITH placed AS (
           INSERT INTO sales.orders (customer_id, state, note) VALUES ({customer}, 'placed', 'writer {writer}') RETURNING id
         )
         INSERT INTO sales.order_lines (order_id, part_id, quantity, unit_price)
           SELECT id, {part} + line, line, 9.99 * line FROM placed, generate_series(1, {lines}) AS line;"
    );
    let row = dice.i32(1..=100_000);
    let statements = match turn % 8 {
        0 => format!(
            "UPDATE stock.levels SET quantity = quantity - {lines}, counted_at = clock_timestamp() WHERE part_id = {part} AND warehouse_id = 1;
             INSERT INTO stock.movements (part_id, warehouse_id, quantity, reason) VALUES ({part}, 1, -{lines}, 'sold');
             SELECT nextval('app.carousel');"
        ),
        // Deletes and updates of rows that the sample data came with, which is where a copy and a replication meet.
        1 => format!(
            "DELETE FROM app.events WHERE id = (SELECT min(id) FROM app.events WHERE id > {row} % 30000 AND id <= 30000);
             INSERT INTO app.events (kind, body) VALUES ('order', jsonb_build_object('writer', {writer}, 'part', {part}));
             DELETE FROM sales.order_lines WHERE id = {row};"
        ),
        // No key. A visitor belongs to one writer.
        2 => format!(
            "INSERT INTO app.visits VALUES ({writer} + 1000, '/p/{lines}', 1, NULL, date '2026-01-01' + {lines});
             UPDATE app.visits SET hits = coalesce(hits, 0) + 1 WHERE visitor = {writer} + 1000 AND page = '/p/{lines}' AND hits < 5;
             DELETE FROM app.visits WHERE visitor = {writer} + 1000 AND hits >= 5;"
        ),
        // No primary key, but a unique index.
        3 => format!(
            "INSERT INTO app.sensor_readings VALUES (100 + {writer}, clock_timestamp(), {lines} + 0.5, NULL);
             UPDATE app.sensor_readings SET humidity = 0.25 * {lines}
               WHERE sensor = 100 + {writer} AND read_at = (SELECT max(read_at) FROM app.sensor_readings WHERE sensor = 100 + {writer});
             DELETE FROM app.sensor_readings
               WHERE sensor = 1 + {writer} % 8
                 AND read_at = (SELECT min(read_at) FROM app.sensor_readings WHERE sensor = 1 + {writer} % 8 AND read_at < '2026-01-01');"
        ),
        // A row that moves from one partition to another. Rows with a reason may have notes, which don't move with them.
        4 => format!(
            "UPDATE stock.movements SET moved_at = moved_at + interval '1 year' WHERE id = {row} AND reason IS NULL;
             INSERT INTO stock.movements (part_id, warehouse_id, quantity, moved_at)
               VALUES ({part}, 2, {lines}, timestamptz '2022-06-01 00:00+00' + {row} * interval '17 minutes');
             SELECT nextval('app.rewound');"
        ),
        // The document's content lies outside its row and stays as it is, so that logical decoding doesn't send it.
        5 => format!(
            "UPDATE catalog.part_documents SET title = 'Manual, read by {writer}' WHERE id = 1 + {row} % 500;
             UPDATE catalog.parts SET net_price = {row} / 100.0 WHERE id = {part};"
        ),
        6 => format!(
            "INSERT INTO app.jobs (state, payload) VALUES ('waiting', json_build_object('writer', {writer}));
             DELETE FROM app.jobs WHERE id = (SELECT min(id) FROM app.jobs WHERE id > {row} % 5000 AND id <= 5000);
             INSERT INTO sales.customers (name, email) VALUES ('Customer of {writer}', 'w{writer}.{seq}@example.org');
             INSERT INTO \"Werkstatt\".\"Repair Jobs\" (\"Kunde\", \"Größe\") VALUES ({customer}, 'groß');"
        ),
        _ => format!(
            "WITH billed AS (SELECT max(id) AS id FROM sales.orders WHERE customer_id = {customer})
             INSERT INTO sales.invoices (order_id, issued_on) SELECT id, current_date FROM billed WHERE id IS NOT NULL ON CONFLICT DO NOTHING;
             UPDATE sales.orders SET state = 'paid' WHERE id = 1 + {row} % 40000;
             INSERT INTO app.settings (name, value) VALUES ('writer.{writer}', '{seq}')
               ON CONFLICT (name) DO UPDATE SET value = excluded.value;"
        ),
    };
    // Writing to a String doesn't fail.
    let _ = write!(sql, "\n{statements}");
    sql
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commit(writer: i32, seq: i64, server: usize, at: Instant) -> Commit {
        Commit { entry: (writer, seq), server, at: Timestamp::UNIX_EPOCH, instant: at }
    }

    #[test]
    fn an_outage_lies_between_commits_on_two_servers_and_gaps_belong_to_sessions() {
        let start = Instant::now();
        let after = |ms| start + Duration::from_millis(ms);
        let shared = Shared { started: start, first_seq: 1, log: Mutex::default() };
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
