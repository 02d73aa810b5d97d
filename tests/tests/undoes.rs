//! `abort` brings both sides back, whatever had been done; a pause that grows too long reopens the source.

use azure2neon_tests::Rig;

#[tokio::test(flavor = "multi_thread")]
async fn abort_leaves_both_sides_as_they_were() {
    let rig = Rig::small(|_| {}).await;
    let before = rig.source_state().await;
    let outcome = rig.run(&["migrate", "--yes"]).await.expect_success();
    assert!(outcome.stdout.contains("ready to cut over"), "{}", outcome.stdout);
    assert_ne!(rig.source_state().await, before);
    assert_eq!(rig.projects(), ["shop"]);
    let status = rig.run(&["status"]).await.expect_success();
    assert!(status.stdout.contains("azure2neon cut-over"), "{}", status.stdout);

    rig.run(&["abort", "--yes"]).await.expect_success();
    rig.expect_source_unchanged(&before, "afterwards").await;
    assert!(rig.projects().is_empty());
    // And it can be begun again.
    rig.run(&["migrate", "--cut-over", "--yes"]).await.expect_success();
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn abort_cleans_up_the_source_though_somebody_deleted_the_project() {
    let rig = Rig::small(|_| {}).await;
    let before = rig.source_state().await;
    let outcome = rig.run(&["migrate", "--yes", "--output", "json"]).await.expect_success();
    let mut events = outcome.stdout.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let created = events.find(|event| event["event"] == "step-done" && event["step"] == "create-project").unwrap();
    rig.delete_project(created["note"].as_str().unwrap()).await;

    rig.run(&["abort", "--yes"]).await.expect_success();
    rig.expect_source_unchanged(&before, "afterwards").await;
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_that_grows_too_long_reopens_the_source() {
    let rig = Rig::small(|_| {}).await;
    rig.run(&["migrate", "--yes"]).await.expect_success();
    // From the fence on nothing comes through to the target any more, so that the drain can't end.
    let link = rig.cloud.nat_link().clone();
    let hold = move |journal: &str| {
        if journal.contains("fence-writes") {
            link.hold();
        }
        false
    };
    assert_eq!(rig.run_and_interrupt(&["cut-over", "--yes", "--max-pause", "1500ms"], hold).await, 10);
    assert!(rig.source_is_open().await);
    assert!(!rig.env_file().exists());
    rig.cloud.nat_link().open();

    let outcome = rig.run(&["cut-over", "--yes", "--max-pause", "1ms"]).await;
    let outcome = outcome.expect_failure(10, &["--max-pause", "takes writes again"]);
    assert!(outcome.stderr.contains("the source takes writes again after"), "{}", outcome.stderr);
    assert!(rig.source_is_open().await);
    let client = rig.cloud.source_superuser(&rig.database).await.unwrap();
    client.batch_execute("insert into sales.visit values (now(), '/late')").await.unwrap();

    rig.run(&["cut-over", "--yes"]).await.expect_success();
    rig.run(&["abort", "--yes"]).await.expect_failure(2, &["hand-over"]);
    rig.run(&["finish", "--yes", "--reopen-source"]).await.expect_success();
    let target = rig.cloud.compute_superuser("shop", "shop").await.unwrap();
    let late: i64 = target.query_one("select count(*) from sales.visit where page = '/late'", &[]).await.unwrap().get(0);
    assert_eq!(late, 1);
    let read_only: String =
        rig.cloud.source_superuser("shop").await.unwrap().query_one("show default_transaction_read_only", &[]).await.unwrap().get(0);
    assert_eq!(read_only, "off");
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_difference_stops_the_cut_over_before_writes_are_stopped() {
    let rig = Rig::small(|_| {}).await;
    rig.run(&["migrate", "--yes"]).await.expect_success();
    let target = rig.cloud.compute_superuser("shop", "shop").await.unwrap();
    target.batch_execute("update sales.customer set name = 'x' where id = 7; delete from sales.visit where page = '/3'").await.unwrap();
    let outcome = rig.run(&["cut-over", "--yes"]).await;
    outcome.expect_failure(
        9,
        &["\"sales\".\"customer\"", "id = 7", "column name", "\"sales\".\"visit\": 500 rows on the source, 450 on the target"],
    );
    assert!(rig.source_is_open().await);
    assert!(!rig.env_file().exists());
    rig.stop().await;
}
