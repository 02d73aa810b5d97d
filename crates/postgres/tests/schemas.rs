//! Dumping a schema and applying it entry by entry.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use azure2neon_postgres::ErrorKind;
use azure2neon_postgres::inventory::{Persistence, inventory};
use azure2neon_postgres::schema::{Section, Tools, apply, dump_schema};
use support::{Server, client_bin};

const SCHEMA: &str = r#"
set check_function_bodies = off;
create schema "Sales; Type: TABLE";
create extension pg_trgm schema public;
create extension hstore schema public;
create type public.mood as enum ('sad', 'happy');
create table public.parent (id int not null, t text, primary key (id)) partition by range (id);
create table public.leaf partition of public.parent for values from (0) to (10);
create unique index parent_u on public.parent (id, t);
create table public."child
table" (id bigserial primary key, p int references public.parent (id), m public.mood, t text);
create index child_trgm on public."child
table" using gin (t public.gin_trgm_ops);
create unique index child_partial on public."child
table" (p) where p > 3;
create unlogged table public.un (id int generated always as identity primary key, name text);
create unlogged sequence public.useq;
create function public.look_alike() returns text language plpgsql as $_$
--
-- TOC entry 1 (class 1259 OID 1)
-- Name: leaf; Type: TABLE; Schema: public; Owner: -
--

\restrict abc
SET default_tablespace = '';
begin return '$$'; end $_$;
create function public.c_function() returns int language c as '$libdir/pg_trgm', 'set_limit';
create view public.v as select * from public.parent where t operator(public.%) 'x';
create view public.grouped as select id, t from public.parent group by id;
create materialized view public.m as select count(*) from public.v;
create rule r as on delete to public.un do instead nothing;
create trigger tr before insert on public."child
table" for each row when (new.id > 5) execute function suppress_redundant_updates_trigger();
create policy po on public.un using (true);
create statistics public.st on id, t from public.parent;
comment on table public.un is 'TOC entry'';
-- TOC entry 3';
comment on extension hstore is 'changed';
create foreign data wrapper fdw; create server srv foreign data wrapper fdw;
create user mapping for public server srv options (password 'hidden');
create publication pub for table public.parent;
create schema azure2neon_x; create table azure2neon_x.barrier (id int);
create table "Sales; Type: TABLE".t (id int, constraint "odd "" key" unique (id));
alter table "Sales; Type: TABLE".t replica identity full;
"#;

async fn story(from: u32, to: u32) {
    let (old, new) = (Server::start(from).await, Server::start(to).await);
    let source = old.session().await;
    let schema = if from < 15 { SCHEMA.replace("unlogged sequence", "sequence") } else { SCHEMA.to_owned() };
    for statement in [schema.as_str()] {
        source.batch_execute(statement).await.unwrap_or_else(|error| panic!("{:?}", error.as_db_error()));
    }
    let tools = Tools::find(Some(&client_bin()), to).await.unwrap();
    assert!(tools.major >= to);
    let scratch = tempfile::tempdir().unwrap();
    let entries = dump_schema(&tools, &old.endpoint("app"), Some(&old.ca_file), scratch.path()).await.unwrap();
    assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0, "the archive is still there");
    let all: String = entries.iter().map(|entry| format!("{entry:?}\n")).collect();
    for unwanted in ["hidden", "azure2neon_x", "PUBLICATION", "UNLOGGED", "changed", "unrestrict"] {
        assert!(!all.contains(unwanted), "{unwanted}\n{all}");
    }
    let sections: Vec<_> = entries.iter().map(|entry| entry.section == Section::PreData).collect();
    assert!(sections.is_sorted_by(|a, b| a >= b), "pre-data comes first");
    let keys: Vec<_> =
        entries.iter().filter(|entry| entry.section == Section::Keys).map(|entry| format!("{} {}", entry.kind, entry.name)).collect();
    assert_eq!(keys.iter().filter(|key| key.starts_with("INDEX ATTACH")).count(), 2, "{keys:?}");
    assert!(keys.iter().any(|key| key.contains("odd \" key")) && !keys.iter().any(|key| key.contains("child_partial")), "{keys:?}");

    // As a user without superuser rights, killed half-way.
    let user = new.make_user("owner").await;
    let mut target = user.connect().await.unwrap();
    let half = entries.len() / 2;
    let mut seen = (0, 0);
    let failures = apply(&mut target, "azure2neon_run", &entries[..half], &mut |done, all| seen = (done, all)).await.unwrap();
    assert_eq!(seen, (half, half));
    let mut target = user.connect().await.unwrap();
    let again = apply(&mut target, "azure2neon_run", &entries, &mut |_, _| {}).await.unwrap();
    // What failed fails again and is named again; what succeeded is not done twice.
    let names: Vec<_> = again.iter().map(|failure| (failure.kind.as_str(), failure.name.as_str())).collect();
    assert!(failures.len() <= again.len());
    assert!(names.contains(&("FUNCTION", "public.c_function()")), "{names:?}");
    assert!(names.contains(&("FOREIGN DATA WRAPPER", "fdw")), "{names:?}");
    assert_eq!(names.len(), 3, "{again:?}");
    let function = again.iter().find(|failure| failure.kind == "FUNCTION").unwrap();
    assert_eq!(function.sqlstate.as_deref(), Some("42501"));
    assert!(function.sql.chars().count() <= 300 && function.message.contains("permission denied"));
    let body: String = target.query_one("select prosrc from pg_catalog.pg_proc where proname = 'look_alike'", &[]).await.unwrap().get(0);
    assert!(body.contains("Name: leaf; Type: TABLE") && body.contains("\\restrict abc\nSET default_tablespace = '';"));

    let (there, here) = (inventory(&source).await.unwrap(), inventory(&target).await.unwrap());
    let names = |found: &azure2neon_postgres::Inventory| {
        found
            .tables
            .iter()
            .map(|table| (table.name.clone(), table.primary_key, table.replica_identity.clone(), table.columns.clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&there), names(&here));
    assert_eq!(there.sequences, here.sequences);
    assert!(here.tables.iter().all(|table| table.persistence == Persistence::Permanent));
    let valid: bool = target.query_one("select bool_and(indisvalid) from pg_catalog.pg_index", &[]).await.unwrap().get(0);
    assert!(valid);
    let unlogged: i64 = target.query_one("select count(*) from pg_catalog.pg_class where relpersistence = 'u'", &[]).await.unwrap().get(0);
    assert_eq!(unlogged, 0);
    assert_eq!(here.materialized_views.len(), 1);
}

#[tokio::test]
async fn from_14_to_16() {
    story(14, 16).await;
}

#[tokio::test]
async fn from_15_to_17() {
    story(15, 17).await;
}

#[tokio::test]
async fn missing_tools_say_what_to_install() {
    let empty = tempfile::tempdir().unwrap();
    for (bin, least) in [(empty.path(), 17), (client_bin().as_path(), 99)] {
        let error = Tools::find(Some(bin), least).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Tool);
        assert!(error.to_string().contains(&format!("postgresql-client-{least}")), "{error}");
    }
    let server = Server::start(16).await;
    let tools = Tools::find(Some(&client_bin()), 17).await.unwrap();
    let wrong = server.endpoint("app").as_user("admin", "wr0ng secret".to_owned().into());
    let error = dump_schema(&tools, &wrong, Some(&server.ca_file), empty.path()).await.unwrap_err();
    assert!(!error.to_string().contains("wr0ng secret"), "{error}");
}
