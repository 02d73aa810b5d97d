//! Who is chosen, what each credential sends, and what a refusal says.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Output};
use std::sync::Mutex;

use async_trait::async_trait;
use azure_identity::Executor;
use secrecy::ExposeSecret;

use super::*;

fn choose(kind: CredentialKind, vars: &[(&str, &str)]) -> azure2neon_core::Result<Credential> {
    let vars: HashMap<String, String> = vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Credential::choose(kind, &|name| vars.get(name).cloned())
}

#[test]
fn the_environment_chooses_the_credential() {
    let auto = |vars| choose(CredentialKind::Auto, vars).unwrap().to_string();
    let principal = [("AZURE_CLIENT_ID", "app-1"), ("AZURE_TENANT_ID", "t"), ("AZURE_CLIENT_SECRET", "s")];
    assert_eq!(auto(&principal), "service principal app-1");
    let federated = [("AZURE_CLIENT_ID", "app-2"), ("AZURE_TENANT_ID", "t"), ("AZURE_FEDERATED_TOKEN_FILE", "/run/token")];
    assert_eq!(auto(&federated), "workload identity app-2");
    assert_eq!(auto(&[("AZURE_CLIENT_ID", "app-1")]), "the login of the Azure CLI");
    assert_eq!(auto(&[("AZURE_CLIENT_SECRET", " ")]), "the login of the Azure CLI");
    assert_eq!(auto(&[("AZURE_ACCESS_TOKEN", "t")]), "the login of the Azure CLI");
    let error = choose(CredentialKind::Auto, &[("AZURE_CLIENT_SECRET", "s"), ("AZURE_CLIENT_ID", "a")]).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.message().contains("AZURE_TENANT_ID"));
}

#[test]
fn a_credential_can_be_asked_for() {
    let all = [("AZURE_CLIENT_ID", "app"), ("AZURE_TENANT_ID", "t"), ("AZURE_CLIENT_SECRET", "s"), ("AZURE_ACCESS_TOKEN", "x")];
    for (text, chosen) in [
        ("auto", "service principal app"),
        ("managed-identity", "managed identity app"),
        ("azure-cli", "the login of the Azure CLI"),
        ("token", "the access token in AZURE_ACCESS_TOKEN"),
    ] {
        assert_eq!(choose(text.parse().unwrap(), &all).unwrap().to_string(), chosen);
    }
    assert_eq!(choose(CredentialKind::ManagedIdentity, &[]).unwrap().to_string(), "the managed identity of this machine");
    let error = choose("workload-identity".parse().unwrap(), &all).err().unwrap();
    assert!(error.message().contains("AZURE_FEDERATED_TOKEN_FILE"), "{error}");
    let error = "certificate".parse::<CredentialKind>().unwrap_err().to_string();
    assert!(error.contains("service-principal") && error.contains("azure-cli"), "{error}");
}

/// A workload identity whose token is changed under it.
pub(super) async fn as_workload_identity() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, "fixture-assertion-1\n").unwrap();
    let (replay, cloud) = replay(&["workload-identity"], |settings| {
        let (tenant, client_id, token_file) = ("contoso.example".into(), "app-1".into(), file.path().to_owned());
        settings.credential = Credential::WorkloadIdentity { tenant, client_id, token_file };
    })
    .await;
    cloud.describe().await.unwrap();
    std::fs::write(&file, "fixture-assertion-2\n").unwrap();
    cloud.describe().await.unwrap();
    replay.finish();
}

#[tokio::test]
async fn a_federated_token_is_read_again() {
    as_workload_identity().await;
}

#[tokio::test]
async fn a_federated_token_that_is_not_there_is_named() {
    let (_replay, cloud) = replay(&[], |settings| {
        let (tenant, client_id) = ("contoso.example".into(), "app-1".into());
        settings.credential = Credential::WorkloadIdentity { tenant, client_id, token_file: "/nowhere/token".into() };
    })
    .await;
    let error = cloud.describe().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Credentials);
    assert!(error.message().contains("/nowhere/token") && error.remedy().unwrap().contains("AZURE_FEDERATED_TOKEN_FILE"), "{error}");
}

/// With a proxy in the place of the machine's metadata service.
async fn managed(scenario: &str, client_id: Option<&str>) -> (Replay, AzureCloud) {
    let client_id = client_id.map(str::to_owned);
    let through_replay = |world: &mut World, settings: &Settings| {
        let proxy = reqwest::Proxy::http(settings.endpoint.as_ref().unwrap().as_str()).unwrap();
        world.http = azure2neon_exchange::client(settings.tls.clone(), settings.answer_timeout).proxy(proxy).build().unwrap();
    };
    replay_in(&[scenario], |settings| settings.credential = Credential::ManagedIdentity { client_id }, through_replay).await
}

