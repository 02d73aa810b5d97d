//! Chunks, rows and repairs between two servers of different versions.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use azure2neon_postgres::digest::{self, Extent, Piece, RepairRow, Rows, Subject, Which};
use azure2neon_postgres::{QualifiedName, Session, inventory};
use support::Server;

/// Table, how it is read (in ranges, by key, by row), its definition and rows.
const TABLES: &[(&str, &str, &str)] = &[
    (
        "k_int",
        "ranges",
        "create table public.k_int (id int primary key, v text); insert into public.k_int select n, 'v' || n from generate_series(-500, 499) n",
    ),
    (
        "k_big",
        "ranges",
        "create table public.k_big (v bool, id bigint primary key); insert into public.k_big select n % 2 = 0, n * 5000000000 from generate_series(1, 1000) n",
    ),
    (
        "k_uuid",
        "ranges",
        "create table public.k_uuid (id uuid primary key, v int); insert into public.k_uuid select md5(n::text)::uuid, n from generate_series(1, 1000) n",
    ),
    (
        "k_time",
        "ranges",
        "create table public.k_time (at timestamptz primary key, v int); insert into public.k_time select 'infinity'::timestamptz, 0 union all select timestamptz '1999-12-31 23:00+00' + n * interval '1 hour', n from generate_series(1, 999) n",
    ),
    (
        "k_date",
        "ranges",
        "create table public.k_date (at date primary key); insert into public.k_date select date '1999-12-31' + n from generate_series(1, 1000) n",
    ),
    (
        "k_num",
        "ranges",
        "create table public.k_num (n numeric primary key, v text); insert into public.k_num select 'NaN'::numeric, '' union all select n / 3.0 - 100, 'x' from generate_series(1, 999) n",
    ),
    (
        "k_bytes",
        "ranges",
        "create table public.k_bytes (b bytea primary key); insert into public.k_bytes select decode(md5(n::text), 'hex') from generate_series(1, 1000) n",
    ),
    (
        "k_pair",
        "ranges",
        "create table public.k_pair (v int, \"B, b\" int, a smallint, primary key (a, \"B, b\")); insert into public.k_pair select n, n / 10, n % 10 from generate_series(1, 1000) n",
    ),
    (
        "k_domain",
        "ranges",
        "create domain public.number as int check (value > 0); create table public.k_domain (id public.number primary key, v int); insert into public.k_domain select n, -n from generate_series(1, 1000) n",
    ),
    (
        "k_unique",
        "ranges",
        "create table public.k_unique (a int not null, b text not null unique, c int); insert into public.k_unique select n, 'it''s \\ ' || n, n from generate_series(1, 1000) n",
    ),
    (
        "Odd \"name\"",
        "ranges",
        "create table public.\"Odd \"\"name\"\"\" (\"Azure2neon_row\" int primary key, azure2neon_row int, h int, b int); insert into public.\"Odd \"\"name\"\"\" select n, n, n, n from generate_series(1, 1000) n",
    ),
    (
        "k_text",
        "key",
        "create table public.k_text (id text collate \"en-x-icu\" primary key, v int); insert into public.k_text select 'Ä' || n, n from generate_series(1, 1000) n",
    ),
    (
        "k_enum",
        "key",
        "create type public.shade as enum ('light', 'dark'); create table public.k_enum (shade public.shade, n int, primary key (shade, n)); insert into public.k_enum select 'dark', n from generate_series(1, 1000) n",
    ),
    (
        "k_desc",
        "key",
        "create table public.k_desc (id int not null, v int); create unique index on public.k_desc (id desc); insert into public.k_desc select n, n from generate_series(1, 1000) n",
    ),
    (
        "none",
        "row",
        "create table public.none (a int, b text); insert into public.none select n % 250, 'x' from generate_series(1, 1000) n",
    ),
    (
        "null_key",
        "row",
        "create table public.null_key (a int unique, b text); insert into public.null_key select nullif(n, 1000), 'x' from generate_series(1, 1000) n",
    ),
    (
        "partial",
        "row",
        "create table public.partial (a int not null); create unique index on public.partial (a) where a > 5; insert into public.partial select n from generate_series(1, 1000) n",
    ),
];

