//! Some of the tables are moved, and the others stay behind with all that is theirs.

use azure2neon_tests::{Rig, SMALL};

/// Beside the small database a schema that nobody wants to move, and what binds the two.
const AUDIT: &str = r#"
create schema audit;
create table audit.entry (id bigserial primary key, "order" bigint references sales."Order", what text);
create table audit.month (at timestamptz not null, what text) partition by range (at);
create table audit.month_1 partition of audit.month for values from ('2026-01-01') to ('2026-02-01');
create unlogged table audit.hits (page text primary key);
create table sales.stock (id integer not null, region text not null, entry bigint references audit.entry) partition by list (region);
create table sales.stock_eu partition of sales.stock for values in ('eu');
create table audit.of_customer (reason text) inherits (sales.customer);
create view sales.audited as select o.id, e.what from sales."Order" o join audit.entry e on e."order" = o.id;
create materialized view sales.audit_count as select count(*) from audit.entry;
create function sales.entries() returns setof audit.entry language plpgsql as 'begin end';
insert into audit.entry ("order", what) select n, 'x' from generate_series(1, 100) n;
insert into audit.month select '2026-01-02', 'y';
insert into sales.stock select n, 'eu', n from generate_series(1, 100) n;
"#;

async fn rig() -> Rig {
    Rig::with_sql(&format!("{SMALL}{AUDIT}"), |_| {}).await
}

async fn migrates(how: [&str; 2]) {
    let rig = rig().await;
    let before = rig.source_state().await;
    let arguments = ["migrate", "--cut-over", "--yes", "--output", "json", "--exclude-table", "audit.*"];
    let outcome = rig.run(&[&arguments[..], &how].concat()).await.expect_success();
    expect_selected(&rig, &outcome.event("summary")).await;
    let imported = outcome.stdout.lines().find(|line| line.contains("step-done") && line.contains("import-schema")).unwrap();
    assert!(imported.contains("stock_entry_fkey") && imported.contains("sales.audited"), "{imported}");
    let changed = rig.source_state().await;
    for part in ["publications", "slots", "relations", "schemas"] {
        assert_eq!(changed["catalog"][part], before["catalog"][part], "{part}");
    }
    rig.stop().await;
}

/// All of the small database is on the target, and nothing of the rest.
async fn expect_selected(rig: &Rig, summary: &serde_json::Value) {
    let tables = summary["summary"]["comparison"]["tables"].as_array().unwrap();
    assert!(tables.len() == 7 && tables.iter().all(|table| table["verdict"] == "equal"), "{tables:?}");
    assert!(tables.iter().all(|table| table["table"]["schema"] == "sales"), "{tables:?}");
    let target = rig.cloud.compute_superuser("shop", "shop").await.unwrap();
    let count = async |sql: &str| -> i64 { target.query_one(sql, &[]).await.unwrap().get(0) };
    assert_eq!(count("select count(*) from pg_class c join pg_namespace n on n.oid = relnamespace where nspname = 'audit'").await, 0);
    assert_eq!(count("select count(*) from pg_class where relname in ('audited', 'audit_count')").await, 0);
    assert_eq!(count("select count(*) from pg_constraint where contype = 'f'").await, 1, "the one within the selection");
    assert_eq!(count("select count(*) from sales.stock").await, 100);
    assert_eq!(count("select last_value from sales.ticket").await, 100);
    assert_eq!(count("select sum(count) from (select 1 as count from sales.revenue) r").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn by_the_subscription() {
    migrates(["--copy", "direct"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn through_this_machine() {
    migrates(["--copy", "stream"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn offline() {
    migrates(["--mode", "offline"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_leaves_the_selection_is_told_before_and_what_can_not_be_is_refused() {
    let rig = rig().await;
    rig.copy("exclude_tables = [\"audit.*\"]");
    let plan = rig.run(&["plan"]).await.expect_success();
    for told in [
        "5 tables left out: audit.entry, audit.hits, audit.month, audit.month_1, audit.of_customer",
        "1 foreign key to what is left out: table constraint stock_entry_fkey on sales.stock (needs audit.entry)",
        "2 views of what is left out: materialized view sales.audit_count (needs audit.entry), view sales.audited (needs audit.entry)",
        "1 object made of what is left out: function sales.entries() (needs audit.entry)",
    ] {
        assert!(plan.stdout.contains(told), "no {told:?} in:\n{}", plan.stdout);
    }
    // Flags stand in for the file's.
    let refused = async |arguments: &[&str], words: &[&str]| {
        let all: Vec<&str> = std::iter::once("plan").chain(arguments.iter().copied()).collect();
        rig.run(&all).await.expect_failure(2, words);
    };
    refused(&["--table", "shop.*"], &["no table matches \"shop.*\"", "audit.entry", "sales.Order"]).await;
    refused(&["--exclude-table", "*"], &["leaves no table"]).await;
    refused(&["--exclude-table", "sales.stock_eu"], &["\"sales\".\"stock_eu\"", "\"sales\".\"stock\"", "partition"]).await;
    refused(&["--table", "audit.month_1", "--exclude-table", "sales.*"], &["\"audit\".\"month_1\"", "\"audit\".\"month\"", "partition"])
        .await;
    refused(&["--exclude-table", "sales.customer"], &["table audit.of_customer needs sales.customer"]).await;
    assert!(rig.projects().is_empty());
    rig.stop().await;
}
