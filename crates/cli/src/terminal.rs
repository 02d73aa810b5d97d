//! The only place that writes to the terminal. stdout is the result, stderr the progress; a closed pipe is no failure.

use std::io::{IsTerminal, Write};

use anstream::{stderr, stdout};

/// A line of the result.
pub fn out(line: &str) {
    let _ = writeln!(stdout(), "{}", wrapped(line, std::io::stdout().is_terminal()));
}

/// A line of progress.
pub fn err(line: &str) {
    let _ = writeln!(stderr(), "{}", wrapped_for_stderr(line));
}

/// The text, broken between words where stderr is a terminal.
pub fn wrapped_for_stderr(text: &str) -> String {
    wrapped(text, std::io::stderr().is_terminal())
}

/// On a terminal, lines are broken between words, and go on a little further in than they began.
fn wrapped(text: &str, is_terminal: bool) -> String {
    if !is_terminal {
        return text.to_owned();
    }
    let width = textwrap::termwidth();
    let wrap = |line: &str| {
        let indent = " ".repeat(line.len() - line.trim_start().len() + 4);
        textwrap::fill(line, textwrap::Options::new(width).subsequent_indent(&indent).break_words(false))
    };
    text.lines().map(wrap).collect::<Vec<_>>().join("\n")
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
