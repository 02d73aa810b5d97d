//! What `plan --explain` says is what is sent.

use azure2neon_tests::Rig;
use serde_json::Value;

const MIGRATE: [&str; 5] = ["migrate", "--cut-over", "--yes", "--output", "json"];

fn is_done(journal: &str, step: &str) -> bool {
    journal.lines().any(|line| line.contains(&format!("\"step\":\"{step}\"")) && line.contains("\"what\":\"done\""))
}

/// Every server's log, without line breaks and indentation.
fn logs(folder: &std::path::Path) -> String {
    let mut text = String::new();
    for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() && !entry.ends_with("data") {
            text.push_str(&logs(&entry));
        } else if entry.ends_with("log") {
            text.push_str(&std::fs::read_to_string(&entry).unwrap());
        }
    }
    squeezed(&text)
}

fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// So far apart are two pieces of a statement at most, in bytes.
const APART: usize = 20_000;

/// Whether the text holds this; what stands in ‹angle quotes› may be anything.
fn holds(text: &str, wanted: &str) -> bool {
    let mut pieces = Vec::new();
    let mut rest = wanted;
    while let Some((before, after)) = rest.split_once('‹') {
        pieces.push(before);
        rest = after.split_once('›').unwrap().1;
    }
    pieces.push(rest);
    pieces.retain(|piece| !piece.trim().is_empty());
    // What is nothing but a description is not looked for.
    let Some((first, others)) = pieces.split_first() else { return true };
    text.match_indices(first).any(|(at, _)| {
        let mut from = at + first.len();
        others.iter().all(|piece| {
            let found = text[from..].find(piece).filter(|distance| *distance < APART);
            found.map(|distance| from += distance + piece.len()).is_some()
        })
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn each_call_is_sent_as_it_was_explained() {
    let rig = Rig::small(|_| {}).await;
    rig.cloud.source_superuser("postgres").await.unwrap().batch_execute("alter system set log_statement = 'all'").await.unwrap();
    rig.cloud.source_superuser("postgres").await.unwrap().batch_execute("select pg_reload_conf()").await.unwrap();
    let file = rig.settings().join("explained.plan");
    let file = file.to_str().unwrap();
    let output = rig.run(&["plan", "--explain", "--output", "json", "--out", file]).await.expect_success();
    let plan: Value = serde_json::from_str(&output.stdout).unwrap();
    let schema = rig.run(&["plan", "--schema"]).await.expect_success();
    let schema: Value = serde_json::from_str(&schema.stdout).unwrap();
    jsonschema::validate(&schema, &plan).unwrap();

    // The target's server is there after the first step only.
    let migrate = [&MIGRATE[..], &["--plan", file]].concat();
    assert!(rig.run_and_kill(&migrate, |journal| is_done(journal, "create-project")).await);
    let target = rig.cloud.compute_superuser(&rig.database, "postgres").await.unwrap();
    target.batch_execute("alter system set log_statement = 'all'").await.unwrap();
    target.batch_execute("select pg_reload_conf()").await.unwrap();
    rig.run(&migrate).await.expect_success();

    let logged = logs(rig.cloud.data_folder());
    let called: Vec<String> = rig.cloud.calls().iter().map(|call| format!("{} {}", call.method, call.path)).collect();
    let called = called.join(" ");
    let (mut sent, mut missing) = (0, Vec::new());
    for step in plan["steps"].as_array().unwrap().iter().filter(|step| step["stage"] != "roll-back") {
        for call in step["calls"].as_array().unwrap() {
            let text = call["text"].as_str().unwrap();
            let is_sent = match call["to"].as_str().unwrap() {
                "source" | "target" => holds(&logged, &squeezed(text)),
                "azure" | "neon" => {
                    let (method, rest) = text.split_once(' ').unwrap();
                    let url = rest.split(' ').next().unwrap();
                    let path = url.splitn(4, '/').nth(3).unwrap().split('?').next().unwrap();
                    holds(&called, &format!("{method} /{path}"))
                }
                _ => continue,
            };
            sent += 1;
            if !is_sent {
                missing.push(format!("{}: {}", step["id"], squeezed(text).chars().take(400).collect::<String>()));
            }
        }
    }
    assert!(sent > 50, "{sent}");
    assert!(missing.is_empty(), "{} of {sent} calls were not sent so:\n{}", missing.len(), missing.join("\n"));
    rig.stop().await;
}
