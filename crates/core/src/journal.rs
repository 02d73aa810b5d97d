//! The run's memory: a folder with the plan and an append-only journal, held by one process at a time.
//!
//! It holds no secret. What is written is on disk before the next thing is done.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::error::{Error, ErrorKind, Result};
use crate::plan::Plan;

/// One line of the journal.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// When.
    pub at: jiff::Timestamp,
    /// Which step; empty for an entry of the whole run.
    pub step: String,
    /// What.
    #[serde(flatten)]
    pub what: What,
}

/// What the journal says of a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
pub enum What {
    /// About to be applied. Without a `Done` after it, its state is unknown until observed.
    Started,
    /// Applied and observed, or found to be so already.
    Done {
        /// How long it took.
        milliseconds: u64,
        /// It was so already.
        already: bool,
        /// Its named output, for later steps.
        output: serde_json::Value,
    },
    /// Undone and observed to be.
    Undone,
    /// To be done again from the start (the steps of a cut-over that was broken off).
    Reset,
}

/// What is known of a step.
#[derive(Clone, Debug, PartialEq)]
pub enum State {
    /// Nothing was done.
    Pending,
    /// It was begun; how far it came is unknown.
    Started,
    /// It is done.
    Done {
        /// How long it took.
        milliseconds: u64,
        /// It was so before the run.
        already: bool,
        /// Its output.
        output: serde_json::Value,
    },
}

/// The folder of one run, locked for this process.
pub struct RunFolder {
    path: PathBuf,
    journal: Mutex<Journal>,
    _lock: File,
}

struct Journal {
    file: File,
    states: HashMap<String, State>,
    touched: HashMap<String, jiff::Timestamp>,
}

const PLAN: &str = "plan.json";
const JOURNAL: &str = "journal.jsonl";
const LOCK: &str = "lock";

fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Error {
    let what = what.into();
    move |error| Error::new(ErrorKind::RunFolder, what).because(error)
}

