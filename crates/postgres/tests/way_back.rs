//! Changes flow forward, then back, then forward again: nothing is lost, nothing bounces, and the fence of the source may stay.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use std::time::Duration;

use azure2neon_postgres::barrier::{self, Feed};
use azure2neon_postgres::inventory::inventory;
use azure2neon_postgres::subscription::{Applying, Publisher};
use azure2neon_postgres::{Endpoint, ErrorKind, QualifiedName, Session, digest, replication as r, roles};
use secrecy::SecretString;
use support::Server;

const PATIENCE: Duration = Duration::from_secs(30);
const FORTH: &str = "azure2neon_test";
const BACK: &str = "azure2neon_test_back";

const TABLES: &str = "
    create table public.keyed (id int primary key, n int, big text);
    alter table public.keyed alter column big set storage external;
    create table public.keyless (a int, b text);
    alter table public.keyless replica identity full;
    create table public.numbered (id int generated always as identity primary key, v text);
    create table public.computed (id int primary key, a int, b int generated always as (a * 2) stored);
    create table public.customer (id int primary key, name text);
    create table public.purchase (id int primary key, customer int not null references public.customer);
    create table public.part (id int, kind text, v text, primary key (id, kind)) partition by list (kind);
    create table public.part_a partition of public.part for values in ('a');
    create table public.part_b partition of public.part for values in ('b');
    create table public.emptied (id int primary key)";

const ROWS: &str = "
    insert into public.keyed select i, 0, repeat('x', 9000) || i from generate_series(1, 50) i;
    insert into public.keyless select i % 10, 'twice' from generate_series(1, 20) i;
    insert into public.numbered (v) select 'v' || i from generate_series(1, 10) i;
    insert into public.computed (id, a) select i, i from generate_series(1, 10) i;
    insert into public.customer select i, 'c' || i from generate_series(1, 10) i;
    insert into public.purchase select i, i from generate_series(1, 10) i;
    insert into public.part select i, 'a', 'p' from generate_series(1, 10) i;
    insert into public.emptied select generate_series(1, 10)";

/// Changes of every kind, of which no two may meet: `n` is new each time.
fn changes(n: i32) -> String {
    format!(
        "update public.keyed set n = {n} where id <= 20;
         insert into public.keyed values ({n}, {n}, 'short'), (-{n}, {n}, repeat('y', 9000));
         delete from public.keyed where id = 20 + {n} / 1000;
         insert into public.keyless values ({n}, 'one'), ({n}, 'one'), ({n}, null);
         update public.keyless set b = 'changed' where a = {n} % 7;
         delete from public.keyless where a = {n} / 1000;
         insert into public.numbered overriding system value values ({n}, 'numbered {n}');
         update public.computed set a = {n} where id = 3;
         begin; insert into public.customer values ({n}, 'new'); insert into public.purchase values ({n}, {n}); commit;
         begin; delete from public.purchase where id = {n} / 1000; delete from public.customer where id = {n} / 1000; commit;
         update public.part set kind = 'b' where id = {n} / 1000;
         begin; truncate public.emptied; insert into public.emptied values ({n}); commit;
         begin; insert into public.keyed select {n} * 10000 + i, 1, 'many' from generate_series(1, 5000) i; savepoint a;
         delete from public.keyed where id > {n} * 10000; rollback to a; commit"
    )
}

struct Rig {
    old: Server,
    new: Server,
    /// The source's administrator, as its version lets him be.
    administrator: Endpoint,
    source: Session,
    target: Session,
}

impl Rig {
    async fn start(from: u32, to: u32) -> Rig {
        let (old, new) = (Server::start(from).await, Server::start(to).await);
        let administrator = if from < 16 { old.endpoint("app") } else { old.make_user("administrator").await };
        // A role that owns tables, which the administrator belongs to.
        let superuser = old.session().await;
        superuser.batch_execute(&format!("create role shop; grant shop to {}", administrator.user)).await.unwrap();
        let owner = new.make_user("owner").await;
        // As Neon does.
        let allowed = format!("grant execute on function pg_catalog.pg_log_standby_snapshot to {}", owner.user);
        new.session().await.batch_execute(&allowed).await.unwrap();
        let (source, target) = (administrator.connect().await.unwrap(), owner.connect().await.unwrap());
        for session in [&source, &target] {
            session.batch_execute(TABLES).await.unwrap();
            for feed in [forth(), back()] {
                barrier::create_barrier(session, &feed.barrier).await.unwrap();
            }
        }
        superuser.batch_execute("alter table public.keyed owner to shop; alter table public.keyless owner to shop").await.unwrap();
        Rig { old, new, administrator, source, target }
    }

