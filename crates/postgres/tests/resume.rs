//! A load that is broken off goes on, also under another snapshot, and copies nothing again that was finished.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use azure2neon_postgres::copy::manners::Manners;
use azure2neon_postgres::copy::progress::Progress;
use azure2neon_postgres::copy::{Division, Epoch, Extent, Load, Loaded, Marks, Snapshot, Unit, divide, storage};
use azure2neon_postgres::inventory::inventory;
use azure2neon_postgres::schema::{self, Section, Tools, dump_schema};
use azure2neon_postgres::walsender::{ExportedSlot, create_exported_slot};
use azure2neon_postgres::{Endpoint, QualifiedName, Session, digest};
use support::{Server, client_bin};

const MARK: &str = "azure2neon_test";
const WORKERS: usize = 2;
const TABLES: &str = "
create table public.ranges (id int primary key, a int, b text);
insert into public.ranges select i, i, repeat('x', 100) from generate_series(1, 60000) i;
create table public.blocks (id uuid primary key, b text);
insert into public.blocks select md5(i::text)::uuid, repeat('y', 100) from generate_series(1, 40000) i;
create table public.whole (id int primary key, b text);
insert into public.whole select i, repeat('z', 100) from generate_series(1, 20000) i;
create table public.small1 (id int primary key); insert into public.small1 select generate_series(1, 100);
create table public.small2 (id int primary key); insert into public.small2 select generate_series(1, 100);
create index on public.ranges (a);";

struct Rig {
    old: Server,
    target: Endpoint,
    entries: Vec<schema::Entry>,
    units: Vec<Unit>,
    manners: Manners,
    _new: Server,
}

impl Rig {
    async fn start(from: u32) -> Rig {
        let (old, new) = (Server::start(from).await, Server::start(17).await);
        let source = old.session().await;
        source.batch_execute(TABLES).await.unwrap();
        source.batch_execute("vacuum analyze").await.unwrap();
        let target = new.make_user("owner").await;
        let tools = Tools::find(Some(&client_bin()), from).await.unwrap();
        let scratch = tempfile::tempdir().unwrap();
        let entries = dump_schema(&tools, &old.endpoint("app"), Some(&old.ca_file), scratch.path()).await.unwrap();
        let (before, entries): (Vec<_>, Vec<_>) = entries.into_iter().partition(|entry| entry.section == Section::PreData);
        let failures = schema::apply(&mut target.connect().await.unwrap(), MARK, &before, &mut |_, _| {}).await.unwrap();
        assert!(failures.is_empty(), "{failures:?}");
        let names: Vec<QualifiedName> = inventory(&source).await.unwrap().tables.into_iter().map(|table| table.name).collect();
        let units = divide(&source, &names, Division { workers: WORKERS, part_bytes: 1 << 20 }).await.unwrap();
        Rig { old, target, entries, units, manners: Manners::new(WORKERS), _new: new }
    }

    async fn slot(&self, name: &str) -> ExportedSlot {
        create_exported_slot(&self.old.endpoint("app"), name, Duration::from_secs(10)).await.unwrap()
    }

    fn load<'a>(&'a self, source: &'a Endpoint, snapshot: &'a Snapshot, epoch: Epoch) -> Load<'a> {
        let (target, units, entries, manners) = (&self.target, &self.units, &self.entries, &self.manners);
        Load { source, target, snapshot, epoch, marker_schema: MARK, units, entries, manners, rows_are_in: false, until: None }
    }

    async fn complete(&self, slot: &ExportedSlot, epoch: Epoch) -> Loaded {
        let source = self.old.endpoint("app");
        let snapshot = Snapshot::of_slot(&source, slot).await.unwrap();
        self.load(&source, &snapshot, epoch).run(&|_| {}).await.unwrap()
    }

    async fn finished(&self) -> BTreeMap<i32, Epoch> {
        Marks::new(MARK).finished(&self.target.connect().await.unwrap(), &self.units).await.unwrap()
    }

    async fn expect_equal(&self) {
        let (source, target) = (self.old.session().await, self.target.connect().await.unwrap());
        for table in inventory(&source).await.unwrap().tables {
            let (there, here) = (digest::digest(&source, &table).await.unwrap(), digest::digest(&target, &table).await.unwrap());
            assert_eq!(there, here, "{}", table.name);
        }
        let valid: i64 = target.query_one("select count(*) from pg_index i join pg_class c on c.oid = indrelid join pg_namespace n on n.oid = relnamespace where nspname = 'public' and indisvalid", &[]).await.unwrap().get(0);
        assert_eq!(valid, 6);
    }
}

