use std::path::Path;
use std::process::ExitCode;

use azure2neon_core::journal::{State, read_plan, read_step_states};
use azure2neon_core::plan::{Plan, Severity, Stage, Step};
use azure2neon_core::{Error, ErrorKind, Result, units};

use crate::args::{Global, Output, PlanArguments};
use crate::config::Config;
use crate::exit;
use crate::run::{new_plan, run_id};
use crate::terminal::{bad, bold, faint, good, out};

/// With `--detailed-exitcode`, as Terraform's.
const SOMETHING_TO_DO: u8 = 2;

/// Prints the plan of the folder's run, or of the one that `migrate` would begin.
pub async fn run(global: &Global, config: &Config, arguments: &PlanArguments) -> Result<ExitCode> {
    let begun = read_plan(&config.run_folder)?;
    let is_begun = begun.is_some();
    let plan = match begun {
        Some(plan) if arguments.dry_restore => return Err(super::dry_restore::is_too_late(&plan)),
        Some(plan) => plan,
        None => {
            // On stdout the plan is the only document: what is waited for goes to stderr.
            let (clouds, access) = config.connect(&super::environment, &crate::render::events(Output::Text))?;
            let mut plan = new_plan(config, &clouds, &access, &run_id()).await?;
            if arguments.dry_restore {
                super::dry_restore::add(config, (&clouds, &access), &mut plan).await?;
            }
            plan
        }
    };
    let states = read_step_states(&config.run_folder)?;
    if let Some(file) = &arguments.out {
        keep(&plan, file)?;
    }
    if global.is_json() {
        out(&serde_json::to_string_pretty(&plan).unwrap_or_default());
        if let Err(blocked) = plan.refuse_blocked() {
            return Ok(ExitCode::from(exit::code(blocked.kind())));
        }
    } else {
        print(&plan, |id| match states.get(id) {
            Some(State::Done { .. }) => "done",
            Some(State::Started) => "begun",
            _ => "",
        });
        if !is_begun {
            plan.refuse_blocked()?;
            out(&match &arguments.out {
                None => "Nothing was changed. `azure2neon migrate` does this up to the cut-over; with --cut-over all of it.".to_owned(),
                Some(file) => format!(
                    "Nothing was changed. `azure2neon migrate --plan {}` does exactly this up to the cut-over, or refuses if what it \
                     rests on has changed.",
                    file.display()
                ),
            });
        }
    }
    let is_done = |step: &Step| matches!(states.get(step.id()), Some(State::Done { .. }));
    let is_left = plan.steps.iter().any(|step| step.stage != Stage::RollBack && !is_done(step));
    Ok(if arguments.detailed_exitcode && is_left { ExitCode::from(SOMETHING_TO_DO) } else { ExitCode::SUCCESS })
}

fn keep(plan: &Plan, file: &Path) -> Result<()> {
    let text = serde_json::to_string_pretty(plan).unwrap_or_default();
    std::fs::write(file, text)
        .map_err(|error| Error::new(ErrorKind::Configuration, format!("could not write the plan to {}", file.display())).because(error))
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
        out(&format!("{word} {} {}", finding.what, faint(&format!("[{}]", finding.id))));
        for line in [&finding.why, &finding.advice] {
            out(&format!("  {}", faint(line)));
        }
        if let Some(reason) = &finding.accepted {
            out(&format!("  {} {reason}", good("accepted:")));
        }
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
