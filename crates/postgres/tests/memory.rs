//! A value of hundreds of megabytes arrives as one message; it passes through a few buffers. Alone in its process, whose memory it measures.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use azure2neon_postgres::copy::{Cargo, Format, Statements, Wire, carry};
use azure2neon_postgres::inventory::inventory;
use support::Server;

const BYTES: usize = 320 << 20;

/// The most memory that this process has ever had, in bytes.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() << 10
}

#[tokio::test]
async fn a_value_of_any_size_needs_no_memory() {
    let (old, new) = (Server::start(17).await, Server::start(17).await);
    let (source, target) = (old.session().await, new.session().await);
    let create = "create table public.large (id int, value bytea); alter table public.large alter value set storage external";
    source.batch_execute(create).await.unwrap();
    target.batch_execute(create).await.unwrap();
    let fill = format!("insert into public.large values (1, decode(repeat('ab', {BYTES}), 'hex')), (2, 'small')");
    source.batch_execute(&fill).await.unwrap();
    let tables = inventory(&source).await.unwrap().tables;
    let mut from = Wire::connect(&old.endpoint("app")).await.unwrap();
    let mut to = Wire::connect(&new.endpoint("app")).await.unwrap();
    let tables = vec![Statements::frozen(&tables[0], Format::Binary)];
    let cargo = Cargo { before: "begin; truncate only public.large".into(), tables, after: "commit".into() };
    let before = peak();
    let carried = carry(&mut from, &mut to, &cargo, &|_, _| {}).await.unwrap();
    let grown = peak() - before;
    assert_eq!(carried.rows, [2]);
    assert!(grown < 8 << 20, "{grown} bytes");
    let check = "select count(*), max(length(value)) from public.large";
    let row = target.query_one(check, &[]).await.unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i32>(1) as usize), (2, BYTES));
}
