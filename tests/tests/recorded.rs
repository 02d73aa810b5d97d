//! `--record` writes down what goes over the wire, without anything that is private, and what it wrote can be replayed.

use std::path::Path;
use std::time::Duration;

use azure2neon_azure::{AzureCloud, Credential, Environment};
use azure2neon_core::cloud::{InboundRule, LostPassword, ProjectSpec, SourceCloud, TargetCloud, TargetDatabase, TargetSettings};
use azure2neon_exchange::replay::{Plain, Replay, Tls, exchanges};
use azure2neon_exchange::{Cloud, Recorder, Recording};
use azure2neon_local_cloud::Fault;
use azure2neon_neon::NeonCloud;
use azure2neon_tests::Rig;
use regex::Regex;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

/// Longer than any answer takes here.
const ANSWER: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_is_recorded_without_what_is_private() {
    let rig = Rig::small(|_| {}).await;
    let folder = tempfile::tempdir().unwrap();
    let into = folder.path().join("recording");
    rig.run(&["migrate", "--cut-over", "--yes", "--record", into.to_str().unwrap()]).await.expect_success();

    let env_file = std::fs::read_to_string(rig.env_file()).unwrap();
    let url = reqwest::Url::parse(env_file.split_once('=').unwrap().1.trim().trim_matches('\'')).unwrap();
    let host = url.host_str().unwrap();
    let mut private = private(&rig);
    private.extend([url.username(), url.password().unwrap(), host, host.split('.').next().unwrap()].map(str::to_owned));
    let files = read(&into);
    expect_nothing_private(&files, &private);
    for call in ["azure/01-post-token", "-patch-configurations-wal-level", "-post-restart", "-put-firewall-rules", "neon/01-get-auth"] {
        assert!(
            files.iter().any(|(file, _)| file.contains(call)),
            "no {call} in {:?}",
            files.iter().map(|(file, _)| file).collect::<Vec<_>>()
        );
    }
    // A second recording would begin its pseudonyms anew.
    let again = ["plan", "--run-dir", "elsewhere", "--record", into.to_str().unwrap()];
    rig.run(&again).await.expect_failure(2, &["holds a recording already"]);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_replays_to_the_same_results() {
    let rig = Rig::small(|options| {
        options.other_servers = vec!["another-one".to_owned()];
        options.page_size = Some(1);
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let recording = Recording::begin(folder.path(), |error| panic!("{error}")).unwrap();
    let endpoints = rig.endpoints();
    let at = |pointer: &str| endpoints.pointer(pointer).and_then(Value::as_str).unwrap();
    let trust = || azure2neon_postgres::tls::client_config(Some(Path::new(at("/ca_file")))).unwrap();
    let tenant = at("/login/tenant").to_owned();
    rig.cloud.inject("GET", "/databases", 1, Fault::LoseAnswer);
    let azure = azure_calls(
        AzureCloud::new(azure2neon_azure::Settings {
            environment: Environment::Public,
            endpoint: Some(at("/arm/http").parse().unwrap()),
            scope: None,
            authority: Some(at("/login/https").to_owned()),
            subscription: None,
            resource_group: None,
            server: at("/server").to_owned(),
            credential: principal(&tenant, at("/login/client_id"), at("/login/client_secret")),
            tls: trust(),
            answer_timeout: ANSWER,
            waits: Default::default(),
            recorder: Some(recording.of(Cloud::Azure)),
        })
        .unwrap(),
        &str::to_owned,
    )
    .await;
    let neon = neon_calls(neon_cloud(at("/neon/http"), at("/neon/key"), Some(recording.of(Cloud::Neon))), &str::to_owned).await;
    expect_nothing_private(&read(folder.path()), &private(&rig));
    let server = at("/server").to_owned();
    rig.stop().await;

    let pseudonym = |original: &str| recording.pseudonym(original).unwrap_or_else(|| original.to_owned());
    assert_ne!(pseudonym(&server), server);
    let scenario = |cloud: &str| folder.path().join(cloud).to_str().unwrap().to_owned();
    assert!(exchanges(&scenario("azure")).iter().any(|(_, exchange)| exchange.response.lost), "the lost answer");

    let (tls, trust) = Tls::fresh();
    let replay = Replay::start(tls, &[&scenario("azure")]).await;
    let again = azure_calls(
        AzureCloud::new(azure2neon_azure::Settings {
            environment: Environment::Public,
            endpoint: Some(replay.origin.parse().unwrap()),
            scope: None,
            authority: Some(replay.origin.clone()),
            subscription: None,
            resource_group: None,
            server: pseudonym(&server),
            credential: principal(&pseudonym(&tenant), "any-client", "any-secret"),
            tls: trust,
            answer_timeout: ANSWER,
            waits: Default::default(),
            recorder: None,
        })
        .unwrap(),
        &pseudonym,
    )
    .await;
    replay.finish();
    assert_eq!(again, replaced(azure, &pseudonym));

    let replay = Replay::start(Plain, &[&scenario("neon")]).await;
    let again = neon_calls(neon_cloud(&format!("{}/api/v2", replay.origin), "any-key", None), &pseudonym).await;
    replay.finish();
    assert_eq!(again, replaced(neon, &pseudonym));
}

fn principal(tenant: &str, client: &str, secret: &str) -> Credential {
    Credential::ServicePrincipal { tenant: tenant.to_owned(), client_id: client.to_owned(), secret: SecretString::from(secret) }
}

fn neon_cloud(endpoint: &str, key: &str, recorder: Option<Recorder>) -> NeonCloud {
    NeonCloud::new(azure2neon_neon::Settings {
        endpoint: endpoint.parse().unwrap(),
        api_key: SecretString::from(key),
        org_id: None,
        egress_override: None,
        tls: azure2neon_postgres::tls::client_config(None).unwrap(),
        answer_timeout: ANSWER,
        waits: Default::default(),
        recorder,
    })
    .unwrap()
}

/// What a run asks of Azure, and what comes of it; `name` says what names are given.
async fn azure_calls(cloud: AzureCloud, name: &dyn Fn(&str) -> String) -> Value {
    let server = cloud.describe().await.unwrap();
    let databases = cloud.databases().await.unwrap();
    let before = cloud.parameters(&["wal_level", "max_wal_senders", "max_slot_wal_keep_size"]).await.unwrap();
    let unknown = cloud.set_parameter("no_such_thing", "1").await.unwrap_err().kind();
    cloud.set_parameter("wal_level", "logical").await.unwrap();
    cloud.restart().await.unwrap();
    let after = cloud.parameters(&["wal_level"]).await.unwrap();
    let rule = InboundRule { name: name("kestrel-office"), start: name("203.0.113.7"), end: name("203.0.113.7") };
    cloud.allow_inbound(&rule).await.unwrap();
    let rules = cloud.inbound_rules().await.unwrap();
    cloud.revoke_inbound(&rule.name).await.unwrap();
    cloud.revoke_inbound(&rule.name).await.unwrap();
    json!([server, databases, before, format!("{unknown:?}"), after, rules])
}

/// What a run asks of Neon, and what comes of it; `name` says what names are given.
async fn neon_calls(cloud: NeonCloud, name: &dyn Fn(&str) -> String) -> Value {
    let spec = ProjectSpec {
        name: name("kestrel-ledger"),
        region: "aws-eu-west-2".to_owned(),
        major: 17,
        database: name("kestrel_books"),
        role: name("kestrel_accountant"),
        settings: TargetSettings { compute: None, suspend_seconds: Some(-1), history_seconds: Some(0) },
        publishes: true,
    };
    let identity = cloud.identity().await.unwrap();
    let before = cloud.find(&spec.name).await.unwrap();
    let created = cloud.create(&spec).await.unwrap();
    let found = cloud.find(&spec.name).await.unwrap();
    let another = TargetDatabase { name: name("kestrel_archive"), owner: name("kestrel_archivist") };
    cloud.create_database(&created, &another).await.unwrap();
    let databases = cloud.databases(&created).await.unwrap();
    let wanted = TargetSettings { suspend_seconds: Some(3600), ..TargetSettings::default() };
    cloud.change_settings(&created, &wanted).await.unwrap();
    let settings = cloud.settings(&created).await.unwrap();
    let owned_by = |owner: &str| TargetDatabase { name: spec.database.clone(), owner: owner.to_owned() };
    let connection = cloud.connection(&created, &owned_by(&spec.role), LostPassword::Fail).await.unwrap();
    let unknown = cloud.connection(&created, &owned_by(&name("nobody")), LostPassword::Fail).await.err().unwrap().kind();
    cloud.delete_database(&created, &another.name).await.unwrap();
    cloud.delete_role(&created, &another.owner).await.unwrap();
    cloud.delete(&created).await.unwrap();
    cloud.delete(&created).await.unwrap();
    let reach = [&connection.host, &connection.database, &connection.user, connection.password.expose_secret()];
    json!([identity, before, created, found, databases, settings, reach, format!("{unknown:?}")])
}

/// The results with every name in them replaced as in the recording.
fn replaced(value: Value, pseudonym: &dyn Fn(&str) -> String) -> Value {
    match value {
        Value::String(text) => {
            let words = |text: &str| text.split(' ').map(pseudonym).collect::<Vec<_>>().join(" ");
            Value::String(text.split('/').map(words).collect::<Vec<_>>().join("/"))
        }
        Value::Array(all) => all.into_iter().map(|one| replaced(one, pseudonym)).collect(),
        Value::Object(fields) => fields.into_iter().map(|(field, value)| (field, replaced(value, pseudonym))).collect(),
        other => other,
    }
}

/// Every file of a recording, with its text.
fn read(folder: &Path) -> Vec<(String, String)> {
    let mut files = Vec::new();
    for cloud in ["azure", "neon"] {
        for entry in std::fs::read_dir(folder.join(cloud)).unwrap() {
            let path = entry.unwrap().path();
            files.push((format!("{cloud}/{}", path.file_name().unwrap().to_str().unwrap()), std::fs::read_to_string(path).unwrap()));
        }
    }
    files
}

/// Everything private that the clouds know: secrets, ids, names, hosts, addresses, paths.
fn private(rig: &Rig) -> Vec<String> {
    let mut all: Vec<String> = rig.secrets().into_values().collect();
    all.extend(rig.cloud.issued_arm_tokens());
    let endpoints = rig.endpoints();
    for pointer in
        ["/arm/token", "/neon/organization", "/subscription", "/resource_group", "/server", "/database", "/source/user", "/source/host"]
    {
        all.push(endpoints.pointer(pointer).and_then(Value::as_str).unwrap().to_owned());
    }
    all.push(rig.cloud.data_folder().display().to_string());
    all.extend(["kestrel", "another-one"].map(str::to_owned));
    assert!(all.iter().all(|one| one.len() > 3), "{all:?}");
    all
}

#[track_caller]
fn expect_nothing_private(files: &[(String, String)], private: &[String]) {
    let uuid = Regex::new("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}").unwrap();
    let address = Regex::new(r"\b[0-9]{1,3}(\.[0-9]{1,3}){3}\b").unwrap();
    let signature = Regex::new(r"[?&][tcsh]=[^*&]").unwrap();
    for (file, text) in files {
        for one in private {
            assert!(!text.to_lowercase().contains(&one.to_lowercase()), "{one} shows in {file}");
        }
        for found in uuid.find_iter(text) {
            assert!(found.as_str().starts_with("00000000-0000-4000-8000-"), "{} shows in {file}", found.as_str());
        }
        for found in address.find_iter(text) {
            assert!(
                ["192.0.2.", "198.51.100."].iter().any(|range| found.as_str().starts_with(range)),
                "{} shows in {file}",
                found.as_str()
            );
        }
        assert!(!signature.is_match(text), "a signature shows in {file}");
        assert!(!text.to_lowercase().contains("authorization\"") && !text.contains("Bearer "), "a token's header shows in {file}");
    }
}
