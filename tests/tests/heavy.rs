//! Tables that weigh: half a gigabyte out of line passes through a few buffers, and one that grows while it is copied arrives whole.

use std::process::Child;
use std::time::Duration;

use azure2neon_tests::Rig;
use futures::future::Either;
use serde_json::Value;

const MIGRATE: [&str; 5] = ["migrate", "--cut-over", "--yes", "--output", "json"];
/// What the program may take of this machine's memory, in bytes.
const MEMORY: usize = 128 << 20;
const TABLES: &str = "
    create table public.documents (id int primary key, body text);
    alter table public.documents alter body set storage external;
    insert into public.documents select n, repeat(md5(n::text), 32768) from generate_series(1, 500) n;
    create table public.readings (id bigint generated always as identity primary key, value text);
    insert into public.readings (value) select repeat(md5(n::text), 4) from generate_series(1, 200000) n;
    analyze;";
/// A two-hundredth more, changes to what was there, and one row less.
const GROWTH: &str = "
    insert into public.readings (value) select repeat(md5(n::text), 4) from generate_series(1, 1000) n;
    update public.readings set value = value || 'x' where id % 997 = (select count(*) % 997 from public.readings);
    delete from public.readings where id = (select min(id) from public.readings);";

/// The most memory that the process has had when it ends, in bytes.
async fn peak(child: &mut Child) -> usize {
    let mut most = 0;
    while child.try_wait().unwrap().is_none() {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok());
        most = most.max(kilobytes.unwrap_or_default() << 10);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    most
}

/// Lets `readings` grow by a tenth, from when its first rows arrive on; returns how often it still was copied.
async fn grow(rig: &Rig) -> usize {
    // The source is done with a part as soon as it lies in the buffers on the way; the target takes it until the line has brought it.
    let is_copied = "select exists (select from pg_stat_activity \
        where query like '%copy %readings%from stdin%' and state = 'active' and pid <> pg_backend_pid())";
    let is_copied = async || {
        let target = rig.cloud.compute_superuser(&rig.database, &rig.database).await.ok()?;
        target.query_one(is_copied, &[]).await.ok().map(|row| row.get::<_, bool>(0))
    };
    while is_copied().await != Some(true) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let source = rig.cloud.source_superuser(&rig.database).await.unwrap();
    let mut met = 0;
    for _ in 0..20 {
        source.batch_execute(GROWTH).await.unwrap();
        met += usize::from(is_copied().await.unwrap());
    }
    met
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_gigabyte_out_of_line_beside_a_table_that_grows() {
    let rig = Rig::with_sql(TABLES, |_| {}).await;
    rig.stream();
    rig.configure("copy", "part_size = \"8MB\"");
    // So that a table is still copied when it has grown.
    rig.cloud.operator_link().set_bandwidth(Some(8 << 20));
    let folder = tempfile::tempdir().unwrap();
    let output = std::fs::File::create(folder.path().join("events")).unwrap();
    let mut child = rig.program(&MIGRATE).stdout(output.try_clone().unwrap()).stderr(output).spawn().unwrap();
    let grown = async {
        let met = grow(&rig).await;
        rig.cloud.operator_link().set_bandwidth(None);
        met
    };
    let events = || std::fs::read_to_string(folder.path().join("events")).unwrap();
    let (memory, met) = {
        let (memory, grown) = (std::pin::pin!(peak(&mut child)), std::pin::pin!(grown));
        match futures::future::select(memory, grown).await {
            Either::Left((memory, _)) => panic!("{} MiB, and done before the table has grown: {}", memory >> 20, events()),
            Either::Right((met, memory)) => (memory.await, met),
        }
    };
    let events = events();
    assert!(child.wait().unwrap().success(), "{events}");
    assert!(memory > 0 && memory < MEMORY, "{} MiB", memory >> 20);
    assert!(met > 0, "it was copied {met} times of 20");
    let summary = events.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).find(|event| event["event"] == "summary");
    let tables = summary.unwrap()["summary"]["comparison"]["tables"].as_array().unwrap().clone();
    let rows: Vec<_> = tables.iter().map(|table| (&table["verdict"], table["target_rows"].as_i64().unwrap())).collect();
    assert_eq!(rows, [(&Value::from("equal"), 500), (&Value::from("equal"), 200_000 + 20 * 999)]);
    println!("{} MiB", memory >> 20);
    rig.stop().await;
}
