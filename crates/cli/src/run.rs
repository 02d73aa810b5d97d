//! A run: its folder, its plan, its engine.

use std::path::Path;

use azure2neon_core::context::{Access, Clouds, Context};
use azure2neon_core::engine::{Engine, unless_stopped};
use azure2neon_core::event::{Event, Events};
use azure2neon_core::journal::{RunFolder, read_plan};
use azure2neon_core::plan::{PLAN_VERSION, Plan};
use azure2neon_core::settings::Home;
use azure2neon_core::{Error, ErrorKind, Result, planner, survey};
use tokio::sync::watch;

use crate::config::Config;
use crate::secrets::Environment;

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
}

impl Opening<'_> {
    /// The run in the folder, or a new one that `accept` agrees to.
    pub async fn begin_or_resume(self, accept: impl AsyncFnOnce(&Plan) -> Result<()>) -> Result<Engine> {
        if read_plan(&self.config.run_folder)?.is_some() {
            return self.resume().await;
        }
        let (clouds, access) = self.config.connect(self.environment, &self.events)?;
        let plan = unless_stopped(self.stop.clone(), new_plan(self.config, &clouds, &access)).await?;
        accept(&plan).await?;
        let folder = RunFolder::open(&self.config.run_folder)?;
        if folder.plan()?.is_some() {
            return Err(Error::new(ErrorKind::RunFolder, "another process began a run in this folder just now"));
        }
        folder.keep_plan(&plan)?;
        Ok(self.engine(plan, clouds, access, folder, false))
    }

    /// The run in the folder.
    pub async fn resume(self) -> Result<Engine> {
        let Some(plan) = read_plan(&self.config.run_folder)? else {
            return Err(Error::new(ErrorKind::RunFolder, format!("there is no run in {}", self.config.run_folder.display()))
                .hint("`azure2neon migrate` begins one; --run-dir names another folder"));
        };
        refuse_another(&plan, self.config)?;
        let folder = RunFolder::open(&self.config.run_folder)?;
        let (clouds, access) = self.config.connect(self.environment, &self.events)?;
        Ok(self.engine(plan, clouds, access, folder, true))
    }

    fn engine(self, plan: Plan, clouds: Clouds, access: Access, folder: RunFolder, resumed: bool) -> Engine {
        crate::log::start(folder.path(), (self.environment)("AZURE2NEON_LOG").as_deref());
        self.events.say(Event::Run { run: plan.run.clone(), folder: folder.path().display().to_string(), resumed });
        let cx = Context::new(plan, self.config.settings.clone(), clouds, access, folder, self.events);
        Engine::new(cx, self.stop)
    }
}

/// Looks at everything and plans; changes nothing.
pub async fn new_plan(config: &Config, clouds: &Clouds, access: &Access) -> Result<Plan> {
    let survey = survey::survey(&config.settings, clouds, access).await?;
    planner::plan(&survey, &config.settings, &run_id())
}

/// Six letters and digits; they become part of names on both servers.
fn run_id() -> String {
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
