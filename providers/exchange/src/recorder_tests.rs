use std::os::unix::fs::PermissionsExt;

use super::*;

const SERVER: &str = "https://management.azure.com/subscriptions/5f0c7c1e-8f3a-4f65-9f0e-1a2b3c4d5e6f/resourceGroups/Shop/providers/Microsoft.DBforPostgreSQL/flexibleServers/shop-prod?api-version=2024-08-01";

fn quiet(folder: &Path) -> Recording {
    Recording::begin(folder, |error| panic!("{error}")).unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn exchanges_are_numbered_and_named_by_their_calls() {
    let folder = tempfile::tempdir().unwrap();
    let recording = quiet(folder.path());
    let (azure, neon) = (recording.of(Cloud::Azure), recording.of(Cloud::Neon));
    let note = |recorder: &Recorder, method: &str, url: &str| {
        let url: Url = url.parse().unwrap();
        recorder.note(&Sent { method, url: &url, headers: Vec::new(), body: &[] }, None);
    };
    note(&azure, "GET", SERVER);
    note(&azure, "PATCH", &SERVER.replace('?', "/configurations/wal_level?"));
    note(&neon, "GET", "https://console.neon.tech/api/v2/projects?search=shop");
    note(&neon, "GET", "https://console.neon.tech/api/v2/projects/quiet-river-1/operations/5f0c7c1e-8f3a-4f65-9f0e-1a2b3c4d5e6f");
    note(&azure, "POST", "https://login.microsoftonline.com/contoso.com/oauth2/v2.0/token");
    assert_eq!(
        names(&folder.path().join("azure")),
        ["01-get-flexible-servers.json", "02-patch-configurations-wal-level.json", "03-post-token.json"]
    );
    assert_eq!(names(&folder.path().join("neon")), ["01-get-projects.json", "02-get-operations.json"]);
    let file = folder.path().join("azure/01-get-flexible-servers.json");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let exchange: Exchange = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    assert!(exchange.response.lost && exchange.provenance.ends_with("against management.azure.com, sanitized"), "{exchange:?}");
}

#[test]
fn a_folder_that_holds_a_recording_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let url: Url = SERVER.parse().unwrap();
    quiet(folder.path()).of(Cloud::Azure).note(&Sent { method: "GET", url: &url, headers: Vec::new(), body: &[] }, None);
    let refused = Recording::begin(folder.path(), |_| ()).err().unwrap();
    assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
}

#[test]
fn what_can_not_be_written_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let (say, told) = std::sync::mpsc::channel();
    let recording = Recording::begin(folder.path(), move |error| say.send(error.to_string()).unwrap()).unwrap();
    fs::remove_dir(folder.path().join("neon")).unwrap();
    let url: Url = "https://console.neon.tech/api/v2/auth".parse().unwrap();
    for _ in 0..2 {
        recording.of(Cloud::Neon).note(&Sent { method: "GET", url: &url, headers: Vec::new(), body: &[] }, None);
    }
    assert_eq!(told.try_iter().count(), 1);
}

#[tokio::test]
async fn without_a_connection_nothing_is_exchanged() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let folder = tempfile::tempdir().unwrap();
    let http = crate::Http::new(reqwest::Client::new(), Some(quiet(folder.path()).of(Cloud::Neon)));
    let url: Url = format!("http://127.0.0.1:{port}/api/v2/auth").parse().unwrap();
    drop(listener);
    assert!(http.send(http.request(reqwest::Method::GET, url)).await.err().unwrap().is_connect());
    assert!(names(&folder.path().join("neon")).is_empty());
}
