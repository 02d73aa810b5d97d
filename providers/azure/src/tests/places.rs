//! Places of a hand-over, against the services' documented answers.

use azure2neon_core::handover::{Connection, Keepsakes, Place};
use azure2neon_core::settings::{AzureApp, Destination};
use azure2neon_postgres::Endpoint;

use super::*;

const PAUSE: Duration = Duration::from_secs(5);

/// The place, in a replay of the scenario, and a folder for its keepsakes.
async fn stage(scenario: &str, destination: impl Fn(&str) -> Destination) -> (Replay, Arc<dyn Place>, Connection, tempfile::TempDir) {
    let mut tls = None;
    let (replay, cloud) = replay_in(
        &[scenario],
        |settings| {
            // Of a ready token nobody knows whether it is good for vaults.
            if scenario.starts_with("key-vault") {
                settings.credential = principal();
            }
            tls = Some(settings.tls.clone());
        },
        |_, _| (),
    )
    .await;
    let folder = tempfile::tempdir().unwrap();
    let place = Arc::new(cloud).place(&destination(&replay.origin), &Keepsakes::of_run(folder.path())).unwrap();
    let endpoint = Endpoint {
        host: "ep-x.neon.tech".into(),
        address: None,
        port: 5432,
        database: "shop".into(),
        user: "shop_owner".into(),
        password: SecretString::from("fixture-new"),
        tls: Arc::new(tls.unwrap()),
        application_name: String::new(),
    };
    (replay, place, Connection::new("run1", endpoint), folder)
}

fn key_vault(origin: &str) -> Destination {
    Destination::KeyVault { vault: origin.to_owned(), secret: "database-url".into() }
}

fn app(name: &str) -> AzureApp {
    AzureApp { name: name.into(), resource_group: None, subscription: None }
}

fn app_service(_origin: &str) -> Destination {
    Destination::AppService { app: app("shop-web"), slot: None, setting: "DATABASE_URL".into() }
}

fn container_app(_origin: &str) -> Destination {
    Destination::ContainerApp { app: app("shop-worker"), secret: "database-url".into() }
}

/// There and back again. What the journal gets to see holds no secret.
async fn there_and_back(place: &dyn Place, to: &Connection, checks: bool) {
    if checks {
        place.check(PAUSE).await.unwrap();
    }
    let before = place.before(to).await.unwrap();
    assert!(!before.to_string().contains("fixture"));
    place.point(to).await.unwrap();
    place.verify(to).await.unwrap();
    place.restore(&before, to).await.unwrap();
    place.forget(&before).await.unwrap();
}

#[tokio::test]
async fn a_secret_of_a_vault_gets_a_new_version_and_the_old_value_again() {
    let (replay, place, to, folder) = stage("key-vault", key_vault).await;
    there_and_back(&*place, &to, false).await;
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    replay.finish();
}

#[tokio::test]
async fn what_a_vault_keeps_is_remembered_by_its_version_only() {
    let (_replay, place, to, folder) = stage("key-vault", key_vault).await;
    place.before(&to).await.unwrap();
    let file = std::fs::read_dir(folder.path().join("before")).unwrap().next().unwrap().unwrap().path();
    let kept = std::fs::read_to_string(file).unwrap();
    assert_eq!(kept, "https://kv-shop.vault.azure.net/secrets/database-url/4387e9f3d6e14c459867679a90fd0f79");
}

#[tokio::test]
async fn a_lost_answer_is_no_lost_write_and_no_second_one() {
    let (replay, place, to, _folder) = stage("key-vault-lost", key_vault).await;
    place.point(&to).await.unwrap();
    replay.finish();
}

#[tokio::test]
async fn what_nobody_knows_is_told_as_such_with_how_to_look() {
    let (replay, place, to, _folder) = stage("key-vault-unknown", key_vault).await;
    let error = place.point(&to).await.unwrap_err();
    assert!(error.message().starts_with("it is not known whether the secret database-url of the key vault"), "{error}");
    assert!(error.remedy().unwrap().contains("az keyvault secret show"), "{:?}", error.remedy());
    replay.finish();
}

#[tokio::test]
async fn a_secret_that_is_not_there_is_told() {
    let missing = |origin: &str| Destination::KeyVault { vault: origin.to_owned(), secret: "no-such-secret".into() };
    let (replay, place, _, _folder) = stage("key-vault-missing", missing).await;
    let error = place.check(PAUSE).await.unwrap_err();
    assert!(error.kind() == ErrorKind::NotFound && error.message().contains("no-such-secret"), "{error}");
    replay.finish();
}

#[tokio::test]
async fn a_setting_of_an_app_is_written_among_the_others() {
    let (replay, place, to, _folder) = stage("app-service", app_service).await;
    there_and_back(&*place, &to, true).await;
    replay.finish();
}

#[tokio::test]
async fn a_setting_that_refers_to_a_vault_is_left_alone() {
    let (replay, place, _, _folder) = stage("app-service-reference", app_service).await;
    let error = place.check(PAUSE).await.unwrap_err();
    assert!(error.kind() == ErrorKind::Configuration && error.remedy().unwrap().contains("key-vault"), "{error}");
    replay.finish();
}

#[tokio::test]
async fn a_secret_of_a_container_app_is_written_among_the_others_and_its_active_revision_restarted() {
    let (replay, place, to, _folder) = stage("container-app", container_app).await;
    there_and_back(&*place, &to, true).await;
    replay.finish();
}

#[tokio::test]
async fn names_that_would_leave_their_path_are_refused() {
    let (_replay, cloud) = named(&[]).await;
    let cloud = Arc::new(cloud);
    let folder = tempfile::tempdir().unwrap();
    let vault = |vault: &str, secret: &str| Destination::KeyVault { vault: vault.into(), secret: secret.into() };
    let app = AzureApp { name: "../x".into(), resource_group: None, subscription: None };
    for bad in [
        vault("kv/../x", "a"),
        vault("kv.evil.example/", "a"),
        vault("https://kv.vault.azure.net/secrets", "a"),
        vault("kv", "../a"),
        Destination::ContainerApp { app: app.clone(), secret: "a".into() },
        Destination::AppService { app, slot: None, setting: "A".into() },
    ] {
        let error = cloud.place(&bad, &Keepsakes::of_run(folder.path())).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
    }
}
