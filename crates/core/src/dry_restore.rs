//! A dry restore: the source's schema in a throwaway place on the target's side, so that each statement that would fail is known, with
//! its cause, before anything is begun.
//!
//! The place is a branch of an existing project, or a project of its own where a new one is planned: its compute serves nobody, and
//! whatever the statements do goes with it. What is made is written down in the run's folder first, so that the next dry restore, run or
//! abort in that folder removes what a killed one left.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use azure2neon_postgres::schema::{self, Cause, Entry, Failure};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::access::Access;
use crate::checks;
use crate::clock;
use crate::cloud::{LostPassword, ProjectSpec, TargetDatabase, TargetProject, TargetSettings};
use crate::context::{Clouds, target_endpoint};
use crate::engine::unless_stopped;
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Event, Events};
use crate::journal::{RunFolder, read_document};
use crate::plan::{Finding, Plan};
use crate::settings::Settings;
use crate::steps::import_schema;
use crate::units;

/// As what it is known to whoever hears events.
const STEP: &str = "dry-restore";
/// The file in the run's folder that says what to remove.
const FILE: &str = "dry-restore.json";
/// So long the dump may take, and then the restore. No row is moved; a statement takes milliseconds.
const MOST: Duration = Duration::from_secs(30 * 60);
/// So many followers of a cause are named,
const NAMED: usize = 5;
/// so many of all are in its remedy,
const LISTED: usize = 20;
/// and so much of its statement is shown.
const SHOWN: usize = 160;

/// What a dry restore needs.
pub struct DryRestore<'a> {
    /// What was decided.
    pub plan: &'a Plan,
    /// The operator's settings.
    pub settings: &'a Settings,
    /// Both clouds.
    pub clouds: &'a Clouds,
    /// How to log in to the source.
    pub access: &'a Access,
    /// The run's folder, in which there is no run yet.
    pub folder: &'a RunFolder,
    /// Where to say what happens.
    pub events: &'a Events,
}

/// Where the schema is restored.
#[derive(Serialize, Deserialize)]
struct Place {
    /// The name of the branch or project; it holds the run's id, so nobody else's has it.
    name: String,
    /// The project that it is a branch of, if it is one.
    branch_of: Option<TargetProject>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.branch_of {
            None => write!(f, "Neon project {}", self.name),
            Some(project) => write!(f, "branch {} of the Neon project {}", self.name, project.name),
        }
    }
}

impl Place {
    /// Removes it, if it is there, and what says that it may be.
    async fn remove(&self, clouds: &Clouds, folder: &RunFolder) -> Result<()> {
        let removed = async {
            if let Some(project) = &self.branch_of {
                return clouds.target.delete_branch(project, &self.name).await;
            }
            match clouds.target.find(&self.name).await? {
                Some(project) => clouds.target.delete(&project).await,
                None => Ok(()),
            }
        };
        let hint = || format!("`azure2neon abort` tries again; or delete the {self} in the Neon console");
        removed.await.map_err(|error: Error| error.or_hint(hint()))?;
        folder.forget(FILE)
    }
}

/// Whether a dry restore that was killed may have left something; without taking the folder's lock.
pub fn is_left_over(folder: &Path) -> Result<bool> {
    Ok(read_document::<Place>(folder, FILE)?.is_some())
}

/// Removes what a dry restore left that was killed. Whether there was something.
pub async fn remove_left_over(clouds: &Clouds, folder: &RunFolder, events: &Events) -> Result<bool> {
    let Some(place) = folder.kept::<Place>(FILE)? else { return Ok(false) };
    place.remove(clouds, folder).await?;
    events.notice(format!("The {place}, which a dry restore may have left, is removed."));
    Ok(true)
}

