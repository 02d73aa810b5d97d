use std::sync::Mutex;
use std::time::{Duration, Instant};

use azure2neon_core::event::{Event, Observer};

/// A copy's progress is written no more often than this, but for the last.
const EVERY: Duration = Duration::from_secs(1);

/// One JSON object a line, on stdout.
#[derive(Default)]
pub struct Json {
    copied: Mutex<Option<Instant>>,
}

impl Json {
    fn is_due(&self) -> bool {
        let Ok(mut copied) = self.copied.lock() else { return false };
        let now = Instant::now();
        let due = copied.is_none_or(|last| now.duration_since(last) >= EVERY);
        if due {
            *copied = Some(now);
        }
        due
    }
}

impl Observer for Json {
    fn event(&self, event: &Event) {
        if let Event::Copy(copy) = event
            && !copy.is_last()
            && !self.is_due()
        {
            return;
        }
        if let Ok(line) = serde_json::to_string(event) {
            crate::terminal::out(&line);
        }
    }
}
