//! The cut-over, and the way back from it: the same with the roles swapped.

use azure2neon_postgres::inventory::{Inventory, Persistence};

use crate::direction::Direction;
use crate::error::{Error, ErrorKind, Result};
use crate::plan::Stage;
use crate::settings::Settings;
use crate::steps::{self, Action, CompareWhen, PrepareWayBack};
use crate::survey::Survey;

/// When both sides are compared for the last time: without a way back, nothing can wait until after the hand-over.
pub(super) fn compare_when(settings: &Settings, has_way_back: bool) -> Result<CompareWhen> {
    match (settings.final_compare, has_way_back) {
        (Some(CompareWhen::After), false) => {
            Err(Error::new(ErrorKind::Configuration, "--final-compare after needs a way back, since a difference would be found too late")
                .hint("leave it out, or let there be a way back (`azure2neon plan` says what that needs)"))
        }
        (_, false) => Ok(CompareWhen::AllBefore),
        (when, true) => Ok(when.unwrap_or(CompareWhen::Before)),
    }
}

/// What goes before the pause, the pause, what follows the hand-over; and how it is taken back.
pub(super) fn steps(
    survey: &Survey,
    settings: &Settings,
    when: CompareWhen,
    way_back: Option<PrepareWayBack>,
) -> Vec<(Stage, Vec<Action>)> {
    let inventory = &survey.inventory;
    let has_way_back = way_back.is_some();
    let mut stages = vec![
        (Stage::WarmUp, vec![Action::CompareAgain(steps::CompareAgain {})]),
        (Stage::WarmUp, refresh(inventory)),
        (Stage::WarmUp, way_back.map(Action::PrepareWayBack).into_iter().collect()),
        (Stage::WarmUp, vec![Action::WarmUp(steps::WarmUp { direction: Direction::Forward })]),
        (Stage::CutOver, pause(survey, settings, when)),
    ];
    if has_way_back {
        stages.push((Stage::CutOver, vec![Action::OpenWayBack(steps::OpenWayBack {}), Action::CompareRest(steps::CompareRest {})]));
        stages.push((Stage::RollBack, roll_back(inventory)));
    }
    stages
}

/// From the fence to the hand-over.
fn pause(survey: &Survey, settings: &Settings, when: CompareWhen) -> Vec<Action> {
    let (inventory, direction) = (&survey.inventory, Direction::Forward);
    let mut actions =
        vec![Action::FenceWrites(steps::FenceWrites { before: survey.fence.clone() }), Action::Drain(steps::Drain { direction })];
    actions.extend(unlogged(inventory).map(Action::CopyUnloggedTables));
    actions.push(Action::SetSequences(steps::SetSequences { planned: inventory.sequences.len(), direction }));
    if when != CompareWhen::AllBefore {
        actions.push(Action::TurnBack(steps::Turn { direction }));
    }
    actions.push(Action::FinalCompare(steps::FinalCompare { when, planned_bytes: inventory.stored_bytes(), direction }));
    actions.push(Action::ProveFence(steps::ProveFence { direction }));
    actions.push(Action::HandOver(hand_over(settings)));
    actions
}

/// The same, back to the source.
fn roll_back(inventory: &Inventory) -> Vec<Action> {
    let direction = Direction::Back;
    let mut actions = vec![
        Action::WarmUpBack(steps::WarmUp { direction }),
        Action::FenceTarget(steps::FenceTarget {}),
        Action::DrainBack(steps::Drain { direction }),
    ];
    actions.extend(unlogged(inventory).map(Action::CopyUnloggedBack));
    let compare = steps::FinalCompare { when: CompareWhen::Before, planned_bytes: inventory.stored_bytes(), direction };
    actions.extend([
        Action::SetSequencesBack(steps::SetSequences { planned: inventory.sequences.len(), direction }),
        Action::TurnForth(steps::Turn { direction }),
        Action::CompareBack(compare),
        Action::ProveTargetFence(steps::ProveFence { direction }),
        Action::HandBack(steps::HandBack {}),
        Action::ResumeForward(steps::ResumeForward {}),
    ]);
    actions
}

/// The hand-over to every place that is configured.
pub(super) fn hand_over(settings: &Settings) -> steps::HandOver {
    steps::HandOver { to: settings.hand_over.to.iter().map(ToString::to_string).collect() }
}

/// The refresh of materialized views, if any holds data.
pub(super) fn refresh(inventory: &Inventory) -> Vec<Action> {
    let planned = inventory.materialized_views.iter().filter(|view| view.populated).count();
    if planned == 0 { Vec::new() } else { vec![Action::RefreshViews(steps::RefreshViews { planned })] }
}

/// The copy of unlogged tables, if there are any.
pub(super) fn unlogged(inventory: &Inventory) -> Option<steps::CopyUnloggedTables> {
    let planned = inventory.tables.iter().filter(|table| table.has_storage() && table.persistence == Persistence::Unlogged).count();
    (planned > 0).then_some(steps::CopyUnloggedTables { planned })
}
