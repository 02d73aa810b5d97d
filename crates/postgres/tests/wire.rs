//! The copy's own connection: what passes, what fails on either side, and what can be said of it.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use azure2neon_postgres::copy::{Cargo, Carried, Format, Meter, Statements, Wire, carry};
use azure2neon_postgres::inventory::{Table, inventory};
use azure2neon_postgres::{Endpoint, ErrorKind, Result, Session, digest};
use secrecy::SecretString;
use support::Server;
use support::line::Line;

/// Rows at every edge of a piece, many small ones, none, and none with a column.
const TABLES: &str = "
create table public.edges (id int, filler text); alter table public.edges alter filler set storage external;
insert into public.edges select i, repeat('x', 65536 - 40 + i) from generate_series(1, 60) i;
insert into public.edges select i, repeat(md5(i::text), 1024 * i) from generate_series(1, 32) i;
create table public.narrow (id int); insert into public.narrow select generate_series(1, 300000);
create table public.empty (id int);
create table public.nothing (); insert into public.nothing select from generate_series(1, 7);
create table public.odd (\"na\"\"me\" int, g int generated always as (1) stored, t text);
insert into public.odd (t) values (E'tab\\t\\\\ newline\\n'), (null), ('');";

struct Rig {
    old: Server,
    new: Server,
    source: Session,
    target: Session,
    tables: Vec<Table>,
}

impl Rig {
    async fn start(sql: &str) -> Rig {
        let (old, new) = (Server::start(14).await, Server::start(18).await);
        let (source, target) = (old.session().await, new.session().await);
        source.batch_execute(sql).await.unwrap();
        let mut bare = String::new();
        for statement in sql.split_inclusive(';').filter(|statement| !statement.contains("insert into")) {
            bare.push_str(statement);
        }
        target.batch_execute(&bare).await.unwrap();
        let tables = inventory(&source).await.unwrap().tables;
        Rig { old, new, source, target, tables }
    }

    async fn wires(&self) -> (Wire, Wire) {
        let (old, new) = (self.old.endpoint("app"), self.new.endpoint("app"));
        tokio::try_join!(Wire::connect(&old), Wire::connect(&new)).unwrap()
    }

    fn table(&self, name: &str) -> &Table {
        self.tables.iter().find(|table| table.name.name == name).unwrap()
    }

    /// These tables, emptied and filled in one transaction.
    fn cargo(&self, names: &[&str], format: Format) -> Cargo {
        let tables = names.iter().map(|name| Statements::frozen(self.table(name), format)).collect();
        let before = format!("begin; truncate only {}", names.iter().map(|name| format!("public.{name}")).collect::<Vec<_>>().join(", "));
        Cargo { before, tables, after: "commit".into() }
    }

    async fn expect_equal(&self) {
        for table in &self.tables {
            let (there, here) = (digest::digest(&self.source, table).await.unwrap(), digest::digest(&self.target, table).await.unwrap());
            assert_eq!(there, here, "{}", table.name);
        }
    }

    async fn rows(&self, table: &str) -> i64 {
        self.target.query_one(&format!("select count(*) from public.{table}"), &[]).await.unwrap().get(0)
    }
}

async fn pid(wire: &mut Wire) -> String {
    wire.query_text("select pg_catalog.pg_backend_pid()").await.unwrap().unwrap()
}

fn uncounted(_: usize, _: usize) {}

#[tokio::test]
async fn every_row_passes_whatever_its_length() {
    let rig = Rig::start(TABLES).await;
    let (mut source, mut target) = rig.wires().await;
    let names = ["edges", "empty", "nothing", "narrow", "odd"];
    for format in [Format::Text, Format::Binary, Format::Binary] {
        let bytes: Vec<AtomicU64> = names.iter().map(|_| AtomicU64::new(0)).collect();
        let meter = |table: usize, moved: usize| _ = bytes[table].fetch_add(moved as u64, Ordering::Relaxed);
        let carried = carry(&mut source, &mut target, &rig.cargo(&names, format), &meter).await.unwrap();
        assert_eq!(carried.rows, [92, 0, 7, 300_000, 3]);
        assert!(carried.unfinished.is_none(), "{carried:?}");
        let bytes: Vec<u64> = bytes.into_iter().map(AtomicU64::into_inner).collect();
        let edges = 60 * 65_497 + 32_768 * (32 * 33 / 2);
        assert!(bytes[0] > edges && bytes[0] < edges + 4000, "{bytes:?}");
        assert!(bytes[1] < 30 && bytes[2] == 0 && bytes[3] > 1_500_000 && (10..100).contains(&bytes[4]), "{bytes:?}");
        rig.expect_equal().await;
    }
    let none = Cargo { before: "create table public.made (id int)".into(), tables: Vec::new(), after: String::new() };
    assert!(carry(&mut source, &mut target, &none, &uncounted).await.unwrap().rows.is_empty());
    assert_eq!(rig.rows("made").await, 0);
}

#[tokio::test]
async fn what_fails_after_the_commit_takes_nothing_back() {
    let rig = Rig::start(TABLES).await;
    let (mut source, mut target) = rig.wires().await;
    let mut cargo = rig.cargo(&["narrow", "nothing"], Format::Binary);
    cargo.after =
        "commit; begin; create index made on public.narrow (id); commit; create unique index refused on public.narrow ((1)); analyze public.narrow"
            .into();
    let Carried { rows, unfinished } = carry(&mut source, &mut target, &cargo, &uncounted).await.unwrap();
    assert_eq!(rows, [300_000, 7]);
    assert_eq!(unfinished.unwrap().sqlstate(), Some("23505"));
    let made = "select string_agg(relname::text, ' ') from pg_class where relname in ('made', 'refused')";
    assert_eq!(target.query_text(made).await.unwrap().as_deref(), Some("made"));
    assert_eq!(target.query_text("select count(*) from pg_stats where tablename = 'narrow'").await.unwrap().as_deref(), Some("0"));
    assert_eq!((rig.rows("narrow").await, rig.rows("nothing").await), (300_000, 7));
    // Nothing came of this one, so that it is an error, and what stood there stands.
    cargo.after = "select 1 / 0; commit; analyze public.narrow".into();
    let error = carry(&mut source, &mut target, &cargo, &uncounted).await.unwrap_err();
    assert_eq!(error.sqlstate(), Some("22012"));
    assert!(error.to_string().starts_with("copy \"public\".\"narrow\", \"public\".\"nothing\": division by zero"), "{error}");
    assert_eq!((rig.rows("narrow").await, rig.rows("nothing").await), (300_000, 7));
    assert_eq!(target.query_text("select count(*) from pg_stats where tablename = 'narrow'").await.unwrap().as_deref(), Some("0"));
}

#[tokio::test]
async fn the_first_error_is_told_and_both_connections_go_on() {
    let rig = Rig::start(TABLES).await;
    let (mut source, mut target) = rig.wires().await;
    let names = ["odd", "narrow", "edges"];
    let expect = async |source: &mut Wire, target: &mut Wire, state: &str, words: &str| {
        let error = carry(source, target, &rig.cargo(&names, Format::Text), &uncounted).await.unwrap_err();
        assert!(error.sqlstate() == Some(state) && error.to_string().starts_with(words), "{error}");
        assert!(source.is_usable() && target.is_usable(), "{error}");
        assert_eq!(rig.rows("odd").await, 0);
    };
    // Among the rows of the target, and in the middle of what is under way.
    rig.target.batch_execute("alter table public.narrow add constraint few check (id < 150000)").await.unwrap();
    expect(&mut source, &mut target, "23514", "copy \"public\".\"narrow\": new row").await;
    rig.target.batch_execute("alter table public.narrow drop constraint few; alter table public.edges rename to gone").await.unwrap();
    expect(&mut source, &mut target, "42P01", "copy \"public\".\"odd\", \"public\".\"narrow\", \"public\".\"edges\": relation").await;
    rig.target.batch_execute("alter table public.gone rename to edges; alter table public.edges rename filler to other").await.unwrap();
    expect(&mut source, &mut target, "42703", "copy \"public\".\"edges\": column \"filler\"").await;
    rig.target.batch_execute("alter table public.edges rename other to filler").await.unwrap();
    // Nothing is done that should have been done inside a transaction.
    let mut cargo = rig.cargo(&names, Format::Text);
    cargo.before = "begin; truncate only public.odd, wrong wrong".into();
    let error = carry(&mut source, &mut target, &cargo, &uncounted).await.unwrap_err();
    assert_eq!((error.sqlstate(), rig.rows("odd").await), (Some("42601"), 0));
    // On the source, when everything before it has passed.
    rig.source.batch_execute("alter table public.edges rename to gone").await.unwrap();
    expect(&mut source, &mut target, "42P01", "copy \"public\".\"edges\": relation \"public.edges\" does not exist").await;
    rig.source.batch_execute("alter table public.gone rename to edges").await.unwrap();
    source.execute("begin isolation level repeatable read").await.unwrap();
    assert_eq!(source.execute("select 1 / 0").await.unwrap_err().sqlstate(), Some("22012"));
    expect(&mut source, &mut target, "25P02", "copy").await;
    source.execute("rollback").await.unwrap();
    assert_eq!(carry(&mut source, &mut target, &rig.cargo(&names, Format::Text), &uncounted).await.unwrap().rows, [3, 300_000, 92]);
}

/// Does something when the first rows pass.
struct AtFirst<'a> {
    session: &'a Session,
    sql: String,
    done: AtomicBool,
}

