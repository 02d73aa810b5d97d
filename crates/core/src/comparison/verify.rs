//! The compare at any time between the copy and the cut-over.

use azure2neon_postgres::QualifiedName;
use serde::Serialize;
use serde_json::Value;

use super::{Comparison, Repaired, Scope, compare, repair};
use crate::catalog_comparison::{CatalogComparison, compare_catalogs};
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::journal::{State, What};
use crate::operation::output;
use crate::plan::{Mode, Stage};
use crate::selection::Selection;
use crate::steps::{COMPARE_CATCH_UP, demand_unmoved, moved_sequences, set_sequences_again};

const STEP: &str = "compare";

/// What `verify` found, and did.
#[derive(Clone, Debug, Serialize)]
pub struct Verified {
    /// The compare, after the repair if there was one.
    pub comparison: Comparison,
    /// The catalogs, object by object.
    pub catalogs: CatalogComparison,
    /// The target's sequences that are not where this run set them, in words.
    pub sequences: Vec<String>,
    /// What was repaired.
    pub repaired: Option<Repaired>,
    /// Whether the run knows the result: not if only some tables were compared.
    pub recorded: bool,
}

impl Verified {
    /// Fails with everything that differs and should not.
    pub fn demand_equal(&self) -> Result<()> {
        let parts = [self.catalogs.demand_alike(), demand_unmoved(&self.sequences), self.comparison.demand_equal()];
        let mut errors = parts.into_iter().filter_map(Result::err);
        let Some(first) = errors.next() else { return Ok(()) };
        Err(errors.fold(first, |first, next| first.and(&next)))
    }
}

/// Compares the tables of the selection while writes go on, repairs if asked, and lets the run know the result: as that of its step
/// `compare` if all is equal; else that step is open again.
pub async fn verify(cx: &Context, selection: Selection, with_repair: bool) -> Result<Verified> {
    refuse_unless_possible(cx)?;
    let covers_all = selection.is_everything();
    let scope = |only| Scope { only, selection: selection.clone(), ..Scope::default() };
    let catalogs = compare_catalogs(cx).await?;
    let mut sequences = moved_sequences(cx).await?;
    if with_repair && !sequences.is_empty() {
        set_sequences_again(cx).await?;
        sequences.clear();
    }
    let compared = compare(cx, STEP, scope(None), Some(COMPARE_CATCH_UP)).await?;
    let mut comparison = compared.comparison;
    let mut repaired = None;
    if with_repair && !compared.found.is_empty() {
        let done = repair::repair(cx, &compared.found).await?;
        let again = done.tables.iter().map(|table| table.table.clone()).collect::<std::collections::BTreeSet<QualifiedName>>();
        comparison.replace(compare(cx, STEP, scope(Some(again)), Some(COMPARE_CATCH_UP)).await?.comparison);
        repaired = Some(done);
    }
    let mut verified = Verified { comparison, catalogs, sequences, repaired, recorded: false };
    verified.recorded = record(cx, &verified, covers_all)?;
    Ok(verified)
}

/// Only while the target follows the source and nobody else writes to it.
fn refuse_unless_possible(cx: &Context) -> Result<()> {
    let refuse = |why: &str, hint: &str| Err(Error::new(ErrorKind::Configuration, why).hint(hint));
    if cx.folder.touched("") {
        return refuse("this run is being aborted", "`azure2neon abort` completes that; then start again");
    }
    if cx.folder.state("hand-over") != State::Pending {
        return refuse(
            "the hand-over was begun: what the application writes to the target is not on the source, so they can't be equal any more",
            "`azure2neon status` says what the final compare found",
        );
    }
    if cx.plan.mode == Mode::Offline {
        return refuse(
            "in offline mode there is nothing to compare before the cut-over: it copies, and compares before it hands over",
            "`azure2neon cut-over`",
        );
    }
    let is_copied = |step: &&crate::plan::Step| {
        matches!(step.stage, Stage::PrepareTarget | Stage::PrepareSource | Stage::BringOver)
            && !matches!(cx.folder.state(step.id()), State::Done { .. })
    };
    match cx.plan.steps.iter().find(is_copied) {
        Some(step) => {
            refuse(&format!("not everything is copied yet: {} is not done", step.id()), "`azure2neon migrate` goes on until it is")
        }
        None => Ok(()),
    }
}

/// The result as the step's own. What was found equal while the target is not in step yet says nothing about the rest of the way.
fn record(cx: &Context, verified: &Verified, covers_all: bool) -> Result<bool> {
    let comparison = &verified.comparison;
    if verified.demand_equal().is_ok() {
        let is_in_step = matches!(cx.folder.state("catch-up"), State::Done { .. });
        if !covers_all || !is_in_step || cx.plan.step(STEP).is_none() {
            return Ok(false);
        }
        cx.folder.record(STEP, What::Reset)?;
        cx.folder.record(STEP, What::Started)?;
        let output: Value = output(comparison)?;
        cx.folder.record(STEP, What::Done { milliseconds: comparison.milliseconds, already: false, output })?;
        return Ok(true);
    }
    cx.folder.record(STEP, What::Reset)?;
    Ok(true)
}