struct Pair {
    _servers: (Server, Server),
    source: Session,
    target: Session,
}

impl Pair {
    async fn start(from: u32, to: u32) -> Self {
        let (old, new) = tokio::join!(Server::start(from), Server::start(to));
        let (source, target) = (old.session().await, new.session().await);
        Self { _servers: (old, new), source, target }
    }

    async fn both(&self, sql: &str) {
        for session in [&self.source, &self.target] {
            session.batch_execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {:?}", error.as_db_error()));
        }
    }

    async fn subject(&self, name: &str) -> Subject {
        let name = QualifiedName::new("public", name);
        let (left, right) = (digest::survey(&self.source, &[&name]).await.unwrap(), digest::survey(&self.target, &[&name]).await.unwrap());
        let found = inventory::inventory(&self.source).await.unwrap().tables;
        let table = found.iter().find(|table| table.name == name).unwrap();
        digest::subject(table, &left[&name], &right[&name], digest::seed())
    }

    async fn differ(&self, subject: &Subject, extent: &Extent) -> bool {
        let piece = [Piece { subject, extent: extent.clone() }];
        digest::digests(&self.source, &piece).await.unwrap() != digest::digests(&self.target, &piece).await.unwrap()
    }
}

async fn rows_in(session: &Session, subject: &Subject, extents: &[Extent]) -> i64 {
    let pieces: Vec<Piece<'_>> = extents.iter().map(|extent| Piece { subject, extent: extent.clone() }).collect();
    digest::digests(session, &pieces).await.unwrap().iter().flat_map(|buckets| buckets.values()).map(|digest| digest.rows).sum()
}

fn how(subject: &Subject) -> &'static str {
    match &subject.key {
        Some(key) if key.in_ranges => "ranges",
        Some(_) => "key",
        None => "row",
    }
}

#[tokio::test]
async fn every_row_is_in_one_chunk_and_each_kind_of_key_reads_alike_on_both_sides() {
    let pair = Pair::start(14, 18).await;
    for (name, expected, sql) in TABLES {
        pair.both(sql).await;
        let subject = pair.subject(name).await;
        assert_eq!(how(&subject), *expected, "{name}");
        let mut ways = vec![vec![Extent::All], vec![Extent::Buckets { count: 16, only: Vec::new() }]];
        ways.push((0..4).map(|bucket| Extent::Buckets { count: 8, only: vec![bucket, bucket + 4] }).collect());
        if *expected == "ranges" {
            let cut = digest::cut(&pair.source, &subject, 4, 1).await.unwrap();
            assert!((4..=6).contains(&cut.len()), "{name}: {cut:?}");
            let mut parts = Vec::new();
            for extent in &cut {
                parts.extend(digest::split(&pair.target, &subject, extent, 50).await.unwrap());
            }
            assert!(parts.len() > 15, "{name}: {}", parts.len());
            ways.extend([cut, parts]);
        }
        for extents in ways {
            assert_eq!(rows_in(&pair.source, &subject, &extents).await, 1000, "{name}: {extents:?}");
            for extent in &extents {
                assert!(!pair.differ(&subject, extent).await, "{name}: {extent:?}");
            }
        }
        let listed = digest::rows(&pair.source, &subject, Which::In(&Extent::All)).await.unwrap();
        let there = digest::rows(&pair.target, &subject, Which::In(&Extent::All)).await.unwrap();
        assert!(listed.iter().map(|(key, row)| (key, row.digest)).eq(there.iter().map(|(key, row)| (key, row.digest))), "{name}");
        let some: Vec<Vec<String>> = listed.keys().step_by(7).cloned().collect();
        let named = digest::rows(&pair.source, &subject, Which::Of(&some)).await.unwrap();
        assert!(named.iter().eq(some.iter().map(|key| (key, &listed[key]))), "{name}");
    }
}

