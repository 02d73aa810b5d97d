use std::collections::HashMap;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use azure2neon_core::context::Context;
use azure2neon_core::{Error, ErrorKind, Result, clock, units};
use azure2neon_local_cloud::LocalCloud;
use azure2neon_local_cloud::application::Application;
use azure2neon_local_cloud::workload::{self, Writer, WriterOptions, WriterReport};
use azure2neon_postgres::{QualifiedName, Session, inventory, sequences};

use super::local_cloud::{DATABASE, failed, options};
use super::migrate::all_the_way;
use super::stop_signal;
use crate::args::{DemoArguments, Global};
use crate::config::Config;
use crate::render;
use crate::run::Opening;
use crate::summary::Summary;
use crate::terminal::{bad, bold, err, good, out};

/// The sample database, in the binary so that the demo runs from anywhere.
const SAMPLE: [(&str, &str); 3] = [
    ("bikeparts.sql", include_str!("../../../../fixtures/databases/bikeparts/bikeparts.sql")),
    ("schema.sql", include_str!("../../../../fixtures/databases/bikeparts/schema.sql")),
    ("data.sql", include_str!("../../../../fixtures/databases/bikeparts/data.sql")),
];

/// How long the writer writes before the migration and after it.
const WRITES_BEFORE: Duration = Duration::from_secs(2);
const WRITES_AFTER: Duration = Duration::from_secs(2);

/// `demo`: both clouds up, sample loaded, writer on, migrated with cut-over, the writer moved, everything checked.
pub async fn run(global: &Global, arguments: DemoArguments) -> Result<ExitCode> {
    let folder = tempfile::Builder::new().prefix("azure2neon-demo-").tempdir().map_err(|error| io("could not make a folder", error))?;
    for (name, text) in SAMPLE {
        std::fs::write(folder.path().join(name), text).map_err(|error| io("could not write the sample database", error))?;
    }
    let settings = folder.path().join("settings");
    let load = folder.path().join("bikeparts.sql");
    err(&bold("Start Azure and Neon on this machine and load the sample database"));
    let since = clock::stopwatch();
    let cloud = LocalCloud::start(options(&arguments.clouds, settings.clone(), DATABASE.into(), Some(load))).await.map_err(failed)?;
    err(&format!("  {} both clouds are up after {}", good("✓"), units::milliseconds(clock::milliseconds_since(since))));
    let outcome = migrate_under_load(global, &arguments, &settings).await;
    let stopped = cloud.stop().await.map_err(failed);
    let is_good = outcome?;
    stopped?;
    Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::from(crate::exit::code(ErrorKind::NotEqual)) })
}

async fn migrate_under_load(global: &Global, arguments: &DemoArguments, settings: &Path) -> Result<bool> {
    let secrets = read_secrets(&settings.join("secrets.env"))?;
    let env_file = settings.join("app.env");
    let mut global = global.clone();
    global.config = Some(settings.join("azure2neon.toml"));
    global.overrides.env_file = Some(env_file.clone());
    let config = Config::load(&global)?;

    let application = application(&config, &env_file, settings)?;
    let writer = Writer::start(application, WriterOptions { sessions: arguments.writers, ..WriterOptions::default() });
    tokio::time::sleep(WRITES_BEFORE).await;
    err(&format!("  {} {} sessions write; {} commits so far", good("✓"), arguments.writers, writer.progress().acknowledged));

    let environment = |name: &str| secrets.get(name).cloned();
    let opening =
        Opening { config: &config, environment: &environment, events: render::events(global.output), stop: stop_signal()?, plan: None };
    let since = clock::stopwatch();
    let engine = opening.begin_or_resume(async |_| Ok(())).await?;
    let migrated = all_the_way(&engine, true).await;
    let took = clock::milliseconds_since(since);
    tokio::time::sleep(WRITES_AFTER).await;
    let report = writer.stop().await;
    migrated?;

    let summary = Summary::of(engine.context()).await?;
    let checks = check(engine.context(), &report).await?;
    if global.is_json() {
        let checks: Vec<_> = checks.iter().map(|check| serde_json::json!({ "check": check.text, "ok": check.ok })).collect();
        out(&serde_json::json!({ "event": "summary", "summary": summary, "checks": checks }).to_string());
    } else {
        out("");
        summary.print();
        out(&bold("Checks"));
        for check in &checks {
            out(&format!("  {} {}", if check.ok { good("✓") } else { bad("✗") }, check.text));
        }
        out(&format!("  the whole migration took {}", units::milliseconds(took)));
    }
    Ok(summary.is_equal() && summary.is_clean() && checks.iter().all(|check| check.ok))
}

