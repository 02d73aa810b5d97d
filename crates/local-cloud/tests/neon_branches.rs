//! Branches of a Neon project, each with data of its own.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::time::Duration;

use azure2neon_local_cloud::Fault;
use common::{Rig, one, rig};
use serde_json::{Value, json};

fn text<'a>(body: &'a Value, pointer: &str) -> &'a str {
    body.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("{pointer} in {body}"))
}

/// A mutation that is accepted, to its end.
async fn done(rig: &Rig, method: &str, path: &str, body: Value) -> Value {
    let answer = rig.neon(method, path, Some(body)).await;
    assert!((200..300).contains(&answer.status), "{method} {path}: {}", answer.body);
    rig.neon_wait(&answer.body).await;
    answer.body
}

#[tokio::test]
async fn a_branch_begins_as_its_parent_and_goes_its_own_way() {
    let rig = rig(|_| ()).await;
    let created = rig.create_project(json!({ "name": "shop" })).await;
    let project = format!("/projects/{}", text(&created, "/project/id"));
    let (main, role) = (text(&created, "/branch/id"), text(&created, "/roles/0/name"));
    let parent = rig.target(&created).await.unwrap();
    parent
        .batch_execute(
            "create table part (id int); insert into part values (1), (2);
             create subscription s connection 'host=example.com password=not-a-secret' publication p with (connect = false, slot_name = 's')",
        )
        .await
        .unwrap();

    let wanted = json!({ "branch": { "name": "rehearsal" }, "endpoints": [{ "type": "read_write" }], "annotation_value": {} });
    let branch = done(&rig, "POST", &format!("{project}/branches"), wanted.clone()).await;
    assert_eq!((text(&branch, "/branch/parent_id"), text(&branch, "/branch/current_state")), (main, "init"));
    assert_eq!(text(&branch, "/roles/0/password"), text(&created, "/roles/0/password"));
    let child = rig.target(&branch).await.unwrap();
    assert_eq!(one(&child, "select count(*)::text from part").await, "2");
    assert_eq!(one(&child, "select count(*)::text from pg_subscription").await, "0");
    assert_eq!(one(&parent, "select count(*)::text from pg_subscription").await, "1");
    child.batch_execute("insert into part values (3)").await.unwrap();
    assert_eq!(one(&parent, "select count(*)::text from part").await, "2");

    let listed = rig.neon("GET", &format!("{project}/branches?limit=100"), None).await.body;
    assert_eq!((text(&listed, "/branches/0/id"), &listed["branches"][1]["name"]), (main, &json!("rehearsal")));
    let after = rig.neon("GET", &format!("{project}/branches?cursor={}", text(&listed, "/pagination/next")), None).await.body;
    assert_eq!((&after["branches"], &after["pagination"]["next"]), (&json!([]), &Value::Null));
    let found = rig.neon("GET", &format!("{project}/branches?search=rehears"), None).await.body;
    assert_eq!(found["branches"].as_array().unwrap().len(), 1);
    assert_eq!(rig.neon("POST", &format!("{project}/branches"), Some(wanted)).await.status, 409);

    // What the child has becomes the parent's, under the same address.
    let path = format!("{project}/branches/{main}");
    let child_id = text(&branch, "/branch/id");
    let restore = json!({ "source_branch_id": child_id });
    assert_eq!(rig.neon("POST", &format!("{path}/restore"), Some(restore)).await.status, 400, "it has a child");
    let restored =
        done(&rig, "POST", &format!("{path}/restore"), json!({ "source_branch_id": child_id, "preserve_under_name": "old" })).await;
    assert_eq!(text(&restored, "/branch/id"), main);
    assert!(parent.simple_query("select 1").await.is_err(), "the old compute");
    assert_eq!(one(&rig.target(&created).await.unwrap(), "select count(*)::text from part").await, "3");
    let names = rig.neon("GET", &format!("{project}/branches"), None).await.body;
    assert_eq!(
        names["branches"].as_array().unwrap().iter().map(|branch| &branch["name"]).collect::<Vec<_>>(),
        ["main", "rehearsal", "old"]
    );
    let old = text(&names, "/branches/2/id").to_owned();
    let endpoint =
        done(&rig, "POST", &format!("{project}/endpoints"), json!({ "endpoint": { "branch_id": old, "type": "read_write" } })).await;
    let mut there = created.clone();
    there["connection_uris"][0]["connection_parameters"]["host"] = endpoint["endpoint"]["host"].clone();
    assert_eq!(one(&rig.target(&there).await.unwrap(), "select count(*)::text from part").await, "2");
    let uri = format!("{project}/connection_uri?database_name=neondb&role_name={role}&branch_id={old}&pooled=True");
    let pooled = rig.neon("GET", &uri, None).await.body;
    assert!(text(&pooled, "/uri").contains(&format!("@{}-pooler.c-2.", text(&endpoint, "/endpoint/id"))), "{pooled}");

    assert_eq!(rig.neon("DELETE", &path, None).await.status, 422, "the default branch");
    for branch in [&old, child_id] {
        done(&rig, "DELETE", &format!("{project}/branches/{branch}"), Value::Null).await;
        assert_eq!(rig.neon("GET", &format!("{project}/branches/{branch}"), None).await.status, 404);
    }
    assert!(rig.target(&branch).await.unwrap_err().as_db_error().unwrap().message().contains("could not be found"));
    rig.stop().await;
}

