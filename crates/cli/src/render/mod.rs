//! Renderers: they alone decide how events look.

mod bars;
mod copy;
mod json;
mod lines;

use std::io::IsTerminal;
use std::sync::Arc;

use azure2neon_core::event::Events;

use crate::args::Output;

/// The renderer for this output: JSON lines on stdout; on a terminal, lines with a live one below; else plain lines.
pub fn events(output: Output) -> Events {
    match output {
        Output::Json => Events::new(Arc::new(json::Json::default())),
        Output::Text | Output::Markdown if std::io::stderr().is_terminal() => Events::new(Arc::new(bars::Bars::new())),
        Output::Text | Output::Markdown => Events::new(Arc::new(lines::Lines::new(|line: &str| crate::terminal::err(line)))),
    }
}
