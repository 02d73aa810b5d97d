//! The other ways: programs that people use.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use azure2neon_postgres::copy::published;
use azure2neon_postgres::ident::conninfo_value;
use azure2neon_postgres::{Endpoint, replication as r};
use secrecy::ExposeSecret;
use tokio::process::Command;

use crate::lab::{SOURCE, Sites, TARGET, password};
use crate::ours::MARK;
use crate::support::client_bin;

type Result<T> = std::result::Result<T, String>;

const GUIDE: &str = "bench_guide";

/// As AZURE2NEON_BENCH_PGCOPYDB names it, else from PATH.
pub fn pgcopydb() -> Option<PathBuf> {
    let named = std::env::var_os("AZURE2NEON_BENCH_PGCOPYDB").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    named.into_iter().chain(std::env::split_paths(&path).map(|folder| folder.join("pgcopydb"))).find(|file| file.is_file())
}

/// pgcopydb, a superuser on both sides, with as many jobs of each kind; its own defaults are four.
pub async fn clone(sites: &mut Sites<'_>, jobs: Option<usize>, binary: bool) -> Result<()> {
    let program = pgcopydb().ok_or("pgcopydb is neither on PATH nor named by AZURE2NEON_BENCH_PGCOPYDB")?;
    let folder = tempfile::tempdir().unwrap();
    let uri = |at: &Endpoint| format!("postgresql://{}@127.0.0.1:{}/{}?sslmode=require", at.user, at.port, at.database);
    let mut command = Command::new(program);
    command.arg("clone").args(["--source", &uri(&sites.source), "--target", &uri(&sites.target_as_admin)]);
    command.args(["--no-owner", "--no-acl", "--fail-fast", "--dir"]).arg(folder.path().join("work"));
    if let Some(jobs) = jobs {
        command.args(["--table-jobs", &jobs.to_string(), "--index-jobs", &jobs.to_string()]);
    }
    if binary {
        command.arg("--use-copy-binary");
    }
    let mut path = vec![client_bin()];
    path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    let (key, value) = password();
    command.env("PATH", std::env::join_paths(path).unwrap()).env(key, value);
    finish("pgcopydb", command).await?;
    sites.lap("all");
    Ok(())
}

pub async fn dump_and_restore(sites: &mut Sites<'_>, jobs: usize) -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("archive").display().to_string();
    let jobs = format!("-j{jobs}");
    let [old, new] = sites.ca_files();
    run("pg_dump", &sites.source, old, &["-Fd", "-Z0", &jobs, "-f", &archive]).await?;
    let restore = [&jobs, "--no-owner", "--no-privileges", "-d", TARGET, &archive];
    run("pg_restore", &sites.target, new, &restore).await?;
    run("vacuumdb", &sites.target, new, &["--quiet", "--analyze-only", &jobs, TARGET]).await?;
    sites.lap("all");
    Ok(())
}

/// Neon's guide: the whole schema, a publication of all tables, a subscription that copies.
/// `workers` only names what the server's max_sync_workers_per_subscription is.
pub async fn guide(sites: &mut Sites<'_>, workers: usize) -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let schema = folder.path().join("schema.sql").display().to_string();
    let [old, new] = sites.ca_files();
    run("pg_dump", &sites.source, old, &["--schema-only", "--no-owner", "--no-privileges", "-f", &schema]).await?;
    run("psql", &sites.target, new, &["-qX", "-v", "ON_ERROR_STOP=1", "-o", "/dev/null", "-f", &schema]).await?;
    sites.lap("schema");
    let source = sites.source_nearby().connect().await.unwrap();
    source.batch_execute(&format!("create publication {GUIDE} for all tables")).await.map_err(|error| error.to_string())?;
    let conninfo = format!(
        "host=127.0.0.1 port={} dbname={SOURCE} user={} password={} sslmode=require",
        sites.publisher_port,
        sites.source.user,
        conninfo_value(sites.source.password.expose_secret())
    );
    let create = format!("create subscription {GUIDE} connection {} publication {GUIDE}", azure2neon_postgres::ident::literal(&conninfo));
    sites.target.connect().await.unwrap().batch_execute(&create).await.map_err(|error| error.to_string())?;
    until_ready(&sites.target_nearby(), GUIDE).await;
    sites.lap("synchronization");
    run("vacuumdb", &sites.target, new, &["--quiet", "--analyze-only", &format!("-j{workers}"), TARGET]).await?;
    sites.lap("statistics");
    Ok(())
}

/// Waits until every table of the subscription is synchronized.
pub async fn until_ready(target: &Endpoint, name: &str) {
    let session = target.connect().await.unwrap();
    while !r::subscription(&session, name).await.unwrap().unwrap().tables.iter().all(|(_, state)| *state == 'r') {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Removes what any way leaves on the source.
pub async fn clean_up(sites: &Sites<'_>) {
    let (source, target) = (sites.source_nearby().connect().await.unwrap(), sites.target_nearby().connect().await.unwrap());
    for name in [MARK, GUIDE] {
        r::drop_subscription(&target, name).await.unwrap();
        r::drop_slot(&source, name).await.unwrap();
        r::drop_publication(&source, name).await.unwrap();
    }
    for unit in published(&source, MARK).await.unwrap() {
        r::drop_publication(&source, &unit).await.unwrap();
    }
    for slot in r::orphaned_sync_slots(&source).await.unwrap() {
        r::drop_slot(&source, &slot).await.unwrap();
    }
}

async fn run(program: &str, at: &Endpoint, ca_file: &Path, arguments: &[&str]) -> Result<()> {
    let mut command = Command::new(client_bin().join(program));
    command.args(arguments).envs(at.environment(Some(ca_file)));
    finish(program, command).await
}

async fn finish(name: &str, mut command: Command) -> Result<()> {
    let output = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).output().await.unwrap();
    if output.status.success() {
        return Ok(());
    }
    let printed = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = printed.lines().collect();
    Err(format!("{name}: {}\n{}", output.status, lines[lines.len().saturating_sub(12)..].join("\n")))
}
