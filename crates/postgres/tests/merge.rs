//! Two subscriptions become one while the source is written to: nothing is lost and nothing applied twice.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use azure2neon_postgres::barrier::{self, Feed};
use azure2neon_postgres::inventory::inventory;
use azure2neon_postgres::merge::{Merge, Places};
use azure2neon_postgres::replication as r;
use azure2neon_postgres::subscription::Publisher;
use azure2neon_postgres::{Endpoint, Session, digest};
use secrecy::SecretString;
use support::Server;

const MARK: &str = "azure2neon_test";
const PATIENCE: Duration = Duration::from_secs(30);
const TABLES: &str = "create table public.a (id int primary key, n int); create table public.b1 (id int primary key, n int);
    create table public.b2 (id int primary key, n int); create table public.wide (id int primary key, n int)";

struct Rig {
    old: Server,
    new: Server,
    target: Endpoint,
    conninfo: SecretString,
}

impl Rig {
    async fn start(from: u32, to: u32) -> Rig {
        let (old, new) = (Server::start(from).await, Server::start(to).await);
        let target = new.make_user("owner").await;
        old.session().await.batch_execute(TABLES).await.unwrap();
        target.connect().await.unwrap().batch_execute(TABLES).await.unwrap();
        let mut publisher = old.endpoint("app");
        publisher.host = "127.0.0.1".into();
        let conninfo = r::conninfo(&Publisher::from(&publisher), "require", MARK);
        Rig { old, new, target, conninfo }
    }

    /// A feed with these publications besides its barrier's, from now on.
    async fn feed(&self, n: usize, publications: &[&str]) -> Feed {
        let feed = Feed::nth(MARK, n);
        let (source, target) = (self.old.session().await, self.target.connect().await.unwrap());
        for session in [&source, &target] {
            barrier::create_barrier(session, &feed.barrier).await.unwrap();
        }
        r::create_publication(&source, &feed.name, std::slice::from_ref(&feed.barrier)).await.unwrap();
        r::create_slot(&source, &feed.name, PATIENCE).await.unwrap();
        let publications: Vec<String> = std::iter::once(&*feed.name).chain(publications.iter().copied()).map(str::to_owned).collect();
        r::create_subscription(&target, &feed.name, &self.conninfo, &publications, false).await.unwrap();
        feed
    }
}

/// Sessions that write to every table, in transactions that span them and move keys, until told to stop.
struct Writers {
    stop: Arc<AtomicBool>,
    commits: Arc<AtomicU64>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Writers {
    async fn start(old: &Server) -> Writers {
        let (stop, commits) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let mut tasks = Vec::new();
        for me in 0..3 {
            let (session, stop, commits) = (old.session().await, Arc::clone(&stop), Arc::clone(&commits));
            tasks.push(tokio::spawn(async move {
                let mut n = 0;
                while !stop.load(Ordering::Relaxed) {
                    n += 1;
                    write(&session, me, n).await;
                    commits.fetch_add(1, Ordering::Relaxed);
                }
            }));
        }
        Writers { stop, commits, tasks }
    }

    async fn stop(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await.unwrap();
        }
        self.commits.load(Ordering::Relaxed)
    }
}

async fn write(session: &Session, me: i32, n: i32) {
    let id = n * 3 + me;
    // Now and then a key of `wide` moves between the halves. Most transactions are of one feed only: the others have nothing of them.
    let one = |table: &str, back: i32| {
        format!("insert into public.{table} values ({id}, 1); update public.{table} set n = n + 1 where id = {id} - {back};")
    };
    let sql = format!(
        "begin; {} {} commit; begin; {} delete from public.b2 where id = {id} - 90; commit; {}
         begin; insert into public.wide values ({id} * case when {id} % 2 = 0 then 1 else -1 end, {id});
         update public.wide set id = -id, n = n + 1 where id = ({id} - 300) and {id} % 4 = 0; commit",
        one("a", 30),
        one("b1", 60),
        one("b2", 3),
        one("b1", 30).replace(&format!("values ({id}, 1)"), &format!("values (-{id}, 1)"))
    );
    session.batch_execute(&sql).await.unwrap();
}

