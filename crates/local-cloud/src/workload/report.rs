//! What the writer saw.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::Serialize;

use super::Entry;

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
    /// Adds what a later writer of as many sessions saw.
    pub fn absorb(&mut self, later: Self) {
        self.acknowledged.extend(later.acknowledged);
        self.unknown.extend(later.unknown);
        self.outages.extend(later.outages);
    }

    /// The longest of the outages, in milliseconds; 0 without one.
    pub fn longest_outage(&self) -> u64 {
        self.outages.iter().map(|outage| outage.milliseconds).max().unwrap_or(0)
    }
}

pub(super) struct Shared {
    pub(super) started: Instant,
    pub(super) first_seq: i64,
    pub(super) log: Mutex<Log>,
    pub(super) dialing: tokio::sync::Mutex<()>,
}

impl Shared {
    /// Nothing has happened yet.
    pub(super) fn new(first_seq: i64) -> Self {
        Self { started: Instant::now(), first_seq, log: Mutex::default(), dialing: tokio::sync::Mutex::default() }
    }

    /// The log is only ever appended to, so that it is whole even after a panic of a session that held it.
    pub(super) fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One acknowledged commit. `server` is an index into the log's labels.
pub(super) struct Commit {
    pub(super) entry: Entry,
    pub(super) server: usize,
    pub(super) at: Timestamp,
    pub(super) instant: Instant,
}

#[derive(Default)]
pub(super) struct Log {
    /// In the order of `instant`, which is taken under the lock.
    pub(super) commits: Vec<Commit>,
    pub(super) unknown: Vec<Entry>,
    pub(super) servers: Vec<String>,
    pub(super) errors: BTreeMap<String, u64>,
}

impl Log {
    pub(super) fn server(&mut self, label: &str) -> usize {
        if let Some(known) = self.servers.iter().position(|server| server == label) {
            return known;
        }
        self.servers.push(label.to_owned());
        self.servers.len() - 1
    }

    pub(super) fn acknowledge(&mut self, entry: Entry, server: &str) {
        let server = self.server(server);
        self.commits.push(Commit { entry, server, at: Timestamp::now(), instant: Instant::now() });
    }

    pub(super) fn count(&mut self, error: String) {
        *self.errors.entry(error).or_default() += 1;
    }

    pub(super) fn label(&self, server: usize) -> String {
        self.servers.get(server).cloned().unwrap_or_default()
    }

    pub(super) fn report(self, shared: &Shared, sessions: usize) -> WriterReport {
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

    pub(super) fn longest_gaps(&self, sessions: usize) -> Vec<Gap> {
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

pub(super) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
