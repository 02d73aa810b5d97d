//! Writers that mean to get past the fence, and what was planted on the target: nothing is lost, and nothing is handed over unproven.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use azure2neon_postgres::{Endpoint, Session, tls};
use azure2neon_tests::Rig;
use secrecy::SecretString;
use tokio::task::JoinHandle;

/// The table that they write to; each row is written once.
const TABLE: &str = "create table public.defiant (who int, n bigint, primary key (who, n)); create sequence public.moved";

/// Connects to the source as the owner of everything, by a session that turns the read-only setting off, as the program's own do.
async fn connect(rig: &Rig) -> azure2neon_postgres::Result<Session> {
    let endpoints = rig.endpoints();
    let of = |field: &str| endpoints["source"][field].as_str().unwrap().to_owned();
    let endpoint = Endpoint {
        host: of("host"),
        address: Some(of("address").parse().unwrap()),
        port: 5432,
        database: rig.database.clone(),
        user: of("user"),
        password: SecretString::from(of("password")),
        tls: Arc::new(tls::client_config(Some(&rig.settings().join("ca.pem"))).unwrap()),
        application_name: "defiant".into(),
    };
    endpoint.connect().await
}

/// Writes until it is told to stop, whatever happens; every row whose commit was acknowledged, and those whose answer was lost.
struct Defiant {
    stop: Arc<AtomicBool>,
    task: JoinHandle<(Vec<i64>, Vec<i64>)>,
}

impl Defiant {
    fn start(rig: &Arc<Rig>, who: i32) -> Self {
        let (rig, stop) = (Arc::clone(rig), Arc::new(AtomicBool::new(false)));
        let stopping = Arc::clone(&stop);
        let task = tokio::spawn(async move {
            let (mut acknowledged, mut unknown, mut n) = (Vec::new(), Vec::new(), 0);
            while !stopping.load(Ordering::Relaxed) {
                let Ok(client) = connect(&rig).await else {
                    tokio::time::sleep(Duration::from_millis(3)).await;
                    continue;
                };
                while !stopping.load(Ordering::Relaxed) {
                    n += 1;
                    let write = format!("insert into public.defiant values ({who}, {n}); select nextval('public.moved')");
                    match client.batch_execute(&write).await {
                        Ok(()) => acknowledged.push(n),
                        Err(error) if error.as_db_error().is_some_and(|error| error.severity() == "ERROR") => break,
                        Err(_) => {
                            unknown.push(n);
                            break;
                        }
                    }
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
            }
            (acknowledged, unknown)
        });
        Self { stop, task }
    }

    async fn stop(self) -> (Vec<i64>, Vec<i64>) {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_defies_the_fence_has_his_write_on_the_target_or_an_error() {
    let rig = Arc::new(Rig::small(|_| {}).await);
    connect(&rig).await.unwrap().batch_execute(TABLE).await.unwrap();
    rig.run(&["migrate", "--yes"]).await.expect_success();
    let writers = [1, 2, 3].map(|who| Defiant::start(&rig, who));
    // A transaction that has written and stays open, and a large one that commits right before.
    let open = connect(&rig).await.unwrap();
    open.batch_execute("begin; insert into public.defiant values (4, 1)").await.unwrap();
    let large = connect(&rig).await.unwrap();
    large.batch_execute("insert into public.defiant select 5, n from generate_series(1, 300000) n").await.unwrap();
    // Older than ten seconds by the time the program looks: it takes a while to compare again.
    tokio::time::sleep(Duration::from_secs(10)).await;
    let outcome = rig.run(&["cut-over", "--yes"]).await.expect_success();
    assert!(outcome.stderr.contains("long transaction") && outcome.stderr.contains("which has written"), "{}", outcome.stderr);
    // They go on against the old server.
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(open.batch_execute("commit").await.is_err());
    let target = rig.cloud.compute_superuser("shop", "shop").await.unwrap();
    for (who, writer) in (1..).zip(writers) {
        let (acknowledged, unknown) = writer.stop().await;
        assert!(acknowledged.len() > 10, "writer {who} wrote {} rows", acknowledged.len());
        let rows = target.query("select n from public.defiant where who = $1 order by n", &[&who]).await.unwrap();
        let there: Vec<i64> = rows.iter().map(|row| row.get(0)).collect();
        let lost: Vec<&i64> = acknowledged.iter().filter(|n| !there.contains(n)).collect();
        assert!(lost.is_empty(), "writer {who} lost {lost:?}");
        let strange: Vec<&i64> = there.iter().filter(|n| !acknowledged.contains(n) && !unknown.contains(n)).collect();
        assert!(strange.is_empty(), "writer {who} never wrote {strange:?}");
    }
    let count = async |sql: &str| target.query_one(sql, &[]).await.unwrap().get::<_, i64>(0);
    assert_eq!(count("select count(*) from public.defiant where who = 4").await, 0);
    assert_eq!(count("select count(*) from public.defiant where who = 5").await, 300_000);
    let source = rig.cloud.source_superuser("shop").await.unwrap();
    let moved: i64 = source.query_one("select last_value from public.moved", &[]).await.unwrap().get(0);
    assert_eq!(count("select last_value from public.moved").await, moved);
    Arc::into_inner(rig).unwrap().stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_the_same_is_named_and_leaves_the_source_open() {
    let rig = Rig::small(|_| {}).await;
    let before = rig.source_state().await;
    rig.run(&["migrate", "--yes"]).await.expect_success();
    let target = rig.cloud.compute_superuser("shop", "shop").await.unwrap();
    // Each is planted, found by both commands, and taken back.
    let planted = [
        ("select setval('sales.ticket', 1)", "select setval('sales.ticket', 100)", "ticket"),
        ("drop index sales.\"Order_customer_idx\"", "create index on sales.\"Order\" (customer)", "Order_customer_idx"),
        ("alter table sales.\"Order\" disable trigger touch", "alter table sales.\"Order\" enable trigger touch", "touch"),
        (
            "alter table sales.\"Order\" alter state set default 'paid'",
            "alter table sales.\"Order\" alter state set default 'open'",
            "default",
        ),
    ];
    for (plant, mend, name) in planted {
        target.batch_execute(plant).await.unwrap();
        rig.run(&["verify"]).await.expect_failure(9, &[name]);
        let outcome = rig.run(&["cut-over", "--yes"]).await;
        assert!(outcome.code == 9 || outcome.stderr.contains("compare is not done"), "{plant}: {}\n{}", outcome.code, outcome.stderr);
        assert!(rig.source_is_open().await, "{plant}");
        target.batch_execute(mend).await.unwrap();
        rig.run(&["verify"]).await.expect_success();
    }
    // A row that is planted after the compare is found before writes are stopped.
    target.batch_execute("update sales.customer set name = 'another' where id = 7").await.unwrap();
    let outcome = rig.run(&["cut-over", "--yes"]).await.expect_failure(9, &["id = 7", "column name"]);
    assert!(!outcome.stderr.contains("takes writes again"), "{}", outcome.stderr);
    rig.run(&["verify", "--repair"]).await.expect_success();
    // What changes a table on the source is named before anything waits for it.
    let source = rig.cloud.source_superuser("shop").await.unwrap();
    source.batch_execute("alter table sales.customer add column more text").await.unwrap();
    rig.run(&["cut-over", "--yes"]).await.expect_failure(9, &["more"]);
    source.batch_execute("alter table sales.customer drop column more").await.unwrap();
    rig.run(&["abort", "--yes"]).await.expect_success();
    rig.expect_source_unchanged(&before, "after cut-overs that were refused").await;
    rig.stop().await;
}
