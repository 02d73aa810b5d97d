//! The commands.

mod checks;
mod demo;
mod dry_restore;
mod local_cloud;
mod migrate;
mod pause;
mod plan;
mod status;
mod verify;
mod window;

use std::process::ExitCode;

use azure2neon_core::{Error, ErrorKind, Result};
use tokio::sync::watch;

use crate::args::{Arguments, Command, LocalCloudCommand, Output};
use crate::config::Config;
use crate::terminal;

/// Runs the command.
pub async fn execute(arguments: Arguments) -> Result<ExitCode> {
    let Arguments { global, command } = arguments;
    if global.output == Output::Markdown && !matches!(command, Command::Plan(_) | Command::Checks) {
        return Err(
            Error::new(ErrorKind::Configuration, "only `plan` and `checks` can be had as Markdown").hint("--output text or --output json")
        );
    }
    match command {
        Command::LocalCloud(LocalCloudCommand::Up(up)) => return local_cloud::up(&global, up).await,
        Command::Demo(demo) => return demo::run(&global, demo).await,
        Command::Checks => return Ok(checks::run(&global)),
        Command::Plan(arguments) if arguments.schema => {
            terminal::out(&crate::report::schema());
            return Ok(ExitCode::SUCCESS);
        }
        _ => {}
    }
    let config = Config::load(&global)?;
    match command {
        Command::Plan(arguments) => plan::run(&global, &config, &arguments).await,
        Command::Status => status::run(&global, &config).await,
        Command::Pause => pause::pause(&global, &config).await,
        Command::Resume => pause::resume(&global, &config).await,
        Command::Migrate(arguments) => migrate::migrate(&global, config, arguments).await,
        Command::Verify(arguments) => verify::run(&global, config, arguments).await,
        Command::CutOver(confirmation) => migrate::cut_over(&global, config, confirmation).await,
        Command::Rollback(confirmation) => migrate::rollback(&global, config, confirmation).await,
        Command::Finish(arguments) => migrate::finish(&global, config, arguments).await,
        Command::Abort(arguments) => migrate::abort(&global, config, arguments).await,
        Command::LocalCloud(_) | Command::Demo(_) | Command::Checks => Ok(ExitCode::SUCCESS),
    }
}

/// The process's environment: the one place that reads it, so that tests and the demo can stand in for it.
#[allow(clippy::disallowed_methods)]
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Turns true at the first Ctrl-C or SIGTERM; at the second the program ends at once, which is safe too.
pub fn stop_signal() -> Result<watch::Receiver<bool>> {
    use tokio::signal::unix::{SignalKind, signal};
    let failed = |error| Error::new(ErrorKind::Internal, "could not listen for signals").because(error);
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let (say, stop) = watch::channel(false);
    tokio::spawn(async move {
        for again in [false, true] {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if again {
                std::process::exit(130);
            }
            terminal::err("Stopping at a safe place; once more to stop at once (that is safe too).");
            let _ = say.send(true);
        }
    });
    Ok(stop)
}

/// Asks for a typed `yes`, unless told not to.
pub fn confirm(question: &str, yes: bool) -> Result<()> {
    if yes {
        return Ok(());
    }
    if !std::io::IsTerminal::is_terminal(&std::io::stdin()) {
        return Err(Error::new(ErrorKind::Configuration, "this needs a confirmation and there is no terminal to ask on").hint("add --yes"));
    }
    terminal::err(&format!("{question} Type yes to go on:"));
    let mut answer = String::new();
    std::io::stdin()
        .read_line(&mut answer)
        .map_err(|error| Error::new(ErrorKind::Configuration, "could not read the answer").because(error))?;
    if answer.trim().eq_ignore_ascii_case("yes") {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Interrupted, "not confirmed; nothing was changed"))
}
