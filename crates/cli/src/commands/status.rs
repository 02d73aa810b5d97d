use std::process::ExitCode;

use azure2neon_core::door;
use azure2neon_core::journal::{State, read_plan, read_step_states};
use azure2neon_core::plan::{Mode, Stage, Step};
use azure2neon_core::{Result, clock, control, units};

use super::pause::COPY;
use super::window::Window;
use crate::args::Global;
use crate::config::Config;
use crate::terminal::{bold, faint, good, out};

/// Prints how far the run is, from its folder alone, since another process may be at work on it; and how the way back is, if one is open
/// and both servers can be asked.
pub async fn run(global: &Global, config: &Config) -> Result<ExitCode> {
    let Some(plan) = read_plan(&config.run_folder)? else {
        return Err(crate::run::no_run(config));
    };
    let states = read_step_states(&config.run_folder)?;
    let is_done = |id: &str| matches!(states.get(id), Some(State::Done { .. }));
    // A rollback is nobody's next step unless it was begun.
    let shown: Vec<&Step> = plan.steps.iter().filter(|step| step.stage != Stage::RollBack || states.contains_key(step.id())).collect();
    let next = shown.iter().find(|step| step.stage != Stage::RollBack && !is_done(step.id()));
    let is_rolling_back = shown.iter().any(|step| matches!(states.get(step.id()), Some(State::Started)) && step.stage == Stage::RollBack);
    // A pause concerns the copy alone.
    let is_copied = plan.step(COPY).is_none() || is_done(COPY);
    let paused = if is_copied { None } else { control::paused_since(&config.run_folder)? };
    let is_open = plan.has_way_back() && is_done("prepare-way-back") && is_done("hand-over") && !is_done("drop-way-back");
    let window = if is_open { Some(Window::look(global, config, &plan, &states).await) } else { None };
    if global.is_json() {
        let steps: Vec<serde_json::Value> = shown
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
        let way_back = window.map(|window| window.json());
        out(&serde_json::json!({ "run": plan.run, "next": next, "paused_since": paused, "steps": steps, "way_back": way_back }).to_string());
        return Ok(ExitCode::SUCCESS);
    }
    out(&format!("Run {} in {}", bold(&plan.run), config.run_folder.display()));
    for step in &shown {
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
    if let Some(window) = window {
        window.print();
    }
    out(match next.map(|step| step.stage) {
        _ if is_rolling_back => "A rollback was begun: `azure2neon rollback` goes on with it.",
        None => "All done.",
        Some(Stage::WarmUp | Stage::CutOver) if plan.mode == Mode::Offline => {
            "The target is prepared. Next: `azure2neon cut-over` stops writes and copies."
        }
        Some(Stage::WarmUp | Stage::CutOver) => "In step and equal, ready to cut over: `azure2neon cut-over`.",
        Some(Stage::Finish) if is_open => "Handed over. Next: `azure2neon finish`, or `azure2neon rollback` to return to the source.",
        Some(Stage::Finish) => "Handed over. Next: `azure2neon finish`.",
        Some(_) => "Next: `azure2neon migrate` goes on; `azure2neon abort` undoes everything.",
    });
    Ok(ExitCode::SUCCESS)
}