impl RunFolder {
    /// Opens or creates the folder and takes its lock.
    pub fn open(path: &Path) -> Result<Self> {
        create_private_folder(path)?;
        let lock_path = path.join(LOCK);
        let lock = open_private(&lock_path, OpenOptions::new().create(true).truncate(false).write(true))?;
        lock.try_lock().map_err(|_| {
            Error::new(ErrorKind::RunFolder, format!("another azure2neon process works on the run in {}", path.display()))
                .hint("wait for it, or stop it (Ctrl-C is safe); then run the same command again")
        })?;
        let states = read_states(path)?;
        let file = open_private(&path.join(JOURNAL), OpenOptions::new().create(true).append(true))?;
        let touched = states.1;
        Ok(Self { path: path.to_owned(), journal: Mutex::new(Journal { file, states: states.0, touched }), _lock: lock })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The plan of this run, if one was made.
    pub fn plan(&self) -> Result<Option<Plan>> {
        read_plan(&self.path)
    }

    /// Keeps the plan. It never changes afterwards.
    pub fn keep_plan(&self, plan: &Plan) -> Result<()> {
        self.keep(PLAN, plan)
    }

    /// Keeps a document beside the plan, replacing it as a whole.
    pub fn keep<T: Serialize>(&self, name: &str, document: &T) -> Result<()> {
        write_document(&self.path, name, document)
    }

    /// A document kept before.
    pub fn kept<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>> {
        read_document(&self.path, name)
    }

    /// Removes a document kept before; no error if there is none.
    pub fn forget(&self, name: &str) -> Result<()> {
        match fs::remove_file(self.path.join(name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(io(format!("could not remove {name}"))(error)),
            _ => Ok(()),
        }
    }

    /// Writes a line and waits until it is on disk, with all before it.
    pub fn record(&self, step: &str, what: What) -> Result<()> {
        self.write(step, what, true)
    }

    /// Writes a line that is on disk with the next [`Self::record`]; for what needs no memory of its own after a crash.
    pub fn record_with_next(&self, step: &str, what: What) -> Result<()> {
        self.write(step, what, false)
    }

    fn write(&self, step: &str, what: What, now: bool) -> Result<()> {
        let entry = Entry { at: crate::clock::now(), step: step.to_owned(), what };
        let mut line =
            serde_json::to_string(&entry).map_err(|error| Error::new(ErrorKind::Internal, "could not write the journal").because(error))?;
        line.push('\n');
        let mut journal = self.lock()?;
        journal
            .file
            .write_all(line.as_bytes())
            .and_then(|()| if now { journal.file.sync_data() } else { Ok(()) })
            .map_err(io(format!("could not write the journal in {}; nothing more is done without it", self.path.display())))?;
        let journal = &mut *journal;
        apply(&mut journal.states, &mut journal.touched, &entry);
        Ok(())
    }

    /// What is known of the step.
    pub fn state(&self, step: &str) -> State {
        self.lock().map_or(State::Pending, |journal| journal.states.get(step).cloned().unwrap_or(State::Pending))
    }

    /// Whether this run began to change something in this step and has not undone it.
    pub fn touched(&self, step: &str) -> bool {
        self.touched_since(step).is_some()
    }

    /// Since when.
    pub fn touched_since(&self, step: &str) -> Option<jiff::Timestamp> {
        self.lock().ok()?.touched.get(step).copied()
    }

    /// The named output of a step that is done.
    pub fn output<T: DeserializeOwned>(&self, step: &str) -> Result<T> {
        match self.state(step) {
            State::Done { output, .. } => serde_json::from_value(output).map_err(|error| {
                Error::new(ErrorKind::RunFolder, format!("the journal's output of {step} is not readable")).because(error)
            }),
            _ => Err(Error::new(ErrorKind::Internal, format!("{step} has no output yet"))),
        }
    }

    /// Removes the folder, in which no run came to be: its own files and these, and itself if nothing else is in it.
    pub fn discard(self, files: &[&str]) {
        // What stays does no harm: the next run takes it up.
        for name in files.iter().chain(&[JOURNAL, LOCK]) {
            let _ = std::fs::remove_file(self.path.join(name));
        }
        let _ = std::fs::remove_dir(&self.path);
    }

    /// Moves the folder aside, so that the next run starts afresh; returns where it is now.
    pub fn archive(self, suffix: &str) -> Result<PathBuf> {
        let mut name = self.path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{suffix}"));
        let target = self.path.with_file_name(name);
        fs::rename(&self.path, &target).map_err(io(format!("could not rename {}", self.path.display())))?;
        Ok(target)
    }

    fn lock(&self) -> Result<std::sync::MutexGuard<'_, Journal>> {
        self.journal.lock().map_err(|_| Error::new(ErrorKind::Internal, "the journal's lock is poisoned"))
    }
}

/// Writes a document into a run's folder without taking its lock, replacing it as a whole.
pub(crate) fn write_document<T: Serialize>(folder: &Path, name: &str, document: &T) -> Result<()> {
    let text = serde_json::to_vec_pretty(document)
        .map_err(|error| Error::new(ErrorKind::Internal, format!("could not write {name}")).because(error))?;
    write_private(&folder.join(name), &text)
}

/// Reads a document of a run's folder without taking its lock.
pub(crate) fn read_document<T: DeserializeOwned>(folder: &Path, name: &str) -> Result<Option<T>> {
    read_json(&folder.join(name))
}

/// Reads a run's plan without taking its lock.
pub fn read_plan(folder: &Path) -> Result<Option<Plan>> {
    read_json(&folder.join(PLAN))
}

/// Reads the entries of a run's journal without taking its lock. A last line that was cut off by a crash is left out.
pub fn read_entries(folder: &Path) -> Result<Vec<Entry>> {
    let path = folder.join(JOURNAL);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(io(format!("could not read {}", path.display()))(error)),
    };
    let mut entries = Vec::new();
    let mut lines = text.split(|byte| *byte == b'\n').peekable();
    while let Some(line) = lines.next() {
        if line.is_empty() {
            continue;
        }
        match serde_json::from_slice(line) {
            Ok(entry) => entries.push(entry),
            Err(_) if lines.peek().is_none() => break,
            Err(error) => {
                return Err(Error::new(ErrorKind::RunFolder, format!("{} is damaged", path.display())).because(error));
            }
        }
    }
    Ok(entries)
}

