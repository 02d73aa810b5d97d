//! Everything that a test binary logs, at TRACE, in one place (both providers include this file). One subscriber for all
//! tests: one for a single test would race with the others for who is interested in what.

use std::io::Write;
use std::sync::{Arc, Mutex, OnceLock};

/// What was logged so far.
#[derive(Clone, Default)]
pub(crate) struct Logged(Arc<Mutex<Vec<u8>>>);

impl Write for Logged {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Logged {
    /// Starts the log, if no test did so before.
    pub(crate) fn start() -> &'static Self {
        static LOGGED: OnceLock<Logged> = OnceLock::new();
        LOGGED.get_or_init(|| {
            let logged = Self::default();
            let writer = logged.clone();
            tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone()).init();
            logged
        })
    }

    /// Its text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}
