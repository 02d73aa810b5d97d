//! Whether indexed text is in the same order on two servers.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use azure2neon_postgres::collation::{TextKey, ordered_otherwise, text_keys};
use azure2neon_postgres::inventory;
use support::Server;

const SCHEMA: &str = r#"
create table public.word (id int primary key, plain text, tongue text collate "en-x-icu", alike text collate "en-x-icu", bare text collate "C");
create index on public.word (plain); create index "by Tongue" on public.word (id, tongue);
create index on public.word (alike); create index on public.word (bare);
insert into public.word select n, w, w, pg_catalog.format('a%s', 1000 + n), w
  from pg_catalog.generate_series(1, 500) n, pg_catalog.format('%s%s', case n % 3 when 0 then 'B' when 1 then 'a' else 'c' end, n) w;
create table public.hidden (t text collate "en-x-icu" primary key); alter table public.hidden enable row level security;
create table public.empty (t text collate "en-x-icu" primary key);
analyze public.word;
"#;

fn names(keys: &[TextKey]) -> Vec<&str> {
    let mut names: Vec<&str> = keys.iter().map(|key| key.name.as_str()).collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn text_that_is_sorted_by_a_language_is_compared_by_a_sample() {
    let (old, new) = (Server::start(14).await, Server::start(17).await);
    let source = old.session().await;
    source.batch_execute(SCHEMA).await.unwrap_or_else(|error| panic!("{:?}", error.as_db_error()));
    let keys = text_keys(&source).await.unwrap();
    assert_eq!(names(&keys), ["alike in public.word_alike_idx", "tongue in public.\"by Tongue\""]);
    let tongue = keys.iter().find(|key| key.name.starts_with("tongue")).unwrap();
    assert!(!tongue.is_default() && !tongue.is_in_order_of_c());
    assert!(keys.iter().all(|key| key.name.starts_with("tongue") || key.is_in_order_of_c()));
    assert_eq!(ordered_otherwise(&new.session().await, &keys).await.unwrap(), [""; 0], "both have one version of ICU");
    assert_eq!(inventory::collate(&source).await.unwrap(), "C");

    let postgres = new.endpoint("postgres").connect().await.unwrap();
    let make = "create database german template template0 locale_provider icu icu_locale 'de' locale 'C'";
    postgres.batch_execute(make).await.unwrap();
    let german = new.endpoint("german").connect().await.unwrap();
    assert_eq!(inventory::collate(&german).await.unwrap(), "ICU de");
    german.batch_execute(SCHEMA).await.unwrap();
    let keys = text_keys(&german).await.unwrap();
    let plain: Vec<TextKey> = keys.into_iter().filter(TextKey::is_default).collect();
    assert_eq!(names(&plain), ["plain in public.word_plain_idx"]);
    assert_eq!(ordered_otherwise(&new.session().await, &plain).await.unwrap(), ["plain in public.word_plain_idx"]);
    assert_eq!(ordered_otherwise(&german, &plain).await.unwrap(), [""; 0]);
}
