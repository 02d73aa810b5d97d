//! Harness of the end-to-end tests: both local clouds, the program as a process, and what the source looks like.

pub mod clients;
pub mod page;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use azure2neon_local_cloud::application::Application;
use azure2neon_local_cloud::workload::{self, Writer, WriterOptions, WriterReport};
use azure2neon_local_cloud::{LocalCloud, Options};
use serde_json::Value;

/// Both clouds with a database, and the folder of their settings.
pub struct Rig {
    /// The clouds; taken by `stop`.
    pub cloud: LocalCloud,
    /// Name of the source's database.
    pub database: String,
    folder: tempfile::TempDir,
}

/// A few tables, in which every kind of trouble of a small migration occurs.
pub const SMALL: &str = include_str!("small.sql");

/// An application that goes on meanwhile. Two stories share two cores with two servers each, in a debug build: at the full speed of
/// [`WriterOptions::default`] a slower machine never gets in step. Full speed is measured in `scripts/bench` and `scripts/soak`.
pub const LOAD: WriterOptions = WriterOptions { sessions: 4, every: Duration::from_millis(40), full: 1 };

impl Rig {
    /// Starts both clouds with the small database.
    pub async fn small(change: impl FnOnce(&mut Options)) -> Self {
        Self::with_sql(SMALL, change).await
    }

    /// Starts both clouds with the database that this script makes.
    pub async fn with_sql(sql: &str, change: impl FnOnce(&mut Options)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("load.sql");
        std::fs::write(&script, sql).unwrap();
        Self::start(folder, script, "shop", change).await
    }

    /// Starts both clouds with the bikeparts sample.
    pub async fn bikeparts(change: impl FnOnce(&mut Options)) -> Self {
        let script = root().join("fixtures/databases/bikeparts/bikeparts.sql");
        Self::start(tempfile::tempdir().unwrap(), script, "bikeparts", change).await
    }

