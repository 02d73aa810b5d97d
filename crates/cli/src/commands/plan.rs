use std::path::Path;
use std::process::ExitCode;

use azure2neon_core::journal::{read_plan, read_step_states};
use azure2neon_core::plan::{Plan, Stage};
use azure2neon_core::{Error, ErrorKind, Result};

use crate::args::{Global, Output, PlanArguments};
use crate::config::Config;
use crate::exit;
use crate::report::{markdown, print, report};
use crate::run::{new_plan, no_run, run_id};
use crate::terminal::out;

/// With `--detailed-exitcode`, as Terraform's.
const SOMETHING_TO_DO: u8 = 2;

/// Prints the plan of the folder's run, or of the one that `migrate` would begin.
pub async fn run(global: &Global, config: &Config, arguments: &PlanArguments) -> Result<ExitCode> {
    let begun = read_plan(&config.run_folder)?;
    let is_begun = begun.is_some();
    if let (Some(plan), true) = (&begun, arguments.dry_restore) {
        return Err(super::dry_restore::is_too_late(plan));
    }
    let connected = if is_begun && !arguments.explain {
        None
    } else {
        // On stdout the plan is the only document: what is waited for goes to stderr.
        Some(config.connect(&super::environment, &crate::render::events(Output::Text))?)
    };
    let mut plan = match (begun, &connected) {
        (None, Some((clouds, access))) => new_plan(config, clouds, access, &run_id()).await?,
        (begun, _) => begun.ok_or_else(|| no_run(config))?,
    };
    if let Some((clouds, access)) = connected.as_ref().filter(|_| arguments.dry_restore) {
        super::dry_restore::add(config, (clouds, access), &mut plan).await?;
    }
    let states = read_step_states(&config.run_folder)?;
    if let Some(file) = &arguments.out {
        keep(&plan, file)?;
    }
    let mut report = report(&plan, &states);
    if let Some((clouds, _)) = connected.as_ref().filter(|_| arguments.explain) {
        report.explain(&plan, &config.settings, clouds);
    }
    match global.output {
        Output::Json => out(&serde_json::to_string_pretty(&report).unwrap_or_default()),
        Output::Markdown => out(markdown(&report).trim_end()),
        Output::Text => print(&report),
    }
    if !is_begun {
        if let (Err(blocked), true) = (plan.refuse_blocked(), global.is_json()) {
            // It stands in what was printed.
            let code = if arguments.detailed_exitcode { exit::ANY_ERROR } else { exit::code(blocked.kind()) };
            return Ok(ExitCode::from(code));
        }
        plan.refuse_blocked()?;
        if global.output == Output::Text {
            out(&closing(arguments));
        }
    }
    let is_left = report.steps.iter().any(|step| step.stage != Stage::RollBack && step.state.as_deref() != Some("done"));
    Ok(if arguments.detailed_exitcode && is_left { ExitCode::from(SOMETHING_TO_DO) } else { ExitCode::SUCCESS })
}

fn closing(arguments: &PlanArguments) -> String {
    match &arguments.out {
        None => "Nothing was changed. `azure2neon migrate` does this up to the cut-over; with --cut-over all of it.".to_owned(),
        Some(file) => format!(
            "Nothing was changed. `azure2neon migrate --plan {}` does exactly this up to the cut-over, or refuses if what it rests on has \
             changed.",
            file.display()
        ),
    }
}

fn keep(plan: &Plan, file: &Path) -> Result<()> {
    let text = serde_json::to_string_pretty(plan).unwrap_or_default();
    std::fs::write(file, text)
        .map_err(|error| Error::new(ErrorKind::Configuration, format!("could not write the plan to {}", file.display())).because(error))
}
