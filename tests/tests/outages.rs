//! How long the application can't write: there and back, again and again. Run by `scripts/bench --outages`.

use std::time::{Duration, Instant};

use azure2neon_local_cloud::workload::{self, Writer, WriterOptions, WriterReport};
use azure2neon_tests::Rig;

/// Together more than five hundred transactions a second, most of them so small that two cores have room for both servers.
const WRITER: WriterOptions = WriterOptions { sessions: 6, every: Duration::from_millis(10), full: 20 };
/// So often there and so often back.
const ROUNDS: usize = 10;
/// Before and after each, so long.
const SETTLED: Duration = Duration::from_secs(1);

/// The middle one and the largest.
fn summary(times: &[u64]) -> String {
    let mut times = times.to_vec();
    times.sort_unstable();
    format!("{} ms, {} ms", times[times.len() / 2], times[times.len() - 1])
}

/// The median time that one marker takes through a subscription at rest, in microseconds: no cut-over can be shorter.
async fn floor(rig: &Rig) -> u64 {
    let plan: serde_json::Value = serde_json::from_slice(&std::fs::read(rig.run_folder().join("plan.json")).unwrap()).unwrap();
    let table = format!("azure2neon_{}.barrier", plan["run"].as_str().unwrap());
    let source = rig.cloud.source_superuser(&rig.database).await.unwrap();
    let target = rig.cloud.compute_superuser(&rig.database, &rig.database).await.unwrap();
    let mut times = Vec::new();
    for n in 0..20 {
        let began = Instant::now();
        source.batch_execute(&format!("insert into {table} (id) values ('floor {n}')")).await.unwrap();
        let arrived = format!("select exists (select from {table} where id = 'floor {n}')");
        while !target.query_one(&arrived, &[]).await.unwrap().get::<_, bool>(0) {}
        times.push(u64::try_from(began.elapsed().as_micros()).unwrap());
    }
    times.sort_unstable();
    times[times.len() / 2]
}

/// Goes there and back under load; what the outages were that the application saw, as a row of a table.
async fn there_and_back(when: &str, round_trip: Duration) -> String {
    let rig = Rig::bikeparts(|_| {}).await;
    let application = rig.application();
    rig.run(&["migrate", "--yes"]).await.expect_success();
    let floor = floor(&rig).await;
    for link in [rig.cloud.operator_link(), rig.cloud.nat_link(), rig.cloud.way_back_link()] {
        link.set_delay(round_trip / 2);
    }
    let (mut outages, mut whole, mut rates) = ([Vec::new(), Vec::new()], None::<WriterReport>, Vec::new());
    for _ in 0..ROUNDS {
        for (command, outages) in ["cut-over", "rollback"].into_iter().zip(&mut outages) {
            let writer = Writer::start(application.clone(), WRITER);
            tokio::time::sleep(SETTLED).await;
            rates.push(writer.progress().acknowledged as u64 * 1000 / SETTLED.as_millis() as u64);
            rig.run(&[command, "--yes", "--final-compare", when]).await.expect_success();
            tokio::time::sleep(SETTLED).await;
            let report = writer.stop().await;
            assert_eq!(report.outages.len(), 1, "{:?}", report.outages);
            outages.push(report.longest_outage());
            match &mut whole {
                Some(whole) => whole.absorb(report),
                None => whole = Some(report),
            }
        }
    }
    // What was written anywhere at any time is there, once.
    let source = rig.cloud.source_superuser(&rig.database).await.unwrap();
    let verdict = workload::verify(&source, &whole.unwrap()).await.unwrap();
    assert!(verdict.is_clean(), "{verdict:?}");
    let acknowledged = verdict.acknowledged;
    rates.sort_unstable();
    rig.stop().await;
    let row = format!(
        "| {when} | {} ms | {} | {} | {:.1} ms | {} | {acknowledged} |\n",
        round_trip.as_millis(),
        summary(&outages[0]),
        summary(&outages[1]),
        floor as f64 / 1000.0,
        rates[rates.len() / 2],
    );
    print!("{row}");
    row
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes long: scripts/bench --outages"]
async fn outages() {
    let mut rows = String::new();
    for (when, round_trip) in [("after", 0), ("before", 0), ("after", 40)] {
        rows.push_str(&there_and_back(when, Duration::from_millis(round_trip)).await);
    }
    let section = format!(
        "## Outages

Written by `scripts/bench --outages`; do not edit. How long an application could not write, from its last commit on the one server to its first
on the other, in {ROUNDS} cut-overs and {ROUNDS} rollbacks in turn: median, worst. Both servers, the program and the application with its
{} sessions are on one machine; the round trip is between the program, the source and the target. One marker is the way of one row through
the subscription at rest: no cut-over can be shorter. Of the commits that were acknowledged none was missing or doubled at the end.

| final compare | round trip | cut-over | rollback | one marker | commits/s | acknowledged |
|---|---|---|---|---|---|---|
{rows}",
        WRITER.sessions,
    );
    azure2neon_tests::page::write_section(&azure2neon_tests::root().join("docs/benchmarks.md"), &section);
}
