//! Whole migrations under a thousand transactions a second, one after another: run by `scripts/soak`.

use std::time::{Duration, Instant};

use azure2neon_local_cloud::workload::{Writer, WriterOptions};
use azure2neon_tests::Rig;

const MIGRATE: [&str; 7] = ["migrate", "--cut-over", "--yes", "--output", "json", "--copy", "stream"];
const VERSIONS: [(u32, u32); 4] = [(14, 16), (15, 17), (17, 17), (17, 18)];
const RUNS: usize = 20;
/// Together a thousand transactions a second, most of them so small that two cores have room for both servers.
const WRITER: WriterOptions = WriterOptions { sessions: 10, every: Duration::from_millis(10), full: 20 };
/// Whoever copies, on either side, and whether as a superuser.
const COPYING: &str = "select count(*), bool_or(u.usesuper) from pg_stat_activity a join pg_user u using (usesysid) \
     where a.state = 'active' and a.query ~* '^(begin; )?.*copy .*(to stdout|from stdin)' and a.pid <> pg_backend_pid()";

/// Whether a superuser was seen copying; none if nobody was seen at all.
async fn watch(rig: &Rig) -> Option<bool> {
    let mut seen = None;
    for on_source in [true, false] {
        let client = if on_source {
            rig.cloud.source_superuser(&rig.database).await
        } else {
            rig.cloud.compute_superuser("bikeparts", "bikeparts").await
        };
        // Neither is there all the time.
        let Ok(client) = client else { continue };
        let Ok(row) = client.query_one(COPYING, &[]).await else { continue };
        if row.get::<_, i64>(0) > 0 {
            seen = Some(seen.unwrap_or(false) || row.get::<_, bool>(1));
        }
    }
    seen
}

async fn migrate(from: u32, to: u32) -> String {
    let rig = Rig::bikeparts(|options| (options.source_major, options.target_major_default) = (from, to)).await;
    let (writer, began) = (Writer::start(rig.application(), WRITER), Instant::now());
    let mut seen: Option<bool> = None;
    let watching = async {
        loop {
            if let Some(superuser) = watch(&rig).await {
                seen = Some(seen.unwrap_or(false) || superuser);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let outcome = tokio::select! {
        outcome = rig.run(&MIGRATE) => outcome.expect_success(),
        () = watching => unreachable!(),
    };
    let seconds = began.elapsed().as_secs_f64();
    outcome.expect_equal(60);
    assert_eq!(seen, Some(false), "a superuser copied, or nobody was seen");
    let report = rig.expect_commits(writer, 1).await;
    let source = rig.cloud.source_superuser(&rig.database).await.unwrap();
    let slots: i64 = source.query_one("select count(*) from pg_replication_slots", &[]).await.unwrap().get(0);
    assert_eq!(slots, 0);
    rig.stop().await;
    let outage = report.longest_outage();
    let rate = report.acknowledged.len() as f64 / (seconds - outage as f64 / 1000.0);
    format!(
        "{from} to {to}: {seconds:.1} s, {rate:.0} commits/s outside an outage of {outage} ms; {} acknowledged, none missing; all tables equal",
        report.acknowledged.len()
    )
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes long: scripts/soak"]
async fn under_a_thousand_transactions_a_second() {
    for (run, (from, to)) in (1..=RUNS).zip(VERSIONS.into_iter().cycle()) {
        println!("{run}/{RUNS} {}", migrate(from, to).await);
    }
}