#[tokio::test]
async fn a_resize_is_a_new_compute_and_a_failed_operation_may_come_back() {
    // Long enough to see the failure between two polls.
    let rig = rig(|options| options.operation_delay = Duration::from_millis(400)).await;
    let created = rig.create_project(json!({ "name": "shop" })).await;
    let endpoint = format!("/projects/{}/endpoints/{}", text(&created, "/project/id"), text(&created, "/endpoints/0/id"));
    let before = rig.target(&created).await.unwrap();
    assert_eq!(one(&before, "show max_worker_processes").await, "12");
    rig.cloud.inject("PATCH", "/endpoints/", 1, Fault::FailOperation { code: "retry".to_owned(), message: "no room".to_owned() });
    let range = json!({ "endpoint": { "autoscaling_limit_min_cu": 1, "autoscaling_limit_max_cu": 4 } });
    let accepted = rig.neon("PATCH", &endpoint, Some(range)).await.body;
    assert_eq!((text(&accepted, "/endpoint/current_state"), text(&accepted, "/endpoint/pending_state")), ("active", "active"));
    let start = format!("/projects/{}/operations/{}", text(&created, "/project/id"), text(&accepted, "/operations/1/id"));
    let failed = loop {
        let shown = rig.neon("GET", &start, None).await.body;
        if shown["operation"]["status"] == "failed" {
            break shown;
        }
        assert_ne!(shown["operation"]["status"], "finished");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!((&failed["operation"]["error"], &failed["operation"]["failures_count"]), (&json!("no room"), &json!(1)));
    assert!(failed["operation"]["retry_at"].is_string());
    assert_eq!(rig.neon("POST", &format!("{endpoint}/suspend"), None).await.status, 423);
    let after = rig.target(&created).await.unwrap();
    assert!(before.simple_query("select 1").await.is_err());
    assert_eq!(one(&after, "show max_worker_processes").await, "20");
    let finished = rig.neon("GET", &start, None).await.body;
    assert_eq!(finished["operation"]["status"], "finished");

    let operations = rig.neon("GET", start.rsplit_once('/').unwrap().0, None).await.body;
    assert_eq!(operations["operations"][0]["id"], accepted["operations"][1]["id"], "newest first");
    let path = format!("{}?limit=1&cursor={}", start.rsplit_once('/').unwrap().0, text(&operations, "/pagination/cursor"));
    assert_eq!(rig.neon("GET", &path, None).await.body["operations"], json!([]));
    rig.stop().await;
}

#[tokio::test]
async fn a_key_for_one_project_opens_no_other() {
    let rig = rig(|options| {
        options.existing_projects = vec!["shop".to_owned(), "other".to_owned()];
        options.key_project = Some("shop".to_owned());
    })
    .await;
    assert_eq!(rig.neon("GET", "/auth", None).await.body["auth_method"], "api_key_org");
    let path = |name: &str| format!("/projects/{}", rig.cloud.project_id(name).unwrap());
    assert_eq!(rig.neon("GET", &path("shop"), None).await.body["project"]["name"], "shop");
    for path in ["/projects", "/users/me", "/regions", &path("other")] {
        let refused = rig.neon("GET", path, None).await;
        assert_eq!(refused.status, 403);
        assert_eq!(refused.body["message"], "not allowed to perform actions outside the project this key is scoped to");
        assert_eq!(refused.body["request_id"], refused.headers["x-neon-ret-request-id"].to_str().unwrap());
    }
    rig.stop().await;
}
