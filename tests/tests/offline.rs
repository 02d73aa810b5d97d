//! Without replication: the rows are copied while the source refuses writes, which it does for no longer than it must.

use azure2neon_local_cloud::workload::Writer;
use azure2neon_tests::{LOAD, Rig};

const MIGRATE: [&str; 7] = ["migrate", "--cut-over", "--yes", "--output", "json", "--mode", "offline"];
const CUT_OVER: [&str; 2] = ["cut-over", "--yes"];

/// How often the journal says that a step was begun.
fn starts(journal: &str, step: &str) -> usize {
    journal.lines().filter(|line| line.contains(&format!("\"step\":\"{step}\"")) && line.contains("\"what\":\"started\"")).count()
}

/// Whether a step is begun once more than up to now.
fn again(rig: &Rig, step: &'static str) -> impl Fn(&str) -> bool + Send + 'static {
    let before = starts(&journal(rig), step);
    move |journal| starts(journal, step) > before
}

fn journal(rig: &Rig) -> String {
    std::fs::read_to_string(rig.run_folder().join("journal.jsonl")).unwrap()
}

async fn started_at(rig: &Rig) -> String {
    let source = rig.cloud.source_superuser(&rig.database).await.unwrap();
    source.query_one("select pg_postmaster_start_time()::text", &[]).await.unwrap().get(0)
}

/// With a writer that goes on until the fence, and at the target after the hand-over. The source is only read.
async fn under_load(source: u32, target: u32) {
    let rig = Rig::bikeparts(|options| (options.source_major, options.target_major_default) = (source, target)).await;
    let (before, server) = (rig.source_state().await, started_at(&rig).await);
    let writer = Writer::start(rig.application(), LOAD);
    let outcome = rig.run(&MIGRATE).await.expect_success();
    outcome.expect_equal(60);
    rig.expect_commits(writer, 100).await;
    let target = rig.cloud.compute_superuser("bikeparts", "bikeparts").await.unwrap();
    let marks: i64 = target.query_one("select count(*) from pg_namespace where nspname ~ '^azure2neon'", &[]).await.unwrap().get(0);
    assert_eq!(marks, 0);

    rig.run(&["finish", "--yes", "--reopen-source"]).await.expect_success();
    rig.expect_source_unchanged(&before, "afterwards").await;
    assert_eq!(started_at(&rig).await, server, "the source was restarted");
    let source = rig.cloud.source_superuser("bikeparts").await.unwrap();
    let level: String = source.query_one("show wal_level", &[]).await.unwrap().get(0);
    assert_eq!(level, "replica");
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

#[tokio::test(flavor = "multi_thread")]
async fn whatever_goes_wrong_in_the_pause_the_source_is_reopened_and_the_copy_begins_again() {
    let rig = Rig::small(|_| {}).await;
    let before = rig.source_state().await;
    let mut plan = rig.program(&["plan", "--mode", "offline"]);
    plan.env_remove("AZURE2NEON_MAX_PAUSE");
    let plan = rig.finish(plan).await.expect_success();
    assert!(plan.stdout.contains("the source refuses writes, while") && plan.stdout.contains("after 60 min 0 s"), "{}", plan.stdout);
    let outcome = rig.run(&["migrate", "--yes", "--mode", "offline"]).await.expect_success();
    assert!(outcome.stdout.contains("The target is prepared"), "{}", outcome.stdout);
    let status = rig.run(&["status"]).await.expect_success();
    assert!(status.stdout.contains("stops writes and copies"), "{}", status.stdout);
    rig.expect_source_unchanged(&before, "when all is prepared").await;

    // The limit, Ctrl-C, and a kill when all is copied and every key and trigger is there.
    let outcome = rig.run(&["cut-over", "--yes", "--max-pause", "400ms"]).await;
    outcome.expect_failure(10, &["--max-pause", "takes writes again"]);
    rig.expect_source_unchanged(&before, "after the limit").await;
    let code = rig.run_and_interrupt(&CUT_OVER, again(&rig, "copy-offline")).await;
    assert_eq!(code, 130);
    rig.expect_source_unchanged(&before, "after Ctrl-C").await;
    assert!(rig.run_and_kill(&CUT_OVER, again(&rig, "final-compare")).await);
    assert!(!rig.source_is_open().await, "killed inside the pause");
    let copies = starts(&journal(&rig), "copy-offline");
    let client = rig.cloud.source_superuser("shop").await.unwrap();
    client.batch_execute("begin read write; update sales.\"Order\" set note = null where id = 7; commit").await.unwrap();

    let outcome = rig.run(&CUT_OVER).await.expect_success();
    assert!(outcome.stderr.contains("made anew"), "{}", outcome.stderr);
    assert_eq!(starts(&journal(&rig), "copy-offline"), copies + 1);
    rig.run(&["finish", "--yes"]).await.expect_success();
    let target = rig.cloud.compute_superuser("shop", "shop").await.unwrap();
    let note: Option<String> = target.query_one("select note::text from sales.\"Order\" where id = 7", &[]).await.unwrap().get(0);
    assert_eq!(note.as_deref(), Some(r#"{"touched": true}"#), "what was written between two attempts, once");
    let counter: i64 = target.query_one("select count(*) from sales.counter", &[]).await.unwrap().get(0);
    assert_eq!(counter, 10, "unlogged tables too");
    let keys: i64 = target.query_one("select count(*) from pg_constraint where contype = 'f'", &[]).await.unwrap().get(0);
    assert_eq!(keys, 1);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_does_not_see_every_row_is_refused_before_anything_is_done() {
    let rig = Rig::small(|_| {}).await;
    let client = rig.cloud.source_superuser("shop").await.unwrap();
    let password = rig.secrets()["AZURE2NEON_SOURCE_PASSWORD"].clone();
    let make = format!("create role reader login password '{password}' in role pg_read_all_data; grant connect on database shop to reader");
    client.batch_execute(&make).await.unwrap();
    rig.configure("source", "user = \"reader\"");
    let outcome = rig.run(&["plan", "--mode", "offline"]).await;
    let words = [
        "reader does not see every row of sales.secret",
        "BYPASSRLS",
        "it can't fence database shop",
        "`grant azure_pg_admin to \"reader\"`",
    ];
    outcome.expect_failure(4, &words);
    client.batch_execute("alter database shop owner to reader").await.unwrap();
    assert!(rig.run(&["plan", "--mode", "offline", "--exclude-table", "sales.secret"]).await.code == 0);
    rig.stop().await;
}
