use std::path::{Path, PathBuf};
use std::process::ExitCode;

use azure2neon_core::{Error, ErrorKind, Result};
use azure2neon_local_cloud::{LocalCloud, Options};

use crate::args::{CloudArguments, Global, UpArguments};
use crate::terminal;

/// Name of the source's database unless told otherwise.
pub const DATABASE: &str = "bikeparts";

/// Options of the local clouds.
pub fn options(arguments: &CloudArguments, settings: PathBuf, database: String, load: Option<PathBuf>) -> Options {
    Options {
        source_major: arguments.source_version,
        target_major_default: arguments.target_version,
        database,
        load,
        settings,
        postgres_dir: arguments.postgres.clone(),
        region: arguments.location.clone(),
        operation_delay: arguments.operation_delay,
        ..Options::default()
    }
}

/// The error of the local clouds as one of ours.
pub fn failed(error: azure2neon_local_cloud::Error) -> Error {
    // Its own words say what to do where something can be done.
    Error::new(ErrorKind::Tool, "the local clouds failed").because(error)
}

/// `local-cloud up`: starts both clouds and stays until stopped.
pub async fn up(global: &Global, arguments: UpArguments) -> Result<ExitCode> {
    let mut stop = super::stop_signal()?;
    let database = global.overrides.database.clone().unwrap_or_else(|| DATABASE.into());
    if let Some(load) = &arguments.load
        && !Path::new(load).is_file()
    {
        return Err(Error::new(ErrorKind::Configuration, format!("there is no file {} to load", load.display())));
    }
    let mut options = options(&arguments.clouds, arguments.settings, database, arguments.load);
    options.retry_after = arguments.retry_after;
    let cloud = tokio::select! {
        cloud = LocalCloud::start(options) => cloud.map_err(failed)?,
        _ = stop.wait_for(|stop| *stop) => return Err(Error::new(ErrorKind::Interrupted, "stopped before the clouds were up")),
    };
    let settings = cloud.settings().display().to_string();
    terminal::err(&format!("Both clouds are up. Migrate with:\n  set -a; . {settings}/secrets.env; set +a"));
    terminal::err(&format!(
        "  azure2neon --config {settings}/azure2neon.toml migrate --cut-over --yes\nCtrl-C stops them and removes everything."
    ));
    terminal::out("ready");
    let _ = stop.wait_for(|stop| *stop).await;
    cloud.stop().await.map_err(failed)?;
    Ok(ExitCode::SUCCESS)
}