async fn story(from: u32, to: u32) {
    let rig = Rig::start(from, to).await;
    let (source, target) = (rig.old.session().await, rig.target.connect().await.unwrap());
    let halves = from >= 15;
    source.batch_execute("create publication pa for table public.a; create publication pb1 for table public.b1; create publication pb2 for table public.b2").await.unwrap();
    if halves {
        source.batch_execute("create publication low for table public.wide where (id < 0); create publication high for table public.wide where (id >= 0)").await.unwrap();
    }
    let first = rig.feed(1, if halves { &["pa", "low"] } else { &["pa"] }).await;
    let second = rig.feed(2, &["pb1"]).await;
    let third = rig.feed(3, if halves { &["pb2", "high"] } else { &["pb2"] }).await;
    let writers = Writers::start(&rig.old).await;

    for from in [&second, &third] {
        let merge = Merge { into: first.clone(), from: from.clone() };
        merge.run(Places { source: &source, owner: &source, target: &target }, PATIENCE).await.unwrap();
        assert!(r::subscription(&target, &from.name).await.unwrap().is_none());
        assert!(r::slot(&source, &from.name).await.unwrap().is_none());
        // Again: nothing is left to do.
        merge.run(Places { source: &source, owner: &source, target: &target }, PATIENCE).await.unwrap();
        // Let some transactions come through the merged one.
        barrier::wait_applied(&source, &target, &first, PATIENCE, &mut |_| {}).await.unwrap();
    }
    let commits = writers.stop().await;
    barrier::wait_applied(&source, &target, &first, PATIENCE, &mut |_| {}).await.unwrap();
    let state = r::subscription(&target, &first.name).await.unwrap().unwrap();
    assert_eq!(state.apply_errors, 0, "{}", rig.new.log());
    assert!(commits > 100, "{commits}");
    for table in inventory(&source).await.unwrap().tables {
        if table.name.name == "wide" && !halves {
            continue;
        }
        let (there, here) = (digest::digest(&source, &table).await.unwrap(), digest::digest(&target, &table).await.unwrap());
        assert_eq!(there, here, "{} after {commits} commits", table.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_written_to_from_14_to_16() {
    story(14, 16).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_written_to_from_15_to_17() {
    story(15, 17).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_written_to_from_17_to_18() {
    story(17, 18).await;
}

/// Whoever is killed in the middle leaves both as they were, or the second with nothing left to do; the next one completes it.
#[tokio::test(flavor = "multi_thread")]
async fn broken_off_at_any_moment() {
    let rig = Rig::start(16, 17).await;
    let (source, target) = (rig.old.session().await, rig.target.connect().await.unwrap());
    source.batch_execute("create publication pa for table public.a; create publication pb1 for table public.b1; create publication pb2 for table public.b2; create publication pw for table public.wide").await.unwrap();
    let first = rig.feed(1, &["pa", "pw"]).await;
    let mut writers = Writers::start(&rig.old).await;
    let mut broken = 0;
    for (round, publications) in [["pb1"], ["pb2"]].into_iter().enumerate() {
        // From an empty table on, so that nothing needs to be copied.
        writers.stop().await;
        let name = &publications[0][1..];
        source.batch_execute("truncate public.a, public.b1, public.b2, public.wide").await.unwrap();
        target.batch_execute(&format!("truncate public.{name}")).await.unwrap();
        let second = rig.feed(2, &publications).await;
        writers = Writers::start(&rig.old).await;
        let merge = Merge { into: first.clone(), from: second.clone() };
        for step in 0.. {
            let session = rig.target.connect().await.unwrap();
            let patience = Duration::from_millis(5 + 7 * step + u64::try_from(round).unwrap());
            if let Ok(done) =
                tokio::time::timeout(patience, merge.run(Places { source: &source, owner: &source, target: &session }, PATIENCE)).await
            {
                done.unwrap();
                break;
            }
            // Its session ends with it, and with that the lock.
            drop(session);
            broken += 1;
        }
    }
    writers.stop().await;
    assert!(broken > 3, "only {broken} times");
    barrier::wait_applied(&source, &target, &first, PATIENCE, &mut |_| {}).await.unwrap();
    for table in inventory(&source).await.unwrap().tables {
        let (there, here) = (digest::digest(&source, &table).await.unwrap(), digest::digest(&target, &table).await.unwrap());
        assert_eq!(there, here, "{}", table.name);
    }
    let slots = source.query("select slot_name::text from pg_replication_slots", &[]).await.unwrap();
    assert_eq!(slots.iter().map(|row| row.get(0)).collect::<Vec<String>>(), [MARK]);
}
