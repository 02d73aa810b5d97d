//! A run: its folder, its plan, its engine.

use std::path::{Path, PathBuf};

use azure2neon_core::access::Access;
use azure2neon_core::context::{Clouds, Context};
use azure2neon_core::door::{self, Door};
use azure2neon_core::engine::{Engine, unless_stopped};
use azure2neon_core::event::{Event, Events};
use azure2neon_core::journal::{RunFolder, read_plan};
use azure2neon_core::plan::{Mode, PLAN_VERSION, Plan, Step};
use azure2neon_core::settings::Home;
use azure2neon_core::{Error, ErrorKind, Result, dry_restore, planner, survey};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::config::Config;
use crate::secrets::Environment;

/// What is known of a run before it has a plan.
#[derive(Serialize, Deserialize)]
struct Beginning {
    /// Its id, which is in the name of the operator's firewall rule.
    run: String,
    /// The server as it was named.
    server: String,
}

/// The file of that in the run's folder.
const BEGINNING: &str = "beginning.json";

/// What is needed to take up a run or to begin one.
pub struct Opening<'a> {
    /// The configuration.
    pub config: &'a Config,
    /// Where secrets come from.
    pub environment: Environment<'a>,
    /// Where to say what happens.
    pub events: Events,
    /// Turns true when the operator asks to stop.
    pub stop: watch::Receiver<bool>,
    /// The file of a plan that was made before, which a new run does or refuses.
    pub plan: Option<PathBuf>,
}

