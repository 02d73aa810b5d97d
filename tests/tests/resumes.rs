//! A copy through this machine that is broken off in every way, again and again: what is finished is not copied again, nothing is lost.

use std::collections::BTreeMap;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use azure2neon_local_cloud::workload::{Writer, WriterOptions};
use azure2neon_tests::Rig;
use serde_json::Value;

/// The target's sessions into which rows are copied.
const COPYING: &str = "query ilike '%from stdin%' and state = 'active'";
/// The source's session that keeps the snapshot.
const SNAPSHOT: &str = "query ilike 'select pg_catalog.pg_export_snapshot%'";
/// It is broken off after each unit, and after so long without one.
const UNHEEDED: Duration = Duration::from_millis(1500);

const MIGRATE: [&str; 5] = ["migrate", "--cut-over", "--yes", "--output", "json"];

/// The units that are wholly copied, each with its epoch; none before there are any.
async fn finished(rig: &Rig) -> BTreeMap<i64, i32> {
    let Ok(units) = std::fs::read(rig.run_folder().join("units.json")) else { return BTreeMap::new() };
    let units: Vec<Value> = serde_json::from_slice(&units).unwrap();
    let Ok(target) = rig.cloud.compute_superuser("bikeparts", "bikeparts").await else { return BTreeMap::new() };
    let sql = "select format('%I.copied', nspname) from pg_namespace where nspname ~ '^azure2neon_'";
    let Ok(Some(row)) = target.query_opt(sql, &[]).await else { return BTreeMap::new() };
    let table: String = row.get(0);
    let sql = format!("select unit::int8, epoch, count(*) from {table} group by unit, epoch");
    let marks = target.query(&sql, &[]).await.unwrap_or_default();
    let is_whole = |number: i64, parts: i64| {
        let unit = units.iter().find(|unit| unit["number"] == number);
        unit.is_some_and(|unit| unit["extent"]["blocks"]["parts"].as_i64().unwrap_or(1) == parts)
    };
    marks.iter().filter(|row| is_whole(row.get(0), row.get(2))).map(|row| (row.get(0), row.get(1))).collect()
}

