//! Each check of the database finds its trouble, and nothing where there is none.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use azure2neon_postgres::Session;
use azure2neon_postgres::assessment::{QUERIES, assess};
use support::Server;

/// A database as most are.
const PLAIN: &str = "
create table public.customer (id int generated always as identity primary key, name text not null, email text unique);
create table public.purchase (id bigserial primary key, customer int not null references public.customer, at timestamptz default now());
create index on public.purchase (customer);
create view public.recent as select * from public.purchase where at > now() - interval '1 day';
create table public.log (at date not null, line text) partition by range (at);
create table public.log_1 partition of public.log for values from ('2026-01-01') to ('2027-01-01');
create function public.touch() returns trigger language plpgsql as 'begin new.at := now(); return new; end';
create trigger touch before update on public.purchase for each row execute function public.touch();
insert into public.customer (name, email) select n, n || '@example.test' from generate_series(1, 1000) n;
delete from public.customer where id > 900;
create extension citext schema public;
create aggregate public.total(int) (sfunc = int4pl, stype = int);
";

/// One with all troubles, as far as one statement makes them.
const TROUBLED: &str = r#"
create role azure_pg_admin; create role clerk; create role teller login connection limit 5 in role clerk;
create extension pg_stat_statements schema public;
comment on extension plpgsql is 'ours';
create table public.computed (a int generated always as identity, b int generated always as (1) stored, at date) partition by range (at);
create table public.part partition of public.computed for values from ('2026-01-01') to ('2027-01-01');
create materialized view public.sum as select 1 as one with no data;
alter default privileges for role clerk grant select on tables to public;
create table public.keyed (id int primary key deferrable, during int4range, exclude using gist (during with &&));
create table public.child () inherits (public.keyed);
alter table public.keyed add constraint positive check (id > 0) not valid;
create rule quiet as on delete to public.keyed do instead nothing;
create function public.of_c(int, int) returns int language internal as 'int4pl';
create function public.plus(int) returns int language sql immutable as 'select $1 + 1';
create index on public.keyed (public.plus(id));
create operator family public.odd using btree;
create table public.by_text (t text collate "en-x-icu") partition by range (t);
create function public.watch() returns event_trigger language plpgsql as 'begin end';
create event trigger watch on ddl_command_end execute function public.watch(); alter event trigger watch disable;
create function public.touch() returns trigger language plpgsql as 'begin return new; end';
create trigger touch before update on public.keyed for each row execute function public.touch();
alter table public.keyed disable trigger touch;
create table public.of_provider (id int); alter table public.of_provider owner to azure_pg_admin;
create table public.of_clerk (id int); alter table public.of_clerk owner to clerk;
alter table public.of_clerk enable row level security; create policy own on public.of_clerk to clerk using (true);
create view public.of_provider_too as select 1 as one; alter view public.of_provider_too owner to azure_pg_admin;
create collation public.german (provider = libc, locale = 'C');
create publication mine for table public.keyed;
alter database app set work_mem = '8MB';
create table public.bloated (id int) with (autovacuum_enabled = off);
insert into public.bloated select generate_series(1, 30000); delete from public.bloated where id > 5000;
select pg_create_physical_replication_slot('left_alone', true);
set allow_system_table_mods = on;
update pg_catalog.pg_collation set collcollate = 'de_DE.utf8' where collname = 'german';
update pg_catalog.pg_collation set collversion = '1' where collname = 'en-x-icu';
insert into pg_catalog.pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion)
  values (900001, 'pg_cron', 10, 11, false, '1.6');
insert into pg_catalog.pg_seclabel values ('public.keyed'::regclass, 'pg_class'::regclass, 0, 'anon', 'MASKED');
"#;

/// Queries whose trouble takes too long to come, or another machine, each with what stands in for that.
const SOONER: [(&str, &str, &str); 3] = [
    ("clients-without-tls", "not (s.ssl or a.client_addr <<= '127.0.0.0/8')", "s.ssl"),
    ("long-transactions", "mins => 1", "secs => 0"),
    ("wraparound", "> pg_catalog.current_setting('autovacuum_freeze_max_age')::pg_catalog.int8 * 2", ">= 0"),
];

