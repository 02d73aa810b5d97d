//! The trait against replayed ARM and Entra ID, both behind TLS with a certificate of the test's own.

#[path = "../../logged.rs"]
mod logged;

mod credentials;
mod faults;
mod places;
mod secrets;
mod settings;

use std::sync::Arc;
use std::time::Duration;

use azure2neon_core::ErrorKind;
use azure2neon_core::cloud::{CloudAct, InboundRule, SourceCloud, Storage};
use azure2neon_exchange::replay::{Replay, Tls};
use secrecy::SecretString;

use azure2neon_core::patience::Growth;

use crate::cloud::World;
use crate::pace::Pace;
use crate::{AzureCloud, Credential, CredentialKind, Environment, Settings};

const SUBSCRIPTION: &str = "11111111-2222-3333-4444-555555555555";

/// Both ends of TLS that trust one fresh certificate.
fn tls() -> (Tls, rustls::ClientConfig) {
    logged::Logged::start();
    let _ = rustls::crypto::ring::default_provider().install_default();
    Tls::fresh()
}

fn fast() -> Pace {
    let ms = Duration::from_millis;
    Pace {
        waits: Default::default(),
        poll: Growth { first: ms(2), factor: 1.5, most: ms(10) },
        retry: Growth { first: ms(2), factor: 1.5, most: ms(10) },
        retry_after_most: ms(20),
        operation: ms(3000),
        busy: ms(3000),
        silence: ms(1000),
        restart_grace: ms(150),
    }
}

fn principal() -> Credential {
    Credential::ServicePrincipal {
        tenant: "contoso.example".to_owned(),
        client_id: "app-1".to_owned(),
        secret: SecretString::from("fixture-client-secret"),
    }
}

/// The settings that lead to a server at `origin`.
fn settings(origin: &str, tls: rustls::ClientConfig) -> Settings {
    Settings {
        environment: Environment::Public,
        endpoint: Some(origin.parse().unwrap()),
        scope: None,
        authority: Some(origin.to_owned()),
        subscription: Some(SUBSCRIPTION.to_owned()),
        resource_group: Some("rg-shop".to_owned()),
        server: "shop-prod".to_owned(),
        credential: Credential::Token(SecretString::from("fixture-token-0")),
        tls,
        answer_timeout: Duration::from_secs(20),
        waits: Default::default(),
        recorder: None,
    }
}

/// A replay and the server in it; `change` alters the settings.
async fn replay(scenarios: &[&str], change: impl FnOnce(&mut Settings)) -> (Replay, AzureCloud) {
    replay_in(scenarios, change, |_, _| ()).await
}

/// The same, and `arrange` alters the world for those settings.
async fn replay_in(
    scenarios: &[&str],
    change: impl FnOnce(&mut Settings),
    arrange: impl FnOnce(&mut World, &Settings),
) -> (Replay, AzureCloud) {
    let (acceptor, client) = tls();
    let paths: Vec<String> = scenarios.iter().map(|scenario| format!("azure/{scenario}")).collect();
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let replay = Replay::start(acceptor, &paths).await;
    let mut settings = settings(&replay.origin, client);
    change(&mut settings);
    let http = azure2neon_exchange::client(settings.tls.clone(), settings.answer_timeout).build().unwrap();
    let mut world = World { pace: fast(), http, executor: azure_identity::new_executor() };
    arrange(&mut world, &settings);
    let cloud = AzureCloud::in_world(settings, world).unwrap();
    (replay, cloud)
}

async fn named(scenarios: &[&str]) -> (Replay, AzureCloud) {
    replay(scenarios, |_| ()).await
}

#[tokio::test]
async fn describe_reads_the_server() {
    let (replay, cloud) = named(&["describe"]).await;
    let server = cloud.describe().await.unwrap();
    assert_eq!((server.name.as_str(), server.region.as_str(), server.major), ("shop-prod", "uksouth", 16));
    assert_eq!((server.host.as_str(), server.admin_login.as_str()), ("shop-prod.postgres.database.azure.com", "shopadmin"));
    assert!(server.ready && server.id.ends_with("/flexibleServers/shop-prod"));
    assert_eq!((server.unreachable_because, server.unsupported_because), (None, None));
    assert_eq!((server.resource_group.as_str(), server.password_login, server.token_login), ("rg-shop", true, false));
    assert_eq!((server.storage, server.high_availability), (Some(Storage { bytes: 128 << 30, grows: true }), false));
    replay.finish();
}

#[tokio::test]
async fn what_the_credential_may_not_do_is_asked() {
    let (replay, cloud) = named(&["permissions"]).await;
    let restart = "Microsoft.DBforPostgreSQL/flexibleServers/restart/action".to_owned();
    assert_eq!(cloud.forbidden().await.unwrap(), [(CloudAct::Restart, restart)]);
    replay.finish();
}