#[tokio::test]
async fn what_a_sum_of_linear_hashes_would_not_see_is_seen() {
    let pair = Pair::start(15, 17).await;
    pair.both(
        "create table public.t (id int primary key, a text, b bigint, at timestamptz, n numeric, d interval);
         insert into public.t select n, 'v' || n, n, timestamptz 'epoch' + n * interval '1 s', n, n * interval '1 day'
         from generate_series(0, 9) n",
    )
    .await;
    let subject = pair.subject("t").await;
    assert!(!pair.differ(&subject, &Extent::All).await);
    for change in [
        // Each pair of rows, since the carry of a sum may show a swap by chance.
        "update public.t set a = 'v' || (1 - id) where id < 2",
        "update public.t set a = 'v' || (5 - id) where id in (2, 3)",
        "update public.t set b = 13 - b where id in (6, 7)",
        // The halves of these fold into the same four bytes.
        "update public.t set b = 4294967297 where id = 0",
        "update public.t set at = timestamptz 'epoch' + 4294967297 * interval '1 us' where id = 0",
        "update public.t set n = 1.0 where id = 1",
        "update public.t set d = interval '24 hours' where id = 1",
        "update public.t set id = 10 where id = 9",
    ] {
        pair.target.batch_execute(&format!("begin; {change}")).await.unwrap();
        for seed in 1..20 {
            let subject = Subject { seed, ..subject.clone() };
            assert!(pair.differ(&subject, &Extent::All).await, "{change} with {seed}");
            assert!(pair.differ(&subject, &Extent::Buckets { count: 2, only: Vec::new() }).await, "{change} with {seed}");
        }
        pair.target.batch_execute("rollback").await.unwrap();
    }
}

/// What a compare at rest would find.
async fn found(pair: &Pair, subject: &Subject) -> Vec<RepairRow> {
    let read = async |session: &Session| digest::rows(session, subject, Which::In(&Extent::All)).await.unwrap();
    let (here, there): (Rows, Rows) = (read(&pair.source).await, read(&pair.target).await);
    let mut identities: Vec<_> = here.keys().chain(there.keys()).cloned().collect();
    identities.sort();
    identities.dedup();
    identities.retain(|identity| here.get(identity).map(|row| row.digest) != there.get(identity).map(|row| row.digest));
    identities.into_iter().map(|identity| RepairRow { source: here.get(&identity).cloned(), identity }).collect()
}

