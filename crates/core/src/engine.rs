//! Runs a plan: observes, journals the intent, applies, observes again. To go on after a crash is the same loop.

mod cut_over;
mod timeline;

use serde_json::Value;
use tokio::sync::watch;

use crate::clock;
use crate::context::{Context, FENCE};
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::journal::{State, What};
use crate::operation::Observed;
use crate::plan::{Stage, Step};
use crate::steps::HandedOver;

/// The journal's key for the run as a whole.
const RUN: &str = "";
const HAND_OVER: &str = "hand-over";
const HAND_BACK: &str = "hand-back";

/// Runs one plan. Its methods may be called in any process, again and again; each goes on where things are.
pub struct Engine {
    cx: Context,
    stop: watch::Receiver<bool>,
}

impl Engine {
    /// An engine that stops at the next safe place when `stop` turns true.
    pub fn new(cx: Context, stop: watch::Receiver<bool>) -> Self {
        Self { cx, stop }
    }

    /// The context.
    pub fn context(&self) -> &Context {
        &self.cx
    }

    /// Ends the engine and gives the context back.
    pub fn into_context(self) -> Context {
        self.cx
    }

    /// Everything up to "in step and equal, ready to cut over", or in offline mode all that is done without stopping writes.
    pub async fn prepare(&self) -> Result<()> {
        self.refuse_if_aborting()?;
        for stage in [Stage::PrepareTarget, Stage::PrepareSource, Stage::BringOver, Stage::KeepInStep] {
            self.run_stage(stage).await?;
        }
        Ok(())
    }

    /// Removes what the run made; the target stays.
    pub async fn finish(&self) -> Result<()> {
        self.refuse_if_aborting()?;
        if !self.is_stage_done(Stage::CutOver) {
            return Err(Error::new(ErrorKind::Configuration, "there is nothing to finish: the cut-over is not complete")
                .hint("`azure2neon cut-over` completes it; before the hand-over `azure2neon abort` gives up and undoes everything"));
        }
        self.refuse_if_rolling_back()?;
        self.run_stage(Stage::Finish).await?;
        let HandedOver { places, .. } = self.cx.folder.output(HAND_OVER)?;
        self.cx.clouds.places.forget_all(&places).await?;
        if self.cx.settings.reopen_source && self.cx.folder.touched(FENCE) {
            self.undo(self.step(FENCE)?).await?;
        }
        Ok(())
    }

    /// Undoes, last made first, all that this run did; both clouds are then as before. Not after the hand-over.
    pub async fn abort(&self) -> Result<()> {
        if self.cx.folder.state(HAND_OVER) != State::Pending {
            return Err(Error::new(
                ErrorKind::Configuration,
                "the hand-over was begun: the target may hold writes that the source doesn't have",
            )
            .hint("`azure2neon cut-over` completes it and `azure2neon finish` cleans up"));
        }
        self.cx.folder.record(RUN, What::Started)?;
        let touched: Vec<&Step> = self.cx.plan.steps.iter().filter(|step| self.cx.folder.touched(step.id())).collect();
        for step in touched.into_iter().rev() {
            self.undo(step).await?;
        }
        self.unless_stopped(self.cx.door().close()).await?;
        self.cx.folder.record(RUN, What::Undone)
    }

    /// Whether the step is done.
    pub fn is_done(&self, id: &str) -> bool {
        matches!(self.cx.folder.state(id), State::Done { .. })
    }

    /// Whether every step up to the end of this stage is done.
    pub fn is_stage_done(&self, stage: Stage) -> bool {
        self.cx.plan.steps.iter().filter(|step| step.stage == stage).all(|step| self.is_done(step.id()))
    }

    fn refuse_if_aborting(&self) -> Result<()> {
        if self.cx.folder.touched(RUN) {
            return Err(Error::new(ErrorKind::Configuration, "this run is being aborted")
                .hint("`azure2neon abort` completes that; then start again"));
        }
        Ok(())
    }

