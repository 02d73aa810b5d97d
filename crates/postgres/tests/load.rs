//! The initial load under a slot's snapshot: every kind of table, and nothing lost to whoever writes meanwhile.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use std::sync::Mutex;
use std::time::{Duration, Instant};

use azure2neon_postgres::copy::manners::Manners;
use azure2neon_postgres::copy::progress::Progress;
use azure2neon_postgres::copy::{Division, Load, Loaded, Marks, Snapshot, Unit, divide};
use azure2neon_postgres::inventory::inventory;
use azure2neon_postgres::schema::{self, Section, Tools, dump_schema};
use azure2neon_postgres::walsender::{ExportedSlot, create_exported_slot};
use azure2neon_postgres::{Endpoint, ErrorKind, digest, replication};
use support::{Server, client_bin};

const MARK: &str = "azure2neon_test";
const SLOT: &str = "azure2neon_test";

const HARD: &str = r#"
create schema "Odd ""schema"", one";
create extension hstore schema public;
create extension btree_gist schema public;
create type public.mood as enum ('sad', 'happy');
create type public.pair as (a int, m public.mood);
create domain public.marks as int[] check (array_length(value, 1) < 9);
create table public.types (
    id bigint generated always as identity primary key, b bool, i2 int2, n numeric, f4 float4, f8 float8, m money, c char(5), v varchar(9),
    name name, by bytea, d date, t time, tz timetz, ts timestamp, tsz timestamptz, iv interval, u uuid, j json, jb jsonb, x xml, ip inet,
    mac macaddr, bits bit(3), vb varbit, p point, po polygon, r int4range, tv tsvector, tq tsquery, lsn pg_lsn,
    mood public.mood, moods public.mood[], pair public.pair, pairs public.pair[], marks public.marks, grid int[][], texts text[],
    doubled numeric generated always as (n * 2) stored);
insert into public.types (b, i2, n, f4, f8, m, c, v, name, by, d, t, tz, ts, tsz, iv, u, j, jb, x, ip, mac, bits, vb, p, po, r, tv, tq, lsn,
    mood, moods, pair, pairs, marks, grid, texts)
select i % 2 = 0, i, i / 7.0, i / 3.0, i / 3.0, i, 'a' || i, 'b' || i, 'n' || i, decode(md5(i::text), 'hex'), date '2000-01-01' + i,
    time '12:00' + i * interval '1 s', '12:00+02', timestamp '2020-01-01' + i * interval '1 h', timestamptz '2020-01-01 00:00+05', i * interval '1 day 3 s',
    md5(i::text)::uuid, '{"a": 1,  "a": 2}', jsonb_build_object('n', i), '<a>1</a>', '10.0.0.1/8', '08:00:2b:01:02:03', B'101', B'10101',
    point(i, 1), '((0,0),(1,1),(2,0))', int4range(i, i + 5), to_tsvector('english', 'quick foxes ' || i), 'a & b', '1/23',
    'happy', array['sad', 'happy']::public.mood[], row(i, 'sad')::public.pair, array[row(1, 'happy')::public.pair], array[1, 2], '[0:1][2:3]={{1,2},{3,4}}',
    array['x', null, 'tab	and \ backslash']
