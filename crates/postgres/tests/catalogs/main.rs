//! The catalogs of two servers, object by object.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod plants;
#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeSet;

use azure2neon_postgres::catalog::{self, Catalog, catalog, differences};
use azure2neon_postgres::dependents::dependents;
use azure2neon_postgres::inventory::MaterializedView;
use azure2neon_postgres::schema::{Tools, apply, dump_schema_without};
use azure2neon_postgres::{QualifiedName, Session, inventory, views};
use support::{Server, client_bin};

const BIKEPARTS: &str = include_str!("../../../../fixtures/databases/bikeparts/schema.sql");

const PLANTS: &str = include_str!("plants.sql");

async fn load(session: &Session, sql: &str) {
    let sql = format!("set search_path = public; {sql}; set search_path = ''; set client_min_messages = warning");
    session.batch_execute(&sql).await.unwrap_or_else(|error| panic!("{:?}", error.as_db_error()));
}

/// Two servers, the second with the first's schema as a migration imports it; the target's session is a superuser's.
struct Pair {
    source: Session,
    target: Session,
    _servers: [Server; 2],
}

impl Pair {
    async fn new(from: u32, to: u32, schema: &str) -> Pair {
        Self::without(from, to, schema, &BTreeSet::new()).await
    }

    async fn without(from: u32, to: u32, schema: &str, left_out: &BTreeSet<QualifiedName>) -> Pair {
        let (old, new) = (Server::start(from).await, Server::start(to).await);
        let (owner, user) = (old.make_user("owner").await, new.make_user("neon_owner").await);
        let source = owner.connect().await.unwrap();
        load(&source, schema).await;
        let tools = Tools::find(Some(&client_bin()), to).await.unwrap();
        let scratch = tempfile::tempdir().unwrap();
        let gone = dependents(&source, left_out).await.unwrap();
        let ids = gone.iter().map(|one| one.catalog_id).collect();
        let entries = dump_schema_without(&tools, &owner, Some(&old.ca_file), scratch.path(), &ids).await.unwrap();
        let mut target = user.connect().await.unwrap();
        let failures = apply(&mut target, "azure2neon_run", &entries, &mut |_, _| {}).await.unwrap();
        assert_eq!(failures, []);
        let is_moved = |view: &&MaterializedView| view.populated && !gone.iter().any(|one| one.name.as_ref() == Some(&view.name));
        for view in inventory::inventory(&source).await.unwrap().materialized_views.iter().filter(is_moved) {
            views::refresh(&target, &view.name).await.unwrap();
        }
        Pair { source, target: new.session().await, _servers: [old, new] }
    }

    /// The differences that are none of the owner's or of grants, as they are shown.
    async fn differences(&self, source: &Catalog) -> BTreeSet<String> {
        let (mut source, target) = (source.clone(), catalog(&self.target).await.unwrap());
        catalog::respell(&self.target, &mut source, &target).await;
        let found = differences(&source, &target);
        let of_roles = ["owner", "privileges"];
        let others = found.iter().filter(|one| !one.aspect.as_deref().is_some_and(|aspect| of_roles.contains(&aspect)));
        others.map(ToString::to_string).collect()
    }
}

async fn alike(from: u32, to: u32) {
    let pair = Pair::new(from, to, BIKEPARTS).await;
    let source = catalog(&pair.source).await.unwrap();
    assert!(source.objects.len() > 500, "{}", source.objects.len());
    let found = pair.differences(&source).await;
    let (versions, others): (Vec<_>, Vec<_>) = found.iter().partition(|one| one.starts_with("extension ") && one.contains(": version is "));
    assert_eq!(others, ["table app.page_counters: persistence is unlogged on the source, logged on the target"]);
    assert_eq!(versions.is_empty(), from > 15 || from == to);
}

#[tokio::test]
async fn bikeparts_from_14_to_18() {
    alike(14, 18).await;
}

#[tokio::test]
async fn bikeparts_from_16_to_17() {
    alike(16, 17).await;
}

#[tokio::test]
async fn bikeparts_from_17_to_17() {
    alike(17, 17).await;
}

/// What goes with a table that is left out is left out of the comparison, and nothing else.
#[tokio::test]
async fn what_is_left_out_is_not_compared() {
    let left_out = BTreeSet::from([QualifiedName::new("x", "t"), QualifiedName::new("x", "part1")]);
    let pair = Pair::without(17, 17, &format!("create extension citext; {PLANTS}"), &left_out).await;
    let mut source = catalog(&pair.source).await.unwrap();
    let all = pair.differences(&source).await;
    for gone in ["table x.t", "table x.part1", "view x.short", "materialized view x.m", "sequence x.t_id_seq", "constraint x.child.child_t"]
    {
        assert!(all.contains(&format!("{gone} is missing on the target")), "{gone}: {all:?}");
    }
    let ids = dependents(&pair.source, &left_out).await.unwrap().iter().map(|one| one.catalog_id).collect();
    source.leave_out(&ids);
    let found: Vec<String> = pair.differences(&source).await.into_iter().filter(|one| !one.contains("column order")).collect();
    assert_eq!(found, [""; 0]);
    pair.target.batch_execute("drop table x.heir").await.unwrap();
    assert!(pair.differences(&source).await.contains("table x.heir is missing on the target"));
}

/// Also its composite types, which are relations, and belong to who made the extension: another one on each side.
#[tokio::test]
async fn what_belongs_to_an_extension_is_told_as_the_extension() {
    let pair = Pair::new(17, 17, "create extension tablefunc; create type public.mine as (id int)").await;
    let names: Vec<String> = catalog(&pair.source).await.unwrap().objects.keys().map(ToString::to_string).collect();
    assert!(names.iter().any(|name| name.contains("mine")), "{names:?}");
    assert!(!names.iter().any(|name| name.contains("crosstab")), "{names:?}");
}

/// Plants one difference after the other, each in a transaction that is rolled back; the same without one first.
async fn plant(from: u32, to: u32) {
    let pair = Pair::new(from, to, &format!("create extension citext; {PLANTS}")).await;
    let source = catalog(&pair.source).await.unwrap();
    let without = pair.differences(&source).await;
    let unexpected: Vec<&String> = without.iter().filter(|one| !one.starts_with("extension ")).collect();
    assert_eq!(unexpected, [r#"table x.late: column order is ["note", "id", "own"] on the source, ["id", "note", "own"] on the target"#]);
    let mut wrong = String::new();
    for (sql, expected) in plants::CASES {
        pair.target.batch_execute("begin").await.unwrap();
        if let Err(error) = pair.target.batch_execute(sql).await {
            wrong.push_str(&format!("{sql}\n  {:?}\n", error.as_db_error().map(|error| error.message().to_owned())));
            pair.target.batch_execute("rollback").await.unwrap();
            continue;
        }
        let found = pair.differences(&source).await;
        pair.target.batch_execute("rollback").await.unwrap();
        let new: Vec<&String> = found.difference(&without).collect();
        let is_as_expected = new.len() == expected.len() && expected.iter().all(|one| new.iter().any(|new| new.starts_with(one)));
        if !is_as_expected {
            wrong.push_str(&format!("{sql}\n  {new:#?}\n"));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[tokio::test]
async fn each_planted_difference_is_named_from_17_to_17() {
    plant(17, 17).await;
}

#[tokio::test]
async fn each_planted_difference_is_named_from_14_to_18() {
    plant(14, 18).await;
}
