//! The way back: after the hand-over the application returns to the source, with all that it has written, and may leave again.

use std::time::Duration;

use azure2neon_local_cloud::workload::{self, Writer, WriterOptions, WriterReport};
use azure2neon_tests::Rig;

const WRITER: WriterOptions = WriterOptions { sessions: 4, every: Duration::from_millis(10), full: 10 };

/// What the application wrote and saw, over all of its lives.
#[derive(Default)]
struct Application {
    writer: Option<Writer>,
    whole: Option<WriterReport>,
}

impl Application {
    fn start(&mut self, application: &azure2neon_local_cloud::application::Application) {
        self.writer = Some(Writer::start(application.clone(), WRITER));
    }

    /// Waits until it writes on the server of this label, stops it, and fails the test unless it has changed the server once, and what it
    /// was told is on that server, once.
    async fn expect_moved(&mut self, label: &str, client: &tokio_postgres::Client) {
        let writer = self.writer.take().unwrap();
        let is_there = || writer.progress().server.is_some_and(|server| server.contains(label));
        for _ in 0..600 {
            if is_there() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert!(is_there(), "{:?}", writer.progress());
        tokio::time::sleep(Duration::from_millis(500)).await;
        let report = writer.stop().await;
        assert_eq!(report.outages.len(), 1, "{:?}", report.outages);
        match &mut self.whole {
            Some(whole) => whole.absorb(report),
            None => self.whole = Some(report),
        }
        let verdict = workload::verify(client, self.whole.as_ref().unwrap()).await.unwrap();
        assert!(verdict.is_clean() && verdict.acknowledged > 100, "{verdict:?}");
    }
}

/// Sequences that are behind what their tables hold.
async fn expect_sequences_ahead(client: &tokio_postgres::Client) {
    // The session may be from when the server was closed.
    client.batch_execute("set default_transaction_read_only = off").await.unwrap();
    let sql = "select nextval('stock.movement_id') > (select max(id) from stock.movements)";
    assert!(client.query_one(sql, &[]).await.unwrap().get::<_, bool>(0), "a sequence is behind its table");
}

async fn there_and_back_and_there(source: u32, target: u32) {
    let rig = Rig::bikeparts(|options| (options.source_major, options.target_major_default) = (source, target)).await;
    let before = rig.source_state().await;
    let application = rig.application();
    let mut writer = Application::default();
    writer.start(&application);
    rig.run(&["migrate", "--yes"]).await.expect_success();
    rig.run(&["rollback", "--yes"]).await.expect_failure(2, &["nothing to roll back"]);
    rig.run(&["cut-over", "--yes", "--max-pause", "20s"]).await.expect_success();
    let on_source = rig.cloud.source_superuser(&rig.database).await.unwrap();
    let on_target = rig.cloud.compute_superuser(&rig.database, &rig.database).await.unwrap();
    writer.expect_moved("neon", &on_target).await;

    let status = rig.run(&["status"]).await.expect_success();
    assert!(status.stdout.contains("azure2neon rollback") && status.stdout.contains("Way back"), "{}", status.stdout);
    writer.start(&application);
    rig.run(&["rollback", "--yes", "--max-pause", "20s"]).await.expect_success();
    writer.expect_moved("azure", &on_source).await;
    expect_sequences_ahead(&on_source).await;

    // It is where it was before the cut-over: equal, and it may go again.
    rig.run(&["verify"]).await.expect_success();
    rig.run(&["rollback", "--yes"]).await.expect_failure(2, &["nothing to roll back"]);
    writer.start(&application);
    rig.run(&["cut-over", "--yes", "--max-pause", "20s"]).await.expect_success();
    writer.expect_moved("neon", &on_target).await;
    expect_sequences_ahead(&on_target).await;

    // And back for good: everything is undone then, but what was written is kept.
    rig.run(&["rollback", "--yes", "--max-pause", "20s", "--final-compare", "after"]).await.expect_success();
    // Where the administrator is a superuser, the fence ended this session, too.
    let on_source = rig.cloud.source_superuser(&rig.database).await.unwrap();
    let verdict = workload::verify(&on_source, writer.whole.as_ref().unwrap()).await.unwrap();
    assert!(verdict.is_clean(), "{verdict:?}");
    drop((on_source, on_target));
    rig.run(&["abort", "--yes"]).await.expect_success();
    rig.expect_source_unchanged(&before, "after there and back and an abort").await;
    assert!(rig.projects().is_empty());
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn there_and_back_and_there_from_16() {
    there_and_back_and_there(16, 17).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn there_and_back_and_there_from_14() {
    there_and_back_and_there(14, 18).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_that_is_killed_goes_on_or_begins_afresh() {
    let rig = Rig::small(|_| {}).await;
    rig.run(&["migrate", "--yes"]).await.expect_success();
    // What was kept for the compare after the hand-over dies with the process: the next one compares what both sides hold then.
    let handed_over = |journal: &str| journal.contains(r#""step":"hand-over","what":"done""#);
    assert!(rig.run_and_kill(&["cut-over", "--yes", "--final-compare", "after"], handed_over).await);
    let outcome = rig.run(&["cut-over", "--yes"]).await.expect_success();
    assert!(outcome.stderr.contains("has ended: the tables are compared as they are now"), "{}", outcome.stderr);
    let target = rig.cloud.compute_superuser("shop", "shop").await.unwrap();
    target.batch_execute("insert into sales.customer (name) values ('of the target')").await.unwrap();
    let ends = [
        r#""step":"warm-up-back","what":"started""#,
        r#""step":"fence-target","what":"started""#,
        r#""step":"drain-back","what":"done""#,
        r#""step":"hand-back","what":"started""#,
        r#""step":"resume-forward","what":"started""#,
    ];
    let mut seen = std::fs::read_to_string(rig.run_folder().join("journal.jsonl")).unwrap().len();
    for end in ends {
        // What an earlier try wrote does not count.
        let from = seen;
        let killed =
            rig.run_and_kill(&["rollback", "--yes"], move |journal| journal.get(from..).is_some_and(|new| new.contains(end))).await;
        assert!(killed, "it ended before {end}");
        seen = std::fs::read_to_string(rig.run_folder().join("journal.jsonl")).unwrap().len();
    }
    rig.run(&["rollback", "--yes"]).await.expect_success();
    let source = rig.cloud.source_superuser("shop").await.unwrap();
    let there: i64 = source.query_one("select count(*) from sales.customer where name = 'of the target'", &[]).await.unwrap().get(0);
    assert_eq!(there, 1);
    assert!(rig.source_is_open().await);
    rig.run(&["verify"]).await.expect_success();
    rig.run(&["cut-over", "--yes"]).await.expect_success();
    rig.run(&["finish", "--yes"]).await.expect_success();
    rig.stop().await;
}
