//! The log of one run, in its folder; the terminal belongs to the renderers.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Mutex;

use tracing_subscriber::EnvFilter;

/// Logs into the folder's `azure2neon.log` from now on. `filter` is of the form `info,azure2neon_azure=debug`.
pub fn start(folder: &Path, filter: Option<&str>) {
    let Ok(file) = OpenOptions::new().create(true).append(true).mode(0o600).open(folder.join("azure2neon.log")) else {
        return;
    };
    // Below info azure_core prints request headers, and tokio_postgres statements, of which CREATE SUBSCRIPTION holds a password.
    let filter = format!("{},azure_core=info,typespec_client_core=info,tokio_postgres=info", filter.unwrap_or("info"));
    let subscriber = tracing_subscriber::fmt().with_env_filter(EnvFilter::new(filter)).with_ansi(false).with_writer(Mutex::new(file));
    let _ = subscriber.try_init();
}