impl Meter for AtFirst<'_> {
    async fn pass(&self, _table: usize, _bytes: usize) {
        // What nobody is at work on yet can't be broken off.
        while !self.done.load(Ordering::Relaxed) {
            let done = !self.session.query(&self.sql, &[]).await.unwrap().is_empty();
            self.done.store(done, Ordering::Relaxed);
        }
    }
}

#[tokio::test]
async fn whoever_goes_away_in_the_middle_is_named() {
    let long =
        "create table public.long (t text); insert into public.long select repeat(md5(i::text), 32768) from generate_series(1, 40) i;";
    let rig = Rig::start(&format!("{TABLES}{long}")).await;
    let (mut source, mut target) = rig.wires().await;
    // In the middle of many megabytes, which is more than lies in the buffers on the way.
    let cargo = rig.cargo(&["edges", "narrow"], Format::Binary);
    for (at_source, function, kind) in [
        (true, "pg_cancel_backend", ErrorKind::Timeout),
        (false, "pg_cancel_backend", ErrorKind::Timeout),
        (true, "pg_terminate_backend", ErrorKind::Unreachable),
        (false, "pg_terminate_backend", ErrorKind::Unreachable),
    ] {
        let (session, wire) = if at_source { (&rig.source, &mut source) } else { (&rig.target, &mut target) };
        let pid = pid(wire).await;
        let sql = format!("select {function}(pid) from pg_stat_activity where pid = {pid} and state = 'active' and query ilike '%copy%'");
        let meter = AtFirst { session, sql, done: AtomicBool::new(false) };
        let error = carry(&mut source, &mut target, &cargo, &meter).await.unwrap_err();
        assert!(error.kind() == kind && error.to_string().starts_with("copy \"public\".\"edges\""), "{at_source} {function}: {error:?}");
        assert_eq!(rig.rows("edges").await, 0);
        let cancelled = function == "pg_cancel_backend";
        assert_eq!((source.is_usable(), target.is_usable()), (cancelled || !at_source, cancelled || at_source), "{at_source} {function}");
        if !cancelled {
            let gone = if at_source { &mut source } else { &mut target };
            assert_eq!(gone.execute("select 1").await.unwrap_err().kind(), ErrorKind::Unreachable);
            (source, target) = rig.wires().await;
        }
    }
    assert_eq!(carry(&mut source, &mut target, &cargo, &uncounted).await.unwrap().rows, [92, 300_000]);
    // Rows that would come for hours yet are not waited for.
    rig.target.batch_execute("drop table public.long").await.unwrap();
    let error = carry(&mut source, &mut target, &rig.cargo(&["long"], Format::Text), &uncounted).await.unwrap_err();
    assert_eq!((error.sqlstate(), source.is_usable(), target.is_usable()), (Some("42P01"), false, true));
}