impl Opening<'_> {
    /// The run in the folder, or a new one that `accept` agrees to.
    pub async fn begin_or_resume(self, accept: impl AsyncFnOnce(&Plan) -> Result<()>) -> Result<Engine> {
        if let Some(begun) = read_plan(&self.config.run_folder)? {
            let file = self.plan.as_deref().map(|file| plan_of(file, self.config)).transpose()?;
            if file.is_some_and(|plan| plan.run != begun.run) {
                return Err(Error::new(
                    ErrorKind::RunFolder,
                    format!("the run {} in {} was begun with another plan", begun.run, show(&self.config.run_folder)),
                )
                .hint("leave --plan out to go on with it; `azure2neon abort` undoes it"));
            }
            return self.resume().await;
        }
        let (clouds, access) = self.config.connect(self.environment, &self.events)?;
        let folder = RunFolder::open(&self.config.run_folder)?;
        if folder.plan()?.is_some() {
            return Err(Error::new(ErrorKind::RunFolder, "another process began a run in this folder just now"));
        }
        dry_restore::remove_left_over(&clouds, &folder, &self.events).await?;
        let before = self.plan.as_deref().map(|file| plan_of(file, self.config)).transpose()?;
        let run = self.beginning(&folder, before.as_ref())?;
        let door = Door { cloud: &*clouds.source, folder: &folder, events: &self.events, run: &run };
        let planned = async {
            if self.config.open_firewall {
                self.enter(&door, &access).await?;
            }
            let now = new_plan(self.config, &clouds, &access, &run).await?;
            match before {
                None => Ok(now),
                Some(before) => still_holds(&before, &now).and_then(|()| now.refuse_blocked_since(&before)).map(|()| before),
            }
        };
        let begun = async {
            let plan = unless_stopped(self.stop.clone(), planned).await?;
            plan.refuse_blocked()?;
            accept(&plan).await?;
            folder.keep_plan(&plan)?;
            Ok(plan)
        };
        let plan = match begun.await {
            Ok(plan) => plan,
            Err(refused) => {
                // There is no run, so nothing of it may stay.
                match door.close().await {
                    Ok(()) => folder.discard(&[BEGINNING]),
                    Err(error) => self.events.notice(format!("{error}: `azure2neon abort` tries again")),
                }
                return Err(refused);
            }
        };
        Ok(self.engine(plan, clouds, access, folder, false))
    }

    /// The id of the run that this folder is for: the one that an earlier process had come no further than to begin, or a new one.
    fn beginning(&self, folder: &RunFolder, plan: Option<&Plan>) -> Result<String> {
        if let Some(Beginning { run, server }) = folder.kept(BEGINNING)? {
            if server == self.config.server && plan.is_none_or(|plan| plan.run == run) {
                return Ok(run);
            }
            if door::is_open(folder.path())? {
                return Err(Error::new(
                    ErrorKind::RunFolder,
                    format!("a run for the server {server} was begun in {}", show(folder.path())),
                )
                .hint(format!("take it back with `azure2neon abort --server {server}`, or name another folder with --run-dir")));
            }
        }
        let run = plan.map_or_else(run_id, |plan| plan.run.clone());
        folder.keep(BEGINNING, &Beginning { run: run.clone(), server: self.config.server.clone() })?;
        Ok(run)
    }

    /// Opens the door if the source turns this machine away.
    async fn enter(&self, door: &Door<'_>, access: &Access) -> Result<()> {
        let settings = &self.config.settings;
        let server = door.cloud.describe().await?;
        let user = settings.source_user.as_deref().unwrap_or(&server.admin_login);
        let endpoint = access.source_endpoint(settings, &server.host, user, "azure2neon_plan").await?;
        door.enter(&server, &endpoint).await
    }

    /// Takes back what a process did that ended before it had a plan. None if there is nothing of the kind, else the
    /// folder of the journal.
    pub async fn take_back_beginning(&self) -> Result<Option<PathBuf>> {
        let path = &self.config.run_folder;
        if read_plan(path)?.is_some() || !door::is_open(path)? {
            return Ok(None);
        }
        let folder = RunFolder::open(path)?;
        let (clouds, _) = self.config.connect(self.environment, &self.events)?;
        let run = self.beginning(&folder, None)?;
        Door { cloud: &*clouds.source, folder: &folder, events: &self.events, run: &run }.close().await?;
        folder.archive(&format!("aborted-{run}")).map(Some)
    }

    /// Removes what a dry restore left that was killed. True if that was all that there was in the folder.
    pub async fn remove_dry_restore(&self) -> Result<bool> {
        let path = &self.config.run_folder;
        if !dry_restore::is_left_over(path)? {
            return Ok(false);
        }
        let folder = RunFolder::open(path)?;
        let (clouds, _) = self.config.connect(self.environment, &self.events)?;
        dry_restore::remove_left_over(&clouds, &folder, &self.events).await?;
        let is_all = folder.plan()?.is_none() && folder.kept::<Beginning>(BEGINNING)?.is_none();
        if is_all {
            folder.discard(&[]);
        }
        Ok(is_all)
    }

    /// The run in the folder.
    pub async fn resume(self) -> Result<Engine> {
        let Some(plan) = read_plan(&self.config.run_folder)? else {
            return Err(no_run(self.config));
        };
        refuse_another(&plan, self.config)?;
        let folder = RunFolder::open(&self.config.run_folder)?;
        let (clouds, access) = self.config.connect(self.environment, &self.events)?;
        let (stop, may_enter) = (self.stop.clone(), self.config.open_firewall);
        let settings = &self.config.settings;
        let others = (settings.mode != plan.mode && settings.mode != Mode::default())
            || (settings.selection != plan.selection && !settings.selection.is_everything());
        if others {
            self.events
                .notice("The run goes on with the mode and the tables of its plan, not with those that are set now: `azure2neon plan`.");
        }
        let engine = self.engine(plan, clouds, access, folder, true);
        if may_enter {
            let cx = engine.context();
            unless_stopped(stop, async { cx.door().enter(&cx.plan.source.server, &cx.source_endpoint().await?).await }).await?;
        }
        Ok(engine)
    }

    fn engine(self, plan: Plan, clouds: Clouds, access: Access, folder: RunFolder, resumed: bool) -> Engine {
        crate::log::start(folder.path(), (self.environment)("AZURE2NEON_LOG").as_deref());
        self.events.say(Event::Run { run: plan.run.clone(), folder: show(folder.path()), resumed, identity: clouds.source.identity() });
        let cx = Context::new(plan, self.config.settings.clone(), clouds, access, folder, self.events);
        Engine::new(cx, self.stop)
    }
}