    fn step(&self, id: &str) -> Result<&Step> {
        self.cx.plan.step(id).ok_or_else(|| Error::new(ErrorKind::Internal, format!("the plan has no step {id}")))
    }

    async fn run_stage(&self, stage: Stage) -> Result<()> {
        let open: Vec<&Step> = self.cx.plan.steps.iter().filter(|step| step.stage == stage && !self.is_done(step.id())).collect();
        if !open.is_empty() {
            self.cx.events.say(Event::Stage { stage });
        }
        for step in open {
            self.run_step(step).await?;
        }
        Ok(())
    }

    async fn run_step(&self, step: &Step) -> Result<()> {
        self.run_and_record(step, &|id, what| self.cx.folder.record(id, what)).await
    }

    /// Runs a step of a pause, of which nothing has to be remembered but that the fence was begun: a crash takes all of it back.
    async fn run_in_pause(&self, step: &Step) -> Result<()> {
        self.run_and_record(step, &|id, what| self.cx.folder.record_with_next(id, what)).await
    }

    async fn run_and_record(&self, step: &Step, record: &(dyn Fn(&str, What) -> Result<()> + Send + Sync)) -> Result<()> {
        let id = step.id();
        let operation = step.action.operation();
        if self.is_done(id) {
            return Ok(());
        }
        self.cx.events.say(Event::StepStarted { step: id.to_owned(), what: operation.describe() });
        let since = clock::stopwatch();
        let outcome = self.unless_stopped(self.observe_and_apply(step, record)).await;
        let (output, already) = outcome.map_err(|error| {
            self.cx.events.say(Event::StepFailed { step: id.to_owned(), message: error.message().to_owned() });
            error.in_step(id)
        })?;
        let milliseconds = clock::milliseconds_since(since);
        let note = operation.note(&output);
        record(id, What::Done { milliseconds, already, output })?;
        self.cx.events.say(Event::StepDone { step: id.to_owned(), milliseconds, already, note });
        Ok(())
    }

    async fn observe_and_apply(&self, step: &Step, record: &(dyn Fn(&str, What) -> Result<()> + Send + Sync)) -> Result<(Value, bool)> {
        let operation = step.action.operation();
        let before = operation.observe(&self.cx).await?;
        if let Observed::Present(output) = before {
            return Ok((output, true));
        }
        record(step.id(), What::Started)?;
        let told = operation.apply(&self.cx).await?;
        match before {
            Observed::OnlyByDoing => Ok((told, false)),
            _ => match operation.observe(&self.cx).await? {
                Observed::Present(output) => Ok((output, false)),
                other => Err(Error::new(ErrorKind::Cloud, format!("{} did not take effect: {}", step.id(), describe(&other)))),
            },
        }
    }

    async fn undo(&self, step: &Step) -> Result<()> {
        let operation = step.action.operation();
        let since = clock::stopwatch();
        let undone = async {
            operation.undo(&self.cx).await?;
            match operation.left_over(&self.cx).await? {
                None => Ok(()),
                Some(what) => Err(Error::new(ErrorKind::Cloud, format!("{what} is still there after it was removed"))),
            }
        };
        self.unless_stopped(undone).await.map_err(|error| error.in_step(step.id()))?;
        self.cx.folder.record(step.id(), What::Undone)?;
        self.cx.events.say(Event::Undone { step: step.id().to_owned(), milliseconds: clock::milliseconds_since(since) });
        Ok(())
    }

    async fn unless_stopped<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        unless_stopped(self.stop.clone(), work).await
    }
}

/// The work's result, or an `Interrupted` error as soon as `stop` turns true; the work is dropped then.
pub async fn unless_stopped<T>(mut stop: watch::Receiver<bool>, work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::select! {
        result = work => result,
        Ok(_) = stop.wait_for(|stop| *stop) => Err(Error::new(ErrorKind::Interrupted, "stopped, as asked")),
    }
}

fn describe(observed: &Observed) -> String {
    match observed {
        Observed::Partial(what) => what.clone(),
        _ => "it is not there".into(),
    }
}
