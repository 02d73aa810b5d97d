//! Neon's own clients do their whole cycle against the simulated Neon, unchanged: neonctl, @neondatabase/api-client and @neon/sdk.

use std::process::{Command, Stdio};

use azure2neon_local_cloud::{Fault, find_postgres};
use azure2neon_tests::clients::client;
use azure2neon_tests::{Outcome, Rig, root};
use serde_json::{Value, json};

/// Node with what its clients need to find the simulated Neon, and nothing that leads elsewhere.
fn node(rig: &Rig, home: &std::path::Path) -> Command {
    let endpoints = rig.endpoints();
    let mut command = Command::new("node");
    command
        .env("NEON_API_HOST", endpoints["neon"]["https"].as_str().unwrap())
        .env("NEON_API_KEY", endpoints["neon"]["key"].as_str().unwrap())
        .env("NEON_ORG_ID", endpoints["neon"]["organization"].as_str().unwrap())
        .env("NODE_EXTRA_CA_CERTS", rig.settings().join("ca.pem"))
        .env("NO_PROXY", "*")
        .env("CI", "true")
        .env("HOME", home)
        .current_dir(home)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Runs a script of tests/clients/neon to its end.
async fn script(rig: &Rig, name: &str) {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join(name);
    std::fs::copy(root().join("tests/clients/neon").join(name), &script).unwrap();
    // Node looks for modules beside the script.
    std::os::unix::fs::symlink(client("node/node_modules"), folder.path().join("node_modules")).unwrap();
    let mut command = node(rig, folder.path());
    command.arg(script);
    rig.finish(command).await.expect_success();
}

/// What the calls of that kind were answered, in order.
fn statuses(rig: &Rig, method: &str, path_ends: &str) -> Vec<u16> {
    let calls = rig.cloud.calls();
    calls
        .iter()
        .filter(|call| call.api == "neon" && call.method == method && call.path.ends_with(path_ends))
        .map(|call| call.status)
        .collect()
}

fn refusal(status: u16, message: &str) -> Fault {
    Fault::Answer { status, body: json!({ "code": "", "message": message }), retry_after: None }
}

/// neonctl with a home of its own.
struct Neonctl<'a> {
    rig: &'a Rig,
    home: tempfile::TempDir,
}