/// Says that rows have come, and lets none through.
struct Held(tokio::sync::Notify);

impl Meter for Held {
    async fn pass(&self, _table: usize, _bytes: usize) {
        self.0.notify_one();
        std::future::pending().await
    }
}

#[tokio::test]
async fn rows_that_are_held_back_hold_up_no_error_and_a_dropped_copy_leaves_nothing() {
    let rig = Rig::start(TABLES).await;
    let (mut source, mut target) = rig.wires().await;
    let cargo = rig.cargo(&["narrow"], Format::Binary);
    let (held, other) = (Held(tokio::sync::Notify::new()), pid(&mut target).await);
    let kill = async {
        held.0.notified().await;
        rig.target.batch_execute(&format!("select pg_terminate_backend({other})")).await.unwrap();
    };
    let (error, ()) = tokio::join!(carry(&mut source, &mut target, &cargo, &held), kill);
    assert_eq!(error.unwrap_err().sqlstate(), Some("57P01"));
    assert!(source.is_usable() && !target.is_usable());

    let (mut source, mut target) = rig.wires().await;
    let (there, here) = (pid(&mut source).await, pid(&mut target).await);
    tokio::select! {
        carried = carry(&mut source, &mut target, &cargo, &held) => panic!("{carried:?}"),
        () = held.0.notified() => {}
    }
    assert!(!source.is_usable() && !target.is_usable());
    drop((source, target));
    for (session, pid) in [(&rig.source, there), (&rig.target, here)] {
        let began = Instant::now();
        let running = format!("select from pg_stat_activity where pid = {pid}");
        while session.query_opt(&running, &[]).await.unwrap().is_some() {
            assert!(began.elapsed() < Duration::from_secs(20), "its server process is still there");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    assert_eq!(rig.rows("narrow").await, 0);
}

#[tokio::test]
async fn many_small_tables_cost_a_round_trip_or_two() {
    let tables: Vec<String> =
        (0..24).map(|n| format!("create table public.small{n} (id int); insert into public.small{n} values ({n});")).collect();
    let rig = Rig::start(&tables.concat()).await;
    let one_way = Duration::from_millis(100);
    let far = async |server: &Server| {
        let line = Line::open(server.port, one_way).await;
        let endpoint = Endpoint { port: line.port, ..server.endpoint("app") };
        Wire::connect(&endpoint).await.unwrap()
    };
    let (mut source, mut target) = tokio::join!(far(&rig.old), far(&rig.new));
    let names: Vec<String> = (0..24).map(|n| format!("small{n}")).collect();
    let mut cargo = rig.cargo(&names.iter().map(String::as_str).collect::<Vec<_>>(), Format::Binary);
    for n in 0..24 {
        cargo.after.push_str(&format!("; create index on public.small{n} (id); analyze public.small{n}"));
    }
    let began = Instant::now();
    let carried = carry(&mut source, &mut target, &cargo, &uncounted).await.unwrap();
    let took = began.elapsed();
    assert!(carried.rows == [1; 24] && carried.unfinished.is_none(), "{carried:?}");
    rig.expect_equal().await;
    // The answer of the source and the end of the target's are a round trip each; one a table would be twelve times as much.
    assert!(took < one_way * 24, "{took:?}");
}

async fn refused(endpoint: &Endpoint) -> azure2neon_postgres::Error {
    let error = Wire::connect(endpoint).await.unwrap_err();
    assert!(error.to_string().starts_with("connect to "), "{error}");
    error
}

#[tokio::test]
async fn a_refused_connection_says_why_as_any_session_does() -> Result<()> {
    let (server, other) = tokio::join!(Server::start(17), Server::start(16));
    let endpoint = server.endpoint("app");
    let error = refused(&endpoint.as_user("admin", SecretString::from("wrong password"))).await;
    assert!(error.kind() == ErrorKind::Credentials && error.sqlstate() == Some("28P01"), "{error:?}");
    assert!(!error.to_string().contains("wrong password"), "{error}");
    assert_eq!(refused(&endpoint.with_database("absent")).await.kind(), ErrorKind::NoDatabase);
    assert_eq!(refused(&Endpoint { tls: other.endpoint("app").tls, ..endpoint.clone() }).await.kind(), ErrorKind::Tls);
    assert_eq!(refused(&Endpoint { host: "elsewhere.example.test".into(), ..endpoint.clone() }).await.kind(), ErrorKind::Tls);
    let closed = Line::open(server.port, Duration::ZERO).await.port;
    assert_eq!(refused(&Endpoint { port: closed, ..endpoint.clone() }).await.kind(), ErrorKind::Unreachable);

    let mut wire = Wire::connect(&endpoint).await?;
    // TLS and a proof that is bound to it, and the text forms that every session has.
    let sql = "select ssl::text || ' ' || current_setting('datestyle') || ' ' || application_name || ' ' || current_setting('tcp_user_timeout') \
               from pg_catalog.pg_stat_ssl join pg_catalog.pg_stat_activity using (pid) where pid = pg_catalog.pg_backend_pid()";
    assert_eq!(wire.query_text(sql).await?.as_deref(), Some("true ISO, MDY azure2neon-test 0"));
    let refusal = wire.execute("select 1; do $$ begin raise 'no' using hint = 'Ask', detail = 'Why' ; end $$; select 2").await.unwrap_err();
    assert_eq!(refusal.to_string(), "no; Why; hint: Ask (SQLSTATE P0001)");
    assert_eq!(wire.query_text("select null").await?, None);
    assert_eq!(wire.query_text("select repeat('x', 100000); select 2").await?.map(|value| value.len()), Some(100_000));
    assert!(wire.execute("select 'a\0b'").await.is_err());
    assert_eq!(wire.query_text("select 'goes on'").await?.as_deref(), Some("goes on"));
    Ok(())
}
