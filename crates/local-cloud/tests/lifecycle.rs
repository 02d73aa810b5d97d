//! Loading, stopping, being killed.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use azure2neon_local_cloud::{LocalCloud, Options, find_postgres};
use common::{one, rig};

/// Tells the child of the kill test where to write its settings.
const CHILD: &str = "LOCAL_CLOUD_TEST_CHILD";

#[tokio::test]
async fn each_major_loads_a_script_as_its_administrator() {
    for major in 14..=18 {
        let script = tempfile::Builder::new().suffix(".sql").tempfile().unwrap();
        std::fs::write(
            script.path(),
            "create table part (id int primary key); insert into part values (1), (2); create role reporting nologin; grant select on part to reporting; create extension pg_trgm;",
        )
        .unwrap();
        let rig = rig(|options| {
            options.source_major = major;
            options.load = Some(script.path().to_path_buf());
        })
        .await;
        let client = rig.source().await.unwrap();
        assert_eq!(one(&client, "select count(*)::text from public.part").await, "2");
        assert_eq!(one(&client, "select tableowner::text from pg_tables where tablename = 'part'").await, "bikeadmin");
        let superuser = one(&client, "select rolsuper::text from pg_roles where rolname = current_user").await;
        assert_eq!(superuser, if major < 16 { "true" } else { "false" });
        client
            .batch_execute("create role mover login replication password 'not-a-real-secret-2'; grant pg_monitor to mover")
            .await
            .unwrap();
        let shown = rig.arm("GET", "", None).await.body;
        assert_eq!(shown["properties"]["version"], major.to_string());
        let databases = rig.arm("GET", "/databases", None).await.body;
        let names: Vec<&str> = databases["value"].as_array().unwrap().iter().map(|database| database["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["azure_maintenance", "azure_sys", "bikeparts", "postgres"]);
        rig.stop().await;
    }
}

#[tokio::test]
async fn a_script_that_fails_stops_the_start_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("broken.sql");
    std::fs::write(&script, "create table t (id int);\nselect nonsense;\ncreate table u (id int);\n").unwrap();
    let settings = folder.path().join("settings");
    let started = LocalCloud::start(Options { settings: settings.clone(), load: Some(script), ..Options::default() }).await;
    let message = started.err().unwrap().to_string();
    assert!(message.contains("broken.sql") && message.contains("nonsense"), "{message}");
    assert!(!settings.exists());
}

#[tokio::test]
async fn a_dump_is_restored() {
    let folder = tempfile::tempdir().unwrap();
    let dump = folder.path().join("shop.dump");
    let first = rig(|_| ()).await;
    first.source().await.unwrap().batch_execute("create table part as select 7 as id").await.unwrap();
    let programs = find_postgres(None).unwrap().client().unwrap().to_path_buf();
    // The proxy that pg_dump goes through runs in this very process, which must not be blocked.
    let dumped = tokio::process::Command::new(programs.join("pg_dump"))
        .args(["--format=custom", "--file"])
        .arg(&dump)
        .env("PGHOST", first.endpoint("/source/host"))
        .env("PGHOSTADDR", first.endpoint("/source/address"))
        .env("PGUSER", first.endpoint("/source/user"))
        .env("PGPASSWORD", first.endpoint("/source/password"))
        .env("PGDATABASE", "bikeparts")
        .env("PGSSLMODE", "verify-full")
        .env("PGSSLROOTCERT", first.cloud.settings().join("ca.pem"))
        .status()
        .await
        .unwrap();
    assert!(dumped.success());
    first.stop().await;
    let second = rig(|options| options.load = Some(dump)).await;
    assert_eq!(one(&second.source().await.unwrap(), "select id::text from part").await, "7");
    second.stop().await;
}

#[tokio::test]
async fn the_settings_are_for_their_owner_and_complete() {
    use std::os::unix::fs::PermissionsExt;
    let rig = rig(|options| options.database = "Bike Parts".to_owned()).await;
    let folder = rig.cloud.settings();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(folder), 0o700);
    for file in ["secrets.env", "endpoints.json"] {
        assert_eq!(mode(&folder.join(file)), 0o600);
    }
    let config: toml::Table = std::fs::read_to_string(folder.join("azure2neon.toml")).unwrap().parse().unwrap();
    assert_eq!(config["source"]["database"].as_str(), Some("Bike Parts"));
    assert_eq!(config["target"]["project"].as_str(), Some("bike-parts"));
    assert_eq!(config["network"]["resolve"]["*.aws.neon.tech"].as_str(), Some(rig.endpoint("/resolve/*.aws.neon.tech")));
    assert!(Path::new(config["tools"]["postgres_bin"].as_str().unwrap()).join("pg_dump").is_file());
    let shell = Command::new("sh")
        .args(["-c", ". \"$0\" && printf %s \"$AZURE2NEON_SOURCE_PASSWORD\""])
        .arg(folder.join("secrets.env"))
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(shell.stdout).unwrap(), rig.endpoint("/source/password"));
    rig.stop().await;
}

#[tokio::test]
async fn programs_that_the_servers_user_cant_reach_are_copied() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    let found = find_postgres(None).unwrap();
    let tree = found.server(16).unwrap().parent().unwrap();
    assert!(Command::new("cp").arg("-a").args([tree, &folder.path().join("16")]).status().unwrap().success());
    std::os::unix::fs::symlink(found.client().unwrap().parent().unwrap(), folder.path().join("client")).unwrap();
    let rig = rig(|options| {
        options.postgres_dir = Some(folder.path().to_path_buf());
        options.target_major_default = 16;
    })
    .await;
    rig.source().await.unwrap().simple_query("select 1").await.unwrap();
    rig.stop().await;
}

/// What the next test kills; on its own it does nothing.
#[tokio::test]
async fn child_of_the_kill_test() {
    let Some(settings) = std::env::var_os(CHILD) else { return };
    let cloud = LocalCloud::start(Options { settings: settings.into(), existing_projects: vec!["old".to_owned()], ..Options::default() })
        .await
        .unwrap();
    cloud.compute_superuser("old", "neondb").await.unwrap();
    std::fs::write(cloud.settings().join("ready"), cloud.data_folder().to_str().unwrap()).unwrap();
    std::future::pending::<()>().await;
}

#[test]
fn a_killed_cloud_leaves_no_server_no_data_and_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let settings = folder.path().join("settings");
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_of_the_kill_test"])
        .env(CHILD, &settings)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let until = |what: &str, done: &dyn Fn() -> bool| {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !done() {
            assert!(Instant::now() < deadline, "{what}");
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    let ready = settings.join("ready");
    until("ready", &|| std::fs::read_to_string(&ready).is_ok_and(|data| !data.is_empty()));
    let data = PathBuf::from(std::fs::read_to_string(&ready).unwrap());
    assert_eq!(servers_in(&data), 2);
    child.kill().unwrap();
    child.wait().unwrap();
    until("cleaned up", &|| !data.exists() && servers_in(&data) == 0);
    for file in ["secrets.env", "endpoints.json", "azure2neon.toml", "ca.pem"] {
        assert!(!settings.join(file).exists(), "{file}");
    }
}

/// How many postmasters have their data below the folder.
fn servers_in(folder: &Path) -> usize {
    let wanted = folder.to_str().unwrap();
    std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter(|entry| {
            std::fs::read(entry.path().join("cmdline")).is_ok_and(|line| {
                String::from_utf8_lossy(&line).split('\0').next().is_some_and(|program| program.ends_with("/bin/postgres"))
                    && String::from_utf8_lossy(&line).contains(wanted)
            })
        })
        .count()
}
