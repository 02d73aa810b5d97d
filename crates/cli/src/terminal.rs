//! The only place that writes to the terminal. stdout is the result, stderr the progress; a closed pipe is no failure.

use std::io::Write;

use anstream::{stderr, stdout};

/// A line of the result.
pub fn out(line: &str) {
    let _ = writeln!(stdout(), "{line}");
}

/// A line of progress.
pub fn err(line: &str) {
    let _ = writeln!(stderr(), "{line}");
}

/// Something good, in green where colours are shown.
pub fn good(text: &str) -> String {
    paint(text, "32")
}

/// Something bad, in red.
pub fn bad(text: &str) -> String {
    paint(text, "31;1")
}

/// A heading.
pub fn bold(text: &str) -> String {
    paint(text, "1")
}

/// Something of less weight.
pub fn faint(text: &str) -> String {
    paint(text, "2")
}

fn paint(text: &str, code: &str) -> String {
    // anstream strips this where the stream is no terminal or NO_COLOR is set.
    format!("\u{1b}[{code}m{text}\u{1b}[0m")
}
