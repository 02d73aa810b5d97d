//! A migration without replication: the rows are copied while the source refuses writes.

use super::copy::division;
use super::cut_over::{hand_over, refresh, unlogged};
use super::target;
use crate::checks;
use crate::direction::Direction;
use crate::plan::{Finding, MARK_PREFIX, Mode, PlannedTarget, Stage, Step};
use crate::settings::Settings;
use crate::steps::{self, Action, CompareWhen};
use crate::survey::Survey;
use crate::units;

/// The steps: all that can be done before the fence, and everything else behind it.
pub(super) fn steps(survey: &Survey, settings: &Settings, target: &PlannedTarget, run: &str) -> Vec<Step> {
    let mut before = target::prepare(survey, settings, target, target::Needs { keys: false, publishes: false });
    before.extend(target::keep_history(survey, settings));
    let mut cut_over = vec![
        Action::FenceWrites(steps::FenceWrites { before: survey.fence.clone() }),
        Action::CopyOffline(steps::CopyOffline { division: division(settings), planned_bytes: survey.inventory.stored_bytes() }),
    ];
    cut_over.extend(unlogged(&survey.inventory).map(Action::CopyUnloggedTables));
    cut_over.extend([
        Action::BuildIndexes(steps::BuildIndexes { workers: None }),
        Action::SetSequences(steps::SetSequences { planned: survey.inventory.sequences.len(), direction: Direction::Forward }),
    ]);
    cut_over.extend(refresh(&survey.inventory));
    cut_over.extend([
        Action::FinalCompare(steps::FinalCompare {
            when: CompareWhen::AllBefore,
            planned_bytes: survey.inventory.stored_bytes(),
            direction: Direction::Forward,
        }),
        Action::HandOver(hand_over(settings)),
    ]);
    let finish = vec![Action::DropMarks(steps::DropMarks { schema: format!("{MARK_PREFIX}{run}") }), target::restore(survey, settings)];
    let warm_up = vec![Action::WarmUp(steps::WarmUp { direction: Direction::Forward })];
    let stages = [(Stage::PrepareTarget, before), (Stage::WarmUp, warm_up), (Stage::CutOver, cut_over), (Stage::Finish, finish)];
    stages.into_iter().flat_map(|(stage, actions)| actions.into_iter().map(move |action| Step { stage, action })).collect()
}

/// What the operator should know of this mode.
pub(super) fn findings(survey: &Survey, settings: &Settings) -> Vec<Finding> {
    if settings.mode == Mode::Online {
        return Vec::new();
    }
    let limit = units::milliseconds(u64::try_from(settings.max_pause_in(settings.mode).as_millis()).unwrap_or(u64::MAX));
    vec![checks::offline::CHECK.finding(
        format!(
            "offline: from the fence to the hand-over the source refuses writes, while {} are copied, indexed and compared",
            units::bytes(survey.inventory.stored_bytes())
        ),
        format!(
            "after {limit} without a hand-over (--max-pause) the source takes writes again, and the next attempt copies everything \
             anew; a rehearsal shows how long it takes"
        ),
    )]
}
