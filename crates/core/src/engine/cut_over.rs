//! The cut-over: a warm-up while the source serves, a pause that ends with a proof or with the source reopened, and a hand-over that
//! happens once.

use std::time::{Duration, Instant};

use futures::future::try_join_all;

use super::timeline::Stopwatch;
use super::{Engine, HAND_BACK, HAND_OVER};
use crate::clock;
use crate::comparison::Comparison;
use crate::context::{FENCE, FENCE_TARGET};
use crate::direction::Direction;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::journal::{State, What};
use crate::plan::{Mode, Stage, Step};
use crate::steps::{SEQUENCES_AHEAD, set_sequences_again};
use crate::units;

/// Whoever needs longer than this to come into step would not drain in a bearable time either.
const IN_STEP: Duration = Duration::from_secs(60);
/// The file of the run's folder that keeps how long each part of the cut-over took.
pub const TIMELINE: &str = "timeline.json";

impl Engine {
    /// The cut-over. Until the hand-over begins, whatever goes wrong reopens the source.
    pub async fn cut_over(&self) -> Result<()> {
        self.refuse_if_aborting()?;
        self.refuse_if_rolling_back()?;
        match self.cx.folder.state(HAND_OVER) {
            State::Done { .. } => {}
            State::Started => {
                self.cx.events.notice("An earlier process began the hand-over: going on with it. The source stays closed.");
                self.run_step(self.step(HAND_OVER)?).await?;
            }
            State::Pending => {
                self.reopen_if_broken_off(&FORTH).await?;
                self.warm_up().await?;
                self.switch(&FORTH).await?;
            }
        }
        self.complete(&FORTH).await
    }

    /// The same, back to the source with all that was written on the target. The run is then where it was before the cut-over.
    pub async fn roll_back(&self) -> Result<()> {
        self.refuse_if_aborting()?;
        let refuse = |why: &str, hint: &str| Err(Error::new(ErrorKind::Configuration, why).hint(hint));
        if !self.is_done(HAND_OVER) {
            return refuse(
                "there is nothing to roll back: the hand-over has not been done",
                "`azure2neon cut-over` hands over; before that `azure2neon abort` gives up and undoes everything",
            );
        }
        if !self.cx.has_way_back() {
            return refuse(
                "there is no way back: it was not prepared before the hand-over",
                "the source holds what it held at the hand-over; what was written since is on the target alone",
            );
        }
        let mut finishing = self.cx.plan.steps.iter().filter(|step| step.stage == Stage::Finish);
        if finishing.any(|step| self.cx.folder.state(step.id()) != State::Pending) {
            return refuse("there is no way back any more: the finish has begun", "`azure2neon finish` completes it");
        }
        match self.cx.folder.state(HAND_BACK) {
            State::Done { .. } => {}
            State::Started => {
                self.cx.events.notice("An earlier process began to hand back: going on with it. The target stays closed.");
                self.run_step(self.step(HAND_BACK)?).await?;
            }
            State::Pending => {
                // What the way back needs must be there, whatever became of the end of the cut-over.
                let open = self.step("open-way-back")?;
                self.run_step(open).await?;
                self.reopen_if_broken_off(&BACK).await?;
                self.cx.events.say(Event::Stage { stage: Stage::WarmUp });
                self.again(BACK.warm_up).await?;
                self.switch(&BACK).await?;
            }
        }
        self.complete(&BACK).await?;
        let left = self.cx.folder.output::<Comparison>("compare-back")?.left.len();
        if left > 0 {
            self.cx.events.notice(format!(
                "{} were not compared in the pause; `azure2neon verify` does it now, while the source's changes flow to the target.",
                units::count(left, "table")
            ));
        }
        for step in self.cx.plan.steps.iter().filter(|step| matches!(step.stage, Stage::CutOver | Stage::RollBack)) {
            // The target's fence stays up until the next hand-over: a write there would be lost.
            if step.id() != FENCE_TARGET {
                self.cx.folder.record(step.id(), What::Undone)?;
            }
        }
        Ok(())
    }

