//! The wires between the clouds.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::time::{Duration, Instant};

use common::{Rig, one, rig};
use serde_json::json;

/// Neon's addresses in London.
const LONDON: [&str; 3] = ["3.10.42.8", "18.133.205.39", "52.56.191.86"];

fn conninfo(rig: &Rig) -> String {
    format!(
        "host={} user={} password={} dbname={} sslmode=verify-full sslrootcert=system connect_timeout=5",
        rig.endpoint("/source/host"),
        rig.endpoint("/source/user"),
        rig.endpoint("/source/password"),
        rig.endpoint("/database")
    )
}

#[tokio::test]
async fn the_firewall_decides_at_the_nat_gateway() {
    let rig = rig(|_| ()).await;
    let created = rig.create_project(json!({ "name": "shop", "region_id": "aws-eu-west-2" })).await;
    let target = rig.target(&created).await.unwrap();
    target.batch_execute("create extension dblink").await.unwrap();
    let ask = format!("select who from dblink('{}', 'select current_user::text') as t(who text)", conninfo(&rig));

    let refused = target.query_one(&ask, &[]).await.unwrap_err();
    let message = refused.as_db_error().unwrap().detail().unwrap().to_owned();
    assert!(
        message.contains("no pg_hba.conf entry for host \"")
            && message.contains("user \"bikeadmin\", database \"bikeparts\", SSL encryption"),
        "{message}"
    );
    assert!(LONDON.iter().any(|address| message.contains(address)), "{message}");

    // With one of three addresses open, one of three attempts gets through.
    rig.allow("one", LONDON[1]).await;
    let mut through = 0;
    for _ in 0..6 {
        through += usize::from(target.query_one(&ask, &[]).await.is_ok());
    }
    assert_eq!(through, 2);
    for (index, address) in LONDON.iter().enumerate() {
        rig.allow(&format!("neon-{index}"), address).await;
    }
    for _ in 0..3 {
        assert_eq!(target.query_one(&ask, &[]).await.unwrap().get::<_, &str>(0), "bikeadmin");
    }

    // And shut again.
    assert_eq!(rig.cloud.firewall_rules(), ["neon-0", "neon-1", "neon-2", "one", "operator"]);
    for name in ["NEON-0", "neon-1", "neon-2", "one"] {
        let accepted = rig.arm("DELETE", &format!("/firewallRules/{name}"), None).await;
        rig.arm_wait(&accepted).await;
    }
    assert_eq!(rig.arm("DELETE", "/firewallRules/one", None).await.status, 204);
    assert!(target.query_one(&ask, &[]).await.is_err());

    // The operator is judged as well.
    let accepted = rig.arm("DELETE", "/firewallRules/operator", None).await;
    rig.arm_wait(&accepted).await;
    let refused = rig.source().await.unwrap_err();
    assert_eq!(refused.code().unwrap().code(), "28000");
    assert_eq!(
        refused.as_db_error().unwrap().message(),
        "no pg_hba.conf entry for host \"127.0.0.1\", user \"bikeadmin\", database \"bikeparts\", SSL encryption"
    );
    rig.stop().await;
}