#[tokio::test]
async fn a_managed_identity_is_asked_of_the_machine() {
    let (replay, cloud) = managed("managed-identity", Some("app-1")).await;
    cloud.describe().await.unwrap();
    replay.finish();
}

#[tokio::test]
async fn a_machine_without_an_identity_is_told() {
    let (replay, cloud) = managed("managed-identity-none", None).await;
    let error = cloud.describe().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Credentials);
    assert!(error.message().contains("has not been assigned") && error.remedy().unwrap().contains("AZURE_CLIENT_ID"), "{error}");
    replay.finish();
}

#[tokio::test]
async fn a_secret_that_is_wrong_or_expired_is_told_without_it() {
    for (scenario, code) in [("wrong-secret", "AADSTS7000215"), ("expired-secret", "AADSTS7000222")] {
        let (replay, cloud) = replay(&[scenario], |settings| settings.credential = principal()).await;
        let error = cloud.describe().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Credentials);
        assert!(error.message().contains(code), "{error}");
        assert!(error.remedy().unwrap().contains("AZURE_CLIENT_SECRET"));
        assert!(!format!("{error:?}").contains("fixture-client-secret"));
        replay.finish();
    }
}

#[tokio::test]
async fn a_database_token_is_kept_until_shortly_before_its_end() {
    let (replay, cloud) = replay(&["database-token"], |settings| settings.credential = principal()).await;
    // The first one has four minutes to live.
    for expected in ["fixture-database-token-1", "fixture-database-token-2", "fixture-database-token-2"] {
        assert_eq!(cloud.database_token().await.unwrap().expose_secret(), expected);
    }
    replay.finish();
}

#[tokio::test]
async fn a_ready_token_is_not_sent_to_the_database() {
    let (replay, cloud) = named(&[]).await;
    let error = cloud.database_token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Credentials);
    assert!(error.message().contains("ossrdbms-aad"), "{error}");
    replay.finish();
}

/// In the place of `az` and `azd`: what was run, and what `az` answers; `azd` is not there.
#[derive(Debug)]
struct Tools {
    ran: Mutex<Vec<String>>,
    az: (i32, &'static str, &'static str),
}

#[async_trait]
impl Executor for Tools {
    async fn run(&self, _shell: &OsStr, arguments: &[&OsStr]) -> std::io::Result<Output> {
        let command = arguments.last().unwrap().to_string_lossy().into_owned();
        let (code, stdout, stderr) = if command.contains("&& az ") { self.az } else { (127, "", "sh: azd: not found") };
        self.ran.lock().unwrap().push(command);
        Ok(Output { status: ExitStatus::from_raw(code << 8), stdout: stdout.into(), stderr: stderr.into() })
    }
}

async fn with_tools(scenarios: &[&str], kind: CredentialKind, az: (i32, &'static str, &'static str)) -> (Replay, AzureCloud, Arc<Tools>) {
    let tools = Arc::new(Tools { ran: Mutex::default(), az });
    let executor = tools.clone();
    let credential = choose(kind, &[]).unwrap();
    let (replay, cloud) = replay_in(scenarios, |settings| settings.credential = credential, |world, _| world.executor = executor).await;
    (replay, cloud, tools)
}

#[tokio::test]
async fn az_is_run_once_for_all() {
    let answer = r#"{"accessToken":"fixture-token-az","expires_on":4102444800,"tokenType":"Bearer"}"#;
    let (replay, cloud, tools) = with_tools(&["azure-cli"], CredentialKind::AzureCli, (0, answer, "")).await;
    let (one, other) = tokio::join!(cloud.describe(), cloud.describe());
    one.and(other).unwrap();
    cloud.describe().await.unwrap();
    replay.finish();
    let ran = tools.ran.lock().unwrap();
    assert_eq!(ran.len(), 1, "{ran:?}");
    assert!(ran[0].contains("--scope https://management.azure.com/.default") && ran[0].contains(SUBSCRIPTION), "{ran:?}");
}

#[tokio::test]
async fn what_was_tried_is_told_with_each_reason() {
    let refused = (1, "", "ERROR: Please run 'az login' to setup account.\n");
    let (_replay, cloud, tools) = with_tools(&[], CredentialKind::Auto, refused).await;
    let error = cloud.describe().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Credentials);
    for part in ["Please run 'az login'", "azd not found on PATH", "not tried", "AZURE_CLIENT_SECRET is not set", "managed identity"] {
        assert!(error.message().contains(part), "{part}: {error}");
    }
    assert!(!error.message().contains("aka.ms"), "{error}");
    assert_eq!(tools.ran.lock().unwrap().len(), 2);

    let (_replay, cloud, _) = with_tools(&[], CredentialKind::AzureCli, refused).await;
    let error = cloud.describe().await.unwrap_err();
    assert!(!error.message().contains("not tried"), "it was asked for: {error}");
}
