//! Killed at any moment and started again, the same command completes, and nothing is lost or done twice.

use std::collections::BTreeSet;

use azure2neon_local_cloud::workload::Writer;
use azure2neon_tests::{LOAD, Rig};

const MIGRATE: [&str; 5] = ["migrate", "--cut-over", "--yes", "--output", "json"];

/// A rig whose firewall does not know the operator, who asks to be let in: one thing more to be killed at.
async fn shut() -> Rig {
    let rig = Rig::small(|options| options.operator_rule = false).await;
    let file = rig.settings().join("azure2neon.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("[source]", "[source]\nopen_firewall = true")).unwrap();
    rig
}

fn is_done(journal: &str, step: &str) -> bool {
    journal.lines().any(|line| line.contains(&format!("\"step\":\"{step}\"")) && line.contains("\"what\":\"done\""))
}

fn is_started(journal: &str, step: &str) -> bool {
    journal.lines().any(|line| line.contains(&format!("\"step\":\"{step}\"")) && line.contains("\"what\":\"started\""))
}

/// In the copy, in the catch-up, and between fence and hand-over, with a writer that goes on all the time.
#[tokio::test(flavor = "multi_thread")]
async fn at_three_points_under_load() {
    under_load(Rig::bikeparts(|_| {}).await, "copy-data").await;
}

/// The same, where the copy goes through this machine and its snapshot dies with the program.
#[tokio::test(flavor = "multi_thread")]
async fn at_three_points_under_load_streaming() {
    let rig = Rig::bikeparts(|_| {}).await;
    rig.stream();
    under_load(rig, "stream-data").await;
}

async fn under_load(rig: Rig, copy: &'static str) {
    let writer = Writer::start(rig.application(), LOAD);
    assert!(rig.run_and_kill(&MIGRATE, move |journal| is_started(journal, copy)).await);
    assert!(rig.run_and_kill(&MIGRATE, |journal| is_started(journal, "catch-up")).await);
    assert!(rig.run_and_kill(&MIGRATE, |journal| is_done(journal, "set-sequences")).await);
    assert!(!rig.source_is_open().await, "the last kill came while the source was fenced");

    let outcome = rig.run(&MIGRATE).await.expect_success();
    assert!(outcome.stdout.contains("\"event\":\"reopened\""), "an interrupted cut-over is taken back first");
    outcome.expect_equal(60);

    // The writer goes on at the target for a moment.
    let moved = std::time::Instant::now();
    while writer.progress().server.is_none_or(|server| !server.contains("neon")) {
        assert!(moved.elapsed().as_secs() < 30, "the writer did not move");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    rig.expect_commits(writer, 500).await;
    rig.stop().await;
}

/// The first time that the journal says anything new of a step, one after another, in one migration.
#[tokio::test(flavor = "multi_thread")]
async fn at_every_edge_of_every_step() {
    every_edge(shut().await, 40).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn at_every_edge_of_every_step_streaming() {
    let rig = shut().await;
    rig.stream();
    every_edge(rig, 40).await;
}

/// Each edge inside the pause makes the next attempt copy everything again.
#[tokio::test(flavor = "multi_thread")]
async fn at_every_edge_of_every_step_offline() {
    let rig = shut().await;
    rig.copy("mode = \"offline\"");
    every_edge(rig, 26).await;
}

async fn every_edge(rig: Rig, at_least: usize) {
    let mut seen = BTreeSet::new();
    loop {
        let known = seen.clone();
        if !rig.run_and_kill(&MIGRATE, move |journal| !edges(journal).is_subset(&known)).await {
            break;
        }
        let journal = std::fs::read_to_string(rig.run_folder().join("journal.jsonl")).unwrap();
        let now = edges(&journal);
        assert!(!now.is_subset(&seen), "killed without anything new:\n{journal}");
        seen.extend(now);
    }
    assert!(seen.len() > at_least, "only {} edges: {seen:?}", seen.len());
    let outcome = rig.run(&MIGRATE).await.expect_success();
    outcome.expect_equal(6);
    assert_eq!(rig.projects(), ["shop"]);
    assert!(seen.contains(&("operator-inbound".to_owned(), "started".to_owned())), "{seen:?}");
    assert!(rig.cloud.firewall_rules().is_empty(), "{:?}", rig.cloud.firewall_rules());
    rig.stop().await;
}

/// Which step was said to be what. The last line may be cut off.
fn edges(journal: &str) -> BTreeSet<(String, String)> {
    let text = |line: &serde_json::Value, key: &str| line[key].as_str().unwrap_or_default().to_owned();
    journal.lines().filter_map(|line| serde_json::from_str(line).ok()).map(|line| (text(&line, "step"), text(&line, "what"))).collect()
}

/// Killed anywhere, `abort` brings the source back.
#[tokio::test(flavor = "multi_thread")]
async fn and_aborted() {
    let rig = shut().await;
    let steps = ["operator-inbound", "create-project", "import-schema", "set-replica-identity", "subscribe", "build-indexes", "drain"];
    aborted(rig, &steps).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn and_aborted_streaming() {
    let rig = shut().await;
    rig.stream();
    aborted(rig, &["create-slot", "stream-data", "subscribe"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn and_aborted_offline() {
    let rig = shut().await;
    rig.copy("mode = \"offline\"");
    aborted(rig, &["import-schema", "fence-writes", "copy-offline", "build-indexes", "final-compare"]).await;
}

async fn aborted(rig: Rig, steps: &[&'static str]) {
    let before = rig.source_state().await;
    for &step in steps {
        assert!(rig.run_and_kill(&MIGRATE, move |journal| is_started(journal, step)).await, "{step}");
        rig.run(&["abort", "--yes"]).await.expect_success();
        rig.expect_source_unchanged(&before, &format!("after {step}")).await;
        assert!(rig.projects().is_empty(), "after {step}");
    }
    rig.stop().await;
}

/// Ctrl-C inside the pause reopens the source before the program ends.
#[tokio::test(flavor = "multi_thread")]
async fn interrupted_by_the_operator() {
    let rig = Rig::small(|_| {}).await;
    rig.run(&["migrate", "--yes"]).await.expect_success();
    rig.cloud.nat_link().set_delay(std::time::Duration::from_millis(200));
    // What a warm-up prepares stays for the next cut-over, and is no difference below.
    rig.run(&["cut-over", "--yes", "--max-pause", "1ms"]).await.expect_failure(10, &["--max-pause"]);
    let before = rig.source_state().await;
    rig.cloud.nat_link().cut();
    let seen = std::fs::read_to_string(rig.run_folder().join("journal.jsonl")).unwrap().len();
    let fenced = move |journal: &str| journal.get(seen..).is_some_and(|new| is_started(new, "fence-writes"));
    let code = rig.run_and_interrupt(&["cut-over", "--yes"], fenced).await;
    assert_eq!(code, 130);
    rig.expect_source_unchanged(&before, "afterwards").await;
    rig.cloud.nat_link().set_delay(std::time::Duration::ZERO);
    rig.run(&["cut-over", "--yes"]).await.expect_success();
    rig.stop().await;
}
