//! The hand-over: an env file whose other lines stay, a command that learns the connection string from its environment alone, and what
//! Azure keeps.

use std::time::{Duration, Instant};

use azure2neon_local_cloud::{Fault, PoolerOptions};
use azure2neon_tests::Rig;
use tokio::sync::watch;
use tokio_postgres::SimpleQueryMessage;

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_fails_is_run_again_and_the_source_stays_closed_meanwhile() {
    let rig = Rig::small(|_| {}).await;
    let proof = rig.env_file().with_file_name("proof");
    let mended = rig.env_file().with_file_name("mended");
    let script = format!("test -e {} || exit 3; printf '%s %s' \"$SHOP_URL\" \"$#\" > {}", mended.display(), proof.display());
    let file = rig.settings().join("azure2neon.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let command = serde_json::json!(["sh", "-c", script]);
    std::fs::write(&file, format!("{text}\n[hand_over]\nvariable = \"SHOP_URL\"\ncommand = {command}\n")).unwrap();
    std::fs::write(rig.env_file(), "PORT=80\nSHOP_URL=old\n").unwrap();

    let outcome = rig.run(&["migrate", "--cut-over", "--yes"]).await;
    outcome.expect_failure(16, &["hand-over command sh ended with exit status: 3", "the source stays closed", "azure2neon cut-over"]);
    assert!(!rig.source_is_open().await);
    rig.run(&["abort", "--yes"]).await.expect_failure(2, &["hand-over was begun"]);
    rig.run(&["finish", "--yes"]).await.expect_failure(2, &["azure2neon cut-over"]);

    std::fs::write(mended, "").unwrap();
    rig.run(&["cut-over", "--yes"]).await.expect_success();
    rig.run(&["finish", "--yes"]).await.expect_success();
    let env_file = std::fs::read_to_string(rig.env_file()).unwrap();
    let url = env_file.strip_prefix("PORT=80\nSHOP_URL='").unwrap().strip_suffix("'\n").unwrap();
    assert!(url.starts_with("postgresql://shop_owner:") && url.contains(".aws.neon.tech/shop"), "another connection string");
    assert_eq!(std::fs::read_to_string(proof).unwrap(), format!("{url} 0"));

    // What is complete stays complete: the same command again only says so.
    let journal = std::fs::read_to_string(rig.run_folder().join("journal.jsonl")).unwrap();
    rig.run(&["migrate", "--cut-over", "--yes"]).await.expect_success();
    assert_eq!(std::fs::read_to_string(rig.run_folder().join("journal.jsonl")).unwrap(), journal);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_hand_over_reaches_every_place() {
    let rig = Rig::small(|_| {}).await;
    let endpoints = rig.endpoints();
    let text = |path: &str| endpoints.pointer(path).and_then(serde_json::Value::as_str).unwrap();
    let (old, proof) = (text("/source/url").to_owned(), rig.env_file().with_file_name("proof"));
    let script = format!("printf '%s %s' \"$DATABASE_URL\" \"$AZURE2NEON_DIRECTION\" > {}", proof.display());
    let places = format!("\n[hand_over]\ncommand = {}{}", serde_json::json!(["sh", "-c", script]), rig.places_on_azure());
    let file = rig.settings().join("azure2neon.toml");
    let settings = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{settings}{places}")).unwrap();
    std::fs::write(rig.env_file(), format!("PORT=80\nDATABASE_URL='{old}'\n")).unwrap();

    let plan = rig.run(&["plan"]).await.expect_success();
    for place in [
        "DATABASE_URL in ",
        "the secret database-url of the key vault",
        "the setting DATABASE_URL of the App Service app",
        "the secret database-url of the container app",
        "the command sh",
    ] {
        assert!(plan.stdout.contains(place), "{place}: {}", plan.stdout);
    }
    // An answer that is lost is no lost write, and no second one.
    rig.cloud.inject("PUT", "/secrets/", 1, Fault::LoseAnswer);
    rig.cloud.inject("PUT", "/config/appsettings", 1, Fault::LoseAnswer);
    rig.cloud.inject("PATCH", "/containerApps/", 1, Fault::LoseRequest);
    let outcome = rig.run(&["migrate", "--cut-over", "--yes"]).await;
    outcome.expect_success();
    assert_eq!(rig.cloud.waiting_faults(), 0);

    let env_file = std::fs::read_to_string(rig.env_file()).unwrap();
    let new = env_file.strip_prefix("PORT=80\nDATABASE_URL='").unwrap().strip_suffix("'\n").unwrap();
    assert!(new.contains(".aws.neon.tech/"));
    assert_eq!(std::fs::read_to_string(proof).unwrap(), format!("{new} forward"));
    assert_eq!(rig.cloud.vault_values(), [&old, new]);
    let seen: Vec<String> = rig.cloud.seen_by_apps().into_values().collect();
    assert_eq!((seen, rig.cloud.app_restarts()), (vec![new.to_owned(), new.to_owned()], 2));
    let calls =
        |method: &str, part: &str| rig.cloud.calls().iter().filter(|call| call.method == method && call.path.contains(part)).count();
    assert_eq!((calls("PUT", "/secrets/"), calls("PUT", "/appsettings"), calls("PATCH", "/containerApps/")), (1, 1, 2));

    // What was there before is kept apart from the journal, for its owner only, until nobody needs it.
    let journal = std::fs::read_to_string(rig.run_folder().join("journal.jsonl")).unwrap();
    assert!(!journal.contains("postgresql://"));
    rig.stop().await;
}

/// Sends one statement; the first value of its answer.
async fn ask(client: &tokio_postgres::Client, sql: &str) -> Result<Option<String>, tokio_postgres::Error> {
    let answer = client.simple_query(sql).await?;
    Ok(answer.iter().find_map(|one| if let SimpleQueryMessage::Row(row) = one { row.get(0).map(str::to_owned) } else { None }))
}

/// Writes one row after another until it is told to stop; how many, and how long the longest took. Fails at the first error.
async fn tap(client: tokio_postgres::Client, number: usize, stop: watch::Receiver<bool>) -> (i64, Duration) {
    let (mut written, mut longest) = (0, Duration::ZERO);
    while !*stop.borrow() {
        let began = Instant::now();
        let sql = format!("insert into public.taps values ({number}, {written})");
        ask(&client, &sql).await.unwrap_or_else(|error| panic!("client {number} after {written} rows: {:?}", error.as_db_error()));
        longest = longest.max(began.elapsed());
        written += 1;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    (written, longest)
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_of_pgbouncer_see_no_error_there_and_back() {
    const PASSWORD: &str = "the app's";
    let rig = Rig::small(|_| {}).await;
    let endpoints = rig.endpoints();
    let source = |field: &str| endpoints["source"][field].as_str().unwrap();
    let entry =
        format!("host={} port=5432 dbname={} user={} password='{}'", source("host"), rig.database, source("user"), source("password"));
    let options = PoolerOptions { database: &rig.database, server: &entry, client: ("app", PASSWORD), ..PoolerOptions::default() };
    let pooler = rig.cloud.pooler(options).await.unwrap();
    let file = rig.settings().join("azure2neon.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let place = format!("[[hand_over.to]]\nkind = \"pgbouncer\"\nport = {}\nuser = \"app\"\nfile = {:?}\n", pooler.port(), pooler.file());
    std::fs::write(&file, format!("{text}\n{place}")).unwrap();

    let mut config = tokio_postgres::Config::new();
    config.host("127.0.0.1").port(pooler.port()).user("app").password(PASSWORD).dbname(&rig.database);
    let connect = async || {
        let (client, connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    };
    ask(&connect().await, "create table public.taps (client int, n int, primary key (client, n))").await.unwrap();
    let run = async |arguments: &[&str]| {
        let mut program = rig.program(arguments);
        program.env("AZURE2NEON_PGBOUNCER_PASSWORD", PASSWORD);
        rig.finish(program).await.expect_success()
    };
    // It restarts the source once, which ends every connection.
    run(&["migrate", "--yes"]).await;
    let asker = connect().await;
    let (stop, stopping) = watch::channel(false);
    let mut taps = Vec::new();
    for number in 0..8 {
        taps.push(tokio::spawn(tap(connect().await, number, stopping.clone())));
    }
    for (command, owner) in [("cut-over", "shop_owner"), ("rollback", source("user")), ("cut-over", "shop_owner")] {
        run(&[command, "--yes"]).await;
        assert_eq!(ask(&asker, "select current_user").await.unwrap().as_deref(), Some(owner), "after {command}");
    }
    stop.send(true).unwrap();
    let mut written = 0;
    for tap in taps {
        let (rows, longest) = tap.await.unwrap();
        assert!(rows > 0 && longest < Duration::from_secs(10), "{rows} rows, the longest took {longest:?}");
        written += rows;
    }
    let target = rig.cloud.compute_superuser("shop", "shop").await.unwrap();
    let there: i64 = target.query_one("select count(*) from public.taps", &[]).await.unwrap().get(0);
    assert_eq!(there, written);
    run(&["finish", "--yes"]).await;
    drop(pooler);
    rig.stop().await;
}
