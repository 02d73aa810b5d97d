//! What hangs on an extension, and which extensions a dump leaves behind.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use azure2neon_postgres::extensions::{Hanging, available, hanging, left_behind};
use azure2neon_postgres::schema::{Tools, apply, dump_schema_without};
use support::{Server, client_bin};

const SCHEMA: &str = "
create extension pgstattuple schema public;
create extension pg_trgm schema public;
create extension cube schema public;
create extension earthdistance schema public;
create extension hstore schema public;
create extension pageinspect schema public;
create extension amcheck schema public;
create view public.bloat as select dead_tuple_percent from public.pgstattuple('pg_catalog.pg_class');
create materialized view public.kept as select * from public.bloat;
create table public.post (id int primary key, tag text, place public.earth, more public.hstore default 'a=>1');
create index tag on public.post using gin (tag public.gin_trgm_ops);
create view public.tags as select tag, more from public.post;
create function public.checked(index regclass) returns void language sql begin atomic select public.bt_index_check(index); end;
comment on extension pgstattuple is 'show tuple-level statistics';
";

#[tokio::test]
async fn what_hangs_on_an_extension_is_named_and_what_only_the_administrator_needs_stays_behind() {
    let (old, new) = (Server::start(14).await, Server::start(18).await);
    let source = old.session().await;
    source.batch_execute(SCHEMA).await.unwrap_or_else(|error| panic!("{:?}", error.as_db_error()));
    let asked = ["pgstattuple", "pg_trgm", "cube", "earthdistance", "hstore", "pageinspect", "amcheck", "none"].map(str::to_owned);
    let found = hanging(&source, &asked).await.unwrap();
    let of = |name: &str| -> &Hanging { found.iter().find(|of| of.extension == name).unwrap() };
    assert_eq!(found.len(), 7);
    assert_eq!(of("pgstattuple").names, ["view public.bloat", "materialized view public.kept"]);
    assert_eq!(of("pg_trgm").names, ["index public.tag"]);
    let hstore = of("hstore");
    assert!(hstore.names.starts_with(&["table public.post".into(), "view public.tags".into()]), "{hstore:?}");
    assert_eq!(usize::try_from(hstore.objects).unwrap(), hstore.names.len(), "{hstore:?}");
    // The domain that the table's column has is the other extension's.
    assert!(of("cube").names.starts_with(&["table public.post".into()]), "{:?}", of("cube"));
    let with_other = hanging(&source, &["cube".to_owned()]).await.unwrap();
    assert!(with_other[0].names.contains(&"extension earthdistance".to_owned()), "{with_other:?}");
    assert_eq!(of("amcheck").names, ["function public.checked(pg_catalog.regclass)"]);
    assert!(of("pageinspect").is_left_behind() && !of("amcheck").is_left_behind() && !of("pgstattuple").is_left_behind());

    let behind = left_behind(&source).await.unwrap();
    assert_eq!(behind.iter().map(|(_, oid)| *oid).collect::<Vec<_>>(), [of("pageinspect").oid]);
    let tools = Tools::find(Some(&client_bin()), 18).await.unwrap();
    let scratch = tempfile::tempdir().unwrap();
    source.batch_execute("drop function public.checked; drop extension amcheck").await.unwrap();
    let left_out = behind.into_iter().collect();
    let entries = dump_schema_without(&tools, &old.endpoint("app"), Some(&old.ca_file), scratch.path(), &left_out).await.unwrap();
    let mut target = new.make_user("owner").await.connect().await.unwrap();
    let failures = apply(&mut target, "azure2neon_run", &entries, &mut |_, _| {}).await.unwrap();
    assert_eq!(failures, []);

    let offered = available(&target).await.unwrap();
    assert!(offered["hstore"].creatable && offered["pgstattuple"].creatable && !offered["pageinspect"].creatable);
    let made: String = target.query_one("select extversion from pg_extension where extname = 'pg_trgm'", &[]).await.unwrap().get(0);
    assert_eq!(offered["pg_trgm"].version, made);
    assert!(target.batch_execute("create extension pageinspect").await.is_err());
}