    /// The pause, and what follows until a client has written on the other side.
    async fn switch(&self, turn: &Way) -> Result<()> {
        self.cx.events.say(Event::Stage { stage: turn.stage });
        let watch = Stopwatch::start();
        self.fence_and_prove(turn, &watch).await?;
        watch.time(turn.hand_over, self.run_step(self.step(turn.hand_over)?)).await?;
        self.see_as_client(turn, &watch).await
    }

    /// What is left to do behind the hand-over.
    async fn complete(&self, turn: &Way) -> Result<()> {
        for step in self.open_steps(turn.stage) {
            if step.id() != turn.warm_up {
                self.run_step(step).await?;
            }
        }
        self.undo_quietly(turn.warm_up).await;
        Ok(())
    }

    /// The steps of a stage that are not done.
    fn open_steps(&self, stage: Stage) -> Vec<&Step> {
        self.cx.plan.steps.iter().filter(|step| step.stage == stage && !self.is_done(step.id())).collect()
    }

    pub(super) fn refuse_if_rolling_back(&self) -> Result<()> {
        if self.cx.folder.state(HAND_BACK) == State::Pending {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Configuration, "this run is being rolled back")
            .hint("`azure2neon rollback` completes that; then cut over again"))
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
            // First, since what differs there is mostly why the target does not come into step.
            self.again("compare-catalogs").await?;
            tokio::time::timeout(IN_STEP, self.again("catch-up")).await.unwrap_or_else(|_| {
                Err(Error::new(
                    ErrorKind::Timeout,
                    format!("the target was not in step within {} s, so the cut-over was not begun", IN_STEP.as_secs()),
                )
                .hint("nothing was stopped; `azure2neon migrate` waits until it is in step, then cut over"))
            })?;
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

    /// From the fence to the proof. On any failure, at `--max-pause`, or when asked to stop, what was closed is opened again.
    async fn fence_and_prove(&self, turn: &Way, watch: &Stopwatch) -> Result<()> {
        let limit = self.cx.max_pause();
        let mut current = turn.fence;
        let steps: Vec<&Step> = self
            .cx
            .plan
            .steps
            .iter()
            .filter(|step| step.stage == turn.stage && step.id() != turn.warm_up)
            .take_while(|step| step.id() != turn.hand_over)
            .collect();
        let proven = async {
            let of = |step: &Step| step.action.operation().together(&self.cx);
            for together in steps.chunk_by(|a, b| of(a).is_some() && of(a) == of(b)) {
                current = together.first().map_or(turn.fence, |step| step.id());
                try_join_all(together.iter().map(|step| watch.time(step.id(), self.run_of(turn, step)))).await?;
            }
            Ok(())
        };
        let outcome = tokio::time::timeout(limit, proven).await;
        let failure = match outcome {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => error,
            Err(_) => pause_exceeded(turn, limit, current).in_step(current),
        };
        self.reopen(turn, failure.message(), watch.since()).await?;
        Err(failure)
    }

    /// A step of the pause; that the fence was begun must be known whatever happens.
    async fn run_of(&self, turn: &Way, step: &Step) -> Result<()> {
        if step.id() == turn.fence { self.run_step(step).await } else { self.run_in_pause(step).await }
    }

    /// Writes through a connection like the application's where that is now, and says what the parts took.
    async fn see_as_client(&self, turn: &Way, watch: &Stopwatch) -> Result<()> {
        let client = watch.time("connect as a client", turn.direction.to_session(&self.cx)).await?;
        watch.time("write as a client", client.batch_execute("begin; select pg_catalog.pg_current_xact_id(); commit")).await?;
        let timeline = watch.timeline(watch.elapsed());
        self.cx.folder.keep(TIMELINE, &timeline)?;
        self.cx.events.say(timeline);
        Ok(())
    }