/// The application, its env file pointing at the source as it would before a migration.
fn application(config: &Config, env_file: &Path, settings: &Path) -> Result<Application> {
    let network = &config.settings.network;
    let ca_file = network.ca_file.clone().unwrap_or_default();
    let application = Application::new(env_file, network.resolve.iter().cloned().collect(), &ca_file)
        .map_err(|error| Error::new(ErrorKind::Internal, "the application could not be set up").because(error))?;
    let text = std::fs::read_to_string(settings.join("endpoints.json")).map_err(|error| io("could not read endpoints.json", error))?;
    let endpoints: serde_json::Value =
        serde_json::from_str(&text).map_err(|error| Error::new(ErrorKind::Internal, "endpoints.json is not readable").because(error))?;
    let url = endpoints["source"]["url"].as_str().unwrap_or_default();
    application.point_at(url).map_err(|error| io("could not write the env file", error))?;
    Ok(application)
}

struct Check {
    ok: bool,
    text: String,
}

/// What the migration promises, looked at from outside of it.
async fn check(cx: &Context, report: &WriterReport) -> Result<Vec<Check>> {
    let (source, target) = (cx.source().await?, cx.target().await?);
    let verdict = workload::verify(&target, report).await?;
    let mut checks = vec![
        Check {
            ok: verdict.is_clean() && verdict.acknowledged > 0,
            text: format!(
                "{} commits were acknowledged to the writer; on the target {} are missing, {} doubled, {} torn",
                verdict.acknowledged,
                verdict.missing.len(),
                verdict.doubled.len(),
                verdict.torn.len()
            ),
        },
        Check {
            ok: report.commits.len() == 2,
            text: format!(
                "the writer moved: {}",
                report.commits.iter().map(|(server, commits)| format!("{commits} commits on {server}")).collect::<Vec<_>>().join(", ")
            ),
        },
        Check {
            ok: !report.outages.is_empty(),
            text: format!(
                "write outage as the writer saw it: {} ms, from its last commit on the source to its first on the target",
                report.longest_outage()
            ),
        },
    ];
    checks.push(check_sequences(&source, &target).await?);
    Ok(checks)
}

/// The target's application has drawn values since the hand-over; none may be one that the source gave out.
async fn check_sequences(source: &Session, target: &Session) -> Result<Check> {
    let names = inventory::inventory(source).await?.sequences;
    let courses = courses(source).await?;
    let (before, after) = tokio::try_join!(sequences::read_sequences(source, &names), sequences::read_sequences(target, &names))?;
    let behind: Vec<String> = before
        .iter()
        .zip(&after)
        .filter(|(before, after)| {
            let at_or_past = match courses.get(&before.name) {
                // It gives the same values again on purpose, so that none is past another.
                Some(Course { cycles: true, .. }) => true,
                Some(Course { increment, .. }) if *increment < 0 => after.last_value <= before.last_value,
                _ => after.last_value >= before.last_value,
            };
            before.name != after.name || !at_or_past || (before.is_called && !after.is_called)
        })
        .map(|(before, _)| before.name.to_string())
        .collect();
    let named = if behind.is_empty() { String::new() } else { format!("; not {}", behind.join(", ")) };
    Ok(Check {
        ok: behind.is_empty() && !before.is_empty(),
        text: format!("{} of {} sequences are at or past the source's{named}", before.len() - behind.len(), before.len()),
    })
}

/// Where a sequence goes.
struct Course {
    increment: i64,
    cycles: bool,
}

async fn courses(session: &Session) -> Result<HashMap<QualifiedName, Course>> {
    let rows = session
        .query(
            "select n.nspname::text, c.relname::text, s.seqincrement, s.seqcycle from pg_catalog.pg_sequence s \
             join pg_catalog.pg_class c on c.oid = s.seqrelid join pg_catalog.pg_namespace n on n.oid = c.relnamespace",
            &[],
        )
        .await?;
    let course = |row: &tokio_postgres::Row| {
        let name = QualifiedName::new(row.get::<_, String>(0), row.get::<_, String>(1));
        (name, Course { increment: row.get(2), cycles: row.get(3) })
    };
    Ok(rows.iter().map(course).collect())
}

/// Shell exports as `local-cloud` writes them: `export NAME='value'`.
fn read_secrets(path: &Path) -> Result<HashMap<String, String>> {
    let text = std::fs::read_to_string(path).map_err(|error| io("could not read secrets.env", error))?;
    Ok(text
        .lines()
        .filter_map(|line| {
            let (name, value) = line.strip_prefix("export ")?.split_once('=')?;
            Some((name.to_owned(), value.trim_matches('\'').to_owned()))
        })
        .collect())
}

fn io(what: &str, error: std::io::Error) -> Error {
    Error::new(ErrorKind::Internal, what.to_owned()).because(error)
}
