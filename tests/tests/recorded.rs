//! `--record` writes down what goes over the wire, without anything that is private, and what it wrote can be replayed.

use std::path::Path;

use azure2neon_azure::{AzureCloud, Credential};
use azure2neon_core::Result;
use azure2neon_core::cloud::{InboundRule, ProjectSpec, SourceCloud, TargetCloud, TargetDatabase};
use azure2neon_exchange::replay::{Plain, Replay, Tls};
use azure2neon_exchange::{Cloud, Recorder, Recording};
use azure2neon_local_cloud::Fault;
use azure2neon_neon::NeonCloud;
use azure2neon_tests::Rig;
use regex::Regex;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_is_recorded_without_what_is_private() {
    let rig = Rig::small(|_| {}).await;
    let folder = tempfile::tempdir().unwrap();
    let into = folder.path().join("recording");
    rig.run(&["migrate", "--cut-over", "--yes", "--record", into.to_str().unwrap()]).await.expect_success();

    let files = read(&into);
    for call in ["azure/01-post-token", "-patch-configurations-wal-level", "-post-restart", "-put-firewall-rules", "neon/01-get-auth"] {
        assert!(files.iter().any(|(file, _)| file.contains(call)), "{call}: {:?}", files.iter().map(|(file, _)| file).collect::<Vec<_>>());
    }
    let mut private = known_to(&rig);
    let env_file = std::fs::read_to_string(rig.env_file()).unwrap();
    let url = reqwest::Url::parse(env_file.split_once('=').unwrap().1.trim().trim_matches('\'')).unwrap();
    private.extend([url.username(), url.password().unwrap(), url.host_str().unwrap()].map(str::to_owned));
    private.push(url.host_str().unwrap().split('.').next().unwrap().to_owned());
    nothing_private(&files, &private);

    // A second recording would begin its pseudonyms anew.
    rig.run(&["plan", "--run-dir", "elsewhere", "--record", into.to_str().unwrap()]).await.expect_failure(2, &["holds a recording already"]);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_is_a_fixture() {
    let rig = Rig::small(|options| {
        options.other_servers = vec!["another-one".to_owned()];
        options.page_size = Some(1);
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let recording = Recording::begin(folder.path(), |error| panic!("{error}")).unwrap();
    let names = Names::of(|name| name.to_owned());
    rig.cloud.inject("GET", "/databases", 1, Fault::LoseAnswer);
    let azure = azure_calls(&live_azure(&rig, recording.of(Cloud::Azure)), &names).await;
    let neon = neon_calls(&live_neon(&rig, recording.of(Cloud::Neon)), &names).await;
    nothing_private(&read(folder.path()), &known_to(&rig));
    rig.stop().await;

    let pseudonym = |name: &str| recording.pseudonym(name).unwrap_or_else(|| name.to_owned());
    let names = Names::of(pseudonym);
    assert_ne!(names.server, Names::of(str::to_owned).server);

    let (tls, trust) = Tls::fresh();
    let replay = Replay::start(tls, &[folder.path().join("azure").to_str().unwrap()]).await;
    let principal = principal(&replay.origin, "a-tenant", "a-client", "a-secret");
    let settings = azure2neon_azure::Settings {
        endpoint: replay.origin.parse().unwrap(),
        scope: None,
        subscription: None,
        resource_group: None,
        server: names.server.clone(),
        credential: Credential::Token(SecretString::from("unused")),
        tls: trust,
        waits: Default::default(),
        recorder: None,
    };
    // The tenant is part of the path that the token was asked at.
    let tenant = pseudonym(&rig_tenant(folder.path()));
    let settings = azure2neon_azure::Settings { credential: principal(&tenant), ..settings };
    let again = azure_calls(&AzureCloud::new(settings).unwrap(), &names).await;
    assert_eq!(again, replaced(&azure, &pseudonym));
    replay.finish();

    let replay = Replay::start(Plain, &[folder.path().join("neon").to_str().unwrap()]).await;
    let settings = neon_settings(format!("{}/api/v2", replay.origin), "any-key", None, None);
    let again = neon_calls(&NeonCloud::new(settings).unwrap(), &names).await;
    assert_eq!(again, replaced(&neon, &pseudonym));
    replay.finish();
}
