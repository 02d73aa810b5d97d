//! No password, token or key shows in any output, file, log or argument, even with everything logged.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use azure2neon_tests::Rig;

#[tokio::test(flavor = "multi_thread")]
async fn never_show() {
    let rig = Rig::small(|_| {}).await;
    let arguments = Arguments::watch();

    let mut prepare = rig.program(&["migrate", "--yes"]);
    prepare.env("AZURE2NEON_LOG", "trace");
    let prepared = rig.finish(prepare).await.expect_success();
    // The replication role's password lives in the subscription alone.
    let target = rig.cloud.compute_superuser("shop", "shop").await.unwrap();
    let conninfo: String = target.query_one("select subconninfo from pg_subscription", &[]).await.unwrap().get(0);
    let password = conninfo.split("password=").nth(1).unwrap();
    let password = password.trim_start_matches('\'').split(['\'', ' ']).next().unwrap().to_owned();
    let mut rest = rig.program(&["migrate", "--cut-over", "--yes", "--output", "json"]);
    rest.env("AZURE2NEON_LOG", "trace");
    let finished = rig.finish(rest).await.expect_success();
    // One that fails: errors quote what they were told.
    let mut refused = rig.program(&["plan", "--run-dir", "elsewhere"]);
    refused.env("AZURE2NEON_LOG", "trace").env("AZURE_CLIENT_SECRET", "a-wrong-client-secret");
    let refused = rig.finish(refused).await.expect_failure(3, &["AADSTS7000215"]);
    let seen_arguments = arguments.stop();

    let mut secrets: BTreeMap<String, String> =
        rig.secrets().into_iter().filter(|(name, _)| ["SECRET", "KEY", "PASSWORD"].iter().any(|word| name.contains(word))).collect();
    assert_eq!(secrets.len(), 3, "{:?}", secrets.keys());
    secrets.insert("replication password".into(), password);
    secrets.insert("wrong client secret".into(), "a-wrong-client-secret".into());
    let env_file = std::fs::read_to_string(rig.env_file()).unwrap();
    let url = env_file.split_once("://").unwrap().1;
    secrets.insert("target password".into(), url.split_once(':').unwrap().1.split_once('@').unwrap().0.to_owned());
    let tokens = rig.cloud.issued_arm_tokens();
    assert!(!tokens.is_empty());
    secrets.extend(tokens.into_iter().enumerate().map(|(n, token)| (format!("ARM token {n}"), token)));
    secrets.insert("operation's signature".into(), "&s=".into());
    assert!(secrets.values().all(|secret| secret.len() > 2));

    let mut places = vec![
        ("arguments".to_owned(), seen_arguments),
        ("output".to_owned(), [&prepared, &finished, &refused].map(|outcome| format!("{}{}", outcome.stdout, outcome.stderr)).concat()),
    ];
    read_files(&rig.run_folder(), &mut places);
    read_files(rig.cloud.data_folder(), &mut places);
    let names: Vec<&String> = places.iter().map(|(name, _)| name).collect();
    for expected in ["journal.jsonl", "plan.json", "schema.json", "azure2neon.log"] {
        assert!(names.iter().any(|name| name.ends_with(expected)), "{expected} was not looked at: {names:?}");
    }
    assert!(places.iter().any(|(name, text)| name.ends_with("azure2neon.log") && text.len() > 10_000), "the log is not at trace");
    assert_eq!(names.iter().filter(|name| name.ends_with("/log")).count(), 2, "both servers' logs: {names:?}");
    assert!(places[0].1.contains("pg_dump"), "the arguments of pg_dump were not seen");
    for (what, secret) in &secrets {
        for (place, text) in &places {
            assert!(!text.contains(secret.as_str()), "{what} shows in {place}");
        }
    }
    rig.stop().await;
}

/// Every text file below the folder that is not a server's data or TLS key.
fn read_files(folder: &Path, places: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if path.is_dir() {
            if !["base", "pg_wal", "global", "postgresql"].contains(&name.as_str()) {
                read_files(&path, places);
            }
        } else if let Ok(text) = std::fs::read(&path) {
            places.push((path.display().to_string(), String::from_utf8_lossy(&text).into_owned()));
        }
    }
}

/// The arguments of every process, looked at all the time.
struct Arguments {
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<String>,
}

impl Arguments {
    fn watch() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut seen = std::collections::BTreeSet::new();
            while !stopped.load(Ordering::Relaxed) {
                for process in std::fs::read_dir("/proc").unwrap().flatten() {
                    if let Ok(arguments) = std::fs::read(process.path().join("cmdline")) {
                        seen.insert(String::from_utf8_lossy(&arguments).replace('\0', " "));
                    }
                }
                std::thread::sleep(std::time::Duration::from_millis(3));
            }
            seen.into_iter().collect::<Vec<_>>().join("\n")
        });
        Self { stop, thread }
    }

    fn stop(self) -> String {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}