    fn conninfo(server: &Server, user: &str, password: &SecretString) -> SecretString {
        let mut endpoint = server.endpoint("app").as_user(user, password.clone());
        endpoint.host = "127.0.0.1".into();
        r::conninfo(&Publisher::from(&endpoint), "require", "azure2neon-test")
    }

    /// From the source to the target, as a migration does.
    async fn forth(&self) -> Endpoint {
        let password = roles::generate_password().unwrap();
        let superuser = self.old.session().await;
        roles::create_replication_role(&superuser, FORTH, &password, "made by a test").await.unwrap();
        let found = inventory(&superuser).await.unwrap();
        roles::grant_replication_role(&superuser, FORTH, &found, FORTH).await.unwrap();
        let mut tables = found.publishable();
        tables.push(forth().barrier);
        r::create_publication(&superuser, FORTH, &tables).await.unwrap();
        let owner = self.old.endpoint("app").as_user(FORTH, password.clone());
        r::create_slot(&owner.connect().await.unwrap(), FORTH, PATIENCE).await.unwrap();
        let conninfo = Self::conninfo(&self.old, FORTH, &password);
        r::create_subscription(&self.target, FORTH, &conninfo, &[FORTH.to_owned()], true).await.unwrap();
        owner
    }

    /// From the target to the source, at rest.
    async fn prepare_back(&self) {
        let found = inventory(&self.source).await.unwrap();
        let oids: Vec<u32> = found.tables.iter().map(|table| table.oid).collect();
        let rights = roles::subscriber_rights(&self.source, &oids).await.unwrap();
        assert!(rights.may_subscribe && rights.not_as_owner.is_empty(), "{rights:?}");
        let mut tables = found.publishable();
        tables.push(back().barrier);
        r::create_publication(&self.target, BACK, &tables).await.unwrap();
        let password = roles::generate_password().unwrap();
        for _ in 0..2 {
            roles::create_replication_role_on_neon(&self.target, FORTH, &password, "made by a test").await.unwrap();
        }
        r::create_slot(&self.target, BACK, PATIENCE).await.unwrap();
        let applying = Applying { as_subscriber: false, own_changes_only: self.old.major == 16 };
        let conninfo = Self::conninfo(&self.new, FORTH, &password);
        let wrong = Self::conninfo(&self.new, FORTH, &SecretString::from("wr0ng secret"));
        let error = r::create_resting_subscription(&self.source, BACK, &wrong, applying).await.unwrap_err();
        assert!(error.kind() == ErrorKind::Unreachable && !format!("{error:?}").contains("wr0ng"), "{error}");
        r::create_resting_subscription(&self.source, BACK, &conninfo, applying).await.unwrap();
        let state = r::subscription(&self.source, BACK).await.unwrap().unwrap();
        assert!(!state.enabled && state.tables.iter().all(|(_, state)| *state == 'r'), "{state:?}");
    }

    async fn fence(&self, shut: bool) {
        let sql = if shut {
            "alter database app set default_transaction_read_only = on; alter database app connection limit 0"
        } else {
            "alter database app reset default_transaction_read_only; alter database app connection limit -1"
        };
        self.administrator.with_database("postgres").connect().await.unwrap().batch_execute(sql).await.unwrap();
    }

