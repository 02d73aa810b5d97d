use azure2neon_core::event::{Event, Observer};

/// One JSON object a line, on stdout.
pub struct Json;

impl Observer for Json {
    fn event(&self, event: &Event) {
        if let Ok(line) = serde_json::to_string(event) {
            crate::terminal::out(&line);
        }
    }
}