fn start(rig: &Rig) -> Child {
    rig.program(&MIGRATE).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Whether rows arrive on the target.
async fn is_copying(rig: &Rig) -> bool {
    let Ok(target) = rig.cloud.compute_superuser("bikeparts", "bikeparts").await else { return false };
    let sql = format!("select pid from pg_stat_activity where {COPYING} and pid <> pg_backend_pid()");
    target.query(&sql, &[]).await.is_ok_and(|rows| !rows.is_empty())
}

/// Ends a server process of the source, or else of the target, for which this holds; whether there was one.
async fn terminate(rig: &Rig, on_source: bool, which: &str) -> bool {
    let superuser =
        if on_source { rig.cloud.source_superuser("bikeparts").await } else { rig.cloud.compute_superuser("bikeparts", "bikeparts").await };
    let Ok(client) = superuser else { return false };
    let sql = format!("select pg_terminate_backend(pid) from pg_stat_activity where {which} and pid <> pg_backend_pid() limit 1");
    client.query(&sql, &[]).await.is_ok_and(|rows| !rows.is_empty())
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_breaks_from_14() {
    ten_breaks(14, 16).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_breaks_from_16() {
    ten_breaks(16, 17).await;
}

async fn ten_breaks(from: u32, to: u32) {
    let rig = Rig::bikeparts(|options| (options.source_major, options.target_major_default) = (from, to)).await;
    rig.stream();
    rig.configure("copy", "part_size = \"1MB\"");
    // So that tables can be cut by their keys.
    rig.cloud.source_superuser("bikeparts").await.unwrap().batch_execute("analyze").await.unwrap();
    // So few writes that three subscriptions keep up, on a machine that runs everything else too.
    let writer = Writer::start(rig.application(), WriterOptions { sessions: 2, every: Duration::from_millis(50), full: 1 });
    let link = rig.cloud.operator_link().clone();
    // So slow that all breaks fall into the copy.
    link.set_bandwidth(Some(10 << 20));
    let mut child = start(&rig);
    let (mut seen, mut breaks, began, mut last) = (BTreeMap::new(), [0; 4], Instant::now(), Instant::now());
    while breaks.iter().sum::<i32>() < 10 {
        assert!(began.elapsed() < Duration::from_secs(400), "after {breaks:?}: {} units", seen.len());
        if let Some(status) = child.try_wait().unwrap() {
            assert!(!status.success(), "it was done after {breaks:?}");
            // A line that stays cut for longer than it is waited for ends the program; the same command goes on.
            child = start(&rig);
        }
        let now = finished(&rig).await;
        if now.len() <= seen.len() && (last.elapsed() < UNHEEDED || !is_copying(&rig).await) {
            tokio::time::sleep(Duration::from_millis(5)).await;
            continue;
        }
        for (unit, epoch) in &seen {
            let kept = now.get(unit);
            // Epochs become the first one when their subscriptions do.
            assert!(kept == Some(epoch) || kept == Some(&1), "unit {unit} of epoch {epoch} is now {kept:?}");
        }
        seen = now;
        tokio::time::sleep(Duration::from_millis(fastrand::u64(0..200))).await;
        let way = usize::try_from(breaks.iter().sum::<i32>()).unwrap() % 4;
        let broken = match way {
            0 => {
                child.kill().unwrap();
                child.wait().unwrap();
                child = start(&rig);
                true
            }
            1 => {
                link.cut();
                true
            }
            2 => terminate(&rig, true, SNAPSHOT).await,
            _ => terminate(&rig, false, COPYING).await,
        };
        breaks[way] += i32::from(broken);
        last = if broken { Instant::now() } else { last };
    }
    link.set_bandwidth(None);
    // Whatever it does now, the same command completes.
    let _ = tokio::task::spawn_blocking(move || child.wait()).await.unwrap();
    rig.run(&MIGRATE).await.expect_success().expect_equal(60);
    rig.expect_commits(writer, 50).await;
    let source = rig.cloud.source_superuser("bikeparts").await.unwrap();
    let left = "select (select count(*) from pg_replication_slots) + (select count(*) from pg_publication)";
    assert_eq!(source.query_one(left, &[]).await.unwrap().get::<_, i64>(0), 0);
    rig.stop().await;
}

/// Killed when the first subscription applies what both do and the second is still there: that one must never run again.
#[tokio::test(flavor = "multi_thread")]
async fn killed_between_taking_over_and_dropping() {
    let rig = Rig::bikeparts(|options| (options.source_major, options.target_major_default) = (16, 17)).await;
    rig.stream();
    rig.configure("copy", "part_size = \"1MB\"");
    let writer = Writer::start(rig.application(), WriterOptions { sessions: 2, every: Duration::from_millis(20), full: 1 });
    let link = rig.cloud.operator_link().clone();
    link.set_bandwidth(Some(10 << 20));
    let mut child = start(&rig);
    while finished(&rig).await.is_empty() || !terminate(&rig, true, SNAPSHOT).await {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    link.set_bandwidth(None);
    let target = rig.cloud.compute_superuser("bikeparts", "bikeparts").await.unwrap();
    // Whoever drops a subscription doesn't come back from it.
    let stop = "create function public.sleeps() returns event_trigger language plpgsql as 'begin perform pg_sleep(600); end';
        create event trigger sleeps on ddl_command_start when tag in ('DROP SUBSCRIPTION') execute function public.sleeps()";
    target.batch_execute(stop).await.unwrap();
    let dropping = "select pid from pg_stat_activity where query ilike 'drop subscription%' and state = 'active'";
    let began = Instant::now();
    while target.query(dropping, &[]).await.unwrap().is_empty() {
        assert!(began.elapsed() < Duration::from_secs(120) && child.try_wait().unwrap().is_none(), "nothing was dropped");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let end = format!("select pg_terminate_backend(pid, 10000) from ({dropping}) as dropping");
    target.batch_execute(&end).await.unwrap();
    target.batch_execute("drop event trigger sleeps; drop function public.sleeps()").await.unwrap();
    let resting = "select count(*), count(*) filter (where not subenabled) from pg_subscription";
    let row = target.query_one(resting, &[]).await.unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (2, 1));

    rig.run(&MIGRATE).await.expect_success().expect_equal(60);
    rig.expect_commits(writer, 50).await;
    rig.stop().await;
}