impl Neonctl<'_> {
    async fn run(&self, arguments: &[&str]) -> Outcome {
        let mut command = node(self.rig, self.home.path());
        command.arg(client("node/node_modules/neonctl/bin/cli.js")).args(["--no-analytics", "--output", "json"]).args(arguments);
        self.rig.finish(command).await
    }

    /// What a command that must succeed prints.
    async fn text(&self, arguments: &[&str]) -> String {
        self.run(arguments).await.expect_success().stdout.trim().to_owned()
    }

    async fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.text(arguments).await).unwrap()
    }

    /// Fails unless the command is refused with these words.
    async fn refused(&self, arguments: &[&str], words: &str) {
        let outcome = self.run(arguments).await;
        assert!(outcome.code == 1 && outcome.stderr.contains(words), "{outcome:?}");
    }

    /// Returns when no operation of the project is under way any more, as somebody would wait who reads `operations list`.
    async fn settled(&self, project: &str) {
        self.rig.cloud.compute_superuser(project, "postgres").await.unwrap();
    }

    /// What a statement prints that psql runs where the connection string leads.
    async fn psql(&self, connection_string: &str, statement: &str) -> String {
        let mut command = Command::new(find_postgres(None).unwrap().client().unwrap().join("psql"));
        command
            .args(["--no-psqlrc", "--tuples-only", "--no-align", "--command", statement, connection_string])
            .env_clear()
            .env("PGHOSTADDR", self.rig.endpoints()["resolve"]["*.aws.neon.tech"].as_str().unwrap())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        self.rig.finish(command).await.expect_success().stdout.trim().to_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn neonctl_does_its_whole_cycle() {
    let rig = Rig::small(|_| ()).await;
    let neonctl = Neonctl { rig: &rig, home: tempfile::tempdir().unwrap() };
    let organization = rig.endpoints()["neon"]["organization"].as_str().unwrap().to_owned();
    assert_eq!(neonctl.json(&["me"]).await["login"], "operator");
    assert_eq!(neonctl.json(&["orgs", "list"]).await[0]["id"], organization);
    neonctl.refused(&["projects", "list"], "org_id is required").await;

    let wanted = ["--name", "shop", "--org-id", &organization, "--region-id", "aws-eu-west-2", "--database", "app", "--role", "app_owner"];
    let created = neonctl.json(&[&["projects", "create"], wanted.as_slice()].concat()).await;
    let id = created["project"]["id"].as_str().unwrap();
    neonctl.settled(id).await;
    assert_eq!(neonctl.json(&["projects", "list", "--org-id", &organization]).await[0]["id"], id);
    assert_eq!(neonctl.json(&["projects", "update", id, "--name", "shop 2"]).await["name"], "shop 2");
    assert_eq!(neonctl.json(&["projects", "get", id]).await["name"], "shop 2");
    let project = async |words: &[&str]| {
        let shown = neonctl.json(&[words, &["--project-id", id]].concat()).await;
        neonctl.settled(id).await;
        shown
    };
    let connection_string = async |words: &[&str]| neonctl.text(&[words, &["--project-id", id]].concat()).await;

    // What neonctl says is a way in.
    let direct = connection_string(&["connection-string"]).await;
    assert_eq!(direct, created["connection_uris"][0]["connection_uri"]);
    assert_eq!(neonctl.psql(&direct, "create table part as select 1 as id; select current_user").await, "SELECT 1\napp_owner");
    assert!(connection_string(&["connection-string", "--pooled"]).await.contains("-pooler.c-2.eu-west-2.aws.neon.tech/app?"));

    let branch = project(&["branches", "create", "--name", "rehearsal"]).await;
    assert_eq!(branch["branch"]["parent_id"], project(&["branches", "get", "main"]).await["id"]);
    let names = project(&["branches", "list"]).await;
    assert_eq!(names.as_array().unwrap().iter().map(|branch| &branch["name"]).collect::<Vec<_>>(), ["main", "rehearsal"]);
    let child = connection_string(&["connection-string", "rehearsal", "--role-name", "app_owner", "--database-name", "app"]).await;
    assert_eq!(neonctl.psql(&child, "insert into part values (2); select count(*) from part").await, "INSERT 0 1\n2");
    assert_eq!(neonctl.psql(&direct, "select count(*) from part").await, "1");
    project(&["branches", "rename", "rehearsal", "dress"]).await;
    project(&["branches", "delete", "dress"]).await;

    // It waits where something else is under way.
    rig.cloud.inject("POST", "/databases", 1, refusal(423, "project already has running conflicting operations"));
    project(&["databases", "create", "--name", "reports", "--owner-name", "app_owner"]).await;
    assert_eq!(statuses(&rig, "POST", "/databases"), [423, 201]);
    assert_eq!(project(&["databases", "list"]).await.as_array().unwrap().len(), 2);
    project(&["databases", "delete", "reports"]).await;
    assert!(project(&["roles", "create", "--name", "reader"]).await["password"].is_string());
    assert_eq!(project(&["roles", "list"]).await[1]["name"], "reader");
    project(&["roles", "delete", "reader"]).await;
    assert_eq!(project(&["ip-allow", "add", "192.0.2.1"]).await["IP_addresses"], json!(["192.0.2.1"]));
    assert_eq!(project(&["ip-allow", "list"]).await["IP_addresses"], json!(["192.0.2.1"]));
    let operations = project(&["operations", "list"]).await;
    assert!(operations.as_array().unwrap().iter().all(|operation| operation["status"] == "finished"), "{operations}");

    neonctl.refused(&["--api-key", "wrong", "me"], "rejected the API key").await;
    neonctl.json(&["projects", "delete", id]).await;
    neonctl.refused(&["projects", "get", id], "ERROR: project not found").await;
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_client_does_its_whole_cycle() {
    // An operation must still run when the next call comes.
    let rig = Rig::small(|options| options.operation_delay = std::time::Duration::from_millis(300)).await;
    script(&rig, "api-client.mjs").await;
    assert!(rig.projects().is_empty());
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sdk_tries_again_and_tells_failures() {
    let rig = Rig::small(|_| ()).await;
    rig.cloud.inject("POST", "/projects", 1, refusal(429, "too many requests"));
    rig.cloud.inject("POST", "/projects", 1, refusal(503, "service unavailable"));
    rig.cloud.inject("POST", "/restore", 1, refusal(423, "project already has running conflicting operations"));
    let fault = Fault::FailOperation { code: String::new(), message: "compute is unreachable".to_owned() };
    rig.cloud.inject("POST", "/roles", 1, fault);
    script(&rig, "sdk.mjs").await;
    assert_eq!(statuses(&rig, "POST", "/projects"), [429, 503, 201]);
    assert_eq!(statuses(&rig, "POST", "/restore"), [423, 200]);
    assert!(rig.projects().is_empty());
    rig.stop().await;
}
