//! What can't be without a table, and a dump that leaves it out.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use std::collections::BTreeSet;

use azure2neon_postgres::QualifiedName;
use azure2neon_postgres::dependents::{Dependent, DependentKind, dependents};
use azure2neon_postgres::inventory::inventory;
use azure2neon_postgres::schema::{Tools, apply, dump_schema_without};
use support::{Server, client_bin};

const SCHEMA: &str = r#"
create schema audit;
create table public.customer (id serial primary key, name text);
create table public.orders (id int generated always as identity, customer int references public.customer, at date, primary key (id, at))
    partition by range (at);
create table public.orders_old partition of public.orders for values from (minvalue) to ('2026-01-01');
create table audit."the log" (id bigserial primary key, of int references public.customer, what text default 'x');
comment on table audit."the log" is 'what was done';
comment on constraint "the log_of_fkey" on audit."the log" is 'whose';
create index on audit."the log" (what);
create statistics audit.st on of, what from audit."the log";
create rule keep as on delete to audit."the log" do instead nothing;
create policy own on audit."the log" using (true);
alter table audit."the log" enable row level security;
create trigger t before insert on audit."the log" for each row execute function suppress_redundant_updates_trigger();
create table public.part (id int primary key, first bigint references audit."the log", customer int references public.customer);
comment on constraint part_first_fkey on public.part is 'the first';
create view public.recent as select * from audit."the log";
create view public.names as select name from public.customer;
create materialized view public.counted as select what, count(*) from public.recent group by what;
create unique index on public.counted (what);
create function public.logged() returns setof audit."the log" language plpgsql as 'begin end';
comment on function public.logged() is 'all of it';
create publication p for table audit."the log";
"#;

fn log() -> QualifiedName {
    QualifiedName::new("audit", "the log")
}

fn told(found: &[Dependent], kind: DependentKind) -> Vec<&str> {
    found.iter().filter(|one| one.kind == kind).map(|one| one.identity.as_str()).collect()
}

async fn story(from: u32, to: u32) {
    let (old, new) = (Server::start(from).await, Server::start(to).await);
    let source = old.session().await;
    source.batch_execute(SCHEMA).await.unwrap_or_else(|error| panic!("{:?}", error.as_db_error()));
    let found = dependents(&source, &[log()].into()).await.unwrap();
    assert_eq!(told(&found, DependentKind::ForeignKey), ["table constraint part_first_fkey on public.part"]);
    assert_eq!(told(&found, DependentKind::View), ["materialized view public.counted", "view public.recent"]);
    assert_eq!(told(&found, DependentKind::Object), ["function public.logged()"]);
    assert_eq!(told(&found, DependentKind::Sequence), ["sequence audit.\"the log_id_seq\""]);
    assert_eq!(told(&found, DependentKind::OfOtherTable), [""; 0]);
    assert!(found.iter().all(|one| one.needs == "audit.\"the log\""));
    assert!(dependents(&source, &BTreeSet::new()).await.unwrap().is_empty());

    let tools = Tools::find(Some(&client_bin()), to).await.unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let left_out: BTreeSet<(u32, u32)> = found.iter().map(|one| one.catalog_id).collect();
    let entries = dump_schema_without(&tools, &old.endpoint("app"), Some(&old.ca_file), scratch.path(), &left_out).await.unwrap();
    let text: String = entries.iter().map(|entry| format!("{entry:?}\n")).collect();
    for gone in ["the log", "recent", "counted", "logged", "first_fkey", "what was done", "the first"] {
        assert!(!text.contains(gone), "{gone}:\n{text}");
    }
    let mut target = new.make_user("owner").await.connect().await.unwrap();
    let failures = apply(&mut target, "azure2neon_run", &entries, &mut |_, _| {}).await.unwrap();
    assert_eq!(failures, []);
    let here = inventory(&target).await.unwrap();
    let tables: Vec<&str> = here.tables.iter().map(|table| table.name.name.as_str()).collect();
    assert_eq!(tables, ["customer", "orders", "orders_old", "part"]);
    assert_eq!(here.sequences.len(), 2);
    let keys: i64 = target
        .query_one("select count(*) from pg_catalog.pg_constraint where contype = 'f' and conparentid = 0", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(keys, 2, "the foreign keys within the selection are there");
}

#[tokio::test]
async fn from_14_to_18() {
    story(14, 18).await;
}

#[tokio::test]
async fn from_17_to_17() {
    story(17, 17).await;
}

/// Everything by which a table can hang on another one beside a foreign key.
#[tokio::test]
async fn tables_that_are_not_the_same_without_another() {
    let server = Server::start(16).await;
    let session = server.session().await;
    let schema = "create table base (id serial, owner name);
        create table child (x int) inherits (base);
        create table typed (c base);
        create table numbered (id int default nextval('base_id_seq'));
        create table guarded (id int, owner name);
        create policy p on guarded using (owner in (select owner from base));
        create table ruled (id int);
        create rule r as on insert to ruled do also insert into base (owner) values ('x');
        create table apart (id int)";
    session.batch_execute(&format!("set search_path = public; {schema}; reset search_path")).await.unwrap();
    let found = dependents(&session, &[QualifiedName::new("public", "base")].into()).await.unwrap();
    let told = told(&found, DependentKind::OfOtherTable);
    for part in ["table public.child", "default value for public.numbered.id", "policy p on public.guarded", "rule r on public.ruled"] {
        assert!(told.iter().any(|one| one.contains(part)), "{part}: {told:?}");
    }
    assert!(told.iter().any(|one| one.contains("public.typed")), "{told:?}");
    assert!(!told.iter().any(|one| one.contains("apart")), "{told:?}");
}
