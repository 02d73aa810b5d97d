//! The copy through this machine: equal under load on old and new versions, and not lost on a line that breaks.

use azure2neon_local_cloud::workload::Writer;
use azure2neon_tests::{LOAD, Rig};

const MIGRATE: [&str; 7] = ["migrate", "--cut-over", "--yes", "--output", "json", "--copy", "stream"];

async fn slots(rig: &Rig) -> Vec<String> {
    let client = rig.cloud.source_superuser(&rig.database).await.unwrap();
    client.query("select slot_name::text from pg_replication_slots", &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

async fn under_load(source: u32, target: u32) {
    let rig = Rig::bikeparts(|options| (options.source_major, options.target_major_default) = (source, target)).await;
    let writer = Writer::start(rig.application(), LOAD);
    let outcome = rig.run(&MIGRATE).await.expect_success();
    outcome.expect_equal(60);
    rig.expect_commits(writer, 100).await;
    let target = rig.cloud.compute_superuser("bikeparts", "bikeparts").await.unwrap();
    assert!(slots(&rig).await.is_empty());
    let unanalyzed: Vec<String> = target
        .query(
            "select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = relnamespace \
             where relkind in ('r', 'p') and relnatts > 0 and reltuples > 0 \
             and nspname !~ '^(pg_|information_schema)' \
             and not exists (select from pg_stats where schemaname = nspname and tablename = c.relname)",
            &[],
        )
        .await
        .unwrap()
        .iter()
        .map(|row| row.get(0))
        .collect();
    assert_eq!(unanalyzed, [""; 0]);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn from_14_to_17_under_load() {
    under_load(14, 17).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn from_17_to_18_under_load() {
    under_load(17, 18).await;
}

/// The line breaks in the copy and stays shut: the program says so, and the same command goes on and completes.
#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_breaks_in_the_copy() {
    let rig = Rig::bikeparts(|_| {}).await;
    rig.stream();
    let link = rig.cloud.operator_link().clone();
    // Narrow, so that the copy is still under way when it is looked at.
    let copying = "select exists (select from pg_stat_activity where query like 'copy %' and state = 'active')";
    let cut = async {
        loop {
            // A session of its own each time: the server is restarted before the copy.
            if let Ok(source) = rig.cloud.source_superuser(&rig.database).await
                && source.query_one(copying, &[]).await.is_ok_and(|row| row.get(0))
            {
                link.refuse();
                link.cut();
                link.set_bandwidth(None);
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    link.set_bandwidth(Some(4 << 20));
    let outcome = tokio::select! {
        outcome = rig.run(&["migrate", "--yes"]) => outcome,
        () = async { cut.await; std::future::pending().await } => unreachable!(),
    };
    outcome.expect_failure(7, &["stream-data", "run the same command again"]);
    assert_eq!(slots(&rig).await.len(), 1);
    rig.cloud.operator_link().open();
    rig.run(&["migrate", "--cut-over", "--yes", "--output", "json"]).await.expect_success().expect_equal(60);
    assert!(slots(&rig).await.is_empty());
    rig.stop().await;
}