#[tokio::test]
async fn what_may_hurt_a_migration_is_read() {
    let read = async |scenario| {
        let (replay, cloud) = named(&[scenario]).await;
        let server = cloud.describe().await.unwrap();
        replay.finish();
        server
    };
    assert!(read("describe-high-availability").await.high_availability);
    let small = read("describe-small").await;
    assert_eq!((small.burstable, small.storage), (true, Some(Storage { bytes: 32 << 30, grows: false })));
    let entra = read("describe-entra-only").await;
    assert_eq!((entra.password_login, entra.token_login), (false, true));
    assert!(read("describe-private-endpoint").await.unreachable_because.unwrap().contains("only its 1 private endpoint"));
}

#[tokio::test]
async fn unknown_fields_and_values_do_no_harm() {
    let (replay, cloud) = named(&["describe-unknown-values"]).await;
    let server = cloud.describe().await.unwrap();
    assert_eq!((server.state.as_str(), server.ready, server.major), ("Rebalancing", false, 19));
    assert_eq!((server.unsupported_because, server.storage, server.high_availability), (None, None, true));
    replay.finish();
}

#[tokio::test]
async fn a_host_name_is_found_over_all_subscriptions_and_pages() {
    let (replay, cloud) = replay(&["find-in-all"], |settings| {
        settings.subscription = None;
        settings.resource_group = None;
        settings.server = "Shop-Prod.postgres.database.azure.com".to_owned();
    })
    .await;
    assert_eq!(cloud.describe().await.unwrap().name, "shop-prod");
    replay.finish();
}

#[tokio::test]
async fn a_virtual_endpoint_is_told_from_a_server() {
    let (_replay, cloud) = replay(&["find-in-all"], |settings| {
        settings.subscription = None;
        settings.resource_group = None;
        settings.server = "shop-prod.writer.postgres.database.azure.com".to_owned();
    })
    .await;
    let error = cloud.describe().await.unwrap_err();
    assert!(error.message().contains("virtual endpoint") && error.remedy().unwrap().contains("shop-prod"), "{error:?}");
}

#[tokio::test]
async fn several_servers_of_one_name_are_all_told() {
    let (replay, cloud) = replay(&["find-several"], |settings| settings.resource_group = None).await;
    let error = cloud.describe().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.message().contains("rg-shop") && error.message().contains("rg-copy"), "{error}");
    replay.finish();
}

#[tokio::test]
async fn a_missing_server_is_told_with_its_neighbours() {
    let (replay, cloud) = named(&["missing"]).await;
    let error = cloud.describe().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.message().contains("shop-prod in resource group rg-shop"), "{error}");
    assert_eq!(error.remedy(), Some("it has shop-prd, billing"));
    replay.finish();
}

#[tokio::test]
async fn lists_are_read_over_all_pages() {
    let (replay, cloud) = named(&["databases", "parameters", "inbound-rules"]).await;
    assert_eq!(cloud.databases().await.unwrap(), ["azure_maintenance", "postgres", "azure_sys", "shop"]);
    let parameters = cloud.parameters(&["wal_level", "wal_sender_timeout", "no_such_thing"]).await.unwrap();
    let names: Vec<&str> = parameters.iter().map(|parameter| parameter.name.as_str()).collect();
    assert_eq!(names, ["wal_level", "wal_sender_timeout"]);
    assert_eq!((parameters[0].value.as_str(), parameters[0].dynamic, parameters[1].dynamic), ("replica", false, true));
    let rules = cloud.inbound_rules().await.unwrap();
    assert_eq!(rules, [InboundRule { name: "office".into(), start: "203.0.113.7".into(), end: "203.0.113.9".into() }]);
    replay.finish();
}

#[tokio::test]
async fn a_parameter_is_set_when_its_operation_has_succeeded() {
    let (replay, cloud) = named(&["set-parameter"]).await;
    cloud.set_parameter("wal_level", "logical").await.unwrap();
    replay.finish();
}

#[tokio::test]
async fn a_restart_ends_when_its_result_is_there() {
    let (replay, cloud) = named(&["restart"]).await;
    cloud.restart().await.unwrap();
    replay.finish();
}

#[tokio::test]
async fn rules_come_and_go_and_may_be_gone_already() {
    let (replay, cloud) = named(&["inbound"]).await;
    let rule = InboundRule { name: "azure2neon_r1-1".into(), start: "203.0.113.7".into(), end: "203.0.113.7".into() };
    cloud.allow_inbound(&rule).await.unwrap();
    for _ in 0..3 {
        cloud.revoke_inbound(&rule.name).await.unwrap();
    }
    replay.finish();
}
