use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use azure2neon_core::event::{Event, Observer};
use indicatif::{ProgressBar, ProgressStyle};

use super::{copy, lines::line};
use crate::terminal;

/// Lines above, and below them one that shows what is being done now.
pub struct Bars {
    live: ProgressBar,
    shown: AtomicBool,
}

const ONE_LINE: &str = "  {spinner} {wide_msg} {elapsed}";
const TWO_LINES: &str = "  {spinner} {wide_msg} {elapsed}\n    {prefix}";

impl Bars {
    pub fn new() -> Self {
        Self { live: ProgressBar::new_spinner(), shown: AtomicBool::new(false) }
    }

    /// Shows the text in the live line, and this in one below it.
    fn show(&self, text: String, below: String) {
        let template = if below.is_empty() { ONE_LINE } else { TWO_LINES };
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.live.set_style(style);
        }
        self.live.set_prefix(below);
        if !self.shown.swap(true, Ordering::Relaxed) {
            self.live.reset();
            self.live.enable_steady_tick(Duration::from_millis(100));
        }
        self.live.set_message(text);
    }

    /// Takes the live line away.
    fn clear(&self) {
        if self.shown.swap(false, Ordering::Relaxed) {
            self.live.disable_steady_tick();
            self.live.finish_and_clear();
        }
    }
}

impl Observer for Bars {
    fn event(&self, event: &Event) {
        let Some(text) = line(event) else { return };
        match event {
            Event::StepStarted { step, what } => {
                self.clear();
                self.show(format!("{step}: {what}"), String::new());
            }
            Event::Progress { step, .. } | Event::Waiting { step, .. } => {
                self.show(format!("{step}: {}", text.trim()), String::new());
            }
            Event::Copy(progress) => self.show(copy::whole(progress), copy::tables(progress, copy::WIDTH - 4)),
            Event::Lag { .. } => self.show(text.trim().to_owned(), String::new()),
            Event::Notice { .. } | Event::Workers { .. } | Event::Finding(_) if self.shown.load(Ordering::Relaxed) => {
                self.live.println(terminal::wrapped_for_stderr(&text));
            }
            _ => {
                self.clear();
                terminal::err(&text);
            }
        }
    }
}
