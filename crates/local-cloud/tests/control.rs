//! The control endpoint: each fault that `docs/local-cloud.md` lists happens, and is told.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::time::{Duration, Instant};

use common::{Rig, rig};
use serde_json::{Value, json};

/// Lets the next restart suffer this.
async fn order(rig: &Rig, fault: Value) {
    let url = format!("{}/faults", rig.endpoint("/control"));
    let body = json!({ "method": "post", "path": "/bikeparts-prod/restart$", "fault": fault });
    assert_eq!(rig.call("POST", &url, None, Some(body)).await.status, 204);
}

/// Sends a restart, for two seconds at most.
async fn restart(rig: &Rig) -> reqwest::Result<reqwest::Response> {
    let request = rig.http.post(rig.server_url("/restart")).bearer_auth(rig.endpoint("/arm/token"));
    request.header("content-length", 0).timeout(Duration::from_secs(2)).send().await
}

/// Whether the last restart was refused, or took place.
async fn ready(rig: &Rig) -> bool {
    rig.arm("GET", "", None).await.body["properties"]["state"] == "Ready"
}

async fn becomes_ready(rig: &Rig) {
    let since = Instant::now();
    while !ready(rig).await {
        assert!(since.elapsed() < Duration::from_secs(30), "the server does not become ready");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn every_fault_can_be_ordered() {
    let rig = rig(|_| ()).await;
    let control = |rest: &str| format!("{}{rest}", rig.endpoint("/control"));

    order(&rig, json!({ "status": 429 })).await;
    let throttled = restart(&rig).await.unwrap();
    assert_eq!((throttled.status().as_u16(), &throttled.headers()["retry-after"]), (429, &"1".parse().unwrap()));
    let body: Value = serde_json::from_str(&throttled.text().await.unwrap()).unwrap();
    assert_eq!(body["error"]["code"], "TooManyRequests");

    order(&rig, json!({ "answer": { "status": 502, "body": "<html>sorry</html>", "retry_after": 3 } })).await;
    let page = restart(&rig).await.unwrap();
    assert_eq!((page.status().as_u16(), &page.headers()["content-type"]), (502, &"text/html; charset=utf-8".parse().unwrap()));
    assert_eq!(page.text().await.unwrap(), "<html>sorry</html>");

    for fault in ["lose-request", "stall"] {
        order(&rig, json!(fault)).await;
        assert_eq!(restart(&rig).await.unwrap_err().is_timeout(), fault == "stall");
        assert!(ready(&rig).await, "{fault} has no effect");
    }
    order(&rig, json!("lose-answer")).await;
    assert!(!restart(&rig).await.unwrap_err().is_timeout());
    assert!(!ready(&rig).await, "it takes effect");
    becomes_ready(&rig).await;

    order(&rig, json!({ "delay": 300 })).await;
    let since = Instant::now();
    assert_eq!(restart(&rig).await.unwrap().status(), 202);
    assert!(since.elapsed() >= Duration::from_millis(300));
    becomes_ready(&rig).await;

    order(&rig, json!({ "fail-operation": { "code": "ServerBusy", "message": "not now" } })).await;
    let failed = rig.arm("POST", "/restart", None).await;
    assert_eq!(rig.arm_wait(&failed).await["error"], json!({ "code": "ServerBusy", "message": "not now" }));

    order(&rig, json!({ "status": 500 })).await;
    assert_eq!(rig.call("GET", &control("/faults"), None, None).await.body[0]["fault"], json!({ "status": 500 }));
    assert_eq!(rig.call("DELETE", &control("/faults"), None, None).await.status, 204);
    assert_eq!(rig.call("GET", &control("/faults"), None, None).await.body, json!([]));
    let calls = rig.call("GET", &control("/calls"), None, None).await.body;
    let restarts: Vec<&Value> = calls.as_array().unwrap().iter().filter(|call| call["method"] == "POST").collect();
    let statuses: Vec<&Value> = restarts.iter().map(|call| &call["status"]).collect();
    assert_eq!(statuses, [429, 502, 0, 0, 0, 202, 202]);
    assert!(restarts[..6].iter().all(|call| call["failed"] == true && call["api"] == "arm"), "{restarts:?}");
    rig.stop().await;
}

#[tokio::test]
async fn what_is_not_understood_is_told() {
    let rig = rig(|_| ()).await;
    let faults = format!("{}/faults", rig.endpoint("/control"));
    for (body, word) in [(json!({ "fault": "burn" }), "burn"), (json!({ "fautl": "stall" }), "fautl"), (json!({}), "fault")] {
        let refused = rig.call("POST", &faults, None, Some(body)).await;
        assert!(refused.status == 400 && refused.body["message"].as_str().unwrap().contains(word), "{}", refused.body);
    }
    assert_eq!(rig.call("GET", rig.endpoint("/control"), None, None).await.status, 404);
    rig.stop().await;
}
