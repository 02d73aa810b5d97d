//! The trait against a replayed API.

#[path = "../../logged.rs"]
mod logged;

mod existing;
mod faults;
mod secrets;

use std::time::Duration;

use azure2neon_core::ErrorKind;
use azure2neon_core::cloud::{EgressAddresses, LostPassword, ProjectSpec, TargetCloud, TargetDatabase, TargetProject, TargetSettings};
use azure2neon_exchange::replay::{Plain, Replay};
use secrecy::{ExposeSecret, SecretString};

use azure2neon_core::patience::Growth;

use crate::pace::Pace;
use crate::{NeonCloud, Settings};

fn fast() -> Pace {
    let ms = Duration::from_millis;
    Pace {
        waits: Default::default(),
        poll: Growth { first: ms(2), factor: 1.5, most: ms(10) },
        retry: Growth { first: ms(2), factor: 1.5, most: ms(10) },
        retry_after_most: ms(20),
        operation: ms(3000),
        failed_grace: ms(50),
        locked: ms(1000),
        silence: ms(1000),
    }
}

fn settings(origin: &str) -> Settings {
    logged::Logged::start();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let tls = rustls::ClientConfig::builder().with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth();
    Settings {
        endpoint: format!("{origin}/api/v2").parse().unwrap(),
        api_key: SecretString::from("napi_fixture_key"),
        org_id: None,
        egress_override: None,
        tls,
        answer_timeout: Duration::from_secs(20),
        waits: Default::default(),
        recorder: None,
    }
}

async fn replay(scenarios: &[&str]) -> (Replay, NeonCloud) {
    let paths: Vec<String> = scenarios.iter().map(|scenario| format!("neon/{scenario}")).collect();
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let replay = Replay::start(Plain, &paths).await;
    let cloud = NeonCloud::with_pace(settings(&replay.origin), fast()).unwrap();
    (replay, cloud)
}

fn shop() -> TargetProject {
    TargetProject {
        id: "quiet-river-11112222".to_owned(),
        name: "shop".to_owned(),
        region: "aws-eu-west-2".to_owned(),
        major: 16,
        branch: "br-calm-sun-a1b2c3d4".to_owned(),
        endpoint: "ep-still-moon-a9b8c7d6".to_owned(),
        created: "2026-10-05T10:11:12Z".parse().ok(),
        publishes: Some(false),
    }
}

fn spec() -> ProjectSpec {
    ProjectSpec {
        name: "shop".to_owned(),
        region: "aws-eu-west-2".to_owned(),
        major: 16,
        database: "shop".to_owned(),
        role: "shop_owner".to_owned(),
        settings: TargetSettings { compute: "1-8".parse().ok(), suspend_seconds: Some(-1), history_seconds: Some(0) },
        publishes: false,
    }
}

fn shop_database() -> TargetDatabase {
    TargetDatabase { name: "shop".to_owned(), owner: "shop_owner".to_owned() }
}

fn egress(address: &str) -> EgressAddresses {
    EgressAddresses { addresses: vec![address.to_owned()], provenance: "given".to_owned() }
}

fn billing() -> TargetDatabase {
    TargetDatabase { name: "billing".to_owned(), owner: "billing_owner".to_owned() }
}

#[tokio::test]
async fn identity_says_whose_key_it_is() {
    for (scenario, who) in [("identity-org", "organisation org-quiet-1"), ("identity-user", "user user-1")] {
        let (replay, cloud) = replay(&[scenario]).await;
        assert_eq!(cloud.identity().await.unwrap(), who);
        replay.finish();
    }
}

#[tokio::test]
async fn what_the_plan_allows_is_asked_of_whoever_knows_it() {
    let (replay, cloud) = replay(&["limits-user"]).await;
    let limits = cloud.limits(None).await.unwrap();
    assert_eq!((limits.projects, limits.branch_bytes, limits.compute), (Some((2, 1)), Some(512 << 20), Some(2.0)));
    assert!(limits.suspends && limits.history_seconds == Some(21_600));
    replay.finish();
    let (replay, cloud) = self::replay(&["limits-org"]).await;
    let limits = cloud.limits(None).await.unwrap();
    assert_eq!((limits.plan.as_deref(), limits.projects, limits.branch_bytes), (Some("launch_v3"), None, None));
    assert!(!limits.suspends && limits.compute == Some(16.0));
    replay.finish();
    let (replay, cloud) = self::replay(&["limits-project"]).await;
    assert_eq!(cloud.limits(Some(&shop())).await.unwrap().branch_bytes, Some(512 << 20));
    replay.finish();
}

