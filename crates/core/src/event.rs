//! What happens, for renderers. The library says it; only renderers decide how it looks.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::plan::{Finding, Stage};

/// Something that happened. Step edges, findings and outcomes must be kept; `Progress`, `Copy` and `Waiting` may be dropped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// A run begins or goes on.
    Run {
        /// The run's id.
        run: String,
        /// The folder of its plan and journal.
        folder: String,
        /// Whether an earlier process began it.
        resumed: bool,
        /// As whom the source's cloud is used.
        identity: String,
    },
    /// A finding of the plan.
    Finding(Finding),
    /// A stage begins.
    Stage {
        /// Which one.
        stage: Stage,
    },
    /// A step begins.
    StepStarted {
        /// Its id.
        step: String,
        /// What it does.
        what: String,
    },
    /// A step is done and was observed to be.
    StepDone {
        /// Its id.
        step: String,
        /// How long it took.
        milliseconds: u64,
        /// Whether it was so already, and nothing had to be done.
        already: bool,
        /// The result in a few words; may be empty.
        note: String,
    },
    /// A step failed.
    StepFailed {
        /// Its id.
        step: String,
        /// What failed.
        message: String,
    },
    /// A step was undone, and observed to be.
    Undone {
        /// Its id.
        step: String,
        /// How long it took.
        milliseconds: u64,
    },
    /// A step waits.
    Waiting {
        /// Its id.
        step: String,
        /// For what.
        reason: String,
        /// Since how many seconds.
        seconds: u64,
        /// Until how many seconds at most; none where only the operator ends the wait.
        deadline_seconds: Option<u64>,
    },
    /// How far a step is.
    Progress {
        /// Its id.
        step: String,
        /// Units done.
        done: u64,
        /// Units in all.
        total: u64,
        /// Tables, bytes, statements, …
        unit: String,
        /// More, for people; may be empty.
        detail: String,
    },
    /// How far a copy through this machine is.
    Copy(CopyProgress),
    /// Fewer or more workers copy than before, because of what the source bears.
    Workers {
        /// The step's id.
        step: String,
        /// How many copy now.
        workers: usize,
        /// How many would if the source were at ease.
        of: usize,
        /// Why.
        reason: String,
    },
    /// WAL of the source that the target has not confirmed.
    Lag {
        /// In bytes, from the source's insert position to the slot's confirmed position.
        bytes: u64,
    },
    /// Something that the operator should read.
    Notice {
        /// The text.
        text: String,
    },
    /// How long the parts of the cut-over took, some of them at the same time.
    Timeline {
        /// In the order in which they began.
        parts: Vec<TimelinePart>,
        /// From right before the fence to the first write of a new client on the target.
        outage_milliseconds: f64,
    },
    /// What was closed takes writes again, after a cut-over or rollback that was not completed.
    Reopened {
        /// `source` or `target`.
        which: String,
        /// Why.
        reason: String,
        /// How long writes were refused.
        milliseconds: u64,
    },
}

/// A part of a cut-over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TimelinePart {
    /// The step, or what was done besides.
    pub part: String,
    /// When it began, in milliseconds since right before the fence.
    pub at: f64,
    /// How long it took.
    pub milliseconds: f64,
}

/// How far a copy through this machine is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CopyProgress {
    /// The step's id.
    pub step: String,
    /// Tables whose rows are all in.
    pub tables: usize,
    /// Tables in all.
    pub of_tables: usize,
    /// Bytes that have gone through this machine.
    pub bytes: u64,
    /// How many it will be: an estimate.
    pub of_bytes: u64,
    /// Rows that are in.
    pub rows: u64,
    /// Over the last ten seconds; none at the beginning.
    pub bytes_per_second: Option<u64>,
    /// How long the rows will take still, at least and at most; none as long as that would mean nothing.
    pub seconds_left: Option<(u64, u64)>,
    /// The largest tables under way, the largest first.
    pub under_way: Vec<TableUnderWay>,
}

impl CopyProgress {
    /// Whether nothing is left to do: no later one says more.
    pub fn is_last(&self) -> bool {
        self.tables == self.of_tables && self.under_way.is_empty()
    }
}

/// A table that is being copied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableUnderWay {
    /// Its name, with its schema, unquoted.
    pub table: String,
    /// Its rows are in; indexes and statistics are made.
    pub indexing: bool,
    /// How much of its rows is in: an estimate.
    pub percent: u8,
    /// Parts that are in.
    pub parts: usize,
    /// Parts in all.
    pub of_parts: usize,
    /// Bytes of it that have gone through this machine.
    pub bytes: u64,
    /// Rows that are in.
    pub rows: u64,
}

/// Consumes events.
pub trait Observer: Send + Sync {
    /// Called in order, from one task at a time; must not block for long.
    fn event(&self, event: &Event);
}

/// The handle through which the library says what happens.
#[derive(Clone)]
pub struct Events(Arc<dyn Observer>);

impl Events {
    /// Events for this observer.
    pub fn new(observer: Arc<dyn Observer>) -> Self {
        Self(observer)
    }

    /// Says it.
    pub fn say(&self, event: Event) {
        self.0.event(&event);
    }

    /// Says what a step found on its way.
    pub fn progress_note(&self, step: &str, text: &str) {
        self.say(Event::Notice { text: format!("{step}: {text}") });
    }

    /// Says something in words.
    pub fn notice(&self, text: impl Into<String>) {
        self.say(Event::Notice { text: text.into() });
    }
}
