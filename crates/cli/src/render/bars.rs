use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use azure2neon_core::event::{Event, Observer};
use indicatif::{ProgressBar, ProgressStyle};

use super::lines::line;
use crate::terminal;

/// Lines above, and below them one that shows what is being done now.
pub struct Bars {
    live: ProgressBar,
    shown: AtomicBool,
}

impl Bars {
    pub fn new() -> Self {
        let live = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("  {spinner} {wide_msg} {elapsed}") {
            live.set_style(style);
        }
        Self { live, shown: AtomicBool::new(false) }
    }

    /// Shows the text in the live line.
    fn show(&self, text: String) {
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
                self.show(format!("{step}: {what}"));
            }
            Event::Progress { step, .. } | Event::Waiting { step, .. } => self.show(format!("{step}: {}", text.trim())),
            Event::Lag { .. } => self.show(text.trim().to_owned()),
            Event::Notice { .. } | Event::Finding(_) if self.shown.load(Ordering::Relaxed) => {
                self.live.println(terminal::wrapped_for_stderr(&text));
            }
            _ => {
                self.clear();
                terminal::err(&text);
            }
        }
    }
}
