//! A real PgBouncer between clients and two real servers: it is pointed from one to the other, and no client sees an error.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../../postgres/tests/support/mod.rs"]
mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use azure2neon_core::ErrorKind;
use azure2neon_core::handover::{Connection, Keepsakes, PgBouncer, Place};
use azure2neon_core::settings;
use azure2neon_local_cloud::{Pooler, PoolerOptions};
use secrecy::SecretString;
use support::Server;
use tokio_postgres::{Client, NoTls};

const PASSWORD: &str = "client's \"password\"";
const MOST: Duration = Duration::from_secs(5);

/// Two servers with a table `writes` each, the PgBouncer before the first, and the place of the hand-over.
struct Stage {
    servers: [Server; 2],
    pooler: Pooler,
    place: Arc<PgBouncer>,
    folder: tempfile::TempDir,
}

async fn server(role: &str, password: &str) -> Server {
    let server = Server::start(16).await;
    let quoted = password.replace('\'', "''");
    server
        .session()
        .await
        .batch_execute(&format!(
            "create role {role} login password '{quoted}'; create table public.writes (client int, number int);
             grant all on public.writes to {role};"
        ))
        .await
        .unwrap();
    server
}

impl Stage {
    async fn start(settings: &str) -> Self {
        Self::with("user=old_app password='it''s old'", settings).await
    }

    async fn with(role: &str, settings: &str) -> Self {
        let servers = [server("old_app", "it's old").await, server("new_app", "it's new").await];
        let entry = format!("host=127.0.0.1 port={} dbname=app {role} pool_size=20", servers[0].port);
        let options =
            PoolerOptions { database: "shop", server: &entry, client: ("client", PASSWORD), settings, ..PoolerOptions::default() };
        let pooler = Pooler::start(options).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let place = settings::PgBouncer {
            address: "127.0.0.1".into(),
            port: pooler.port(),
            user: "client".into(),
            database: "shop".into(),
            file: pooler.file(),
            password_file: None,
        };
        let place = Arc::new(PgBouncer::new(place, Some(SecretString::from(PASSWORD)), Keepsakes::of_run(folder.path())));
        Self { servers, pooler, place, folder }
    }

    fn connection(&self, at: usize) -> Connection {
        let mut endpoint = self.servers[at].endpoint("app");
        endpoint.host = "127.0.0.1".into();
        let (role, password) = [("old_app", "it's old"), ("new_app", "it's new")][at];
        Connection::new("run1", endpoint.as_user(role, SecretString::from(password)))
    }

