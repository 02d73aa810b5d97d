//! No password, token or key shows in any output, file, log or argument, even with everything logged.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use azure2neon_tests::{Outcome, Rig};

#[tokio::test(flavor = "multi_thread")]
async fn never_show() {
    let rig = Rig::small(|_| {}).await;
    let arguments = Arguments::watch();
    let file = rig.settings().join("azure2neon.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{text}{}", rig.places_on_azure())).unwrap();

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
    let tokens = rig.cloud.issued_vault_tokens();
    assert!(!tokens.is_empty());
    secrets.extend(tokens.into_iter().enumerate().map(|(n, token)| (format!("vault token {n}"), token)));
    secrets.insert("operation's signature".into(), "&s=".into());
    assert!(secrets.values().all(|secret| secret.len() > 2));

    let places = places(&rig, seen_arguments, &[prepared, finished, refused]);
    let names: Vec<&String> = places.iter().map(|(name, _)| name).collect();
    for expected in ["journal.jsonl", "plan.json", "schema.json", "azure2neon.log"] {
        assert!(names.iter().any(|name| name.ends_with(expected)), "{expected} was not looked at: {names:?}");
    }
    assert!(places.iter().any(|(name, text)| name.ends_with("azure2neon.log") && text.len() > 10_000), "the log is not at trace");
    assert_eq!(names.iter().filter(|name| name.ends_with("/log")).count(), 2, "both servers' logs: {names:?}");
    assert!(places[0].1.contains("pg_dump"), "the arguments of pg_dump were not seen");
    expect_nowhere(&secrets, &places);
    rig.stop().await;
}

/// With an access token instead of the password, all the way.
#[tokio::test(flavor = "multi_thread")]
async fn neither_do_tokens_of_entra_id() {
    let role = "ops@contoso.example";
    let rig = Rig::small(|options| options.entra_administrator = Some(role.into())).await;
    let file = rig.settings().join("azure2neon.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let entra = |user: &str| text.replace("[source]", &format!("[source]\nlogin = \"entra\"{user}"));
    std::fs::write(&file, entra("")).unwrap();
    rig.run(&["plan"]).await.expect_failure(2, &["`user` under [source]"]);
    std::fs::write(&file, entra("\nuser = \"bikeadmin\"")).unwrap();
    rig.run(&["plan"]).await.expect_failure(3, &["`user` under [source]", "microsoft-entra-admin list"]);

    std::fs::write(&file, entra(&format!("\nuser = {role:?}"))).unwrap();
    let arguments = Arguments::watch();
    let mut migrate = rig.program(&["migrate", "--cut-over", "--yes"]);
    migrate.env("AZURE2NEON_LOG", "trace").env_remove("AZURE2NEON_SOURCE_PASSWORD");
    let outcome = rig.finish(migrate).await.expect_success();
    let seen_arguments = arguments.stop();
    assert!(outcome.stderr.contains("On Azure it acts as service principal"), "{}", outcome.stderr);

    let tokens = rig.cloud.issued_database_tokens();
    assert_eq!(tokens.len(), 2, "one for the refused user, one for the whole migration");
    let secrets = tokens.into_iter().enumerate().map(|(n, token)| (format!("database token {n}"), token)).collect();
    let places = places(&rig, seen_arguments, &[outcome]);
    assert!(places[0].1.contains("pg_dump"), "the arguments of pg_dump were not seen");
    expect_nowhere(&secrets, &places);
    rig.stop().await;
}

/// Everything where a secret could show: arguments of processes, output, the files of the run and of the servers.
fn places(rig: &Rig, arguments: String, outcomes: &[Outcome]) -> Vec<(String, String)> {
    let output = outcomes.iter().map(|outcome| format!("{}{}", outcome.stdout, outcome.stderr)).collect::<Vec<_>>().concat();
    let mut places = vec![("arguments".to_owned(), arguments), ("output".to_owned(), output)];
    read_files(&rig.run_folder(), &mut places);
    read_files(rig.cloud.data_folder(), &mut places);
    places
}

fn expect_nowhere(secrets: &BTreeMap<String, String>, places: &[(String, String)]) {
    for (what, secret) in secrets {
        for (place, text) in places {
            assert!(!text.contains(secret.as_str()), "{what} shows in {place}");
        }
    }
}

/// Every text file below the folder that is not a server's data or TLS key, nor an old connection string that is kept for the way back.
fn read_files(folder: &Path, places: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if path.is_dir() {
            if !["base", "before", "pg_wal", "global", "postgresql"].contains(&name.as_str()) {
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