/// What the journal in this folder says of each step, without taking its lock.
pub fn read_step_states(folder: &Path) -> Result<HashMap<String, State>> {
    Ok(replay(&read_entries(folder)?).0)
}

type States = (HashMap<String, State>, HashMap<String, jiff::Timestamp>);

fn read_states(folder: &Path) -> Result<States> {
    let path = folder.join(JOURNAL);
    let entries = read_entries(folder)?;
    // A line that a crash cut off is ended here, so that the next one starts on its own.
    if let Ok(text) = fs::read(&path)
        && !text.is_empty()
        && !text.ends_with(b"\n")
    {
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        write_private(&path, &text[..whole])?;
    }
    Ok(replay(&entries))
}

fn replay(entries: &[Entry]) -> States {
    let mut states = HashMap::new();
    let mut touched = HashMap::new();
    for entry in entries {
        apply(&mut states, &mut touched, entry);
    }
    (states, touched)
}

fn apply(states: &mut HashMap<String, State>, touched: &mut HashMap<String, jiff::Timestamp>, entry: &Entry) {
    let step = entry.step.clone();
    match &entry.what {
        What::Started => {
            touched.entry(step.clone()).or_insert(entry.at);
            states.insert(step, State::Started);
        }
        What::Done { milliseconds, already, output } => {
            states.insert(step, State::Done { milliseconds: *milliseconds, already: *already, output: output.clone() });
        }
        What::Undone => {
            touched.remove(&step);
            states.insert(step, State::Pending);
        }
        What::Reset => {
            states.insert(step, State::Pending);
        }
    }
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io(format!("could not read {}", path.display()))(error)),
    };
    serde_json::from_slice(&text)
        .map(Some)
        .map_err(|error| Error::new(ErrorKind::RunFolder, format!("{} is not readable", path.display())).because(error))
}

fn create_private_folder(path: &Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(io(format!("could not create the run's folder {}", path.display())))
}

fn open_private(path: &Path, options: &mut OpenOptions) -> Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    options.mode(0o600).open(path).map_err(io(format!("could not open {}", path.display())))
}

/// Replaces a file as a whole, readable by its owner only; a crash leaves the old content or the new one.
pub(crate) fn write_private(path: &Path, content: &[u8]) -> Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = path.with_file_name(name);
    let mut file = open_private(&new, OpenOptions::new().create(true).truncate(true).write(true))?;
    file.write_all(content)
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&new, path))
        .map_err(io(format!("could not write {}", path.display())))?;
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(io(format!("could not sync {}", folder.display())))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    #[test]
    fn a_second_process_is_refused() {
        let folder = folder();
        let _first = RunFolder::open(folder.path()).unwrap();
        let second = RunFolder::open(folder.path()).err().unwrap();
        assert_eq!(second.kind(), ErrorKind::RunFolder);
    }

    #[test]
    fn what_was_recorded_is_known_after_a_crash_in_the_middle_of_a_line() {
        let folder = folder();
        {
            let run = RunFolder::open(folder.path()).unwrap();
            run.record("a", What::Started).unwrap();
            run.record("a", What::Done { milliseconds: 3, already: false, output: serde_json::json!({"x": 1}) }).unwrap();
            run.record("b", What::Started).unwrap();
        }
        let journal = folder.path().join(JOURNAL);
        let mut text = fs::read(&journal).unwrap();
        text.extend_from_slice(b"{\"at\":\"2026-");
        fs::write(&journal, text).unwrap();

        let run = RunFolder::open(folder.path()).unwrap();
        assert_eq!(run.output::<serde_json::Value>("a").unwrap(), serde_json::json!({"x": 1}));
        assert_eq!(run.state("b"), State::Started);
        run.record("b", What::Undone).unwrap();
        drop(run);
        let run = RunFolder::open(folder.path()).unwrap();
        assert_eq!(run.state("b"), State::Pending);
        assert!(!run.touched("b"));
        assert!(run.touched("a"));
    }
}