/// Ends the server process of the first session whose query looks like this, as soon as there is one.
async fn kill(session: &Session, query: &str) {
    let sql = "select pid, pg_terminate_backend(pid) from pg_stat_activity where query ilike $1 and pid <> pg_backend_pid() and state <> 'idle' limit 1";
    let began = Instant::now();
    while session.query(sql, &[&query]).await.unwrap().is_empty() {
        assert!(began.elapsed() < Duration::from_secs(30), "nobody asked {query}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn in_parts_by_key_from_15_on_and_by_blocks_before() {
    for (from, by_key) in [(14, 0), (17, 3)] {
        let rig = Rig::start(from).await;
        let of = |table: &str| rig.units.iter().filter(|unit| unit.tables().iter().any(|name| name.name == table)).collect::<Vec<_>>();
        let ranges = of("ranges");
        assert!(ranges.iter().filter(|unit| matches!(unit.extent, Extent::Range(_))).count() >= by_key, "{ranges:?}");
        assert!(matches!(of("blocks")[..], [Unit { extent: Extent::Blocks { parts: 2.., .. }, .. }]), "{:?}", rig.units);
        assert_eq!(of("small1"), of("small2"));
        let loaded = rig.complete(&rig.slot(MARK).await, 1).await;
        assert_eq!((loaded.complete, loaded.rows), (true, 120_200));
        rig.expect_equal().await;
    }
}

/// Backends on both sides are ended in the middle of the copy: it goes on under the same snapshot.
#[tokio::test(flavor = "multi_thread")]
async fn a_backend_that_is_ended_is_replaced() {
    let rig = Rig::start(16).await;
    let (source, endpoint) = (rig.old.session().await, rig.old.endpoint("app"));
    let admin = rig._new.session().await;
    let slot = rig.slot(MARK).await;
    let snapshot = Snapshot::of_slot(&endpoint, &slot).await.unwrap();
    // The slot's own connection may end: the snapshot is kept elsewhere.
    drop(slot);
    let load = rig.load(&endpoint, &snapshot, 1);
    let (loaded, (), ()) = tokio::join!(load.run(&|_| {}), kill(&source, "%to stdout%"), kill(&admin, "%from stdin%"));
    let loaded = loaded.unwrap();
    assert_eq!((loaded.complete, loaded.rows), (true, 120_200));
    assert_eq!(loaded.parts, rig.units.iter().map(|unit| unit.parts().unsigned_abs() as usize).sum::<usize>());
    rig.expect_equal().await;
}

/// The snapshot is lost in the middle: what is finished stays, and the next load copies the rest alone.
#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_that_is_lost_is_followed_by_another() {
    let rig = Rig::start(17).await;
    let (source, endpoint) = (rig.old.session().await, rig.old.endpoint("app"));
    let slot = rig.slot(MARK).await;
    let snapshot = Snapshot::of_slot(&endpoint, &slot).await.unwrap();
    drop(slot);
    let load = rig.load(&endpoint, &snapshot, 1);
    let once = tokio::sync::Notify::new();
    let progress = |progress: Progress| {
        let Progress { tables, .. } = progress;
        if tables > 0 {
            once.notify_one();
        }
    };
    let lose = async {
        tokio::time::timeout(Duration::from_secs(60), once.notified()).await.unwrap();
        // The session that keeps it asks nothing.
        let sql = "select pg_terminate_backend(pid) from pg_stat_activity where query ilike 'select pg_catalog.pg_export_snapshot%'";
        assert_eq!(source.query(sql, &[]).await.unwrap().len(), 1);
    };
    let (loaded, ()) = tokio::join!(load.run(&progress), lose);
    let loaded = loaded.unwrap();
    let finished = rig.finished().await;
    assert!(!loaded.complete && !finished.is_empty() && finished.len() < rig.units.len(), "{loaded:?} {finished:?}");

    let loaded = rig.complete(&rig.slot("azure2neon_second").await, 2).await;
    let now = rig.finished().await;
    assert!(loaded.complete && now.len() == rig.units.len());
    assert!(finished.iter().all(|(unit, epoch)| now[unit] == *epoch), "{finished:?} {now:?}");
    let parts: i32 = rig.units.iter().filter(|unit| now[&unit.number] == 2).map(Unit::parts).sum();
    assert_eq!(loaded.parts, parts.unsigned_abs() as usize, "no more than the rest");
    rig.expect_equal().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_that_is_too_old_is_not_read_any_more() {
    let rig = Rig::start(15).await;
    let endpoint = rig.old.endpoint("app");
    let slot = rig.slot(MARK).await;
    let snapshot = Snapshot::of_slot(&endpoint, &slot).await.unwrap();
    let loaded = Load { until: Some(Instant::now()), ..rig.load(&endpoint, &snapshot, 1) }.run(&|_| {}).await.unwrap();
    assert!(!loaded.complete && loaded.parts == 0);
    let loaded = rig.load(&endpoint, &snapshot, 1).run(&|_| {}).await.unwrap();
    assert!(loaded.complete);
    // Units are taken back with their rows.
    let target = rig.target.connect().await.unwrap();
    let unit = rig.units.iter().find(|unit| matches!(unit.extent, Extent::Range(_))).unwrap();
    Marks::new(MARK).forget(&target, &[unit]).await.unwrap();
    assert_eq!(rig.finished().await.len(), rig.units.len() - 1);
    let left: i64 = target.query_one("select count(*) from public.ranges", &[]).await.unwrap().get(0);
    assert!((1..60_000).contains(&left));
    assert!(rig.load(&endpoint, &snapshot, 1).run(&|_| {}).await.unwrap().complete);
    rig.expect_equal().await;
}

/// Nobody on the source waits for the copy of another table to end.
#[tokio::test(flavor = "multi_thread")]
async fn tables_are_emptied_and_dropped_meanwhile() {
    let rig = Rig::start(17).await;
    let (source, endpoint) = (rig.old.session().await, rig.old.endpoint("app"));
    let slot = rig.slot(MARK).await;
    let snapshot = Snapshot::of_slot(&endpoint, &slot).await.unwrap();
    let names = [QualifiedName::new("public", "ranges"), QualifiedName::new("public", "none")];
    let before = storage(&source, &names.each_ref()).await.unwrap();
    source.batch_execute("drop table public.small2; truncate public.ranges; drop table public.blocks").await.unwrap();
    let loaded = rig.load(&endpoint, &snapshot, 1).run(&|_| {}).await.unwrap();
    assert!(loaded.complete, "{loaded:?}");
    let gone: Vec<&str> = loaded.gone.iter().map(|table| &*table.name).collect();
    assert_eq!(gone, ["blocks", "small2"]);
    let target = rig.target.connect().await.unwrap();
    let rows: i64 = target.query_one("select count(*) from public.small1", &[]).await.unwrap().get(0);
    assert_eq!(rows, 100, "what was copied with a dropped one is there");
    let after = storage(&source, &names.each_ref()).await.unwrap();
    assert!(after.len() == 1 && after != before, "an emptied table has another file");
}