    async fn start(folder: tempfile::TempDir, load: PathBuf, database: &str, change: impl FnOnce(&mut Options)) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut options = Options {
            source_major: 16,
            target_major_default: 17,
            database: database.into(),
            load: Some(load),
            settings: folder.path().join("settings"),
            operation_delay: Duration::from_millis(30),
            ..Options::default()
        };
        change(&mut options);
        Self { cloud: LocalCloud::start(options).await.unwrap(), database: database.into(), folder }
    }

    /// The folder of the settings.
    pub fn settings(&self) -> PathBuf {
        self.folder.path().join("settings")
    }

    /// Adds a line to a table of the configuration file.
    pub fn configure(&self, table: &str, line: &str) {
        let file = self.settings().join("azure2neon.toml");
        let heading = format!("[{table}]\n");
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.contains(&heading), "no [{table}] in:\n{text}");
        std::fs::write(file, text.replace(&heading, &format!("{heading}{line}\n"))).unwrap();
    }

    /// Lets the rows go through this machine.
    pub fn stream(&self) {
        self.copy("path = \"stream\"");
    }

    /// Adds `[copy]` with this line to the configuration file.
    pub fn copy(&self, line: &str) {
        let file = self.settings().join("azure2neon.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(file, format!("{text}\n[copy]\n{line}\n")).unwrap();
    }

    /// The env file that the hand-over writes.
    pub fn env_file(&self) -> PathBuf {
        self.folder.path().join("app.env")
    }

    /// The run's folder.
    pub fn run_folder(&self) -> PathBuf {
        self.folder.path().join("run")
    }

    /// `endpoints.json`.
    pub fn endpoints(&self) -> Value {
        serde_json::from_slice(&std::fs::read(self.settings().join("endpoints.json")).unwrap()).unwrap()
    }

    /// The secrets that `secrets.env` exports.
    pub fn secrets(&self) -> BTreeMap<String, String> {
        std::fs::read_to_string(self.settings().join("secrets.env"))
            .unwrap()
            .lines()
            .filter_map(|line| line.strip_prefix("export ")?.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.trim_matches('\'').to_owned()))
            .collect()
    }

    /// The program, ready to run with the settings and secrets of these clouds.
    pub fn program(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command
            .arg("--config")
            .arg(self.settings().join("azure2neon.toml"))
            .arg("--run-dir")
            .arg(self.run_folder())
            .arg("--env-file")
            .arg(self.env_file())
            .args(arguments)
            .envs(self.secrets())
            // Two stories at a time on two cores, each with a writer: a pause is longer than anybody's would be.
            .env("AZURE2NEON_MAX_PAUSE", "90s")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs the program to its end.
    pub async fn run(&self, arguments: &[&str]) -> Outcome {
        self.finish(self.program(arguments)).await
    }

    /// Runs this command to its end.
    pub async fn finish(&self, mut command: Command) -> Outcome {
        tokio::task::spawn_blocking(move || Outcome::from(command.output().unwrap())).await.unwrap()
    }

    /// Runs the program and ends it with SIGKILL as soon as `when` says so of its journal. False if it ended before.
    pub async fn run_and_kill(&self, arguments: &[&str], when: impl Fn(&str) -> bool + Send + 'static) -> bool {
        self.run_and_signal(arguments, "KILL", when).await.is_none()
    }

    /// Runs the program, sends it SIGINT as soon as `when` says so of its journal, and returns its exit code.
    pub async fn run_and_interrupt(&self, arguments: &[&str], when: impl Fn(&str) -> bool + Send + 'static) -> i32 {
        self.run_and_signal(arguments, "INT", when).await.unwrap()
    }

    /// The exit code, or none if a signal ended it.
    async fn run_and_signal(&self, arguments: &[&str], signal: &'static str, when: impl Fn(&str) -> bool + Send + 'static) -> Option<i32> {
        let mut command = self.program(arguments);
        let output = std::fs::OpenOptions::new().create(true).append(true).open(self.folder.path().join("killed.out")).unwrap();
        let mut child: Child = command.stdout(output.try_clone().unwrap()).stderr(output).spawn().unwrap();
        let journal = self.run_folder().join("journal.jsonl");
        tokio::task::spawn_blocking(move || {
            let since = Instant::now();
            let mut sent = false;
            loop {
                if let Some(status) = child.try_wait().unwrap() {
                    return status.code();
                }
                if !sent && when(&std::fs::read_to_string(&journal).unwrap_or_default()) {
                    sent = true;
                    let status = Command::new("kill").arg(format!("-{signal}")).arg(child.id().to_string()).status().unwrap();
                    assert!(status.success());
                }
                assert!(since.elapsed() < Duration::from_secs(300), "the program does not end");
                std::thread::sleep(Duration::from_millis(2));
            }
        })
        .await
        .unwrap()
    }

    /// Fails the test, with what differs, unless the source is as it was.
    pub async fn expect_source_unchanged(&self, before: &Value, when: &str) {
        let now = self.source_state().await;
        let mut differences = Vec::new();
        differ("", before, &now, &mut differences);
        assert!(differences.is_empty(), "{when}:\n{}", differences.join("\n"));
    }

    /// Whether the source's database takes writes by default.
    pub async fn source_is_open(&self) -> bool {
        let client = self.cloud.source_superuser(&self.database).await.unwrap();
        let read_only: String = client.query_one("show default_transaction_read_only", &[]).await.unwrap().get(0);
        read_only == "off"
    }

    /// The application, its env file pointing at the source.
    pub fn application(&self) -> Application {
        let endpoints = self.endpoints();
        let resolve = serde_json::from_value(endpoints["resolve"].clone()).unwrap();
        let application = Application::new(&self.env_file(), resolve, &self.settings().join("ca.pem")).unwrap();
        application.point_at(endpoints["source"]["url"].as_str().unwrap()).unwrap();
        application
    }

    /// Stops the writer, and fails the test unless the target has every commit that was acknowledged to it, once, and at least so many.
    pub async fn expect_commits(&self, writer: Writer, least: usize) -> WriterReport {
        let report = writer.stop().await;
        let target = self.cloud.compute_superuser(&self.database, &self.database).await.unwrap();
        let verdict = workload::verify(&target, &report).await.unwrap();
        assert!(verdict.is_clean() && verdict.acknowledged >= least, "{verdict:?}");
        report
    }

    /// Settings that hand over to everything on Azure that holds the application's connection string.
    pub fn places_on_azure(&self) -> String {
        let endpoints = self.endpoints();
        let text = |path: &str| endpoints.pointer(path).and_then(Value::as_str).unwrap_or_else(|| panic!("endpoints.json has no {path}"));
        format!(
            "\n[[hand_over.to]]\nkind = \"key-vault\"\nvault = {:?}\nsecret = {:?}\n\
             [[hand_over.to]]\nkind = \"app-service\"\napp = {:?}\n\
             [[hand_over.to]]\nkind = \"container-app\"\napp = {:?}\nsecret = {:?}\n",
            text("/vault/http"),
            text("/vault/secret"),
            text("/app_service/app"),
            text("/container_app/app"),
            text("/container_app/secret"),
        )
    }

    /// Everything about the source that a migration may change and must put back: catalog, settings, firewall, parameters.
    pub async fn source_state(&self) -> Value {
        let client = self.cloud.source_superuser(&self.database).await.unwrap();
        let catalog: String = client.query_one(include_str!("source_state.sql"), &[]).await.unwrap().get(0);
        let catalog: Value = serde_json::from_str(&catalog).unwrap();
        serde_json::json!({
            "catalog": catalog,
            "firewall": self.arm("firewallRules", |rule| serde_json::json!([rule["name"], rule["properties"]])).await,
            "parameters": self.arm("configurations", |one| serde_json::json!([one["name"], one["properties"]["value"]])).await,
        })
    }

    /// A list of the server's sub-resources through ARM.
    async fn arm(&self, kind: &str, pick: impl Fn(&Value) -> Value) -> Vec<Value> {
        let endpoints = self.endpoints();
        let text = |path: &str| endpoints.pointer(path).and_then(Value::as_str).unwrap_or_else(|| panic!("endpoints.json has no {path}"));
        let url = format!(
            "{}/subscriptions/{}/resourceGroups/{}/providers/Microsoft.DBforPostgreSQL/flexibleServers/{}/{kind}?api-version=2024-08-01",
            text("/arm/http"),
            text("/subscription"),
            text("/resource_group"),
            text("/server")
        );
        let answer: Value = reqwest::Client::new().get(url).bearer_auth(text("/arm/token")).send().await.unwrap().json().await.unwrap();
        let mut list: Vec<Value> = answer["value"].as_array().unwrap().iter().map(pick).collect();
        list.sort_by_key(Value::to_string);
        list
    }

    /// Names of the Neon projects.
    pub fn projects(&self) -> Vec<String> {
        self.cloud.projects()
    }

    /// A call to Neon's API; the answer's body, or null.
    pub async fn neon(&self, method: reqwest::Method, path: &str, body: Option<Value>) -> Value {
        let endpoints = self.endpoints();
        let text = |path: &str| endpoints.pointer(path).and_then(Value::as_str).unwrap_or_else(|| panic!("endpoints.json has no {path}"));
        let mut call = reqwest::Client::new().request(method, format!("{}/{path}", text("/neon/http"))).bearer_auth(text("/neon/key"));
        if let Some(body) = body {
            call = call.json(&body);
        }
        let answer = call.send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {answer:?}");
        answer.json().await.unwrap_or_default()
    }

    /// Everything about a Neon project, by its name, that a migration into it may change and must put back; of its branches, the
    /// default one.
    pub async fn neon_state(&self, project: &str) -> Value {
        let get = async |path: String| self.neon(reqwest::Method::GET, &format!("projects{path}"), None).await;
        let organization = self.endpoints()["neon"]["organization"].as_str().unwrap().to_owned();
        let project = get(format!("?search={project}&org_id={organization}")).await["projects"][0].clone();
        let id = project["id"].as_str().unwrap();
        let first =
            |list: &Value, wanted: &dyn Fn(&Value) -> bool| list.as_array().unwrap().iter().find(|one| wanted(one)).unwrap().clone();
        let branch = first(&get(format!("/{id}/branches")).await["branches"], &|branch| branch["default"] == true)["id"].clone();
        let compute = first(&get(format!("/{id}/endpoints")).await["endpoints"], &|compute| compute["branch_id"] == branch);
        let names = |list: &Value| list.as_array().unwrap().iter().map(|one| one["name"].clone()).collect::<Vec<_>>();
        let branch = branch.as_str().unwrap();
        serde_json::json!({
            "project": id,
            "history": project["history_retention_seconds"],
            "compute": [compute["autoscaling_limit_min_cu"], compute["autoscaling_limit_max_cu"], compute["suspend_timeout_seconds"]],
            "databases": names(&get(format!("/{id}/branches/{branch}/databases")).await["databases"]),
            "roles": names(&get(format!("/{id}/branches/{branch}/roles")).await["roles"]),
        })
    }

    /// Deletes a Neon project through the API, as somebody would in the console.
    pub async fn delete_project(&self, id: &str) {
        self.neon(reqwest::Method::DELETE, &format!("projects/{id}"), None).await;
    }

    /// Stops both clouds.
    pub async fn stop(self) {
        self.cloud.stop().await.unwrap();
    }
}

