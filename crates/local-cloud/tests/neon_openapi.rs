//! Every answer of the simulated Neon is one that Neon's own description allows, and has what recorded answers have.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;
mod openapi;

use std::cell::RefCell;
use std::collections::BTreeSet;

use azure2neon_local_cloud::{Fault, Plan};
use common::{Reply, Rig, rig};
use openapi::{Api, shared};
use serde_json::{Value, json};

/// What Neon no longer sends: the first was renamed, the second went away with fixed billing periods.
const OUTDATED: [&str; 2] = ["primary_branch_only", "quota_reset_at"];

/// Asks, and has every answer judged.
struct Witness {
    rig: Rig,
    api: Api,
    seen: RefCell<Vec<Seen>>,
}

/// A call and its answer; the path has its parameters in braces.
struct Seen {
    method: String,
    path: String,
    status: u16,
    body: Value,
}

impl Witness {
    async fn ask(&self, method: &str, path: &str, body: Value) -> Reply {
        let reply = self.rig.neon(method, path, Some(body).filter(|body| !body.is_null())).await;
        let faults = self.api.faults(method, path, reply.status, &reply.body);
        assert!(faults.is_empty(), "{method} {path}: {} {:#}\n{}", reply.status, reply.body, faults.join("\n"));
        let path = self.api.template(path).to_owned();
        self.seen.borrow_mut().push(Seen { method: method.to_owned(), path, status: reply.status, body: reply.body.clone() });
        reply
    }

    /// Asks for something that has to be granted, and waits for it.
    async fn done(&self, method: &str, path: &str, body: Value) -> Value {
        let reply = self.ask(method, path, body).await;
        assert!(reply.status < 300, "{method} {path}: {} {}", reply.status, reply.body);
        for operation in reply.body["operations"].as_array().into_iter().flatten() {
            let path = format!("/projects/{}/operations/{}", text(operation, "/project_id"), text(operation, "/id"));
            while self.ask("GET", &path, Value::Null).await.body["operation"]["status"] != "finished" {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        }
        reply.body
    }

    /// Method and path of the operations that have succeeded.
    fn served(&self) -> BTreeSet<(String, String)> {
        self.seen.borrow().iter().filter(|seen| seen.status < 300).map(|seen| (seen.method.clone(), seen.path.clone())).collect()
    }

    /// What a recorded answer has and ours to the same call hasn't; of several, the one that comes nearest counts.
    fn lacks(&self, recorded: &Value) -> Vec<String> {
        let path = self.api.template(text(recorded, "/uri").trim_start_matches("https://console.neon.tech/api/v2"));
        let seen = self.seen.borrow();
        let same = seen.iter().filter(|seen| seen.method == recorded["method"] && seen.path == path && seen.status == recorded["status"]);
        same.map(|seen| missing("", &recorded["response_body"], &seen.body))
            .min_by_key(Vec::len)
            .unwrap_or_else(|| vec!["everything".to_owned()])
    }

    async fn refused(&self, method: &str, path: &str, body: Value, status: u16) {
        let reply = self.ask(method, path, body).await;
        assert_eq!(reply.status, status, "{method} {path}: {}", reply.body);
    }
}

fn text<'a>(body: &'a Value, pointer: &str) -> &'a str {
    body.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("{pointer} in {body}"))
}

/// The fields of the one value that the other has not, or has with another type. Of lists the first entry counts.
fn missing(at: &str, wanted: &Value, found: &Value) -> Vec<String> {
    match (wanted, found) {
        (Value::Object(wanted), Value::Object(found)) => wanted
            .iter()
            .filter(|(name, _)| !OUTDATED.contains(&name.as_str()))
            .flat_map(|(name, wanted)| match found.get(name) {
                Some(found) => missing(&format!("{at}/{name}"), wanted, found),
                None => vec![format!("{at}/{name}")],
            })
            .collect(),
        (Value::Array(wanted), Value::Array(found)) => match (wanted.first(), found.first()) {
            (Some(wanted), Some(found)) => missing(&format!("{at}/0"), wanted, found),
            (Some(_), None) => vec![format!("{at}/0")],
            _ => Vec::new(),
        },
        _ if std::mem::discriminant(wanted) == std::mem::discriminant(found) => Vec::new(),
        _ => vec![format!("{at}: {found} instead of {wanted}")],
    }
}

