//! The cut-over: a warm-up while the source serves, a pause that ends with a proof or with the source reopened, and a hand-over that
//! happens once.

use std::time::{Duration, Instant};

use futures::future::try_join_all;

use super::timeline::Stopwatch;
use super::{Engine, HAND_OVER};
use crate::clock;
use crate::context::FENCE;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::journal::{State, What};
use crate::plan::{Mode, Stage, Step};
use crate::units;

/// Whoever needs longer than this to come into step would not drain in a bearable time either.
const IN_STEP: Duration = Duration::from_secs(60);
/// The file of the run's folder that keeps how long each part of the cut-over took.
pub const TIMELINE: &str = "timeline.json";

impl Engine {
    /// The cut-over. Until the hand-over begins, whatever goes wrong reopens the source.
    pub async fn cut_over(&self) -> Result<()> {
        self.refuse_if_aborting()?;
        match self.cx.folder.state(HAND_OVER) {
            State::Done { .. } => {}
            State::Started => {
                self.cx.events.notice("An earlier process began the hand-over: going on with it. The source stays closed.");
                self.run_step(self.step(HAND_OVER)?).await?;
            }
            State::Pending => {
                if self.cx.folder.touched(FENCE) {
                    self.cx.events.notice("A cut-over was broken off: the source is reopened and the cut-over starts afresh.");
                    self.reopen("an earlier cut-over was broken off", clock::stopwatch()).await?;
                }
                self.warm_up().await?;
                self.cx.events.say(Event::Stage { stage: Stage::CutOver });
                let watch = Stopwatch::start();
                self.fence_and_prove(&watch).await?;
                watch.time(HAND_OVER, self.run_step(self.step(HAND_OVER)?)).await?;
                self.see_as_client(&watch).await?;
            }
        }
        for step in self.open_steps(Stage::CutOver) {
            self.run_step(step).await?;
        }
        self.undo_quietly("warm-up").await;
        Ok(())
    }

    /// The steps of a stage that are not done.
    fn open_steps(&self, stage: Stage) -> Vec<&Step> {
        self.cx.plan.steps.iter().filter(|step| step.stage == stage && !self.is_done(step.id())).collect()
    }

    /// What must be so shortly before the fence: in step and equal again, since an old proof says little; or an empty target.
    async fn warm_up(&self) -> Result<()> {
        let last = if self.cx.plan.mode == Mode::Offline { Stage::PrepareTarget } else { Stage::KeepInStep };
        if let Some(step) = self.open_steps(last).first() {
            return Err(Error::new(ErrorKind::Configuration, format!("not ready to cut over: {} is not done", step.id()))
                .hint("`azure2neon migrate` goes on until it is"));
        }
        if self.cx.plan.mode == Mode::Offline {
            self.again("import-schema").await?;
        } else {
            tokio::time::timeout(IN_STEP, self.again("catch-up")).await.unwrap_or_else(|_| {
                Err(Error::new(
                    ErrorKind::Timeout,
                    format!("the target was not in step within {} s, so the cut-over was not begun", IN_STEP.as_secs()),
                )
                .hint("nothing was stopped; `azure2neon migrate` waits until it is in step, then cut over"))
            })?;
            self.again("set-sequences-ahead").await?;
        }
        self.cx.events.say(Event::Stage { stage: Stage::WarmUp });
        let steps: Vec<&Step> = self.cx.plan.steps.iter().filter(|step| step.stage == Stage::WarmUp).collect();
        for step in steps {
            self.again(step.id()).await?;
        }
        Ok(())
    }

    /// Does a step once more, although it was done before.
    async fn again(&self, id: &str) -> Result<()> {
        let step = self.step(id)?;
        self.cx.folder.record(id, What::Reset)?;
        self.run_step(step).await
    }

    /// From the fence to the proof. On any failure, at `--max-pause`, or when asked to stop, the source is reopened.
    async fn fence_and_prove(&self, watch: &Stopwatch) -> Result<()> {
        let limit = self.cx.max_pause();
        let mut current = FENCE;
        let steps: Vec<&Step> =
            self.cx.plan.steps.iter().filter(|step| step.stage == Stage::CutOver).take_while(|step| step.id() != HAND_OVER).collect();
        let proven = async {
            for together in steps.chunk_by(|a, b| a.action.operation().beside() && b.action.operation().beside()) {
                current = together.first().map_or(FENCE, |step| step.id());
                try_join_all(together.iter().map(|step| watch.time(step.id(), self.run_step(step)))).await?;
            }
            Ok(())
        };
        let outcome = tokio::time::timeout(limit, proven).await;
        let failure = match outcome {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => error,
            Err(_) => pause_exceeded(limit, current).in_step(current),
        };
        self.reopen(failure.message(), watch.since()).await?;
        Err(failure)
    }

    /// Writes on the target through a connection like the application's, and says what the cut-over's parts took.
    async fn see_as_client(&self, watch: &Stopwatch) -> Result<()> {
        let client = watch.time("connect as a client", self.cx.target()).await?;
        watch.time("write as a client", client.batch_execute("begin; select pg_catalog.pg_current_xact_id(); commit")).await?;
        let timeline = watch.timeline(watch.elapsed());
        self.cx.folder.keep(TIMELINE, &timeline)?;
        self.cx.events.say(timeline);
        Ok(())
    }

    /// Lets the source take writes again, and forgets what was done of the cut-over.
    async fn reopen(&self, reason: &str, since: Instant) -> Result<()> {
        let fence = self.step(FENCE)?;
        // The source must be reopened even when somebody asked us to stop; a few tries, for it can't wait.
        let mut result = Ok(());
        for attempt in 0..5 {
            if attempt > 0 {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            result = fence.action.operation().undo(&self.cx).await;
            if result.is_ok() {
                break;
            }
        }
        result.map_err(|error| error.in_step(FENCE))?;
        for step in self.cx.plan.steps.iter().filter(|step| step.stage == Stage::CutOver) {
            self.cx.folder.record(step.id(), What::Undone)?;
        }
        self.cx.events.say(Event::Reopened { reason: reason.to_owned(), milliseconds: clock::milliseconds_since(since) });
        self.undo_quietly("warm-up").await;
        Ok(())
    }

    /// Takes back what only the cut-over needed. What fails is taken back by the next try, by `finish` or by `abort`.
    async fn undo_quietly(&self, id: &str) {
        let Some(step) = self.cx.plan.step(id).filter(|step| self.cx.folder.touched(step.id())) else { return };
        match step.action.operation().undo(&self.cx).await {
            Ok(()) => {}
            Err(error) => tracing::debug!("{id} is not taken back yet: {error}"),
        }
    }
}

/// The error for a source that was reopened because the pause grew too long.
fn pause_exceeded(limit: Duration, during: &str) -> Error {
    let limit = units::milliseconds(u64::try_from(limit.as_millis()).unwrap_or(u64::MAX));
    Error::new(
        ErrorKind::PauseExceeded,
        format!(
            "the cut-over was not proven within --max-pause {limit} ({during} took too long); the source takes writes again and nothing was handed over"
        ),
    )
    .hint("try again at a quieter hour with `azure2neon cut-over`, or allow a longer --max-pause")
}