    async fn client(&self) -> Client {
        let mut config = tokio_postgres::Config::new();
        config.host("127.0.0.1").port(self.pooler.port()).user("client").password(PASSWORD).dbname("shop");
        let (client, connection) = config.connect(NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    async fn writes(&self, at: usize) -> i64 {
        self.servers[at].session().await.query_one("select count(*) from public.writes", &[]).await.unwrap().get(0)
    }
}

/// Clients that write one transaction after the other, and the longest that one took.
struct Writers {
    stop: Arc<AtomicBool>,
    count: Arc<AtomicUsize>,
    tasks: Vec<tokio::task::JoinHandle<Result<Duration, tokio_postgres::Error>>>,
}

impl Writers {
    async fn start(stage: &Stage, how_many: usize) -> Self {
        let (stop, count) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let mut tasks = Vec::new();
        for number in 0..how_many {
            let (client, stop, count) = (stage.client().await, Arc::clone(&stop), Arc::clone(&count));
            tasks.push(tokio::spawn(async move {
                let mut longest = Duration::ZERO;
                while !stop.load(Ordering::Relaxed) {
                    let since = Instant::now();
                    client.batch_execute("begin; insert into public.writes values (0, 0)").await?;
                    client.batch_execute(&format!("insert into public.writes values ({number}, 1); commit")).await?;
                    longest = longest.max(since.elapsed());
                    count.fetch_add(1, Ordering::Relaxed);
                }
                Ok(longest)
            }));
        }
        Self { stop, count, tasks }
    }

    async fn reach(&self, more: usize) {
        let (aim, since) = (self.count.load(Ordering::Relaxed) + more, Instant::now());
        while self.count.load(Ordering::Relaxed) < aim {
            assert!(since.elapsed() < Duration::from_secs(20), "the writers don't get on");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// The transactions that were acknowledged, and the longest; an error of any client fails the test.
    async fn stop(self) -> (i64, Duration) {
        self.stop.store(true, Ordering::Relaxed);
        let mut longest = Duration::ZERO;
        for task in self.tasks {
            longest = longest.max(task.await.unwrap().unwrap());
        }
        (i64::try_from(self.count.load(Ordering::Relaxed)).unwrap(), longest)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_go_to_the_new_server_and_back_without_an_error() {
    let stage = Stage::start("").await;
    let (old, new) = (stage.connection(0), stage.connection(1));
    let place = &stage.place;
    place.check(MOST).await.unwrap();
    let file_before = std::fs::read_to_string(stage.pooler.file()).unwrap();
    let writers = Writers::start(&stage, 16).await;
    writers.reach(200).await;

    let before = place.before(&new).await.unwrap();
    let since = Instant::now();
    place.hold(MOST).await.unwrap();
    let held = stage.writes(0).await;
    // As if the process had died and another one went on: all may be done again.
    for _ in 0..2 {
        place.point(&new).await.unwrap();
        place.verify(&new).await.unwrap();
        assert_eq!(place.before(&new).await.unwrap(), before);
    }
    assert_eq!((stage.writes(0).await, stage.writes(1).await), (held, 0), "somebody wrote while the clients were held");
    for _ in 0..2 {
        place.release().await.unwrap();
    }
    let pause = since.elapsed();
    writers.reach(200).await;
    assert_eq!(stage.writes(0).await, held);
    assert!(stage.writes(1).await >= 400);

    place.hold(MOST).await.unwrap();
    assert!(!before.to_string().contains("old"));
    for _ in 0..2 {
        place.restore(&before, &old).await.unwrap();
    }
    place.release().await.unwrap();
    writers.reach(200).await;
    let (acknowledged, longest) = writers.stop().await;
    assert_eq!(stage.writes(0).await + stage.writes(1).await, 2 * acknowledged);
    assert!(stage.writes(0).await >= held + 400);
    assert_eq!(std::fs::read_to_string(stage.pooler.file()).unwrap(), file_before);
    place.forget(&before).await.unwrap();
    assert_eq!(std::fs::read_dir(stage.folder.path()).unwrap().count(), 0);
    assert!(longest < MOST, "a client waited {longest:?}");
    println!("held for {pause:?}; the longest transaction of a client took {longest:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_idles_in_a_transaction_is_named_and_the_others_go_on() {
    let stage = Stage::start("").await;
    let idle = stage.client().await;
    idle.batch_execute("begin; insert into public.writes values (7, 7)").await.unwrap();
    let writers = Writers::start(&stage, 4).await;
    writers.reach(20).await;
    let since = Instant::now();
    let error = stage.place.hold(Duration::from_millis(300)).await.unwrap_err();
    assert!(since.elapsed() < Duration::from_secs(2));
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.message().contains("client from 127.0.0.1:") && error.remedy().unwrap().contains("--max-pause"), "{error}");
    writers.reach(20).await;
    // A hold that was dropped leaves the clients held until they are released.
    tokio::time::timeout(Duration::from_millis(100), stage.place.hold(MOST)).await.unwrap_err();
    stage.place.release().await.unwrap();
    writers.reach(20).await;
    idle.batch_execute("commit").await.unwrap();
    stage.place.hold(MOST).await.unwrap();
    // Held twice is held once.
    stage.place.hold(MOST).await.unwrap();
    stage.place.release().await.unwrap();
    writers.reach(20).await;
    writers.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_show_clients_an_error_is_found_before() {
    for (settings, words) in [
        ("pool_mode = session", "pool_mode is session"),
        ("query_wait_timeout = 5", "query_wait_timeout = 5 s"),
        ("server_tls_sslmode = disable", "server_tls_sslmode is disable"),
        ("admin_users = other\nstats_users = client", "client may not use PAUSE"),
    ] {
        let stage = Stage::start(settings).await;
        let error = stage.place.check(MOST).await.unwrap_err();
        assert!(error.message().contains(words) && error.remedy().is_some(), "{error:?}");
    }
    let stage = Stage::with("", "").await;
    let error = stage.place.check(MOST).await.unwrap_err();
    assert!(error.message().contains("under their own names"), "{error:?}");

    // Not the file of that PgBouncer, or not taken up by it.
    let stage = Stage::start("").await;
    let text = std::fs::read_to_string(stage.pooler.file()).unwrap();
    std::fs::write(stage.pooler.file(), text.replace("dbname=app", "dbname=other")).unwrap();
    let error = stage.place.check(MOST).await.unwrap_err();
    assert!(error.message().contains("another dbname for shop"), "{error:?}");
    drop(stage.pooler);
    let error = stage.place.check(MOST).await.unwrap_err();
    assert!(error.kind() == ErrorKind::Unreachable && error.message().contains("console"), "{error:?}");
}