#[tokio::test]
async fn rows_are_replicated_from_azure_to_neon_and_back() {
    let rig = rig(|options| {
        options.source_major = 16;
        options.target_major_default = 18;
    })
    .await;
    let accepted = rig.arm("PATCH", "/configurations/wal_level", Some(json!({ "properties": { "value": "logical" } }))).await;
    rig.arm_wait(&accepted).await;
    let accepted = rig.arm("POST", "/restart", None).await;
    rig.arm_wait(&accepted).await;
    for (index, address) in LONDON.iter().enumerate() {
        rig.allow(&format!("neon-{index}"), address).await;
    }
    let source = rig.source().await.unwrap();
    source
        .batch_execute(
            "create table part (id int primary key, name text); insert into part select i, 'part ' || i from generate_series(1, 100) i;
             create role mover login replication password 'not-a-real-secret-1'; grant select on part to mover; create publication moving for table part",
        )
        .await
        .unwrap();
    let created = rig
        .create_project(json!({ "name": "shop", "region_id": "aws-eu-west-2", "settings": { "enable_logical_replication": true } }))
        .await;
    let target = rig.target(&created).await.unwrap();
    target.batch_execute("create table part (id int primary key, name text)").await.unwrap();
    let connection =
        format!("host={} user=mover password=not-a-real-secret-1 dbname=bikeparts sslmode=require", rig.endpoint("/source/host"));
    target.batch_execute(&format!("create subscription moving connection '{connection}' publication moving")).await.unwrap();
    let wait = async |client: &tokio_postgres::Client, query: &str, wanted: &str| {
        let deadline = Instant::now() + Duration::from_secs(30);
        while one(client, query).await != wanted {
            assert!(Instant::now() < deadline, "{query}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    wait(&target, "select count(*)::text from part", "100").await;
    source.batch_execute("insert into part values (101, 'chain')").await.unwrap();
    wait(&target, "select count(*)::text from part", "101").await;

    // The way back: the Azure server finds Neon's proxy by name.
    target.batch_execute("drop subscription moving").await.unwrap();
    target.batch_execute("create publication back for table part").await.unwrap();
    let field = |name: &str| created["connection_uris"][0]["connection_parameters"][name].as_str().unwrap();
    let connection = format!(
        "host={} user={} password={} dbname={} sslmode=verify-full sslrootcert=system",
        field("host"),
        field("role"),
        field("password"),
        field("database")
    );
    source
        .batch_execute(&format!("create subscription back connection '{connection}' publication back with (copy_data = false)"))
        .await
        .unwrap();
    target.batch_execute("insert into part values (102, 'bell')").await.unwrap();
    wait(&source, "select count(*)::text from part", "102").await;
    source.batch_execute("drop subscription back").await.unwrap();
    rig.stop().await;
}

#[tokio::test]
async fn lines_can_be_held_cut_and_slowed() {
    let rig = rig(|_| ()).await;
    let client = rig.source().await.unwrap();
    let link = rig.cloud.operator_link();
    link.hold();
    assert!(tokio::time::timeout(Duration::from_millis(300), client.simple_query("select 1")).await.is_err());
    link.open();
    client.simple_query("select 1").await.unwrap();
    link.cut();
    assert!(client.simple_query("select 1").await.is_err());
    link.refuse();
    assert!(rig.source().await.is_err());
    link.open();
    link.set_delay(Duration::from_millis(40));
    let client = rig.source().await.unwrap();
    let start = Instant::now();
    client.simple_query("select 1").await.unwrap();
    assert!(start.elapsed() >= Duration::from_millis(80));
    link.set_delay(Duration::ZERO);
    link.set_bandwidth(Some(1_000_000));
    let client = rig.source().await.unwrap();
    let start = Instant::now();
    client.simple_query("select repeat('x', 500000)").await.unwrap();
    assert!(start.elapsed() >= Duration::from_millis(450), "{:?}", start.elapsed());
    rig.stop().await;
}

#[tokio::test]
async fn a_server_in_a_virtual_network_takes_rules_and_lets_nobody_in() {
    let rig = rig(|options| options.private_network = true).await;
    assert!(rig.arm("GET", "", None).await.body["properties"]["network"]["delegatedSubnetResourceId"].is_string());
    rig.allow("all", "0.0.0.0").await;
    let created = rig.create_project(json!({ "name": "shop", "region_id": "aws-eu-west-2" })).await;
    for address in LONDON {
        rig.allow("neon", address).await;
    }
    let target = rig.target(&created).await.unwrap();
    target.batch_execute("create extension dblink").await.unwrap();
    assert!(target.query_one(&format!("select dblink_connect('{}')", conninfo(&rig)), &[]).await.is_err());
    assert!(rig.source().await.is_ok(), "the operator sits inside");
    rig.stop().await;
}
