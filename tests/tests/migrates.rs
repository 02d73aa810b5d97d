//! One command migrates a database under load, on every pair of neighbouring versions, and everything is checked from outside.

use azure2neon_tests::{Outcome, Rig, binary};
use serde_json::Value;

async fn demo(source: u32, target: u32) {
    let command = move || {
        std::process::Command::new(binary())
            .args(["demo", "--output", "json", "--source-version", &source.to_string(), "--target-version", &target.to_string()])
            .args(["--writers", "1"])
            // Two at a time on two cores, each with a writer: a pause is longer than anybody's would be.
            .env("AZURE2NEON_MAX_PAUSE", "90s")
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap()
    };
    let outcome = Outcome::from(tokio::task::spawn_blocking(command).await.unwrap()).expect_success();
    let event = outcome.event("summary");
    assert_eq!(
        (event["summary"]["source_major"].as_u64(), event["summary"]["target_major"].as_u64()),
        (Some(source.into()), Some(target.into()))
    );
    let tables = event["summary"]["comparison"]["tables"].as_array().unwrap();
    assert!(tables.len() >= 60, "{} tables", tables.len());
    assert!(tables.iter().all(|table| table["verdict"] == "equal"), "{tables:?}");
    let rows: i64 = tables.iter().map(|table| table["source_rows"].as_i64().unwrap()).sum();
    assert!(rows > 500_000, "{rows} rows");
    let checks = event["checks"].as_array().unwrap();
    assert!(checks.len() >= 4 && checks.iter().all(|check| check["ok"] == true), "{checks:?}");
    let looks = event["summary"]["looks"].as_array().unwrap();
    assert!(looks.len() >= 10, "{looks:?}");
    let left: Vec<&Value> =
        looks.iter().filter(|look| look["kept_because"].is_null() && !look["found"].as_array().unwrap().is_empty()).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn from_15_to_16() {
    demo(15, 16).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn from_16_to_17() {
    demo(16, 17).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn from_17_to_18() {
    demo(17, 18).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn from_14_to_18() {
    demo(14, 18).await;
}

/// A warning in the plan, since it may be the wrong one; but no failure.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_without_tables() {
    let rig = Rig::with_sql("create schema sales", |_| {}).await;
    let plan = rig.run(&["plan"]).await.expect_success();
    assert!(plan.stdout.contains("holds no tables"), "{}", plan.stdout);
    rig.run(&["migrate", "--cut-over", "--yes"]).await.expect_success();
    rig.stop().await;
}
