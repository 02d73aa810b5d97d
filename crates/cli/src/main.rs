//! `azure2neon`: moves a PostgreSQL database from Azure Database for PostgreSQL to Neon.

mod args;
mod commands;
mod config;
mod exit;
mod log;
mod render;
mod report;
mod run;
mod secrets;
mod summary;
mod terminal;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Arguments, Command};

fn main() -> ExitCode {
    // One TLS provider for every client in the program; without it the first HTTPS call would panic.
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        return exit::report(&exit::internal("the TLS provider could not be installed"), false);
    }
    let arguments = Arguments::parse();
    let json = arguments.global.is_json();
    let detailed = matches!(&arguments.command, Command::Plan(plan) if plan.detailed_exitcode);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return exit::report(&exit::internal(&format!("the runtime could not be started: {error}")), json),
    };
    let outcome = runtime.block_on(commands::execute(arguments));
    // Threads that wait for the terminal's input must not keep the program.
    runtime.shutdown_background();
    match outcome {
        Ok(code) => code,
        Err(error) => {
            let code = exit::report(&error, json);
            if detailed { ExitCode::from(exit::ANY_ERROR) } else { code }
        }
    }
}
