//! Publication, slot, subscription, drain and clean-up between two majors.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use std::time::{Duration, Instant};

use azure2neon_postgres::barrier::{self, Feed};
use azure2neon_postgres::inventory::inventory;
use azure2neon_postgres::subscription::{Dropped, Publisher};
use azure2neon_postgres::{ErrorKind, QualifiedName, digest, replication as r, roles};
use support::Server;

const SCHEMA: &str = "azure2neon_test";
const TABLES: &str = "create table public.\"Items, all\" (id int primary key, t text);
    create table public.events (id int, at date) partition by range (id);
    create table public.events_1 partition of public.events for values from (0) to (1000);
    create table public.base (id int primary key); create table public.heir (id int primary key) inherits (public.base)";

async fn story(from: u32, to: u32) {
    let (old, new) = (Server::start(from).await, Server::start(to).await);
    let source = old.session().await;
    // The target's user is no superuser, as on Neon.
    let user = new.make_user("owner").await;
    let target = user.connect().await.unwrap();
    for session in [&source, &target] {
        session.batch_execute(TABLES).await.unwrap();
        for _ in 0..2 {
            barrier::create_barrier(session, &QualifiedName::new(SCHEMA, "barrier")).await.unwrap();
        }
    }
    source
        .batch_execute(
            "insert into public.\"Items, all\" select i, 'x' || i from generate_series(1, 2000) i;
             insert into public.events select i from generate_series(1, 500) i;
             insert into public.base values (1); insert into public.heir values (2);
             alter table public.events_1 replica identity full",
        )
        .await
        .unwrap();
    let found = inventory(&source).await.unwrap();
    let password = roles::generate_password().unwrap();
    roles::create_replication_role(&source, "azure2neon_r", &password, "made by a test").await.unwrap();
    roles::create_replication_role(&source, "azure2neon_r", &password, "made by a test").await.unwrap();
    let report = roles::grant_replication_role(&source, "azure2neon_r", &found, SCHEMA).await.unwrap();
    assert_eq!(report, roles::GrantReport::default());
    let replicator = old.endpoint("app").as_user("azure2neon_r", password);
    let as_replicator = replicator.connect().await.unwrap();

    let mut tables = found.publishable();
    r::create_publication(&source, "azure2neon_p", &tables[..1]).await.unwrap();
    tables.push(QualifiedName::new(SCHEMA, "barrier"));
    r::create_publication(&source, "azure2neon_p", &tables).await.unwrap();
    r::create_publication(&source, "azure2neon_p", &tables).await.unwrap();
    let published = r::publication_tables(&source, "azure2neon_p").await.unwrap().unwrap();
    assert_eq!(published, tables.iter().cloned().collect());
    assert!(r::publication_tables(&source, "none").await.unwrap().is_none());
    r::create_publication(&source, "azure2neon_none", &[]).await.unwrap();

    // A slot waits for open transactions, with a deadline that names them.
    let blocker = old.session().await;
    blocker.batch_execute("begin; insert into public.base values (77)").await.unwrap();
    let error = r::create_slot(&as_replicator, "azure2neon_s", Duration::from_millis(300)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.to_string().contains(&format!("pid {}", blocker.pid())), "{error}");
    blocker.batch_execute("rollback").await.unwrap();
    assert!(r::slot(&source, "azure2neon_s").await.unwrap().is_none());
    for _ in 0..2 {
        r::create_slot(&as_replicator, "azure2neon_s", Duration::from_secs(10)).await.unwrap();
    }
    assert!(!r::slot(&source, "azure2neon_s").await.unwrap().unwrap().active);

    let mut reachable = replicator.clone();
    reachable.host = "127.0.0.1".into();
    let conninfo = r::conninfo(&Publisher::from(&reachable), "require", "azure2neon-test");
    let publications = ["azure2neon_p".to_owned()];
    let wrong = old.endpoint("app").as_user("azure2neon_r", "wr'ong \\ one".to_owned().into());
    let mut wrong = wrong;
    wrong.host = "127.0.0.1".into();
    let wrong = r::conninfo(&Publisher::from(&wrong), "require", "x");
    let error = r::create_subscription(&target, "azure2neon_s", &wrong, &publications, true).await.unwrap_err();
    assert!(!error.to_string().contains("wr'ong") && !format!("{error:?}").contains("wr\\'ong"), "{error}");
    assert!(r::subscription(&target, "azure2neon_s").await.unwrap().is_none());
    r::create_subscription(&target, "azure2neon_s", &conninfo, &publications, true).await.unwrap();
    r::set_connection(&target, "azure2neon_s", &conninfo).await.unwrap();

    let feed = Feed { name: "azure2neon_s".into(), barrier: QualifiedName::new(SCHEMA, "barrier") };
    let patience = Duration::from_secs(60);
    barrier::wait_applied(&source, &target, &feed, patience, &mut |_| {}).await.unwrap();
    // What takes longer is told of meanwhile.
    let locker = user.connect().await.unwrap();
    locker.batch_execute("begin; lock table public.base in access exclusive mode").await.unwrap();
    source.batch_execute("insert into public.base values (3)").await.unwrap();
    let (told, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let mut tell = |_: &barrier::Lag| _ = told.send(());
    let waited = barrier::wait_applied(&source, &target, &feed, patience, &mut tell);
    let unlocked = async {
        heard.recv().await.unwrap();
        locker.batch_execute("rollback").await.unwrap();
    };
    tokio::join!(waited, unlocked).0.unwrap();
    let state = r::subscription(&target, "azure2neon_s").await.unwrap().unwrap();
    assert!(state.enabled && state.worker_pid.is_some() && state.tables.iter().all(|(_, state)| *state == 'r'));
    assert_eq!(state.slot.as_deref(), Some("azure2neon_s"));
    assert_eq!(state.publications, ["azure2neon_p"]);
    assert_eq!((state.apply_errors, state.sync_errors), (0, 0));

    source
        .batch_execute(
            "insert into public.\"Items, all\" select i, 'y' from generate_series(2001, 50000) i; delete from public.events where id < 9;
             update public.\"Items, all\" set t = 'z' where id = 3; insert into public.heir values (5)",
        )
        .await
        .unwrap();
    barrier::wait_applied(&source, &target, &feed, patience, &mut |_| {}).await.unwrap();
    for table in &found.tables {
        let (there, here) = (digest::digest(&source, table).await.unwrap(), digest::digest(&target, table).await.unwrap());
        assert_eq!(there, here, "{}", table.name);
        if table.name.name == "heir" {
            assert_eq!(there.rows, 2);
        }
    }
    let mut took = Vec::new();
    for _ in 0..20 {
        let began = Instant::now();
        barrier::wait_applied(&source, &target, &feed, patience, &mut |_| {}).await.unwrap();
        took.push(began.elapsed());
    }
    took.sort();
    assert!(took[10] < Duration::from_millis(200), "a drain takes milliseconds: {took:?}");
    assert!(barrier::lag(&source, "azure2neon_s").await.unwrap().is_some());
    assert!(barrier::lag(&source, "none").await.unwrap().is_none());

    // Disabled: the wait says so instead of hanging; a vanished slot is an error.
    r::disable_subscription(&target, "azure2neon_s").await.unwrap();
    let error = barrier::wait_applied(&source, &target, &feed, patience, &mut |_| {}).await.unwrap_err();
    assert!(error.to_string().contains("disabled"), "{error}");
    r::enable_subscription(&target, "azure2neon_s").await.unwrap();
    barrier::wait_applied(&source, &target, &feed, patience, &mut |_| {}).await.unwrap();
    let gone = Feed { name: "none".into(), ..feed.clone() };
    assert!(barrier::wait_applied(&source, &target, &gone, patience, &mut |_| {}).await.unwrap_err().to_string().contains("is gone"));

    assert_eq!(r::drop_subscription(&target, "azure2neon_s").await.unwrap(), Dropped::WithSlot);
    assert_eq!(r::drop_subscription(&target, "azure2neon_s").await.unwrap(), Dropped::Absent);
    assert!(r::slot(&source, "azure2neon_s").await.unwrap().is_none());
    r::drop_slot(&source, "azure2neon_s").await.unwrap();

    // The slot in use, and the publisher unreachable for the drop.
    r::create_slot(&as_replicator, "azure2neon_s", Duration::from_secs(10)).await.unwrap();
    r::create_subscription(&target, "azure2neon_s", &conninfo, &publications, false).await.unwrap();
    barrier::wait_applied(&source, &target, &feed, patience, &mut |_| {}).await.unwrap();
    source.batch_execute("alter role azure2neon_r nologin").await.unwrap();
    assert_eq!(r::drop_subscription(&target, "azure2neon_s").await.unwrap(), Dropped::SlotRemains);
    r::drop_slot(&source, "azure2neon_s").await.unwrap();
    assert!(r::slot(&source, "azure2neon_s").await.unwrap().is_none());
    assert!(r::orphaned_sync_slots(&source).await.unwrap().is_empty());
    for name in ["azure2neon_p", "azure2neon_p", "azure2neon_none"] {
        r::drop_publication(&source, name).await.unwrap();
    }
    roles::drop_role(&source, "azure2neon_r", &found.owners).await.unwrap();
    roles::drop_role(&source, "azure2neon_r", &found.owners).await.unwrap();
    assert!(roles::role_comment(&source, "azure2neon_r").await.unwrap().is_none());
}

#[tokio::test]
async fn from_14_to_17() {
    story(14, 17).await;
}

#[tokio::test]
async fn from_17_to_18() {
    story(17, 18).await;
}
