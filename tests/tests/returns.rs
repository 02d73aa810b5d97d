//! The way back: after the hand-over the application returns to the source, with all that it has written, and may leave again.

use std::time::Duration;

use azure2neon_local_cloud::workload::{self, Writer, WriterOptions, WriterReport};
use azure2neon_tests::Rig;

/// Half a thousand transactions a second when the machine has room for them.
fn options() -> WriterOptions {
    WriterOptions { sessions: 4, every: Duration::from_millis(8), full: 10 }
}

/// Writes for a while where the application is now, and stops. The server with this label must have got the last commits.
async fn write(rig: &Rig, writer: Writer, label: &str) -> WriterReport {
    let mut seen = 0;
    while seen < 100 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let progress = writer.progress();
        assert!(progress.silent_milliseconds < 60_000, "{progress:?}");
        seen = if progress.server.is_some_and(|server| server.contains(label)) { seen + 10 } else { 0 };
    }
    let report = writer.stop().await;
    assert!(report.commits.keys().any(|server| server.contains(label)), "{:?}", report.commits);
    let _ = rig;
    report
}

/// Every commit that any of these writers got acknowledged is on this server, once.
async fn expect_all(client: &tokio_postgres::Client, reports: &[WriterReport]) {
    for report in reports {
        let verdict = workload::verify(client, report).await.unwrap();
        assert!(verdict.is_clean() && verdict.acknowledged > 0, "{verdict:?}");
    }
}

async fn there_and_back(source: u32, target: u32) {
    let rig = Rig::bikeparts(|options| (options.source_major, options.target_major_default) = (source, target)).await;
    let before = rig.source_state().await;
    let application = rig.application();
    let first = Writer::start(application.clone(), options());
    rig.run(&["migrate", "--yes"]).await.expect_success();
    rig.run(&["rollback", "--yes"]).await.expect_failure(2, &["nothing to roll back"]);
    rig.run(&["cut-over", "--yes"]).await.expect_success();
    let mut reports = vec![write(&rig, first, "neon").await];
    assert_eq!(reports[0].outages.len(), 1, "{:?}", reports[0].outages);

    let status = rig.run(&["status"]).await.expect_success();
    assert!(status.stdout.contains("azure2neon rollback") && status.stdout.contains("Way back"), "{}", status.stdout);
    let second = Writer::start(application.clone(), options());
    tokio::time::sleep(Duration::from_millis(500)).await;
    rig.run(&["rollback", "--yes"]).await.expect_success();
    reports.push(write(&rig, second, "azure").await);
    assert_eq!(reports[1].outages.len(), 1, "{:?}", reports[1].outages);
    let on_source = rig.cloud.source_superuser(&rig.database).await.unwrap();
    expect_all(&on_source, &reports).await;

    // It is where it was before the cut-over: equal, and it may go again.
    rig.run(&["verify"]).await.expect_success();
    let third = Writer::start(application.clone(), options());
    rig.run(&["cut-over", "--yes"]).await.expect_success();
    reports.push(write(&rig, third, "neon").await);
    let on_target = rig.cloud.compute_superuser(&rig.database, &rig.database).await.unwrap();
    expect_all(&on_target, &reports).await;
    let identities = "select count(*) from app.ledger_copy";
    let (here, back): (i64, i64) = (on_target.query_one(identities, &[]).await.unwrap().get(0), 0);
    assert!(here > back);

    // And back for good: everything is undone then, but what was written is kept.
    rig.run(&["rollback", "--yes"]).await.expect_success();
    expect_all(&on_source, &reports).await;
    rig.run(&["abort", "--yes"]).await.expect_success();
    rig.expect_source_unchanged(&before, "after there and back and an abort").await;
    assert!(rig.projects().is_empty());
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn there_and_back_and_there_from_16() {
    there_and_back(16, 17).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn there_and_back_and_there_from_14() {
    there_and_back(14, 18).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_that_is_killed_goes_on() {
    let rig = Rig::bikeparts(|_| {}).await;
    let application = rig.application();
    let writer = Writer::start(application.clone(), options());
    rig.run(&["migrate", "--cut-over", "--yes", "--final-compare", "after"]).await;
    let writer_report = writer.stop().await;
    drop(writer_report);
    rig.stop().await;
}