from generate_series(1, 700) i;
insert into public.types (b) values (null);
create table public.as_text (id int primary key, h public.hstore, c regclass, hs public.hstore[]);
insert into public.as_text select i, 'a=>1', 'public.types'::regclass, array['b=>2'::public.hstore] from generate_series(1, 50) i;
create table "Odd ""schema"", one"."a,b
c" ("select" int, "Name ""x""" text);
insert into "Odd ""schema"", one"."a,b
c" values (1, 'one'), (2, null);
create table public.no_columns (); insert into public.no_columns select from generate_series(1, 5);
create table public.all_generated (one int generated always as (1) stored); insert into public.all_generated select from generate_series(1, 3);
create table public.empty (id int);
create table public.parent (id int, t text, primary key (id)) partition by range (id);
create table public.leaf1 partition of public.parent for values from (0) to (10);
create table public.leaf2 partition of public.parent for values from (10) to (2000) partition by list (id);
create table public.leaf3 partition of public.leaf2 default;
create index parent_t on public.parent (t);
insert into public.parent select i, 't' || i from generate_series(0, 1000) i;
create table public.base (id int primary key, t text); create table public.heir (extra int unique) inherits (public.base);
insert into public.base values (1, 'b'); insert into public.heir values (2, 'h', 3);
create table public.excluding (r int4range, k int, constraint only_one exclude using gist (k with =, r with &&));
insert into public.excluding select int4range(i, i + 1), 1 from generate_series(1, 100) i;
create table public.deferrable (a int primary key deferrable initially deferred, b int unique deferrable);
insert into public.deferrable select i, -i from generate_series(1, 100) i;
create table public.child (id int primary key, p int not null references public.base (id)); insert into public.child values (1, 1);
create function public.shout() returns trigger language plpgsql as $$ begin raise 'a trigger fired'; end $$;
create trigger shout before insert or update on public.empty for each row execute function public.shout();
create table public.secret (id int primary key); insert into public.secret values (1);
alter table public.secret enable row level security; alter table public.secret force row level security;
create table public.broken (id int); insert into public.broken values (1), (1);
create unlogged table public.unlogged (id int); insert into public.unlogged values (1);
create table public.large (id int primary key, filler text); alter table public.large alter filler set storage external;
insert into public.large select i, repeat(md5(i::text), 30) from generate_series(1, 12000) i;
create index large_filler on public.large (filler);
create table public.wide (id int primary key, value bytea);
alter table public.wide alter value set storage external;
insert into public.wide select i, convert_to(repeat('0123456789', 2000000), 'UTF8') from generate_series(1, 3) i;
"#;

/// Two servers, the schema without what follows the data on the target, and an entry that can't be applied.
struct Rig {
    old: Server,
    new: Server,
    target: Endpoint,
    entries: Vec<schema::Entry>,
}

impl Rig {
    async fn start(from: u32, to: u32) -> Rig {
        Self::start_with(from, to, HARD).await
    }

    async fn start_with(from: u32, to: u32, sql: &str) -> Rig {
        let (old, new) = (Server::start(from).await, Server::start(to).await);
        let source = old.session().await;
        source.batch_execute(sql).await.unwrap();
        let target = new.make_user("owner").await;
        let tools = Tools::find(Some(&client_bin()), from).await.unwrap();
        let scratch = tempfile::tempdir().unwrap();
        let (before, mut entries): (Vec<_>, Vec<_>) = dump_schema(&tools, &old.endpoint("app"), Some(&old.ca_file), scratch.path())
            .await
            .unwrap()
            .into_iter()
            .partition(|entry| entry.section == Section::PreData);
        // As the owner of the database may: both extensions are trusted.
        let failures = schema::apply(&mut target.connect().await.unwrap(), MARK, &before, &mut |_, _| {}).await.unwrap();
        assert!(failures.is_empty(), "{failures:?}");
        let mut broken = entries.iter().find(|entry| entry.kind == "INDEX").unwrap().clone();
        broken.sql = "CREATE UNIQUE INDEX broken_key ON public.broken USING btree (id);".into();
        broken.id = "broken".into();
        entries.push(broken);
        Rig { old, new, target, entries }
    }

    async fn slot(&self) -> ExportedSlot {
        create_exported_slot(&self.old.endpoint("app"), SLOT, Duration::from_secs(10)).await.unwrap()
    }

    /// The whole database, for so many workers.
    async fn units(&self, workers: usize) -> Vec<Unit> {
        let source = self.old.session().await;
        let tables = inventory(&source).await.unwrap().replicated();
        divide(&source, &tables, Division { workers, part_bytes: 8 << 20 }).await.unwrap()
    }

    async fn load(&self, slot: &ExportedSlot, units: &[Unit], workers: usize) -> azure2neon_postgres::Result<Loaded> {
        self.load_with(slot, units, &Manners::new(workers), &|_| {}).await
    }

    async fn load_with(
        &self,
        slot: &ExportedSlot,
        units: &[Unit],
        manners: &Manners,
        say: &(dyn Fn(Progress) + Sync),
    ) -> azure2neon_postgres::Result<Loaded> {
        let source = self.old.endpoint("app");
        let snapshot = Snapshot::of_slot(&source, slot).await?;
        let load = Load {
            source: &source,
            target: &self.target,
            snapshot: &snapshot,
            epoch: 1,
            marker_schema: MARK,
            units,
            entries: &self.entries,
            manners,
            rows_are_in: false,
            until: None,
        };
        load.run(say).await
    }

    /// Names of what is on the target, of these: indexes (valid ones) and statistics.
    async fn indexes(&self) -> Vec<String> {
        let sql = "select c.relname::text from pg_index i join pg_class c on c.oid = i.indexrelid \
                   join pg_namespace n on n.oid = c.relnamespace where i.indisvalid and n.nspname = 'public'";
        self.new.session().await.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
    }
}

async fn story(from: u32, to: u32, workers: usize) {
    let rig = Rig::start(from, to).await;
    let (source, target) = (rig.old.session().await, rig.target.connect().await.unwrap());
    let tables = inventory(&source).await.unwrap().tables;
    let mut before = Vec::new();
    for table in &tables {
        before.push(digest::digest(&source, table).await.unwrap());
    }
    let slot = rig.slot().await;
    let state = replication::slot(&source, SLOT).await.unwrap().unwrap();
    assert_eq!(state.confirmed_flush, slot.consistent_point);
    // Whatever happens from now on comes through the slot, not with the load.
    source
        .batch_execute(
            "update public.large set filler = '' where id < 5000; delete from public.child; insert into public.parent values (1500, 'x')",
        )
        .await
        .unwrap();
    let units = rig.units(workers).await;
    let marks = Marks::new(MARK);
    assert!(marks.finished(&target, &units).await.unwrap().is_empty());
    let loaded = rig.load(&slot, &units, workers).await.unwrap();
    assert!(marks.finished(&target, &units).await.unwrap().values().eq(units.iter().map(|_| &1)));
    assert!(loaded.complete && loaded.rows > 13_000 && loaded.bytes > 70_000_000, "{loaded:?}");
    // All of it is there: nothing is left to do.
    let again = rig.load(&slot, &units, workers).await.unwrap();
    assert!(again.complete && (again.parts, again.bytes) == (0, 0), "{again:?}");
    for (table, before) in tables.iter().zip(before) {
        let now = digest::digest(&target, table).await.unwrap();
        let expected = if table.name.name == "unlogged" { 0 } else { before.rows };
        assert_eq!(now.rows, expected, "{}", table.name);
        assert!(now == before || table.name.name == "unlogged", "{}", table.name);
    }

    let indexes = rig.indexes().await;
    for made in ["types_pkey", "leaf1_pkey", "leaf3_pkey", "heir_extra_key", "only_one", "deferrable_pkey", "large_filler", "wide_pkey"] {
        assert!(indexes.iter().any(|index| index == made), "{made} is not in {indexes:?}");
    }
    assert!(!indexes.iter().any(|index| index == "parent_pkey" || index == "broken_key"), "{indexes:?}");
    let analyzed: i64 = target
        .query_one("select count(distinct tablename) from pg_stats where tablename in ('large', 'types', 'leaf3')", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(analyzed, 3);
    // The rest, and what failed, is said by who applies it all.
    let failures = schema::apply(&mut rig.target.connect().await.unwrap(), MARK, &rig.entries, &mut |_, _| {}).await.unwrap();
    assert_eq!(failures.iter().map(|failure| failure.sqlstate.as_deref()).collect::<Vec<_>>(), [Some("23505")], "{failures:?}");
    assert!(rig.indexes().await.iter().any(|index| index == "parent_pkey"));
}

#[tokio::test]
async fn every_kind_of_table_from_14_to_16() {
    story(14, 16, 2).await;
}

#[tokio::test]
async fn every_kind_of_table_from_15_to_18_in_parts() {
    story(15, 18, 4).await;
}

#[tokio::test]
async fn every_kind_of_table_from_17_to_17() {
    story(17, 17, 3).await;
}

const MANY: &str = "
create table public.root (id int primary key, t text) partition by range (id);
do $$ begin
    for n in 0..999 loop
        execute format('create table public.leaf%s partition of public.root for values from (%s) to (%s)', n, n * 10, n * 10 + 10);
    end loop;
    for n in 1..7 loop
        execute (select format('create table public.columns%s (%s, big text)', n, string_agg('c' || i || ' int default ' || i, ', '))
                 from generate_series(1, 1500) i);
        execute format('insert into public.columns%s (c1, big) select i, repeat(md5(i::text), 20000) from generate_series(1, 5) i', n);
    end loop;
end $$;
insert into public.root select i, 'row ' || i from generate_series(0, 9999) i;
create index root_t on public.root (t);
create table public.broken (id int);";

#[tokio::test]
async fn a_thousand_leaves_and_ten_thousand_columns() {
    let rig = Rig::start_with(16, 17, MANY).await;
    let (source, target) = (rig.old.session().await, rig.target.connect().await.unwrap());
    let (slot, units) = (rig.slot().await, rig.units(4).await);
    let loaded = rig.load(&slot, &units, 4).await.unwrap();
    assert_eq!((loaded.complete, loaded.rows), (true, 10_035), "{loaded:?}");
    let tables = inventory(&source).await.unwrap().tables;
    assert!(tables.len() > 1_005 && units.len() < 60, "{} tables, {} units", tables.len(), units.len());
    for table in &tables {
        let (there, here) = (digest::digest(&source, table).await.unwrap(), digest::digest(&target, table).await.unwrap());
        assert_eq!(there, here, "{}", table.name);
    }
    let failures = schema::apply(&mut rig.target.connect().await.unwrap(), MARK, &rig.entries, &mut |_, _| {}).await.unwrap();
    assert!(failures.is_empty(), "{failures:?}");
    let indexed =
        "select count(*), bool_and(indisvalid) from pg_index i join pg_class c on c.oid = indrelid where relname ~ '^(leaf|root)'";
    let row = target.query_one(indexed, &[]).await.unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, bool>(1)), (2_002, true));
}

#[tokio::test]
async fn a_slot_waits_for_open_transactions_with_a_deadline_that_names_them_and_leaves_nothing() {
    let old = Server::start(16).await;
    let source = old.session().await;
    source.batch_execute("create table public.t (id int); begin; insert into public.t values (78)").await.unwrap();
    let error = create_exported_slot(&old.endpoint("app"), SLOT, Duration::from_millis(300)).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.to_string().contains(&format!("pid {}", source.pid())), "{error}");
    source.batch_execute("rollback").await.unwrap();
    assert!(replication::slot(&source, SLOT).await.unwrap().is_none());
}

/// What the load says it has moved, while it runs; the last word of it.
fn bytes_said(said: &Mutex<Vec<Progress>>) -> u64 {
    said.lock().unwrap().last().map_or(0, |progress| progress.bytes)
}

#[tokio::test]
async fn a_load_keeps_to_its_rate_stands_still_when_paused_and_says_how_far_it_is() {
    let rig = Rig::start(17, 17).await;
    let slot = rig.slot().await;
    let (units, manners, said) = (rig.units(2).await, Manners::new(2), Mutex::new(Vec::new()));
    // The tables come to some 75 MB.
    let rate = 20 << 20;
    manners.limit(Some(rate));
    let say = |progress| said.lock().unwrap().push(progress);
    let mut paused_for = Duration::ZERO;
    let pause = async {
        while bytes_said(&said) < 20 << 20 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let since = Instant::now();
        assert!(manners.pause());
        // A look may have been under way; from the next on nothing is said, since nothing moves.
        tokio::time::sleep(Duration::from_millis(300)).await;
        let (bytes, words) = (bytes_said(&said), said.lock().unwrap().len());
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!((bytes_said(&said), said.lock().unwrap().len()), (bytes, words));
        manners.resume();
        paused_for = since.elapsed();
        let resumed = Instant::now();
        while said.lock().unwrap().len() == words {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // What it says first is no more than what can have gone since.
        let moved = bytes_said(&said) - bytes;
        assert!(moved < (rate as f64 * resumed.elapsed().as_secs_f64()) as u64 + rate / 2, "{moved} in {:?}", resumed.elapsed());
    };
    let began = Instant::now();
    let (loaded, ()) = tokio::join!(rig.load_with(&slot, &units, &manners, &say), pause);
    let (loaded, took) = (loaded.unwrap(), began.elapsed() - paused_for);
    let least = Duration::from_secs_f64(loaded.bytes as f64 / rate as f64 * 0.95);
    assert!(loaded.bytes > 70_000_000 && took > least, "{} bytes took {took:?}", loaded.bytes);

    let said = said.into_inner().unwrap();
    let last = said.last().unwrap();
    assert_eq!((last.tables, last.bytes, last.of_bytes, last.rows), (last.of_tables, loaded.bytes, loaded.bytes, loaded.rows));
    assert!(said.is_sorted_by_key(|progress| progress.bytes) && last.under_way.is_empty());
    // The rate limit is what it measures.
    let rates: Vec<u64> = said.iter().filter_map(|progress| progress.rate).collect();
    assert!(rates.iter().any(|measured| *measured > rate / 4) && rates.iter().all(|measured| *measured < rate * 5 / 4), "{rates:?}");
    assert!(said.iter().any(|progress| progress.under_way.iter().any(|table| table.table.name == "wide" && table.percent > 20)));
    assert_eq!(manners.allowed().at_work, 0);
}