    async fn expect_equal(&self, when: &str) {
        for table in &inventory(&self.source).await.unwrap().tables {
            let (there, here) = (digest::digest(&self.source, table).await.unwrap(), digest::digest(&self.target, table).await.unwrap());
            assert_eq!(there, here, "{} {when}\n{}\n{}", table.name, self.old.log(), self.new.log());
        }
        for (session, name) in [(&self.target, FORTH), (&self.source, BACK)] {
            if let Some(health) = r::health(session, name).await.unwrap() {
                assert_eq!(health.apply_errors, 0, "{name} {when}");
            }
        }
        for server in [&self.old, &self.new] {
            let log = server.log();
            let faults: Vec<&str> = log.lines().filter(|line| line.contains("ERROR:") && !line.contains("could not connect")).collect();
            assert!(faults.is_empty(), "{when}: {faults:#?}");
        }
    }

    async fn wait_forth(&self) {
        barrier::wait_applied(&self.source, &self.target, &forth(), PATIENCE, &mut |_| {}).await.unwrap();
    }

    async fn wait_back(&self) {
        let waited = barrier::wait_applied(&self.target, &self.source, &back(), PATIENCE, &mut |_| {}).await;
        waited.unwrap_or_else(|error| panic!("{error}\n{}", self.old.log()));
    }
}

fn forth() -> Feed {
    Feed::nth(FORTH, 1)
}

fn back() -> Feed {
    Feed { name: BACK.into(), barrier: QualifiedName::new(FORTH, "barrier_back") }
}

async fn story(from: u32, to: u32) {
    let rig = Rig::start(from, to).await;
    rig.source.batch_execute(ROWS).await.unwrap();
    let owner = rig.forth().await;
    rig.wait_forth().await;
    rig.prepare_back().await;
    rig.source.batch_execute(&changes(1000)).await.unwrap();
    rig.wait_forth().await;
    let before = r::slot(&rig.target, BACK).await.unwrap().unwrap().retained_bytes;
    r::bring_slot_near(&rig.target, BACK).await.unwrap();
    let after = r::slot(&rig.target, BACK).await.unwrap().unwrap().retained_bytes;
    assert!(before > 400_000 && after < 100_000, "{before} bytes to read, then {after}");
    rig.source.batch_execute(&changes(2000)).await.unwrap();

    // The cut-over. What came forward is not sent back.
    rig.fence(true).await;
    if from >= 16 {
        assert!(rig.administrator.connect().await.is_err(), "the fence lets nobody in");
    }
    rig.wait_forth().await;
    let put = r::advance_slot(&rig.target, BACK).await.unwrap();
    rig.target.batch_execute(&changes(3000)).await.unwrap();
    r::disable_subscription(&rig.target, FORTH).await.unwrap();
    assert_eq!(r::slot(&rig.target, BACK).await.unwrap().unwrap().confirmed_flush, put);
    r::enable_subscription(&rig.source, BACK).await.unwrap();
    rig.wait_back().await;
    rig.expect_equal("after the hand-over").await;
    assert!(r::health(&rig.source, BACK).await.unwrap().unwrap().running);

    // The source keeps no WAL for a way that nobody takes.
    r::leave_slot(&rig.target, FORTH).await.unwrap();
    r::drop_slot(&owner.with_database("postgres").connect().await.unwrap(), FORTH).await.unwrap();
    rig.target.batch_execute(&changes(4000)).await.unwrap();
    rig.wait_back().await;
    rig.expect_equal("later").await;

    // Back again: the source's sessions are let in for that.
    rig.fence(false).await;
    let owner = owner.connect().await.unwrap();
    r::create_slot(&owner, FORTH, PATIENCE).await.unwrap();
    rig.target.batch_execute(&changes(5000)).await.unwrap();
    rig.wait_back().await;
    r::disable_subscription(&rig.source, BACK).await.unwrap();
    r::advance_slot(&owner, FORTH).await.unwrap();
    rig.source.batch_execute(&changes(6000)).await.unwrap();
    r::take_slot(&rig.target, FORTH).await.unwrap();
    r::enable_subscription(&rig.target, FORTH).await.unwrap();
    r::leave_slot(&rig.source, BACK).await.unwrap();
    r::drop_slot(&rig.target, BACK).await.unwrap();
    rig.wait_forth().await;
    rig.expect_equal("after the way back").await;
    let left = r::drop_subscription(&rig.source, BACK).await.unwrap();
    assert_eq!(left, r::Dropped::SlotRemains);
    r::drop_publication(&rig.target, BACK).await.unwrap();
    roles::drop_role(&rig.target, FORTH, &[]).await.unwrap();
}

