//! A client of the simulated clouds that knows them only by what `endpoints.json` says.
#![allow(dead_code, missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::time::{Duration, Instant};

use azure2neon_local_cloud::{LocalCloud, Options};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

pub struct Rig {
    pub cloud: LocalCloud,
    pub endpoints: Value,
    pub http: reqwest::Client,
    folder: tempfile::TempDir,
}

pub async fn rig(change: impl FnOnce(&mut Options)) -> Rig {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::tempdir().unwrap();
    let mut options =
        Options { settings: folder.path().join("settings"), operation_delay: Duration::from_millis(60), ..Options::default() };
    change(&mut options);
    let cloud = LocalCloud::start(options).await.unwrap();
    let endpoints: Value = serde_json::from_slice(&std::fs::read(cloud.settings().join("endpoints.json")).unwrap()).unwrap();
    let ca = reqwest::Certificate::from_pem(&std::fs::read(cloud.settings().join("ca.pem")).unwrap()).unwrap();
    let http = reqwest::Client::builder().tls_certs_only([ca]).build().unwrap();
    Rig { cloud, endpoints, http, folder }
}

pub struct Reply {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: Value,
}

impl Rig {
    pub fn endpoint(&self, pointer: &str) -> &str {
        self.endpoints.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("{pointer}"))
    }

    pub async fn call(&self, method: &str, url: &str, token: Option<&str>, body: Option<Value>) -> Reply {
        let mut request = self.http.request(Method::from_bytes(method.as_bytes()).unwrap(), url);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.unwrap();
        Reply { status, headers, body: serde_json::from_str(&text).unwrap_or(Value::Null) }
    }

    /// A path below the server's resource, with the version that the SDK sends.
    pub fn server_url(&self, rest: &str) -> String {
        format!(
            "{}/subscriptions/{}/resourceGroups/{}/providers/Microsoft.DBforPostgreSQL/flexibleServers/{}{rest}?api-version=2024-08-01",
            self.endpoint("/arm/http"),
            self.endpoint("/subscription"),
            self.endpoint("/resource_group"),
            self.endpoint("/server"),
        )
    }

    pub async fn arm(&self, method: &str, rest: &str, body: Option<Value>) -> Reply {
        self.call(method, &self.server_url(rest), Some(self.endpoint("/arm/token")), body).await
    }

    /// Polls an accepted operation to its end, and waits until the server takes the next.
    pub async fn arm_wait(&self, accepted: &Reply) -> Value {
        self.arm_wait_until(accepted, "Ready").await
    }

    /// Polls an accepted operation to its end, and waits until the server is in that state.
    pub async fn arm_wait_until(&self, accepted: &Reply, state: &str) -> Value {
        assert_eq!(accepted.status, 202, "{}", accepted.body);
        let url = accepted.headers["azure-asyncoperation"].to_str().unwrap().to_owned();
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let poll = self.call("GET", &url, Some(self.endpoint("/arm/token")), None).await;
            assert_eq!(poll.status, 200);
            if poll.body["status"] != "InProgress" {
                while self.arm("GET", "", None).await.body["properties"]["state"] != state {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                return poll.body;
            }
            assert!(Instant::now() < deadline);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub async fn allow(&self, name: &str, address: &str) {
        let body = json!({ "properties": { "startIpAddress": address, "endIpAddress": address } });
        let accepted = self.arm("PUT", &format!("/firewallRules/{name}"), Some(body)).await;
        assert_eq!(self.arm_wait(&accepted).await["status"], "Succeeded");
    }

    pub async fn neon(&self, method: &str, path: &str, body: Option<Value>) -> Reply {
        self.call(method, &format!("{}{path}", self.endpoint("/neon/http")), Some(self.endpoint("/neon/key")), body).await
    }

    /// Creates a project and waits for its operations; returns the answer.
    pub async fn create_project(&self, mut project: Value) -> Value {
        project["org_id"] = json!(self.endpoint("/neon/organization"));
        let created = self.neon("POST", "/projects", Some(json!({ "project": project }))).await;
        assert_eq!(created.status, StatusCode::CREATED.as_u16(), "{}", created.body);
        self.neon_wait(&created.body).await;
        created.body
    }

    pub async fn neon_wait(&self, answer: &Value) {
        for operation in answer["operations"].as_array().unwrap() {
            let (project, id) = (operation["project_id"].as_str().unwrap(), operation["id"].as_str().unwrap());
            loop {
                let found = self.neon("GET", &format!("/projects/{project}/operations/{id}"), None).await.body;
                match found["operation"]["status"].as_str().unwrap() {
                    "finished" => break,
                    "scheduling" | "running" => tokio::time::sleep(Duration::from_millis(20)).await,
                    other => panic!("{other}: {found}"),
                }
            }
        }
    }

    fn tls(&self) -> tokio_postgres_rustls::MakeRustlsConnect {
        use rustls_pki_types::pem::PemObject;
        let mut roots = rustls::RootCertStore::empty();
        let pem = std::fs::read(self.cloud.settings().join("ca.pem")).unwrap();
        roots.add(rustls_pki_types::CertificateDer::from_pem_slice(&pem).unwrap()).unwrap();
        tokio_postgres_rustls::MakeRustlsConnect::new(rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
    }

    pub async fn connect(
        &self,
        host: &str,
        address: &str,
        user: &str,
        password: &str,
        database: &str,
    ) -> Result<tokio_postgres::Client, tokio_postgres::Error> {
        let (client, connection) = tokio_postgres::Config::new()
            .host(host)
            .hostaddr(address.parse().unwrap())
            .user(user)
            .password(password)
            .dbname(database)
            .ssl_mode(tokio_postgres::config::SslMode::Require)
            .connect(self.tls())
            .await?;
        tokio::spawn(connection);
        Ok(client)
    }

    pub async fn source(&self) -> Result<tokio_postgres::Client, tokio_postgres::Error> {
        self.connect(
            self.endpoint("/source/host"),
            self.endpoint("/source/address"),
            self.endpoint("/source/user"),
            self.endpoint("/source/password"),
            self.endpoint("/database"),
        )
        .await
    }

    /// Through Neon's proxy, with what the creation of a project answered.
    pub async fn target(&self, created: &Value) -> Result<tokio_postgres::Client, tokio_postgres::Error> {
        let field = |name: &str| created["connection_uris"][0]["connection_parameters"][name].as_str().unwrap();
        self.connect(field("host"), self.endpoint("/resolve/*.aws.neon.tech"), field("role"), field("password"), field("database")).await
    }

    pub async fn stop(self) {
        let (settings, data) = (self.cloud.settings().to_path_buf(), self.cloud.data_folder().to_path_buf());
        self.cloud.stop().await.unwrap();
        assert!(!data.exists() && !settings.exists());
        drop(self.folder);
    }
}

pub async fn one(client: &tokio_postgres::Client, query: &str) -> String {
    client.query_one(query, &[]).await.unwrap().get(0)
}
