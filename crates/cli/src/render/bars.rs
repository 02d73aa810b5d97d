use std::time::Duration;

use azure2neon_core::event::{Event, Observer};
use indicatif::{ProgressBar, ProgressStyle};

use super::lines::line;

/// Lines above, and below them one that shows what is being done now.
pub struct Bars {
    live: ProgressBar,
}

impl Bars {
    pub fn new() -> Self {
        let live = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("  {spinner} {wide_msg} {elapsed}") {
            live.set_style(style);
        }
        Self { live }
    }
}

impl Observer for Bars {
    fn event(&self, event: &Event) {
        let Some(text) = line(event) else { return };
        match event {
            Event::StepStarted { step, what } => {
                self.live.reset();
                self.live.enable_steady_tick(Duration::from_millis(100));
                self.live.set_message(format!("{step}: {what}"));
            }
            Event::Progress { step, .. } | Event::Waiting { step, .. } => self.live.set_message(format!("{step}: {}", text.trim())),
            Event::Lag { .. } => self.live.set_message(text.trim().to_owned()),
            Event::StepDone { .. } | Event::StepFailed { .. } | Event::Undone { .. } => {
                self.live.disable_steady_tick();
                self.live.println(text);
                self.live.finish_and_clear();
            }
            _ => {
                if self.live.is_finished() {
                    crate::terminal::err(&text);
                } else {
                    self.live.println(text);
                }
            }
        }
    }
}