/// The error for a folder that holds no run.
pub fn no_run(config: &Config) -> Error {
    let error = Error::new(ErrorKind::RunFolder, format!("there is no run in {}", show(&config.run_folder)));
    error.hint(if matches!(door::is_open(&config.run_folder), Ok(true)) {
        "a process ended before it had a plan: `azure2neon migrate` goes on, `azure2neon abort` removes its firewall rule"
    } else {
        "`azure2neon migrate` begins one; --run-dir names another folder"
    })
}

/// Looks at everything and plans; changes nothing.
pub async fn new_plan(config: &Config, clouds: &Clouds, access: &Access, run: &str) -> Result<Plan> {
    let survey = survey::survey(&config.settings, clouds, access).await?;
    planner::plan(&survey, &config.settings, run)
}

/// The plan in this file, if it is for what the settings name.
fn plan_of(file: &Path, config: &Config) -> Result<Plan> {
    let unreadable = |why: String| {
        Error::new(ErrorKind::Configuration, format!("{} holds no plan: {why}", show(file)))
            .hint(format!("make one with `azure2neon plan --out {}`", show(file)))
    };
    let text = std::fs::read_to_string(file).map_err(|error| unreadable(error.to_string()))?;
    let plan: Plan = serde_json::from_str(&text).map_err(|error| unreadable(error.to_string()))?;
    refuse_another(&plan, config)?;
    Ok(plan)
}

/// Refuses a plan that rests on something which has changed, or to which the settings have changed.
fn still_holds(plan: &Plan, now: &Plan) -> Result<()> {
    let mut changes = plan.basis.changes(&now.basis);
    // Figures in the steps may differ as far as the basis bears it.
    let decided = |plan: &Plan| {
        let ids: Vec<&str> = plan.steps.iter().map(Step::id).collect();
        let hand_over = plan.step("hand-over").map(|step| step.action.operation().describe());
        serde_json::json!([ids, hand_over, plan.target, plan.mode, plan.selection, plan.copy.path])
    };
    if changes.is_empty() && decided(plan) != decided(now) {
        changes.push("the settings are others: with those of now another plan would be made".to_owned());
    }
    if changes.is_empty() {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Configuration, format!("the plan no longer holds; since it was made:\n  {}", changes.join("\n  ")))
        .hint("look at the new one: `azure2neon plan --out FILE`; nothing was changed"))
}

/// Six letters and digits; they become part of names on both servers.
pub fn run_id() -> String {
    std::iter::repeat_with(|| fastrand::char('a'..='z')).take(6).collect()
}

/// A folder's run is for the source and target that it was planned for, and no other.
fn refuse_another(plan: &Plan, config: &Config) -> Result<()> {
    if plan.version != PLAN_VERSION {
        return Err(Error::new(
            ErrorKind::RunFolder,
            format!("the plan in {} has format {}, this program has {PLAN_VERSION}", show(&config.run_folder), plan.version),
        )
        .hint("go on with the version of azure2neon that began the run"));
    }
    let server = &plan.source.server;
    let same_server = server.name.eq_ignore_ascii_case(&config.server) || server.host.eq_ignore_ascii_case(&config.server);
    if same_server && plan.source.database == config.settings.source_database && plan.target.is_at(&config.settings.home) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::RunFolder,
        format!(
            "the run in {} moves {}/{} to project {}, not {}/{} to {} project {}",
            show(&config.run_folder),
            server.name,
            plan.source.database,
            place(&plan.target.project, plan.target.branch.as_deref()),
            config.server,
            config.settings.source_database,
            if matches!(config.settings.home, Home::New(_)) { "a new" } else { "the existing" },
            place(config.settings.home.project(), config.settings.home.branch()),
        ),
    )
    .hint("name another folder with --run-dir"))
}

fn place(project: &str, branch: Option<&str>) -> String {
    branch.map_or_else(|| project.to_owned(), |branch| format!("{project}, branch {branch}"))
}

fn show(path: &Path) -> String {
    path.display().to_string()
}
