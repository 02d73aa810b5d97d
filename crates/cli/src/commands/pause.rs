use std::process::ExitCode;

use azure2neon_core::control;
use azure2neon_core::journal::{State, read_plan, read_step_states};
use azure2neon_core::{Error, ErrorKind, Result};

use crate::args::Global;
use crate::config::Config;
use crate::terminal::out;

/// The step that can be paused.
pub const COPY: &str = "stream-data";

/// `pause`: the copy stands still until `resume`.
pub async fn pause(global: &Global, config: &Config) -> Result<ExitCode> {
    tell(
        global,
        config,
        true,
        [
            "Paused: nothing moves any more until `azure2neon resume`. The source keeps the copy's snapshot and its WAL meanwhile.",
            "Noted. No copy is under way now: when it is due, it waits for `azure2neon resume`.",
        ],
    )
    .await
}

/// `resume`: it goes on.
pub async fn resume(global: &Global, config: &Config) -> Result<ExitCode> {
    tell(
        global,
        config,
        false,
        ["Resumed: the copy goes on.", "Resumed. No copy is under way now: `azure2neon migrate` goes on with the run."],
    )
    .await
}

/// Tells the run, and says whether a copy that is under way has obeyed or there is none.
async fn tell(global: &Global, config: &Config, paused: bool, [obeyed, noted]: [&str; 2]) -> Result<ExitCode> {
    refuse_without_copy(config)?;
    let folder = &config.run_folder;
    let already = control::told(folder)?.filter(|told| told.paused == paused);
    let control = match already {
        Some(control) => control,
        None if !paused && control::told(folder)?.is_none() => {
            return Err(nothing_to_do("the run is not paused", "`azure2neon pause` pauses its copy"));
        }
        None => control::tell(folder, paused)?,
    };
    let is_obeyed = control::is_obeyed(folder, &control).await?;
    if global.is_json() {
        out(&serde_json::json!({ "paused": paused, "since": control.since, "obeyed": is_obeyed }).to_string());
    } else {
        out(if is_obeyed { obeyed } else { noted });
    }
    Ok(ExitCode::SUCCESS)
}

fn refuse_without_copy(config: &Config) -> Result<()> {
    let Some(plan) = read_plan(&config.run_folder)? else {
        return Err(crate::run::no_run(config));
    };
    if plan.step(COPY).is_none() {
        return Err(nothing_to_do(
            "Neon fetches the rows by itself in this run, which can't be paused",
            "`azure2neon status` says how far it is; a run with --copy stream can be paused",
        ));
    }
    if matches!(read_step_states(&config.run_folder)?.get(COPY), Some(State::Done { .. })) {
        return Err(nothing_to_do("the copy is done: there is nothing to pause or to resume", "`azure2neon status` says what is next"));
    }
    Ok(())
}

fn nothing_to_do(why: &str, hint: &str) -> Error {
    Error::new(ErrorKind::Configuration, why).hint(hint)
}
