//! One table from kinds of errors to exit codes, and how an error is shown.

use std::process::ExitCode;

use azure2neon_core::{Error, ErrorKind};

use crate::terminal;

/// The exit code of each kind; the README lists them.
pub fn code(kind: ErrorKind) -> u8 {
    match kind {
        ErrorKind::Internal => 1,
        ErrorKind::Configuration => 2,
        ErrorKind::Credentials => 3,
        ErrorKind::Permission => 4,
        ErrorKind::NotFound => 5,
        ErrorKind::AlreadyExists => 6,
        ErrorKind::Unreachable => 7,
        ErrorKind::Schema => 8,
        ErrorKind::NotEqual => 9,
        ErrorKind::PauseExceeded => 10,
        ErrorKind::Blocked => 11,
        ErrorKind::Cloud => 12,
        ErrorKind::Database => 13,
        ErrorKind::Timeout => 14,
        ErrorKind::RunFolder => 15,
        ErrorKind::Tool => 16,
        ErrorKind::Interrupted => 130,
    }
}

/// Any error with `plan --detailed-exitcode`, as Terraform's, where 2 says that there is something to do.
pub const ANY_ERROR: u8 = 1;

/// An error of this program itself.
pub fn internal(message: &str) -> Error {
    Error::new(ErrorKind::Internal, message)
}

/// Shows the error: what failed, why, what to do. Returns its exit code.
pub fn report(error: &Error, json: bool) -> ExitCode {
    let code = code(error.kind());
    if json {
        let value = serde_json::json!({
            "event": "error",
            "kind": error.kind(),
            "exit_code": code,
            "message": error.message(),
            "step": error.step(),
            "causes": error.causes(),
            "remedy": error.remedy(),
        });
        terminal::out(&value.to_string());
        return ExitCode::from(code);
    }
    let step = error.step().map(|step| format!(" in {step}")).unwrap_or_default();
    terminal::err(&format!("{} {}", terminal::bad(&format!("error{step}:")), error.message()));
    for cause in error.causes() {
        terminal::err(&format!("  because: {cause}"));
    }
    if let Some(remedy) = error.remedy() {
        terminal::err(&format!("  {} {remedy}", terminal::good("next:")));
    }
    ExitCode::from(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_readme_lists_every_exit_code() {
        let readme = include_str!("../../../README.md");
        for number in (1..=16).chain([130]) {
            assert!(readme.contains(&format!("\n| {number} | ")), "{number} is not in the README");
        }
        assert_eq!(code(ErrorKind::Tool), 16, "a new kind needs a line in the README and here");
    }
}
