//! The inventory, digests, sequences, copies.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use azure2neon_postgres::copy::Ferry;
use azure2neon_postgres::inventory::{Persistence, ReplicaIdentity, TableKind, inventory, user_objects};
use azure2neon_postgres::{Endpoint, QualifiedName, Table, copy, digest, replica_identity, sequences, views};
use support::Server;

const ODD: &str = r#"
create schema "Odd ""schema"", one";
create table "Odd ""schema"", one"."a,b
c" (id int generated always as identity primary key, "Name ""x""" text, doubled int generated always as (id * 2) stored);
create schema azure_billing_of_the_user; alter schema azure_billing_of_the_user owner to owner;
create table azure_billing_of_the_user.t (id int);
create schema azure_sys; create table azure_sys.t (id int);
create schema azure2neon_x; create table azure2neon_x.t (id int);
create domain positive as int check (value > 0);
create type mood as enum ('sad', 'happy');
create type pair as (a int, b json);
create table keyed (a int not null, b int not null, c int, d json);
create unique index keyed_partial on keyed (a) where b > 0;
create unique index keyed_expression on keyed ((a + 1));
create unique index keyed_nullable on keyed (c);
create unique index keyed_good on keyed (b, a) include (c);
alter table keyed add constraint keyed_deferrable unique (a) deferrable;
create table deferred_key (a int primary key deferrable);
create table no_equality (p pair);
create table equality (p positive, m mood[], r int4range, v varchar(3), j jsonb, o oidvector);
create table points (p point);
create unlogged table unlogged (id bigserial primary key);
create table no_columns ();
create table parent (id int, t text) partition by range (id);
create table leaf1 partition of parent for values from (0) to (10);
create table sub partition of parent for values from (10) to (20) partition by list (t);
create table leaf2 partition of sub for values in ('x');
create table base (id int primary key);
create table heir (extra text) inherits (base);
create temp table temporary (id int);
create sequence standalone start 5;
create sequence "Mixed Case" increment -3;
create table secret (id int); alter table secret enable row level security; alter table secret force row level security;
alter table leaf1 replica identity full;
alter table keyed replica identity using index keyed_good;
create view v as select count(*) from keyed;
create materialized view a_second as select * from v with no data;
create materialized view z_first as select * from base;
create materialized view b_third as select a.count, b.id from a_second a, z_first b with no data;
create materialized view a_fourth as select * from b_third with no data;
create function f() returns trigger language plpgsql as 'begin return new; end';
create trigger always after insert on base for each row execute function f(); alter table base enable always trigger always;
select lo_create(0);
create extension citext;
create extension pg_trgm;
insert into keyed select i, i, i, '{}' from generate_series(1, 5) i;
"#;

fn find<'a>(tables: &'a [Table], name: &str) -> &'a Table {
    tables.iter().find(|table| table.name.name == name).unwrap_or_else(|| panic!("no {name}"))
}

async fn ferry(from: &Endpoint, to: &Endpoint) -> Ferry {
    Ferry::new(copy::lane(from).await.unwrap(), copy::lane(to).await.unwrap())
}

#[tokio::test]
async fn the_inventory_knows_what_matters() {
    for major in [14, 18] {
        let server = Server::start(major).await;
        server.make_user("owner").await;
        let session = server.session().await;
        session.batch_execute(&format!("set search_path = public;{ODD}; set search_path = ''")).await.unwrap();
        let found = inventory(&session).await.unwrap();
        let tables = &found.tables;
        let odd = find(tables, "a,b\nc");
        assert_eq!(odd.name.schema, "Odd \"schema\", one");
        assert!(odd.primary_key && odd.columns[2].generated && odd.columns[1].collatable);
        assert_eq!(odd.columns[1].name, "Name \"x\"");
        assert!(tables.iter().any(|table| table.name.schema == "azure_billing_of_the_user"));
        for excluded in ["azure_sys", "azure2neon_x"] {
            assert!(!tables.iter().any(|table| table.name.schema == excluded), "{excluded}");
            assert!(!found.schemas.contains(&excluded.to_owned()));
        }
        assert!(!tables.iter().any(|table| table.name.name == "temporary"));
        let keyed = find(tables, "keyed");
        assert_eq!(keyed.usable_unique_index.as_deref(), Some("keyed_good"));
        assert_eq!(keyed.replica_identity, ReplicaIdentity::Index("keyed_good".into()));
        assert!(!keyed.equality_for_all_columns && !keyed.primary_key && keyed.bytes > 0);
        assert!(!find(tables, "deferred_key").primary_key);
        assert!(!find(tables, "no_equality").equality_for_all_columns);
        assert!(!find(tables, "points").equality_for_all_columns);
        let equality = find(tables, "equality");
        assert!(equality.equality_for_all_columns);
        assert_eq!(equality.columns[0].base_type, "int4");
        assert_eq!(equality.columns[1].element_type.as_deref(), Some("public.mood"));
        assert_eq!(find(tables, "unlogged").persistence, Persistence::Unlogged);
        assert!(find(tables, "no_columns").columns.is_empty());
        assert_eq!(find(tables, "parent").kind, TableKind::Partitioned);
        assert_eq!(find(tables, "sub").parent, Some(QualifiedName::new("public", "parent")));
        let leaf = find(tables, "leaf1");
        assert_eq!((leaf.kind, &leaf.replica_identity), (TableKind::Partition, &ReplicaIdentity::Full));
        assert_eq!(find(tables, "heir").kind, TableKind::Ordinary);
        let secret = find(tables, "secret");
        assert!(secret.row_security && secret.force_row_security);
        let names: Vec<_> = found.sequences.iter().map(|name| name.name.as_str()).collect();
        assert!(names.contains(&"standalone") && names.contains(&"Mixed Case") && names.contains(&"unlogged_id_seq"));
        assert_eq!(names.len(), 4, "{names:?}");
        let order: Vec<_> = found.materialized_views.iter().map(|view| view.name.name.as_str()).collect();
        assert_eq!(order, ["z_first", "a_second", "b_third", "a_fourth"]);
        assert!(found.materialized_views[0].populated && !found.materialized_views[1].populated);
        for view in &found.materialized_views {
            views::refresh(&session, &view.name).await.unwrap();
        }
        assert_eq!(found.large_objects, 1);
        assert_eq!(found.always_triggers, ["public.base.always"]);
        assert!(found.extensions.iter().any(|(name, _)| name == "citext"));
        assert_eq!(found.encoding, "UTF8");
        assert!(found.owners.contains(&"admin".to_owned()));
        let published = found.publishable();
        assert!(published.contains(&QualifiedName::new("public", "parent")));
        assert!(!published.iter().any(|name| ["leaf1", "sub", "leaf2", "unlogged"].contains(&name.name.as_str())));
        let again: azure2neon_postgres::Inventory = serde_json::from_str(&serde_json::to_string(&found).unwrap()).unwrap();
        assert_eq!(again, found);

        let table = QualifiedName::new("public", "keyed");
        for identity in
            [ReplicaIdentity::Full, ReplicaIdentity::Nothing, ReplicaIdentity::Index("keyed_good".into()), ReplicaIdentity::Default]
        {
            replica_identity::set(&session, &table, &identity).await.unwrap();
            let found = inventory(&session).await.unwrap();
            assert_eq!(find(&found.tables, "keyed").replica_identity, identity);
        }
    }
}

const TYPES: &[(&str, &str)] = &[
    ("bool", "true"),
    ("int2", "-7"),
    ("int4", "42"),
    ("int8", "9000000000"),
    ("numeric", "1.00"),
    ("numeric(10,3)", "-1.5"),
    ("float4", "0.1"),
    ("float8", "-0"),
    ("float8", "NaN"),
    ("money", "12.34"),
    ("text", "it's ünï"),
    ("varchar(9)", "v"),
    ("char(5)", "ab"),
    ("\"char\"", "x"),
    ("name", "n"),
    ("bytea", "\\x00ff"),
    ("date", "1999-12-31"),
    ("time", "12:34:56.789"),
    ("timetz", "12:34:56+02"),
    ("timestamp", "2000-01-01 00:00:00.000001"),
    ("timestamptz", "2000-01-01 00:00:00+05"),
    ("interval", "1 day 25:00:00"),
    ("uuid", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
    ("json", "{\"a\": 1.0}"),
    ("jsonb", "{\"b\": 1.0}"),
    ("xml", "<a>x</a>"),
    ("inet", "10.0.0.1/8"),
    ("cidr", "10.0.0.0/8"),
    ("macaddr", "08:00:2b:01:02:03"),
    ("macaddr8", "08:00:2b:01:02:03:04:05"),
    ("bit(3)", "101"),
    ("varbit", "10"),
    ("point", "(1,2)"),
    ("polygon", "((0,0),(1,1),(1,0))"),
    ("tsvector", "'a':1 'b':2"),
    ("tsquery", "'a' & 'b'"),
    ("int4range", "[1,5)"),
    ("numrange", "(1.0,2.50]"),
    ("int4multirange", "{[1,3),[5,7)}"),
    ("public.mood", "happy"),
    ("public.mood[]", "{sad,NULL}"),
    ("public.feeling", "sad"),
    ("public.pair", "(1,\"{}\")"),
    ("int4[]", "[0:1]={1,2}"),
    ("text[]", "{a,NULL,\"b c\"}"),
    ("regclass", "public.anchor"),
    ("pg_lsn", "16/B374D848"),
    ("public.citext", "MiXed"),
    ("public.hstore", "a=>1"),
];

async fn make_types(session: &azure2neon_postgres::Session, filler: usize) {
    // Other object ids on each server, so that a hash of one shows.
    for index in 0..filler {
        session.batch_execute(&format!("create table public.filler{index} ()")).await.unwrap();
    }
    let columns: Vec<String> = TYPES.iter().enumerate().map(|(index, (kind, _))| format!("c{index} {kind}")).collect();
    let values: Vec<String> = TYPES.iter().map(|(kind, value)| format!("{}::{kind}", azure2neon_postgres::literal(value))).collect();
    let nulls = vec!["null"; TYPES.len()];
    session
        .batch_execute(&format!(
            "create extension citext schema public; create extension hstore schema public;
             create table public.anchor (); create type public.mood as enum ('sad', 'happy');
             create domain public.feeling as public.mood; create type public.pair as (a int, b json);
             create table public.types ({}); insert into public.types values ({}), ({})",
            columns.join(", "),
            values.join(", "),
            nulls.join(", ")
        ))
        .await
        .unwrap_or_else(|error| panic!("{:?}", error.as_db_error()));
}

#[tokio::test]
async fn digests_agree_across_versions_and_see_each_change() {
    let (old, new) = (Server::start(14).await, Server::start(17).await);
    let (source, target) = (old.session().await, new.session().await);
    make_types(&source, 0).await;
    make_types(&target, 7).await;
    let there = inventory(&source).await.unwrap();
    let here = inventory(&target).await.unwrap();
    let (there, here) = (find(&there.tables, "types"), find(&here.tables, "types"));
    let expected = digest::digest(&source, there).await.unwrap();
    assert_eq!(expected.rows, 2);
    assert_eq!(expected, digest::digest(&target, here).await.unwrap());
    // The same table read with the other server's description gives the same statement.
    assert_eq!(digest::statement(there), digest::statement(here));

    for (index, (kind, _)) in TYPES.iter().enumerate() {
        let other = match *kind {
            "bool" => "false".to_owned(),
            "numeric" => "'1.0'".to_owned(),
            "interval" => "'2 days 1 hour'".to_owned(),
            "float8" => "'0'".to_owned(),
            "int4[]" => "'{1,2}'".to_owned(),
            "jsonb" => "'{\"b\": 1.00}'".to_owned(),
            "numrange" => "'(1.00,2.50]'".to_owned(),
            "public.citext" => "'mixed'".to_owned(),
            "public.mood" | "public.feeling" => {
                if index % 2 == 0 {
                    "null".to_owned()
                } else {
                    "'sad'".to_owned()
                }
            }
            _ => "null".to_owned(),
        };
        let sql = format!("begin; update public.types set c{index} = {other} where c1 is not null");
        if *kind == "public.feeling" {
            continue;
        }
        target.batch_execute(&sql).await.unwrap_or_else(|error| panic!("{kind}: {:?}", error.as_db_error()));
        let changed = digest::digest(&target, here).await.unwrap();
        target.batch_execute("rollback").await.unwrap();
        assert_ne!(expected, changed, "a change in {kind} was not seen");
    }
    target.batch_execute("begin; update public.types set c10 = 'it''s ünÏ' where c1 is not null").await.unwrap();
    assert_ne!(expected, digest::digest(&target, here).await.unwrap());
    target.batch_execute("rollback").await.unwrap();

    target.batch_execute("truncate public.types").await.unwrap();
    for _ in 0..2 {
        let table = std::slice::from_ref(here);
        assert_eq!(ferry(&old.endpoint("app"), &new.endpoint("app")).await.copy(table).await.unwrap(), 2);
    }
    assert_eq!(expected, digest::digest(&target, here).await.unwrap());
}

#[tokio::test]
async fn digests_take_wide_empty_and_inherited_tables() {
    let server = Server::start(16).await;
    let session = server.session().await;
    let columns: Vec<String> = (0..1600).map(|index| format!("c{index} int")).collect();
    session
        .batch_execute(&format!(
            "create table public.wide ({}); insert into public.wide (c0, c1599) values (1, 2);
             create table public.none (); insert into public.none default values; insert into public.none default values;
             create table public.t (t text, azure2neon_row int); insert into public.t values ('x', 1);
             create table public.base (id int, g int generated always as (id * 2) stored);
             create table public.heir () inherits (public.base);
             insert into public.base values (1); insert into public.heir values (2), (3);
             create table public.empty (id int)",
            columns.join(", ")
        ))
        .await
        .unwrap();
    let found = inventory(&session).await.unwrap();
    let mut rows = Vec::new();
    for name in ["wide", "none", "t", "base", "heir", "empty"] {
        rows.push(digest::digest(&session, find(&found.tables, name)).await.unwrap().rows);
    }
    assert_eq!(rows, [1, 2, 1, 1, 2, 0]);
    let wide = find(&found.tables, "wide");
    let before = digest::digest(&session, wide).await.unwrap();
    session.batch_execute("update public.wide set c1599 = 3").await.unwrap();
    assert_ne!(before, digest::digest(&session, wide).await.unwrap());

    let other = Server::start(17).await;
    let target = other.session().await;
    target
        .batch_execute("create table public.none (); create table public.base (id int, g int generated always as (id * 2) stored)")
        .await
        .unwrap();
    let (from, to) = (server.endpoint("app"), other.endpoint("app"));
    let tables = ["none", "base"].map(|name| find(&found.tables, name).clone());
    assert_eq!(ferry(&from, &to).await.copy(&tables).await.unwrap(), 3);
    for table in &tables {
        assert_eq!(digest::digest(&session, table).await.unwrap(), digest::digest(&target, table).await.unwrap());
    }
    // A failed copy leaves what was there.
    target.batch_execute("alter table public.base add check (id < 1) not valid").await.unwrap();
    let error = ferry(&from, &to).await.copy(&tables).await.unwrap_err();
    assert!(error.to_string().starts_with("copy \"public\".\"base\": new row"), "{error}");
    let left: i64 = target.query_one("select count(*) from public.base", &[]).await.unwrap().get(0);
    assert_eq!(left, 1);
}

#[tokio::test]
async fn sequences_move_exactly() {
    let (old, new) = (Server::start(15).await, Server::start(18).await);
    let (source, target) = (old.session().await, new.session().await);
    let sql = r#"create sequence public.never start 7; create sequence public.once start 7; create sequence public."Down '\" increment -2;
                 create table public.t (id int generated always as identity)"#;
    for session in [&source, &target] {
        session.batch_execute(sql).await.unwrap();
        for index in 0..450 {
            session.batch_execute(&format!("create sequence public.s{index}")).await.unwrap();
        }
    }
    source.batch_execute(r#"select nextval('public.once'), nextval('public."Down ''\"'), nextval('public.s449')"#).await.unwrap();
    let names = inventory(&source).await.unwrap().sequences;
    assert_eq!(names.len(), 454);
    let values = sequences::read_sequences(&source, &names).await.unwrap();
    assert_eq!(values.len(), 454);
    let once = values.iter().find(|value| value.name.name == "once").unwrap();
    assert_eq!((once.last_value, once.is_called), (7, true));
    let never = values.iter().find(|value| value.name.name == "never").unwrap();
    assert_eq!((never.last_value, never.is_called), (7, false));
    assert_ne!(values, sequences::read_sequences(&target, &names).await.unwrap());
    sequences::set_sequences(&target, &values).await.unwrap();
    assert_eq!(values, sequences::read_sequences(&target, &names).await.unwrap());
    let mut unknown = values.clone();
    unknown[0].name.name = "gone".into();
    sequences::set_sequences(&target, &unknown).await.unwrap_err();
    assert_eq!(values, sequences::read_sequences(&target, &names).await.unwrap());
    sequences::set_sequences(&target, &[]).await.unwrap();
}

#[tokio::test]
async fn whatever_a_user_made_is_told_and_nothing_else() {
    let server = Server::start(17).await;
    let user = server.make_user("owner").await.connect().await.unwrap();
    assert_eq!(user_objects(&user).await.unwrap(), Vec::<String>::new(), "a new database");
    user.batch_execute(
        "create schema s; create table s.\"T 1\" (id serial primary key); create view public.v as select 1; create extension hstore schema s;
         create function s.f() returns int language sql as 'select 1'; create domain public.d as int; create type public.c as (a int);
         create materialized view public.m as select 1; create publication p for table s.\"T 1\"",
    )
    .await
    .unwrap();
    let found = user_objects(&user).await.unwrap();
    for object in [
        "schema s",
        "table s.\"T 1\"",
        "sequence s.\"T 1_id_seq\"",
        "view public.v",
        "materialized view public.m",
        "function s.f",
        "type public.d",
        "type public.c",
        "extension hstore",
        "publication p",
    ] {
        assert!(found.iter().any(|name| name == object), "no {object} in {found:?}");
    }
    assert_eq!(found.len(), 10, "{found:?}");
    let admin = server.session().await;
    user.batch_execute("drop schema s cascade; drop view public.v; drop materialized view public.m").await.unwrap();
    user.batch_execute("drop domain public.d; drop type public.c; drop publication p").await.unwrap();
    admin
        .batch_execute("create extension pg_stat_statements schema public; create schema neon; create table neon.t (id int)")
        .await
        .unwrap();
    assert_eq!(user_objects(&user).await.unwrap(), Vec::<String>::new(), "the provider's own");
}
