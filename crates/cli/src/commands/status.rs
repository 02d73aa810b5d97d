use std::process::ExitCode;

use azure2neon_core::door;
use azure2neon_core::journal::{State, read_plan, read_step_states};
use azure2neon_core::plan::{Mode, Stage};
use azure2neon_core::{Result, clock, control, units};

use super::pause::COPY;
use crate::args::Global;
use crate::config::Config;
use crate::terminal::{bold, faint, good, out};

/// Prints how far the run is, from its folder alone; another process may be at work on it.
pub fn run(global: &Global, config: &Config) -> Result<ExitCode> {
    let Some(plan) = read_plan(&config.run_folder)? else {
        return Err(crate::run::no_run(config));
    };
    let states = read_step_states(&config.run_folder)?;
    let is_done = |id: &str| matches!(states.get(id), Some(State::Done { .. }));
    let next = plan.steps.iter().find(|step| !is_done(step.id()));
    // A pause concerns the copy alone.
    let is_copied = plan.step(COPY).is_none() || is_done(COPY);
    let paused = if is_copied { None } else { control::paused_since(&config.run_folder)? };
    if global.is_json() {
        let steps: Vec<serde_json::Value> = plan
            .steps
            .iter()
            .map(|step| {
                let (state, milliseconds) = match states.get(step.id()) {
                    Some(State::Done { milliseconds, .. }) => ("done", Some(*milliseconds)),
                    Some(State::Started) => ("started", None),
                    _ => ("pending", None),
                };
                serde_json::json!({ "step": step.id(), "stage": step.stage, "state": state, "milliseconds": milliseconds })
            })
            .collect();
        let next = next.map(|step| step.id());
        out(&serde_json::json!({ "run": plan.run, "next": next, "paused_since": paused, "steps": steps }).to_string());
        return Ok(ExitCode::SUCCESS);
    }
    out(&format!("Run {} in {}", bold(&plan.run), config.run_folder.display()));
    for step in &plan.steps {
        let line = match states.get(step.id()) {
            Some(State::Done { already: true, .. }) => format!("  {} {:<28} {:>11}", good("✓"), step.id(), "already so"),
            Some(State::Done { milliseconds, .. }) => {
                format!("  {} {:<28} {:>11}", good("✓"), step.id(), units::milliseconds(*milliseconds))
            }
            Some(State::Started) => format!("  {} {:<28} {:>11}", bold("…"), step.id(), "begun"),
            _ => faint(&format!("    {}", step.id())),
        };
        out(&line);
    }
    if let Some(since) = paused {
        let age = u64::try_from(clock::now().duration_since(since).as_millis()).unwrap_or(0);
        out(&format!("  {} the copy has been paused for {}: `azure2neon resume` lets it go on", bold("!"), units::milliseconds(age)));
    }
    if door::is_open(&config.run_folder)? {
        out(&format!("  {} a firewall rule of the run lets this machine in until `finish` or `abort`", bold("!")));
    }
    out(match next.map(|step| step.stage) {
        None => "All done.",
        Some(Stage::CutOver) if plan.mode == Mode::Offline => {
            "The target is prepared. Next: `azure2neon cut-over` stops writes and copies."
        }
        Some(Stage::CutOver) => "In step and equal, ready to cut over: `azure2neon cut-over`.",
        Some(Stage::Finish) => "Handed over. Next: `azure2neon finish`.",
        Some(_) => "Next: `azure2neon migrate` goes on; `azure2neon abort` undoes everything.",
    });
    Ok(ExitCode::SUCCESS)
}