impl DryRestore<'_> {
    /// Restores the schema and returns what came of it. The place is removed in any case, also when `stop` turns true.
    pub async fn run(&self, stop: watch::Receiver<bool>) -> Result<Vec<Finding>> {
        remove_left_over(self.clouds, self.folder, self.events).await?;
        let place = self.place().await?;
        let (what, since) = (format!("restore the schema into the {place}, which is removed again"), clock::stopwatch());
        self.events.say(Event::StepStarted { step: STEP.into(), what });
        let entries = unless_stopped(stop.clone(), within("dump the schema", self.dump())).await?;
        self.folder.keep(FILE, &place)?;
        let restored = async {
            // Not interrupted: what was only just asked for might come into being after it was looked for.
            let (project, database) = self.make(&place).await?;
            unless_stopped(stop, within("restore the schema", self.restore(&project, &database, &entries))).await
        };
        let (restored, removed) = (restored.await, place.remove(self.clouds, self.folder).await);
        let failures = match (restored, removed) {
            (Ok(failures), Ok(())) => failures,
            (Err(error), Ok(())) | (Ok(_), Err(error)) => return Err(error.in_step(STEP)),
            (Err(error), Err(left)) => return Err(error.and(&left).hint("`azure2neon abort` removes what is left").in_step(STEP)),
        };
        let milliseconds = clock::milliseconds_since(since);
        let note = format!("{} of {} statements failed", failures.len(), entries.len());
        self.events.say(Event::StepDone { step: STEP.into(), milliseconds, already: false, note });
        let mut findings = findings(self.settings, &entries, failures, milliseconds);
        checks::accept(&mut findings, &self.settings.accepted)?;
        Ok(findings)
    }

    async fn place(&self) -> Result<Place> {
        let (target, name) = (&self.plan.target, format!("{}_dry_restore", self.plan.names().mark));
        let Some(id) = &target.project_id else { return Ok(Place { name, branch_of: None }) };
        let project = self.clouds.target.open(id, target.branch.as_deref()).await?;
        let gone = || Error::new(ErrorKind::NotFound, format!("the Neon project {} or its branch is gone", target.project));
        Ok(Place { name, branch_of: Some(project.ok_or_else(gone)?) })
    }

    async fn dump(&self) -> Result<Vec<Entry>> {
        let source = &self.plan.source;
        let mark = self.plan.names().mark;
        let endpoint = self.access.source_endpoint(self.settings, &source.server.host, &source.user, &mark).await?;
        let session = self.access.connect(&source.server, &endpoint).await?;
        import_schema::dump(self.plan, self.settings, (&session, &endpoint), self.folder.path()).await
    }

    /// Makes the place with an empty database.
    async fn make(&self, place: &Place) -> Result<(TargetProject, TargetDatabase)> {
        let target = &self.plan.target;
        if let Some(project) = &place.branch_of {
            let branch = self.clouds.target.create_branch(project, &place.name).await?;
            // The planned one may be there, with whatever it holds.
            let database = TargetDatabase { name: place.name.clone(), owner: target.role.clone() };
            self.clouds.target.create_database(&branch, &database).await?;
            return Ok((branch, database));
        }
        let spec = ProjectSpec {
            name: place.name.clone(),
            region: target.region.clone(),
            major: target.major,
            database: target.database.clone(),
            role: target.role.clone(),
            settings: TargetSettings { history_seconds: Some(0), ..TargetSettings::default() },
            publishes: false,
        };
        Ok((self.clouds.target.create(&spec).await?, target.database()))
    }

    /// Executes every entry, as the steps that import the schema do, and returns those that are refused.
    async fn restore(&self, project: &TargetProject, database: &TargetDatabase, entries: &[Entry]) -> Result<Vec<Failure>> {
        // A new password locks nobody out: a branch's roles are its own.
        let connection = self.clouds.target.connection(project, database, LostPassword::Replace).await?;
        let mark = self.plan.names().mark;
        let mut target = target_endpoint(self.settings, self.access, connection, &mark).connect().await?;
        Ok(schema::apply(&mut target, &mark, entries, &mut |done, total| {
            self.events.say(Event::Progress {
                step: STEP.into(),
                done: done as u64,
                total: total as u64,
                unit: "objects".into(),
                detail: String::new(),
            });
        })
        .await?)
    }
}

async fn within<T>(what: &str, work: impl Future<Output = Result<T>>) -> Result<T> {
    let late = |_| Error::new(ErrorKind::Timeout, format!("could not {what} within {} minutes", MOST.as_secs() / 60));
    tokio::time::timeout(MOST, work).await.map_err(late)?
}

/// One finding for each cause; a note if there is none. A failure that is expected is none, but what it brings about may be.
fn findings(settings: &Settings, entries: &[Entry], failures: Vec<Failure>, milliseconds: u64) -> Vec<Finding> {
    let is_expected = |failure: &Failure| import_schema::is_expected(settings, &failure.kind, &failure.name);
    let expected: Vec<String> = failures.iter().filter(|one| is_expected(one)).map(title).collect();
    let unexpected = |mut cause: Cause| {
        cause.followers.retain(|follower| !is_expected(follower));
        (!cause.followers.is_empty() || !is_expected(&cause.failure)).then_some(cause)
    };
    let mut causes: Vec<Cause> = schema::causes(entries, failures).into_iter().filter_map(unexpected).collect();
    causes.sort_by_key(|cause| std::cmp::Reverse(cause.followers.len()));
    if causes.is_empty() {
        let restored = format!("{} of {} schema statements restored", entries.len() - expected.len(), entries.len());
        let what = match &expected[..] {
            [] => format!("{} schema statements, all restored in {}", entries.len(), units::milliseconds(milliseconds)),
            expected => {
                format!("{restored} in {}; not, as expected: {}", units::milliseconds(milliseconds), units::listed(expected, NAMED))
            }
        };
        return vec![checks::dry_restored::CHECK.finding(what, "nothing to do")];
    }
    causes.iter().map(|cause| checks::dry_restore::CHECK.finding(describe(cause), remedy(cause))).collect()
}

fn title(failure: &Failure) -> String {
    format!("{} {}", failure.kind, failure.name)
}

fn describe(cause: &Cause) -> String {
    let Cause { failure, followers } = cause;
    let state = failure.sqlstate.as_deref().map(|state| format!(" (SQLSTATE {state})")).unwrap_or_default();
    let statement = failure.sql.split_whitespace().collect::<Vec<_>>().join(" ");
    let statement: String = statement.trim_end_matches(';').chars().take(SHOWN).collect();
    let because = match followers.len() {
        0 => String::new(),
        1 => "; 1 other fails because of it: ".to_owned(),
        many => format!("; {many} others fail because of it: "),
    };
    let names: Vec<String> = followers.iter().map(title).collect();
    // The server's hint is for whoever runs the server.
    let message = failure.message.split("; hint: ").next().unwrap_or_default();
    format!("{} is refused: {message}{state}: {statement}{because}{}", title(failure), units::listed(&names, NAMED))
}

fn remedy(cause: &Cause) -> String {
    let all: Vec<String> = std::iter::once(&cause.failure).chain(&cause.followers).map(|failure| format!("{:?}", title(failure))).collect();
    let more = if all.len() > LISTED { ", …" } else { "" };
    format!(
        "change or drop it on the source; or go without it on Neon: expected_failures = [{}{more}] under [schema]; then look again: \
         `azure2neon plan --dry-restore`",
        all[..all.len().min(LISTED)].join(", ")
    )
}

#[cfg(test)]
#[path = "dry_restore_tests.rs"]
mod tests;