    /// Opens again what an earlier process closed and left so.
    async fn reopen_if_broken_off(&self, turn: &Way) -> Result<()> {
        let is_closed = match turn.direction {
            Direction::Forward => self.cx.folder.touched(turn.fence),
            // After a rollback the target stays closed on purpose.
            Direction::Back => self.cx.folder.touched(turn.fence) && self.cx.folder.touched(HAND_OVER),
        };
        if !is_closed {
            return Ok(());
        }
        let (what, from) = (turn.what, turn.direction.from());
        self.cx.events.notice(format!("A {what} was broken off: the {from} is opened again and the {what} starts afresh."));
        self.reopen(turn, &format!("an earlier {what} was broken off"), clock::stopwatch()).await
    }

    /// Lets what was closed take writes again, and forgets what was done behind the fence.
    async fn reopen(&self, turn: &Way, reason: &str, since: Instant) -> Result<()> {
        let fence = self.step(turn.fence)?;
        // It must be opened even when somebody asked us to stop; a few tries, for it can't wait.
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
        result.map_err(|error| error.in_step(turn.fence))?;
        // They were set to values that have moved on since; where that fails, `migrate` sets them.
        if let Ok(held) = self.cx.held().await {
            // What the pause asked of the other side may be under way still, and would set them once more.
            let _ = held.to.batch_execute("").await;
        }
        let ahead = self.cx.plan.step(SEQUENCES_AHEAD).is_some() && self.cx.folder.touched("set-sequences");
        if turn.direction == Direction::Forward && ahead && set_sequences_again(&self.cx).await.is_err() {
            self.cx.folder.record(SEQUENCES_AHEAD, What::Reset)?;
        }
        for step in self.cx.plan.steps.iter().filter(|step| step.stage == turn.stage && step.id() != turn.warm_up) {
            self.cx.folder.record(step.id(), What::Undone)?;
        }
        let which = turn.direction.from().to_owned();
        self.cx.events.say(Event::Reopened { which, reason: reason.to_owned(), milliseconds: clock::milliseconds_since(since) });
        self.undo_quietly(turn.warm_up).await;
        Ok(())
    }

    /// Takes back what only the pause needed. What fails is taken back by the next try, by `finish` or by `abort`.
    async fn undo_quietly(&self, id: &str) {
        let Some(step) = self.cx.plan.step(id).filter(|step| self.cx.folder.touched(step.id())) else { return };
        match step.action.operation().undo(&self.cx).await {
            Ok(()) => {}
            Err(error) => tracing::debug!("{id} is not taken back yet: {error}"),
        }
    }
}

/// One of the two ways to switch.
struct Way {
    direction: Direction,
    stage: Stage,
    warm_up: &'static str,
    fence: &'static str,
    hand_over: &'static str,
    what: &'static str,
}

/// To the target.
const FORTH: Way =
    Way { direction: Direction::Forward, stage: Stage::CutOver, warm_up: "warm-up", fence: FENCE, hand_over: HAND_OVER, what: "cut-over" };

/// And back.
const BACK: Way = Way {
    direction: Direction::Back,
    stage: Stage::RollBack,
    warm_up: "warm-up-back",
    fence: FENCE_TARGET,
    hand_over: HAND_BACK,
    what: "rollback",
};

/// The error for a side that was opened again because the pause grew too long.
fn pause_exceeded(turn: &Way, limit: Duration, during: &str) -> Error {
    let limit = units::milliseconds(u64::try_from(limit.as_millis()).unwrap_or(u64::MAX));
    let (what, from) = (turn.what, turn.direction.from());
    Error::new(
        ErrorKind::PauseExceeded,
        format!(
            "the {what} was not proven within --max-pause {limit} ({during} took too long); the {from} takes writes again and nothing was handed over"
        ),
    )
    .hint("try it again at a quieter hour, or allow a longer --max-pause")
}