#[tokio::test]
async fn every_answer_is_as_described() {
    let Some(api) = Api::load() else { return };
    let witness = Witness { rig: rig(|options| options.projects_limit = 2).await, api, seen: RefCell::default() };
    let organization = witness.rig.endpoint("/neon/organization").to_owned();
    for path in ["/auth", "/users/me", "/users/me/organizations", "/regions", "/projects/shared", &format!("/organizations/{organization}")]
    {
        witness.done("GET", path, Value::Null).await;
    }

    let body = json!({ "project": { "name": "shop", "org_id": organization, "settings": { "allowed_ips": { "ips": ["192.0.2.1"] } },
        "default_endpoint_settings": { "autoscaling_limit_max_cu": 1, "pg_settings": {} } } });
    let created = witness.ask("POST", "/projects", body.clone()).await.body;
    let project = format!("/projects/{}", text(&created, "/project/id"));
    let branch = format!("{project}/branches/{}", text(&created, "/branch/id"));
    let endpoint = format!("{project}/endpoints/{}", text(&created, "/endpoints/0/id"));
    witness
        .refused("POST", &format!("{branch}/databases"), json!({ "database": { "name": "b", "owner_name": "neondb_owner" } }), 423)
        .await;
    for path in [&branch, &endpoint, &format!("{project}/branches"), &format!("{project}/endpoints"), &format!("{project}/operations")] {
        // While operations run, and after.
        witness.done("GET", path, Value::Null).await;
    }
    witness.rig.neon_wait(&created).await;

    let uri = format!("{project}/connection_uri?database_name=neondb&role_name=neondb_owner");
    for path in [
        &format!("/projects?org_id={organization}"),
        &project,
        &branch,
        &endpoint,
        &uri,
        &format!("{project}/operations"),
        &format!("{project}/endpoints"),
        &format!("{project}/branches"),
        &format!("{project}/branches/count"),
        &format!("{branch}/endpoints"),
        &format!("{branch}/databases"),
        &format!("{branch}/databases/neondb"),
        &format!("{branch}/roles"),
        &format!("{branch}/roles/neondb_owner"),
        &format!("{branch}/roles/neondb_owner/reveal_password"),
    ] {
        witness.done("GET", path, Value::Null).await;
    }

    witness.done("PATCH", &project, json!({ "project": { "name": "shop 2", "history_retention_seconds": 0 } })).await;
    witness.done("PATCH", &endpoint, json!({ "endpoint": { "autoscaling_limit_max_cu": 2, "suspend_timeout_seconds": 60 } })).await;
    for deed in ["restart", "suspend", "start"] {
        witness.done("POST", &format!("{endpoint}/{deed}"), Value::Null).await;
    }
    witness.done("POST", &format!("{branch}/roles"), json!({ "role": { "name": "reader", "no_login": true } })).await;
    witness.done("POST", &format!("{branch}/roles/neondb_owner/reset_password"), Value::Null).await;
    let another = json!({ "database": { "name": "another", "owner_name": "reader" } });
    witness.done("POST", &format!("{branch}/databases"), another.clone()).await;
    witness.refused("POST", &format!("{branch}/databases"), another, 409).await;
    witness.done("DELETE", &format!("{branch}/databases/another"), Value::Null).await;
    witness.done("DELETE", &format!("{branch}/roles/reader"), Value::Null).await;

    let wanted = json!({ "branch": { "name": "rehearsal" }, "endpoints": [{ "type": "read_write" }] });
    let child = witness.done("POST", &format!("{project}/branches"), wanted).await;
    let path = format!("{project}/branches/{}", text(&child, "/branch/id"));
    witness.done("PATCH", &path, json!({ "branch": { "name": "dress rehearsal" } })).await;
    witness.done("GET", &path, Value::Null).await;
    witness.done("POST", &format!("{path}/restore"), json!({ "source_branch_id": text(&created, "/branch/id") })).await;
    witness.done("DELETE", &format!("{project}/endpoints/{}", text(&child, "/endpoints/0/id")), Value::Null).await;
    let wanted = json!({ "endpoint": { "branch_id": text(&child, "/branch/id"), "type": "read_write" } });
    witness.done("POST", &format!("{project}/endpoints"), wanted).await;
    witness.done("DELETE", &path, Value::Null).await;

    witness.refused("POST", "/projects", json!({}), 400).await;
    witness.refused("GET", "/projects", Value::Null, 400).await;
    witness.refused("GET", "/projects/none", Value::Null, 404).await;
    witness.refused("DELETE", &branch, Value::Null, 422).await;
    let unstored = json!({ "project": { "org_id": organization, "store_passwords": false } });
    let unstored = witness.done("POST", "/projects", unstored).await;
    let role = format!("/projects/{}/branches/{}/roles/neondb_owner", text(&unstored, "/project/id"), text(&unstored, "/branch/id"));
    witness.refused("GET", &format!("{role}/reveal_password"), Value::Null, 412).await;
    witness.refused("POST", "/projects", body, 422).await;

    // What was not asked until here has to be unknown: nothing is served that isn't looked at.
    let fill = |template: &str| {
        let ids = [("{project_id}", &project[10..]), ("{branch_id}", text(&created, "/branch/id")), ("{org_id}", &organization)];
        let filled = ids.iter().fold(template.to_owned(), |path, (parameter, id)| path.replace(parameter, id));
        filled
            .replace("{endpoint_id}", text(&created, "/endpoints/0/id"))
            .replace("{role_name}", "neondb_owner")
            .replace("{database_name}", "neondb")
    };
    let last = ("DELETE".to_owned(), "/projects/{project_id}");
    for (method, template) in witness.api.operations() {
        if witness.served().contains(&(method.clone(), template.to_owned())) || (method.clone(), template) == last {
            continue;
        }
        let reply = witness.rig.neon(&method, &fill(template), None).await;
        assert_eq!(reply.status, 404, "{method} {template}: {}", reply.body);
    }
    witness.done(&last.0, &project, Value::Null).await;
    assert!(witness.served().len() > 35, "{:?}", witness.served());

    let recordings: Vec<Value> =
        serde_json::from_slice(&std::fs::read(shared("api/neon-recorded-exchanges.json").unwrap()).unwrap()).unwrap();
    let lacking: Vec<_> =
        recordings.iter().map(|recorded| (recorded, witness.lacks(recorded))).filter(|(_, lacks)| !lacks.is_empty()).collect();
    assert!(
        lacking.is_empty(),
        "{}",
        lacking.iter().map(|(r, lacks)| format!("{} {}: {lacks:?}\n", r["method"], r["uri"])).collect::<String>()
    );
    witness.rig.stop().await;
}