#[tokio::test]
async fn a_project_is_found_by_its_exact_name_over_all_pages() {
    let (replay, cloud) = replay(&["find"]).await;
    assert_eq!(cloud.find("shop").await.unwrap(), Some(shop()));
    replay.finish();
}

#[tokio::test]
async fn no_project_is_none_and_several_are_an_error() {
    let (replay, cloud) = super::tests::replay(&["find-none"]).await;
    assert_eq!(cloud.find("shop").await.unwrap(), None);
    replay.finish();
    let (replay, cloud) = super::tests::replay(&["find-several"]).await;
    let error = cloud.find("shop").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.message().contains("quiet-river-11112222, p-2"), "{error}");
    replay.finish();
}

#[tokio::test]
async fn create_waits_for_all_operations() {
    let (replay, cloud) = replay(&["create"]).await;
    assert_eq!(cloud.create(&spec()).await.unwrap(), shop());
    replay.finish();
}

#[tokio::test]
async fn a_project_that_others_subscribe_to_is_so_from_its_creation() {
    let (replay, cloud) = replay(&["create-way-back"]).await;
    let created = cloud.create(&ProjectSpec { publishes: true, ..spec() }).await.unwrap();
    assert_eq!(created, TargetProject { publishes: Some(true), ..shop() });
    replay.finish();
}

#[tokio::test]
async fn create_does_without_what_the_plan_refuses() {
    let (replay, cloud) = replay(&["create-plan"]).await;
    assert_eq!(cloud.create(&spec()).await.unwrap(), shop());
    replay.finish();
}

#[tokio::test]
async fn the_only_organisation_of_a_person_is_taken() {
    let (replay, cloud) = replay(&["create-org"]).await;
    assert_eq!(cloud.create(&spec()).await.unwrap(), shop());
    replay.finish();
}

#[tokio::test]
async fn databases_are_listed_with_their_owners() {
    let (replay, cloud) = replay(&["databases"]).await;
    let all = cloud.databases(&shop()).await.unwrap();
    assert_eq!(all[0], shop_database());
    assert_eq!(all.len(), 2);
    replay.finish();
}

#[tokio::test]
async fn a_database_is_created_after_its_owner() {
    let (replay, cloud) = replay(&["create-database"]).await;
    cloud.create_database(&shop(), &billing()).await.unwrap();
    replay.finish();
}

#[tokio::test]
async fn unknown_fields_and_values_do_no_harm() {
    let (replay, cloud) = replay(&["unknown-values"]).await;
    let wanted = TargetSettings { suspend_seconds: Some(-1), ..TargetSettings::default() };
    cloud.change_settings(&shop(), &wanted).await.unwrap();
    replay.finish();
}

#[tokio::test]
async fn the_connection_goes_to_the_compute_itself() {
    for (scenario, password) in
        [("connection", "npg_fixture/password"), ("connection-pooled", "npg_fixture/password"), ("connection-reset", "npg_fixturepassword")]
    {
        let (replay, cloud) = replay(&[scenario]).await;
        let connection = cloud.connection(&shop(), &shop_database(), LostPassword::Replace).await.unwrap();
        assert_eq!(connection.host, "ep-still-moon-a9b8c7d6.c-2.eu-west-2.aws.neon.tech");
        assert_eq!((connection.port, connection.database.as_str(), connection.user.as_str()), (5432, "shop", "shop_owner"));
        assert_eq!(connection.password.expose_secret(), password);
        replay.finish();
    }
}

#[tokio::test]
async fn delete_may_find_nothing() {
    let (replay, cloud) = replay(&["delete"]).await;
    cloud.delete(&shop()).await.unwrap();
    cloud.delete(&shop()).await.unwrap();
    replay.finish();
}

#[tokio::test]
async fn given_addresses_replace_the_table() {
    let mut given = settings("http://localhost:9");
    given.egress_override = Some(egress("203.0.113.9"));
    let cloud = NeonCloud::new(given).unwrap();
    assert_eq!(cloud.egress_addresses("aws-eu-west-2").unwrap().addresses, ["203.0.113.9"]);
    assert_eq!(cloud.region_for("uksouth").unwrap().0, "aws-eu-west-2");
    assert!(cloud.region_closed("azure-gwc").is_some());
    for address in ["0.0.0.0", "neon", "203.0.113.0/24"] {
        let mut bad = settings("http://localhost:9");
        bad.egress_override = Some(egress(address));
        assert_eq!(NeonCloud::new(bad).err().unwrap().kind(), ErrorKind::Configuration);
    }
}
