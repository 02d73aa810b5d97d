//! Azure's own clients do their whole cycle against the simulated Azure, unchanged: the SDK for Python and the Azure CLI. And a whole
//! migration with the CLI's login.

use std::process::{Command, Stdio};

use azure2neon_local_cloud::{Fault, Options};
use azure2neon_tests::clients::client;
use azure2neon_tests::{Outcome, Rig, root};
use serde_json::{Value, json};

/// A client's program that trusts the clouds' authority, and them alone: it must not find its way to the real ones.
fn program(rig: &Rig, path: &str) -> Command {
    let mut command = Command::new(client(path));
    let ca = rig.settings().join("ca.pem");
    command.env("REQUESTS_CA_BUNDLE", &ca).env("SSL_CERT_FILE", &ca).env("NO_PROXY", "*");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs a story of the script for the SDK.
async fn sdk(rig: &Rig, story: &str) {
    let mut command = program(rig, "azure-sdk/bin/python");
    command.arg(root().join("tests/clients/azure/sdk.py")).arg(rig.settings().join("endpoints.json")).arg(story);
    rig.finish(command).await.expect_success();
}

/// What the calls of that kind were answered, in order.
fn statuses(rig: &Rig, method: &str, path_ends: &str) -> Vec<u16> {
    let calls = rig.cloud.calls();
    calls.iter().filter(|call| call.method == method && call.path.ends_with(path_ends)).map(|call| call.status).collect()
}

fn throttled() -> Fault {
    Fault::Answer {
        status: 429,
        body: json!({ "error": { "code": "TooManyRequests", "message": "The request is being throttled." } }),
        retry_after: Some(1),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sdk_reads_and_writes() {
    let rig = Rig::small(|options| {
        options.other_servers = ["first", "second", "third", "fourth"].map(str::to_owned).into();
        options.page_size = Some(2);
    })
    .await;
    sdk(&rig, "reads").await;
    sdk(&rig, "writes").await;
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sdk_meets_trouble() {
    // An operation must still run when the next call comes.
    let rig = Rig::small(|options| options.operation_delay = std::time::Duration::from_millis(800)).await;
    sdk(&rig, "busy").await;

    rig.cloud.inject("GET", "/flexibleServers/bikeparts-prod", 2, throttled());
    rig.cloud.inject("PATCH", "/configurations/work_mem", 1, throttled());
    sdk(&rig, "throttled").await;
    assert_eq!(statuses(&rig, "GET", "/bikeparts-prod"), [429, 429, 200]);
    assert_eq!(statuses(&rig, "PATCH", "/work_mem"), [202, 409, 429, 202]);

    let fault = Fault::FailOperation { code: "ServerBusy".into(), message: "Server is busy, try again later.".into() };
    rig.cloud.inject("PATCH", "/configurations/bytea_output", 1, fault);
    sdk(&rig, "fails").await;
    rig.stop().await;
}

/// As the real one, the simulated Azure says nothing about when to come back.
#[tokio::test(flavor = "multi_thread")]
async fn the_sdk_is_not_told_when_to_come_back() {
    let rig = Rig::small(|_| ()).await;
    sdk(&rig, "unhurried").await;
    rig.stop().await;
}

/// The Azure CLI with a login of its own.
struct Az<'a> {
    rig: &'a Rig,
    folder: tempfile::TempDir,
}

impl<'a> Az<'a> {
    fn new(rig: &'a Rig) -> Self {
        Self { rig, folder: tempfile::tempdir().unwrap() }
    }

    /// What leads `az` to this login.
    fn lead(&self, command: &mut Command) {
        command
            .env("AZURE_CONFIG_DIR", self.folder.path())
            .env("AZURE_CORE_COLLECT_TELEMETRY", "0")
            // Entra ID is asked whether it knows an authority of another name; it doesn't know this one.
            .env("AZURE_CORE_INSTANCE_DISCOVERY", "false");
    }

    async fn run(&self, arguments: &[&str]) -> Outcome {
        let mut command = program(self.rig, "azure-cli/bin/az");
        self.lead(&mut command);
        command.args(arguments);
        self.rig.finish(command).await
    }

    /// What a command that must succeed prints; null if nothing.
    async fn json(&self, arguments: &[&str]) -> Value {
        printed(self.run(arguments).await)
    }

    /// `az postgres flexible-server …` on the one server, which these commands call `--name` or `--server-name`.
    async fn ask(&self, name: &str, words: &str, more: &[&str]) -> Outcome {
        let endpoints = self.rig.endpoints();
        let (group, server) = (endpoints["resource_group"].as_str().unwrap(), endpoints["server"].as_str().unwrap());
        let command = ["postgres", "flexible-server"].into_iter().chain(words.split(' '));
        let arguments: Vec<&str> = command.chain(["--resource-group", group, name, server]).chain(more.iter().copied()).collect();
        self.run(&arguments).await
    }

    /// What `ask` prints if it succeeds, as it must.
    async fn postgres(&self, name: &str, words: &str, more: &[&str]) -> Value {
        printed(self.ask(name, words, more).await)
    }

    async fn log_in(&self) {
        let endpoints = self.rig.endpoints();
        let text = |path: &str| endpoints.pointer(path).unwrap().as_str().unwrap().to_owned();
        self.json(&["cloud", "register", "--name", "LocalCloud", "--endpoint-resource-manager", &text("/arm/https")]).await;
        self.json(&["cloud", "set", "--name", "LocalCloud"]).await;
        let (client, secret, tenant) = (text("/login/client_id"), text("/login/client_secret"), text("/login/tenant"));
        let logged_in =
            self.json(&["login", "--service-principal", "--username", &client, "--password", &secret, "--tenant", &tenant]).await;
        assert_eq!((&logged_in[0]["id"], &logged_in[0]["tenantId"]), (&endpoints["subscription"], &endpoints["login"]["tenant"]));
    }
}

fn printed(outcome: Outcome) -> Value {
    let outcome = outcome.expect_success();
    if outcome.stdout.is_empty() { Value::Null } else { serde_json::from_str(&outcome.stdout).unwrap() }
}

/// Else the CLI waits 30 s after each write.
fn hurried(options: &mut Options) {
    options.retry_after = Some(1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_azure_cli_does_its_whole_cycle() {
    let rig = Rig::small(hurried).await;
    let az = Az::new(&rig);
    az.log_in().await;
    let token = az.json(&["account", "get-access-token", "--scope", "https://management.azure.com/.default"]).await;
    assert_eq!((&token["tokenType"], &token["subscription"]), (&json!("Bearer"), &rig.endpoints()["subscription"]));

    let list = az.json(&["postgres", "flexible-server", "list"]).await;
    let server = az.postgres("--name", "show", &[]).await;
    assert_eq!((&server["state"], &server["fullyQualifiedDomainName"]), (&json!("Ready"), &rig.endpoints()["source"]["host"]));
    assert_eq!(list, json!([server]));

    let changed = az.postgres("--server-name", "parameter set", &["--name", "wal_level", "--value", "logical"]).await;
    assert_eq!((&changed["value"], &changed["isConfigPendingRestart"]), (&json!("logical"), &json!(true)));
    az.postgres("--name", "restart", &[]).await;
    let shown = az.postgres("--server-name", "parameter show", &["--name", "wal_level"]).await;
    assert_eq!((&shown["value"], &shown["isConfigPendingRestart"]), (&json!("logical"), &json!(false)));
    assert!(az.postgres("--server-name", "parameter list", &[]).await.as_array().unwrap().contains(&shown));

    let addresses = ["--name", "clients", "--start-ip-address", "203.0.113.7", "--end-ip-address", "203.0.113.9"];
    let rule = az.postgres("--server-name", "firewall-rule create", &addresses).await;
    assert_eq!((&rule["startIpAddress"], &rule["endIpAddress"]), (&json!("203.0.113.7"), &json!("203.0.113.9")));
    assert_eq!(az.postgres("--server-name", "firewall-rule show", &["--name", "clients"]).await, rule);
    assert!(az.postgres("--server-name", "firewall-rule list", &[]).await.as_array().unwrap().contains(&rule));
    az.postgres("--server-name", "firewall-rule delete", &["--name", "clients", "--yes"]).await;
    assert!(!az.postgres("--server-name", "firewall-rule list", &[]).await.as_array().unwrap().contains(&rule));

    let database = az.postgres("--server-name", "db show", &["--name", &rig.database]).await;
    assert_eq!(database["charset"], "UTF8");
    assert!(az.postgres("--server-name", "db list", &[]).await.as_array().unwrap().contains(&database));

    let read_only = ["--name", "max_slot_wal_keep_size", "--value", "100"];
    let failed = az.ask("--server-name", "parameter set", &read_only).await;
    assert!(failed.code == 1 && failed.stderr.contains("(OperationFailed) {0}"), "{failed:?}");
    let missing = az.ask("--server-name", "parameter show", &["--name", "no_such_thing"]).await;
    assert!(missing.code == 3 && missing.stderr.contains("(ResourceNotFound)"), "{missing:?}");
    rig.stop().await;
}

/// The whole migration with nothing but the CLI's login.
#[tokio::test(flavor = "multi_thread")]
async fn a_migration_with_the_login_of_the_azure_cli() {
    let rig = Rig::small(|_| ()).await;
    let az = Az::new(&rig);
    let program = |arguments: &[&str]| {
        let mut command = rig.program(arguments);
        for name in ["AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_AUTHORITY_HOST"] {
            command.env_remove(name);
        }
        let programs = client("azure-cli/bin").into_os_string().into_string().unwrap();
        command.env("PATH", format!("{programs}:/usr/bin:/bin"));
        command.env("REQUESTS_CA_BUNDLE", rig.settings().join("ca.pem")).env("NO_PROXY", "*");
        az.lead(&mut command);
        command
    };
    let migrate = ["migrate", "--cut-over", "--yes"];
    rig.finish(program(&migrate)).await.expect_failure(3, &["az login"]);

    az.log_in().await;
    rig.finish(program(&migrate)).await.expect_success();
    rig.finish(program(&["finish", "--yes"])).await.expect_success();
    let new = std::fs::read_to_string(rig.env_file()).unwrap();
    assert!(new.contains(".aws.neon.tech/shop"), "another connection string");
    rig.stop().await;
}
