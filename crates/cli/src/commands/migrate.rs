use std::collections::HashMap;
use std::path::Path;
use std::process::ExitCode;

use azure2neon_core::Result;
use azure2neon_core::engine::Engine;
use azure2neon_core::plan::{Makes, Mode};
use azure2neon_core::units;

use super::{confirm, environment, stop_signal};
use crate::args::{AbortArguments, Confirmation, FinishArguments, Global, MigrateArguments};
use crate::config::Config;
use crate::run::Opening;
use crate::{render, report, summary, terminal};

fn opening<'a>(global: &Global, config: &'a Config) -> Result<Opening<'a>> {
    Ok(Opening { config, environment: &environment, events: render::events(global.output), stop: stop_signal()?, plan: None })
}

/// `migrate`: up to "in step and equal", or all the way.
pub async fn migrate(global: &Global, mut config: Config, arguments: MigrateArguments) -> Result<ExitCode> {
    config.settings.restart_on_restore = arguments.restoring.restart;
    let engine = Opening { plan: arguments.plan.clone(), ..opening(global, &config)? }
        .begin_or_resume(async |plan| {
            if !arguments.confirmation.yes {
                report::print(&report::report(plan, &HashMap::new()));
            }
            confirm(
                if arguments.cut_over { "This migrates and cuts over." } else { "This migrates up to the cut-over." },
                arguments.confirmation.yes,
            )
        })
        .await?;
    all_the_way(&engine, arguments.cut_over).await?;
    if arguments.cut_over {
        summary::show(global, &engine).await
    } else {
        if !global.is_json() {
            terminal::out(match engine.context().plan.mode {
                Mode::Online => "In step and equal, ready to cut over: `azure2neon cut-over`. Nothing is blocked on the source until then.",
                Mode::Offline => {
                    "The target is prepared: `azure2neon cut-over` stops writes, copies, compares and hands over. Nothing is blocked on \
                     the source until then."
                }
            });
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Prepares and, if asked, cuts over and finishes.
pub async fn all_the_way(engine: &Engine, cut_over: bool) -> Result<()> {
    // What was handed over is not prepared again, whatever became of the source since.
    if !engine.is_done("hand-over") {
        engine.prepare().await?;
    }
    if cut_over {
        engine.cut_over().await?;
        engine.finish().await?;
    }
    Ok(())
}

/// `cut-over`.
pub async fn cut_over(global: &Global, config: Config, confirmation: Confirmation) -> Result<ExitCode> {
    let engine = opening(global, &config)?.resume().await?;
    let cx = engine.context();
    let question = match cx.plan.mode {
        Mode::Online => "This stops writes to the source and hands over to Neon.".to_owned(),
        Mode::Offline => format!(
            "This stops writes to the source, for {} at most, copies {} and hands over to Neon.",
            units::milliseconds(u64::try_from(cx.max_pause().as_millis()).unwrap_or(u64::MAX)),
            units::bytes(cx.plan.source.bytes),
        ),
    };
    confirm(&question, confirmation.yes)?;
    engine.cut_over().await?;
    if !global.is_json() {
        terminal::out("Handed over. `azure2neon finish` removes what the run made on both sides.");
        if engine.context().has_way_back() {
            terminal::out("Until then Neon's changes flow back to the source: `azure2neon rollback` returns to it.");
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// `rollback`.
pub async fn rollback(global: &Global, config: Config, confirmation: Confirmation) -> Result<ExitCode> {
    let engine = opening(global, &config)?.resume().await?;
    confirm("This stops writes to Neon and returns to the source, with all that was written since the hand-over.", confirmation.yes)?;
    engine.roll_back().await?;
    if !global.is_json() {
        terminal::out("Back on the source, as before the cut-over; Neon follows it again and takes no writes.");
        terminal::out("`azure2neon cut-over` tries again; `azure2neon abort` undoes everything.");
    }
    Ok(ExitCode::SUCCESS)
}

/// `finish`.
pub async fn finish(global: &Global, mut config: Config, arguments: FinishArguments) -> Result<ExitCode> {
    config.settings.restart_on_restore = arguments.restoring.restart;
    config.settings.reopen_source = arguments.reopen_source;
    let engine = opening(global, &config)?.resume().await?;
    confirm("This removes what the run made, but for the target.", arguments.confirmation.yes)?;
    engine.finish().await?;
    summary::show(global, &engine).await
}

/// `abort`.
pub async fn abort(global: &Global, mut config: Config, arguments: AbortArguments) -> Result<ExitCode> {
    config.settings.restart_on_restore = arguments.restoring.restart;
    let opening = opening(global, &config)?;
    if opening.remove_dry_restore().await? {
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(journal) = opening.take_back_beginning().await? {
        return Ok(as_before(global, &journal));
    }
    let engine = opening.resume().await?;
    let question = match engine.context().plan.target.makes {
        Makes::Project => "This undoes everything that the run did and deletes its Neon project.",
        Makes::DatabaseAndRole | Makes::Database => "This undoes everything that the run did and deletes its database on Neon.",
        Makes::Nothing => "This undoes everything that the run did and empties its database on Neon.",
    };
    confirm(question, arguments.confirmation.yes)?;
    engine.abort().await?;
    let run = engine.context().plan.run.clone();
    let folder = engine.into_context().into_folder().archive(&format!("aborted-{run}"))?;
    Ok(as_before(global, &folder))
}

fn as_before(global: &Global, journal: &Path) -> ExitCode {
    if !global.is_json() {
        terminal::out(&format!("Both sides are as they were before. The run's journal is kept in {}.", journal.display()));
    }
    ExitCode::SUCCESS
}