async fn objects(session: &Session, sql: &str) -> Vec<String> {
    session.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn each_check_finds_its_trouble_and_nothing_else() {
    for major in [14, 18] {
        let server = Server::start_with(major, &[("autovacuum", "off"), ("shared_preload_libraries", "pg_stat_statements")]).await;
        let session = server.session().await;
        assert_eq!(assess(&session).await.unwrap(), Default::default(), "{major}: there is nothing");
        session.batch_execute(PLAIN).await.unwrap();
        let usual: Vec<&str> = assess(&session).await.unwrap().into_keys().collect();
        assert_eq!(usual, ["identity-columns", "partitioned-tables"], "{major}: nothing is wrong");
        session.batch_execute("drop schema public cascade; create schema public").await.unwrap();

        let other = server.session().await;
        other.batch_execute(TROUBLED).await.unwrap();
        other.batch_execute("insert into public.of_clerk values (1), (1)").await.unwrap();
        assert!(other.batch_execute("create unique index concurrently broken on public.of_clerk (id)").await.is_err());
        other.batch_execute("begin; insert into public.of_clerk values (2); prepare transaction 'half done'").await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        support::give(folder.path());
        let elsewhere = format!("create tablespace elsewhere location '{}'", folder.path().display());
        other.batch_execute(&elsewhere).await.unwrap();
        other.batch_execute("create table public.moved (id int) tablespace elsewhere").await.unwrap();
        drop(other);
        let waiting = server.session().await;
        waiting.batch_execute("create temporary table mine (id int)").await.unwrap();
        waiting.batch_execute("begin; insert into public.of_provider values (1)").await.unwrap();

        for (id, sql) in QUERIES {
            let (_, usual, sooner) = SOONER.iter().find(|(of, ..)| of == id).unwrap_or(&("", "", ""));
            assert!(sql.contains(usual), "{id}");
            let mut found = objects(&session, &sql.replace(usual, sooner)).await;
            // What a session did is counted when it has ended, which may take a moment.
            for _ in 0..100 {
                if !found.is_empty() {
                    break;
                }
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                found = objects(&session, sql).await;
            }
            assert!(!found.is_empty(), "{major}: {id} finds nothing");
        }
        let found = assess(&session).await.unwrap();
        let of = |id: &str| found[id].iter().map(|hit| hit.object.as_str()).collect::<Vec<_>>();
        assert_eq!(of("invalid-indexes"), ["public.broken"]);
        assert_eq!(of("inheritance"), ["public.child (from public.keyed)"]);
        assert_eq!(of("roles"), ["clerk", "teller (logs in, 5 connections, member of clerk)"]);
        assert_eq!(of("partitioned-tables"), ["public.by_text (0 partitions in 0 levels)", "public.computed (1 partition in 1 level)"]);
        assert_eq!(of("materialized-views"), ["public.sum (never filled)"]);
        assert_eq!(
            of("row-security"),
            ["public.of_clerk (policies for clerk; hides rows from all but its owner and roles that bypass it)"]
        );
        assert_eq!(
            of("objects-of-the-provider"),
            ["table public.of_provider (azure_pg_admin)", "view public.of_provider_too (azure_pg_admin)"]
        );
        assert_eq!(of("default-privileges"), ["tables of clerk to everybody"]);
        assert_eq!(of("collations-missing"), ["public.german (0 objects)"]);
        assert!(of("collation-versions")[0].starts_with("pg_catalog.\"en-x-icu\" (ICU was 1, is "), "{:?}", of("collation-versions"));
        assert_eq!(of("temporary-tables"), ["mine"]);
        assert_eq!(of("comments-on-extensions"), ["plpgsql: ours"]);
        assert!(of("recent-ddl").iter().any(|kind| kind.starts_with("CREATE TABLE (")), "{:?}", of("recent-ddl"));
        assert!(found["bloat"][0].relation.is_some());
        assert_eq!(of("settings-of-database"), ["work_mem"]);
        assert_eq!(of("unset-search-path"), ["public.plus(integer)"]);
        assert!(!found.contains_key("wraparound") && !found.contains_key("long-transactions"), "neither has gone on for long");
        assert!(found["bloat"][0].bytes > 0);
        drop(waiting);
    }
}
