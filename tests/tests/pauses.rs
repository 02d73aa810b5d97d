//! A copy that the operator pauses, from another process: nothing moves, not even when the program is started again, until it is resumed.

use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use azure2neon_tests::Rig;
use serde_json::Value;

const MIGRATE: [&str; 5] = ["migrate", "--cut-over", "--yes", "--output", "json"];

/// The program at work, its events in a file.
struct Running {
    child: Child,
    events: PathBuf,
}

impl Running {
    fn start(rig: &Rig, folder: &Path, name: &str) -> Self {
        let events = folder.join(name);
        let output = std::fs::File::create(&events).unwrap();
        let mut command = rig.program(&MIGRATE);
        let child = command.stdout(output.try_clone().unwrap()).stderr(output).spawn().unwrap();
        Self { child, events }
    }

    fn events(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(&self.events).unwrap();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// How often it has said how far the copy is.
    fn copied(&self) -> usize {
        self.events().iter().filter(|event| event["event"] == "copy").count()
    }

    /// Waits for an event of this name of the copy.
    async fn wait_for(&self, name: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let since = Instant::now();
        loop {
            let found = self.events().into_iter().find(|event| event["event"] == name && event["step"] == "stream-data" && fits(event));
            if let Some(event) = found {
                return event;
            }
            assert!(since.elapsed() < Duration::from_secs(120), "no {name} in {}", std::fs::read_to_string(&self.events).unwrap());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn end(mut self) -> (i32, Vec<Value>, String) {
        let status = tokio::task::spawn_blocking(move || (self.child.wait().unwrap(), self)).await.unwrap();
        let (status, running) = status;
        (status.code().unwrap_or(-1), running.events(), std::fs::read_to_string(&running.events).unwrap())
    }
}

/// What is on its way into the target's tables, by process. A table that is being filled is locked: nothing else of it can be seen.
async fn arriving(rig: &Rig) -> Vec<(i32, String, i64)> {
    let target = rig.cloud.compute_superuser("bikeparts", "bikeparts").await.unwrap();
    let sql = "select pid, relid::regclass::text, bytes_processed from pg_stat_progress_copy order by pid";
    let rows = target.query(sql, &[]).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_copy_stands_still_and_stays_paused_until_it_is_resumed() {
    let rig = Rig::bikeparts(|_| {}).await;
    rig.stream();
    let folder = tempfile::tempdir().unwrap();
    let link = rig.cloud.operator_link().clone();
    rig.run(&["pause"]).await.expect_failure(15, &["there is no run in"]);

    link.set_bandwidth(Some(4 << 20));
    let running = Running::start(&rig, folder.path(), "first");
    running.wait_for("copy", |event| event["bytes"].as_u64().unwrap() > 0).await;
    let outcome = rig.run(&["pause"]).await.expect_success();
    assert!(outcome.stdout.contains("Paused: nothing moves"), "{}", outcome.stdout);
    // Nothing but the pause holds it any more.
    link.set_bandwidth(None);
    let waiting = running.wait_for("waiting", |event| event["seconds"].as_u64().unwrap() >= 2).await;
    assert!(waiting["reason"].as_str().unwrap().contains("azure2neon resume") && waiting["deadline_seconds"].is_null(), "{waiting}");
    let (before, said) = (arriving(&rig).await, running.copied());
    running.wait_for("waiting", |event| event["seconds"].as_u64().unwrap() >= 5).await;
    assert_eq!((arriving(&rig).await, running.copied()), (before, said));
    let status = rig.run(&["status"]).await.expect_success();
    assert!(status.stdout.contains("the copy has been paused for") && status.stdout.contains("azure2neon resume"), "{}", status.stdout);

    // Stopped and started again it is paused still, now before it makes a snapshot.
    assert!(Command::new("kill").arg("-INT").arg(running.child.id().to_string()).status().unwrap().success());
    assert_eq!(running.end().await.0, 130);
    let running = Running::start(&rig, folder.path(), "second");
    running.wait_for("waiting", |event| event["reason"].as_str().unwrap().contains("the copy has not begun")).await;
    let outcome = rig.run(&["resume"]).await.expect_success();
    assert!(outcome.stdout.contains("Resumed: the copy goes on."), "{}", outcome.stdout);
    let (code, events, text) = running.end().await;
    assert_eq!(code, 0, "{text}");
    let find = |name: &str| events.iter().rfind(|event| event["event"] == name).unwrap();
    let tables = find("summary")["summary"]["comparison"]["tables"].as_array().unwrap();
    assert!(tables.len() >= 60 && tables.iter().all(|table| table["verdict"] == "equal"), "{tables:?}");
    let copy = find("copy");
    assert!(copy["tables"] == copy["of_tables"] && copy["bytes"] == copy["of_bytes"] && copy["rows"].as_u64() > Some(0), "{copy}");

    rig.run(&["pause"]).await.expect_failure(2, &["the copy is done"]);
    rig.stop().await;
}
