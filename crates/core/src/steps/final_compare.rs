use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::compare_again;
use crate::comparison::{Comparison, Ready};
use crate::context::Context;
use crate::direction::Direction;
use crate::error::Result;
use crate::operation::{Observed, Operation, Together, output};
use crate::plan::{Effect, Mode};

/// Compares both sides at rest: the gate before the hand-over, as far as the pause allows. The rest is compared after it, from what
/// both sides hold now.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FinalCompare {
    /// When, and how much of it.
    pub when: CompareWhen,
    /// What there is to compare at most, in bytes as the source stores it, when the plan was made.
    #[serde(default)]
    pub planned_bytes: i64,
    /// Which way the changes flowed until now.
    #[serde(default)]
    pub direction: Direction,
}

/// When both sides are compared for the last time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CompareWhen {
    /// Before the hand-over, all of it: there is no way back.
    #[default]
    AllBefore,
    /// Before the hand-over, as far as the pause allows; the rest after it.
    Before,
    /// After it: the pause is the shortest.
    After,
}

/// Of the pause, so much may be used for comparing where the rest can be done later.
const SHARE: f64 = 0.4;

impl FinalCompare {
    /// The step's id.
    fn id(&self) -> &'static str {
        match self.direction {
            Direction::Forward => "final-compare",
            Direction::Back => "compare-back",
        }
    }

    /// As it is now: the operator may have thought again, and whoever does without the way back compares everything before.
    fn when(&self, cx: &Context) -> CompareWhen {
        if cx.has_way_back() { cx.settings.final_compare.unwrap_or(self.when) } else { CompareWhen::AllBefore }
    }

    /// What was written to since the compare before the fence, as much of it as may be.
    async fn before(&self, cx: &Context, ready: &Ready) -> Result<Comparison> {
        let mut comparison = match self.direction {
            Direction::Forward => cx.done::<Comparison>(compare_again::STEP)?.unwrap_or_default(),
            Direction::Back => Comparison::default(),
        };
        // Unlogged tables were not compared before.
        let known: BTreeSet<_> = comparison.tables.iter().map(|table| table.table.clone()).collect();
        let changed = ready.changed_since(&comparison).await?.tables;
        let changed: BTreeSet<_> = changed.into_iter().chain(ready.tables().difference(&known).cloned()).collect();
        ready.freeze().await?;
        let budget = (self.when(cx) == CompareWhen::Before).then(|| share(cx.max_pause()));
        let now = ready.compare(cx, self.id(), Some(&changed), budget).await?;
        now.demand_equal()?;
        comparison.left.clone_from(&now.left);
        comparison.replace(now);
        Ok(comparison)
    }
}

fn share(pause: Duration) -> Duration {
    pause.mul_f64(SHARE)
}

#[async_trait]
impl Operation for FinalCompare {
    fn effect(&self) -> Effect {
        Effect::Reads
    }

    fn describe(&self) -> String {
        let what = format!(
            "compare what was written to since the last compare (of {} in all), both sides at rest",
            crate::units::bytes(self.planned_bytes)
        );
        match self.when {
            CompareWhen::AllBefore => format!("{what}; no hand-over unless all is equal"),
            CompareWhen::Before => format!("{what}, as far as the pause allows; no hand-over unless that is equal"),
            CompareWhen::After => "keep what both sides hold now, to be compared after the hand-over".into(),
        }
    }

    async fn observe(&self, _cx: &Context) -> Result<Observed> {
        Ok(Observed::OnlyByDoing)
    }

    async fn apply(&self, cx: &Context) -> Result<Value> {
        let held = cx.held().await?;
        if cx.plan.mode == Mode::Offline {
            // The tables came just now.
            let comparison = Ready::get(cx).await?.compare(cx, self.id(), None, None).await?;
            comparison.demand_equal()?;
            return output(&comparison);
        }
        let ready = held.ready()?;
        let comparison = match self.when(cx) {
            CompareWhen::After => {
                ready.freeze().await?;
                Comparison { left: ready.tables().into_iter().collect(), ..Comparison::default() }
            }
            CompareWhen::AllBefore | CompareWhen::Before => self.before(cx, ready).await?,
        };
        output(&comparison)
    }

    fn together(&self, cx: &Context) -> Option<Together> {
        // What is read for long must not be read beside the proof that nothing is written meanwhile.
        (self.when(cx) == CompareWhen::After).then_some(Together::Prove)
    }

    fn note(&self, output: &Value) -> String {
        serde_json::from_value::<Comparison>(output.clone()).map(|comparison| comparison.note()).unwrap_or_default()
    }
}