#[tokio::test]
async fn what_differs_is_copied_again_whatever_the_table_is_like() {
    let pair = Pair::start(14, 17).await;
    pair.both(
        "create type public.mood as enum ('sad', 'happy');
         create table public.keyed (id int generated always as identity primary key, t text unique, m public.mood, x xml, a int[],
             g text generated always as (t || '!') stored, n int generated always as identity);
         insert into public.keyed (t, m, x, a) select 't' || n, 'sad', '<a/>', array[n, null] from generate_series(1, 20) n;
         create table public.pair (a text collate \"en-x-icu\", b date, v text, primary key (a, b));
         insert into public.pair select 'ä' || n % 3, date '2000-01-01' + n, 'v' from generate_series(1, 20) n;
         create table public.none (a int, b text);
         insert into public.none select n % 5, 'x' from generate_series(1, 20) n;
         create table public.parent (id int primary key); create table public.child (id int primary key, parent int references public.parent);
         insert into public.parent select generate_series(1, 5); insert into public.child select n, n from generate_series(1, 5) n;
         create function public.refuse() returns trigger language plpgsql as $$ begin raise 'fired'; end $$;",
    )
    .await;
    pair.target
        .batch_execute(
            "update public.keyed set t = 'other', m = 'happy' where id = 3; delete from public.keyed where id in (4, 5);
             insert into public.keyed (t) overriding system value values ('t4');
             update public.pair set v = null where b = '2000-01-05'; delete from public.pair where b = '2000-01-06';
             insert into public.pair values ('new', '2001-01-01', 'x');
             update public.none set b = 'y' where ctid = (select ctid from public.none where a = 1 limit 1);
             delete from public.none where a = 2; insert into public.none values (7, 'seven'), (7, 'seven'), (3, 'x');
             create trigger plain before insert or update or delete on public.keyed for each row execute function public.refuse();
             create trigger always before insert or update or delete on public.keyed for each row execute function public.refuse();
             create trigger off before insert or update or delete on public.keyed for each row execute function public.refuse();
             alter table public.keyed enable always trigger always, disable trigger off;",
        )
        .await
        .unwrap();
    let modes =
        "select string_agg(tgname::text || tgenabled::text, ' ' order by tgname) from pg_trigger where tgrelid = 'public.keyed'::regclass";
    let before: String = pair.target.query_one(modes, &[]).await.unwrap().get(0);
    for (name, differing, expected) in [("keyed", 4, (1, 2, 1)), ("pair", 3, (1, 1, 1)), ("none", 5, (0, 5, 4))] {
        let subject = pair.subject(name).await;
        let wanted = found(&pair, &subject).await;
        assert_eq!(wanted.len(), differing, "{name}: {wanted:?}");
        let done = digest::repair(&pair.source, &pair.target, &subject, &wanted).await.unwrap();
        assert_eq!((done.updated, done.inserted, done.deleted, done.changed), (expected.0, expected.1, expected.2, 0), "{name}");
        let left = found(&pair, &subject).await;
        // A number that the server gives by itself, and no key, is no one's to set again.
        assert!(left.is_empty(), "{name}: {left:?}");
    }
    assert_eq!(before, pair.target.query_one(modes, &[]).await.unwrap().get::<_, String>(0));
    assert!(pair.target.batch_execute("delete from public.keyed").await.is_err(), "the triggers fire again");
}

#[tokio::test]
async fn a_row_that_was_written_meanwhile_is_not_touched_and_a_refused_one_changes_nothing() {
    let pair = Pair::start(16, 16).await;
    pair.both(
        "create table public.parent (id int primary key); create table public.child (id int primary key, parent int references public.parent);
         insert into public.parent select generate_series(1, 5); insert into public.child select n, n from generate_series(1, 5) n",
    )
    .await;
    pair.target.batch_execute("delete from public.child where id > 2; delete from public.parent where id > 2").await.unwrap();
    let (parent, child) = (pair.subject("parent").await, pair.subject("child").await);
    let children = found(&pair, &child).await;
    let error = digest::repair(&pair.source, &pair.target, &child, &children).await.unwrap_err();
    assert_eq!(error.sqlstate(), Some("23503"));
    assert_eq!(found(&pair, &child).await.len(), 3);

    // Written, though it holds what it did.
    let parents = found(&pair, &parent).await;
    pair.source.batch_execute("update public.parent set id = id where id = 4").await.unwrap();
    let done = digest::repair(&pair.source, &pair.target, &parent, &parents).await.unwrap();
    assert_eq!((done.inserted, done.changed), (2, 1));
}

#[tokio::test]
async fn a_table_is_read_as_the_servers_keep_it() {
    let pair = Pair::start(15, 17).await;
    pair.both(
        "create table public.base (id int primary key, v int); create table public.heir () inherits (public.base);
         insert into public.base values (1, 1); insert into public.heir values (1, 1), (2, 2);
         create table public.part (id int, v int, primary key (id)) partition by range (id);
         create table public.leaf partition of public.part for values from (0) to (10); insert into public.part values (1, 1), (2, 2);",
    )
    .await;
    // Columns in another order, and no index for the key.
    pair.source
        .batch_execute("create table public.t (a int primary key, b text); insert into public.t values (1, 'x'), (2, 'y')")
        .await
        .unwrap();
    pair.target.batch_execute("create table public.t (b text, a int); insert into public.t values ('y', 2), ('x', 1)").await.unwrap();
    for (name, rows, expected) in [("base", 1, "ranges"), ("heir", 2, "row"), ("leaf", 2, "ranges"), ("t", 2, "key")] {
        let subject = pair.subject(name).await;
        assert_eq!(how(&subject), expected, "{name}");
        assert_eq!(rows_in(&pair.source, &subject, &[Extent::All]).await, rows, "{name}");
        assert!(!pair.differ(&subject, &Extent::All).await, "{name}");
        assert!(found(&pair, &subject).await.is_empty(), "{name}");
    }
    // The same key twice, where nothing forbids it.
    pair.target.batch_execute("insert into public.t values ('x', 1)").await.unwrap();
    let subject = pair.subject("t").await;
    assert!(pair.differ(&subject, &Extent::All).await);
    assert_eq!(found(&pair, &subject).await.len(), 1);
}