#[tokio::test]
async fn from_14_to_18_and_back() {
    story(14, 18).await;
}

#[tokio::test]
async fn from_15_to_16_and_back() {
    story(15, 16).await;
}

#[tokio::test]
async fn from_16_to_17_and_back() {
    story(16, 17).await;
}

#[tokio::test]
async fn from_17_to_18_and_back() {
    story(17, 18).await;
}

/// Tables of owners whom the administrator can't act as: in his own name, if he may.
#[tokio::test]
async fn in_the_administrators_own_name() {
    let (old, new) = (Server::start(17).await, Server::start(18).await);
    let administrator = old.make_user("administrator").await;
    let (superuser, source) = (old.session().await, administrator.connect().await.unwrap());
    let target = new.make_user("owner").await.connect().await.unwrap();
    const TABLES: &str = "create table public.lent (id int primary key); create table public.hidden (id int primary key);
        alter table public.hidden enable row level security; alter table public.hidden force row level security";
    superuser.batch_execute(&format!("create role shop; {TABLES}")).await.unwrap();
    for table in ["lent", "hidden"] {
        superuser
            .batch_execute(&format!("alter table public.{table} owner to shop; grant all on public.{table} to administrator"))
            .await
            .unwrap();
    }
    target.batch_execute(TABLES).await.unwrap();
    let found = inventory(&source).await.unwrap();
    let oids: Vec<u32> = found.tables.iter().map(|table| table.oid).collect();
    let rights = roles::subscriber_rights(&source, &oids).await.unwrap();
    assert_eq!((rights.may_subscribe, rights.not_as_owner.len(), rights.not_as_itself.len()), (true, 2, 0), "{rights:?}");

    let feed = Feed { name: BACK.into(), barrier: QualifiedName::new(FORTH, "barrier_back") };
    for session in [&source, &target] {
        barrier::create_barrier(session, &feed.barrier).await.unwrap();
    }
    let mut tables = found.publishable();
    tables.push(feed.barrier.clone());
    r::create_publication(&target, BACK, &tables).await.unwrap();
    r::create_slot(&target, BACK, PATIENCE).await.unwrap();
    let conninfo = Rig::conninfo(&new, "owner", &SecretString::from("user password"));
    let applying = Applying { as_subscriber: true, own_changes_only: true };
    r::create_resting_subscription(&source, BACK, &conninfo, applying).await.unwrap();
    target.batch_execute("insert into public.lent values (1); truncate public.lent; insert into public.lent values (2)").await.unwrap();
    target.batch_execute("insert into public.hidden values (3); update public.hidden set id = 4").await.unwrap();
    r::enable_subscription(&source, BACK).await.unwrap();
    barrier::wait_applied(&target, &source, &feed, PATIENCE, &mut |_| {}).await.unwrap();
    let ids = "select array_agg(id) from (select id from public.lent union all select id from public.hidden) t";
    assert_eq!(superuser.query_one(ids, &[]).await.unwrap().get::<_, Vec<i32>>(0), [2, 4]);
    assert_eq!(r::health(&source, BACK).await.unwrap().unwrap().apply_errors, 0);

    // What it may not do is known before; the subscription would only fail.
    superuser.batch_execute("revoke truncate on public.lent from administrator; alter role administrator nobypassrls").await.unwrap();
    let rights = roles::subscriber_rights(&source, &oids).await.unwrap();
    assert_eq!(rights.not_as_itself.len(), 2, "{rights:?}");
    superuser.batch_execute("revoke pg_create_subscription from administrator").await.unwrap();
    assert!(!roles::subscriber_rights(&source, &oids).await.unwrap().may_subscribe);
    superuser.batch_execute("grant pg_create_subscription to administrator; grant shop to administrator").await.unwrap();
    let rights = roles::subscriber_rights(&source, &oids).await.unwrap();
    assert_eq!(rights.not_as_owner.len(), 1, "forced row-level security binds the owner too: {rights:?}");
    r::drop_subscription(&source, BACK).await.unwrap();
}