fn differ(path: &str, before: &Value, now: &Value, found: &mut Vec<String>) {
    match (before, now) {
        (Value::Object(a), Value::Object(b)) if a.keys().eq(b.keys()) => {
            a.iter().for_each(|(key, a)| differ(&format!("{path}/{key}"), a, &b[key], found))
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => a.iter().zip(b).for_each(|(a, b)| differ(path, a, b, found)),
        (a, b) if a != b => found.push(format!("{path}: {a} is now {b}")),
        _ => {}
    }
}

/// How the program ended.
#[derive(Debug)]
pub struct Outcome {
    /// Its exit code.
    pub code: i32,
    /// The result.
    pub stdout: String,
    /// The progress.
    pub stderr: String,
}

impl From<Output> for Outcome {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Outcome {
    /// Fails the test with all output unless the program succeeded.
    #[track_caller]
    pub fn expect_success(self) -> Self {
        assert_eq!(self.code, 0, "{}\n{}", self.stdout, self.stderr);
        self
    }

    /// Fails the test unless the program ended with this code and said all of this.
    #[track_caller]
    pub fn expect_failure(self, code: i32, words: &[&str]) -> Self {
        assert_eq!(self.code, code, "{}\n{}", self.stdout, self.stderr);
        for word in words {
            assert!(self.stderr.contains(word), "no {word:?} in:\n{}", self.stderr);
        }
        assert!(self.stderr.contains("next:"), "no remedy in:\n{}", self.stderr);
        self
    }

    /// Fails the test unless at least so many tables were compared at the end, and all are equal.
    #[track_caller]
    pub fn expect_equal(&self, least: usize) {
        let tables = self.event("summary")["summary"]["comparison"]["tables"].as_array().unwrap().clone();
        assert!(tables.len() >= least && tables.iter().all(|table| table["verdict"] == "equal"), "{tables:?}");
    }

    /// The JSON event of this name, the last one.
    #[track_caller]
    pub fn event(&self, name: &str) -> Value {
        self.stdout
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .rfind(|event| event["event"] == name)
            .unwrap_or_else(|| panic!("no event {name} in:\n{}\n{}", self.stdout, self.stderr))
    }
}

/// The repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The program, which scripts/test builds beside the tests.
pub fn binary() -> PathBuf {
    let path = std::env::current_exe().unwrap().parent().and_then(Path::parent).unwrap().join("azure2neon");
    assert!(path.is_file(), "{} is missing: cargo build --workspace", path.display());
    path
}