#[tokio::test]
async fn refusals_of_keys_and_plans_are_as_described() {
    let Some(api) = Api::load() else { return };
    let rig = rig(|options| {
        options.plan = Plan::Free;
        options.organization_key = true;
    })
    .await;
    let url = |path: &str| format!("{}{path}", rig.endpoint("/neon/http"));
    let wrong = rig.call("GET", &url("/auth"), Some("wrong"), None).await;
    let too_long = json!({ "project": { "history_retention_seconds": 86_400 } });
    assert_eq!(api.faults("GET", "/auth", 200, &json!({ "account_id": 1, "auth_method": "magic", "more": true })).len(), 3);
    for (method, path, status, reply) in [
        ("GET", "/auth", 401, wrong),
        ("GET", "/users/me", 404, rig.neon("GET", "/users/me", None).await),
        ("GET", "/auth", 200, rig.neon("GET", "/auth", None).await),
        ("POST", "/projects", 400, rig.neon("POST", "/projects", Some(too_long)).await),
    ] {
        assert_eq!(reply.status, status, "{method} {path}");
        assert_eq!(api.faults(method, path, status, &reply.body), [""; 0], "{method} {path}");
    }
    for status in [423, 429, 503] {
        rig.cloud.inject("GET", "/auth", 1, Fault::Status(status));
        let reply = rig.neon("GET", "/auth", None).await;
        assert_eq!((reply.status, api.faults("GET", "/auth", status, &reply.body)), (status, Vec::new()));
    }
    rig.stop().await;
}
