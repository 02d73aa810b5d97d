use std::process::ExitCode;

use azure2neon_core::Result;
use azure2neon_core::journal::{State, read_plan, read_step_states};
use azure2neon_core::plan::{Plan, Severity, Stage};
use azure2neon_core::units;

use crate::args::Global;
use crate::config::Config;
use crate::run::{new_plan, run_id};
use crate::terminal::{bad, bold, faint, good, out};

/// Prints the plan of the folder's run, or of the one that `migrate` would begin.
pub async fn run(global: &Global, config: &Config) -> Result<ExitCode> {
    let begun = read_plan(&config.run_folder)?;
    let is_begun = begun.is_some();
    let plan = match begun {
        Some(plan) => plan,
        None => {
            let (clouds, access) = config.connect(&super::environment, &crate::render::events(global.output))?;
            new_plan(config, &clouds, &access, &run_id()).await?
        }
    };
    if global.is_json() {
        out(&serde_json::to_string_pretty(&plan).unwrap_or_default());
        return Ok(ExitCode::SUCCESS);
    }
    let states = read_step_states(&config.run_folder)?;
    print(&plan, |id| match states.get(id) {
        Some(State::Done { .. }) => "done",
        Some(State::Started) => "begun",
        _ => "",
    });
    if !is_begun {
        out("Nothing was changed. `azure2neon migrate` does this up to the cut-over; with --cut-over all of it.");
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints a plan; `mark` is put before each step.
pub fn print(plan: &Plan, mark: impl Fn(&str) -> &'static str) {
    let (source, target) = (&plan.source, &plan.target);
    out(&format!(
        "{}  {} / {}  PostgreSQL {}, {}\n         {} tables, {}, {} sequences; as {}\n         on Azure as {}",
        bold("Source:"),
        source.server.host,
        source.database,
        source.server.major,
        source.server.region,
        source.tables,
        units::bytes(source.bytes),
        source.sequences,
        source.user,
        source.identity,
    ));
    out(&format!(
        "{}  {} Neon project {} / {}  PostgreSQL {}, {} ({})\n         owned by {}",
        bold("Target:"),
        if target.project_id.is_some() { "existing" } else { "new" },
        target.project,
        target.database,
        target.major,
        target.region,
        target.region_reason,
        target.role,
    ));
    out(&format!("{}    {} ({})", bold("Copy:"), plan.copy.path.title(), plan.copy.reason));
    for finding in &plan.findings {
        let word = match finding.severity {
            Severity::Note => faint("note:"),
            Severity::Warns => bold("warning:"),
            Severity::Blocks => bad("blocks:"),
        };
        out(&format!("{word} {}\n  {}", finding.what, faint(&finding.advice)));
    }
    let mut stage = None;
    for step in &plan.steps {
        if stage != Some(step.stage) {
            let is_line = stage < Some(Stage::WarmUp) && step.stage >= Stage::WarmUp;
            stage = Some(step.stage);
            if is_line {
                out(&faint("  ── up to here `azure2neon abort` undoes everything; the source serves all the time ──"));
            }
            if step.stage == Stage::RollBack {
                out(&faint("  ── only if you ask for it with `azure2neon rollback`, until the finish ──"));
            }
            out(&bold(step.stage.title()));
        }
        let operation = step.action.operation();
        let state = mark(step.id());
        let state = if state.is_empty() { String::new() } else { format!(" [{}]", good(state)) };
        out(&format!("  {} {}{state}: {}", operation.effect().sign(), step.id(), operation.describe()));
        if let Some(inverse) = operation.inverse() {
            out(&faint(&format!("      undo: {inverse}")));
        }
    }
    out(&faint("  + creates  ~ changes  ! interrupts service  - removes what the run made"));
}
