//! Every single API call of a migration fails once, in each of the ways that its cloud has, and the migration passes all the same.
//!
//! Which calls there are is not written down here: it is what a migration asks for. Each first call of a method and path
//! fails, so that every poll of every operation does too.

use std::collections::BTreeSet;

use azure2neon_local_cloud::Fault;
use azure2neon_tests::Rig;
use futures::StreamExt;
use serde_json::Value;

const MIGRATE: [&str; 5] = ["migrate", "--cut-over", "--yes", "--output", "json"];

/// What is asked for, whatever the ids that a run gives.
type Kind = (String, String);

/// The kinds of calls to this API; of those that failed only, if so asked.
fn kinds(rig: &Rig, api: &str, only_failed: bool) -> BTreeSet<Kind> {
    let calls = rig.cloud.calls();
    calls
        .iter()
        .filter(|call| call.api == api && (call.failed || !only_failed))
        .map(|call| (call.method.clone(), general(&call.path)))
        .collect()
}

/// The path with a star for every id that differs from run to run.
fn general(path: &str) -> String {
    let words: Vec<&str> = path.split('/').collect();
    let id = |at: usize| {
        let of = at.checked_sub(1).map(|before| words[before]).unwrap_or_default();
        let known = ["subscriptions", "azureAsyncOperation", "operationResults", "projects", "branches", "endpoints", "operations"];
        known.contains(&of) || words.get(at + 1) == Some(&"oauth2") || words[at].starts_with("azure2neon-")
    };
    (0..words.len()).map(|at| if id(at) { "*" } else { words[at] }).collect::<Vec<_>>().join("/")
}

/// A small migration, with this done to the clouds before; it passes, and everything is as after a clean one.
async fn migrates(before: impl FnOnce(&Rig)) -> Rig {
    let rig = Rig::small(|_| {}).await;
    rig.configure("cloud", "answer_timeout = \"2s\"");
    before(&rig);
    let outcome = rig.run(&MIGRATE).await.expect_success();
    assert_eq!(rig.cloud.waiting_faults(), 0);
    rig.cloud.clear_faults();
    let summary = outcome.event("summary");
    outcome.expect_equal(6);
    let looks = summary["summary"]["looks"].as_array().unwrap();
    let left: Vec<&Value> = looks.iter().filter(|look| look["kept_because"].is_null() && look["found"] != serde_json::json!([])).collect();
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(rig.projects(), ["shop"], "made once");
    assert_eq!(rig.cloud.firewall_rules(), ["operator"]);
    rig
}

/// Each call to the API fails once so, and no kind of call that a clean run makes is left out.
async fn each(api: &'static str, fault: Fault) {
    let rig = migrates(|rig| rig.cloud.inject_each(api, fault)).await;
    let spared: Vec<Kind> = kinds(&rig, api, false).difference(&kinds(&rig, api, true)).cloned().collect();
    assert!(spared.is_empty(), "{spared:?}");
    rig.stop().await;
}

/// Each of these ways gets a test of its own, and a place in the list of all.
macro_rules! each_call {
    ($($name:ident: $api:literal, $fault:expr;)+) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                each($api, $fault).await;
            }
        )+

        const WAYS: &[(&str, Fault)] = &[$(($api, $fault)),+];
    };
}

each_call! {
    arm_throttles: "arm", Fault::Status(429);
    arm_is_busy: "arm", Fault::Status(409);
    arm_errs: "arm", Fault::Status(500);
    arm_never_hears: "arm", Fault::LoseRequest;
    arm_is_not_heard: "arm", Fault::LoseAnswer;
    arm_stalls: "arm", Fault::Stall;
    entra_throttles: "entra", Fault::Status(429);
    entra_errs: "entra", Fault::Status(500);
    entra_never_hears: "entra", Fault::LoseRequest;
    entra_is_not_heard: "entra", Fault::LoseAnswer;
    entra_stalls: "entra", Fault::Stall;
    neon_throttles: "neon", Fault::Status(429);
    neon_is_locked: "neon", Fault::Status(423);
    neon_errs: "neon", Fault::Status(500);
    neon_never_hears: "neon", Fault::LoseRequest;
    neon_is_not_heard: "neon", Fault::LoseAnswer;
    neon_stalls: "neon", Fault::Stall;
}

fn failed_operation(code: &str) -> Fault {
    Fault::FailOperation { code: code.to_owned(), message: "An unexpected error occured.".to_owned() }
}

/// Every operation that a write starts ends badly at first.
async fn each_operation_fails(api: &'static str, code: &str) {
    migrates(|rig| rig.cloud.inject_each(api, failed_operation(code))).await.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn operations_of_arm_fail() {
    each_operation_fails("arm", "InternalServerError").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn operations_of_arm_find_the_server_busy() {
    each_operation_fails("arm", "ServerBusy").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn operations_of_neon_fail() {
    each_operation_fails("neon", "retry").await;
}

/// One call of a clean migration fails in one way, and nothing else does: a migration for each kind of call and each way.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "some two hundred migrations; scripts/faults runs them"]
async fn one_at_a_time() {
    let clean = migrates(|_| {}).await;
    let mut cases: Vec<(Kind, Fault)> = Vec::new();
    for (api, fault) in WAYS {
        cases.extend(kinds(&clean, api, false).into_iter().map(|kind| (kind, fault.clone())));
    }
    for (api, code) in [("arm", "InternalServerError"), ("arm", "ServerBusy"), ("neon", "retry")] {
        let writes = kinds(&clean, api, false).into_iter().filter(|(method, _)| method != "GET");
        cases.extend(writes.map(|kind| (kind, failed_operation(code))));
    }
    clean.stop().await;
    assert!(cases.len() > 100, "only {}", cases.len());
    let total = cases.len();
    futures::stream::iter(cases.into_iter().enumerate())
        .for_each_concurrent(3, |(number, ((method, path), fault))| async move {
            eprintln!("{number} of {total}: {method} {path}: {fault:?}");
            let rig = migrates(|rig| rig.cloud.inject(&method, &format!("{path}$"), 1, fault)).await;
            rig.stop().await;
        })
        .await;
}
