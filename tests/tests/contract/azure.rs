//! The simulated Azure, brought into what a fixture tells of.

use std::time::Duration;

use azure2neon_exchange::{Request, Response};
use azure2neon_tests::Rig;
use serde_json::{Value, json};

use super::cases::Situation;
use super::{Message, renamed, send, until};

/// The server of the fixtures, and what they call its surroundings.
const SERVER: &str = "shop-prod";
const SUBSCRIPTION: &str = "11111111-2222-3333-4444-555555555555";
const RULE: &str = "azure2neon_r1-1";

pub struct Stage {
    rig: Rig,
    endpoints: Value,
    http: reqwest::Client,
}

impl Stage {
    pub async fn start() -> Self {
        let rig = Rig::small(|options| {
            options.server = SERVER.to_owned();
            options.other_servers = vec!["old-one".to_owned()];
            options.page_size = Some(1);
            // Long enough to be seen under way.
            options.operation_delay = Duration::from_millis(200);
        })
        .await;
        Self { endpoints: rig.endpoints(), rig, http: reqwest::Client::new() }
    }

    pub async fn stop(self) {
        self.rig.stop().await;
    }

    /// Brings the server into the situation, sends the request, and returns when the server is ready again.
    pub async fn play(&self, situation: Situation, request: &Request) -> Response {
        match situation {
            Situation::LoggingIn => return self.log_in(request, self.at("/login/client_secret")).await,
            Situation::WrongSecret => return self.log_in(request, "wrong").await,
            Situation::ExpiredToken => return self.send(request, &self.url(&request.path), "expired").await,
            Situation::Absent => return self.send(request, &self.url(&request.path.replace(SERVER, "nobody")), self.token()).await,
            Situation::RuleGone => self.settle(self.change("DELETE", &format!("/firewallRules/{RULE}"), None).await).await,
            Situation::RuleThere => {
                let body = json!({ "properties": { "startIpAddress": "203.0.113.7", "endIpAddress": "203.0.113.7" } });
                self.settle(self.change("PUT", &format!("/firewallRules/{RULE}"), Some(body)).await).await;
            }
            Situation::Busy => drop(self.set("work_mem", "4096").await),
            Situation::Restarting => drop(self.change("POST", "/restart", None).await),
            Situation::Stopped => {
                self.change("POST", "/stop", None).await;
                until("the server stops", async || self.state().await == "Stopped").await;
            }
            Situation::OperationRunning | Situation::OperationDone | Situation::OperationFailed => {
                return self.poll(situation, request).await;
            }
            _ => {}
        }
        if request.path.starts_with("/secrets/") {
            return self.send(request, &format!("{}{}", self.at("/vault/http"), request.path), &self.vault_token().await).await;
        }
        let reply = self.send(request, &self.url(&request.path), self.token()).await;
        if situation == Situation::Stopped {
            self.change("POST", "/start", None).await;
        }
        self.ready().await;
        reply
    }

    /// The operation's own address takes the place of the fixture's.
    async fn poll(&self, situation: Situation, request: &Request) -> Response {
        let by_status = request.path.contains("/azureAsyncOperation/");
        let accepted = match (situation, by_status) {
            (Situation::OperationFailed, _) => self.set("max_slot_wal_keep_size", "100").await,
            (_, true) => self.set("work_mem", "4096").await,
            (_, false) => self.change("POST", "/restart", None).await,
        };
        let address = &accepted.headers[if by_status { "azure-asyncoperation" } else { "location" }];
        if situation != Situation::OperationRunning {
            self.ready().await;
        }
        let reply = self.send(request, address, self.token()).await;
        self.ready().await;
        reply
    }

    async fn vault_token(&self) -> String {
        let path = "/contoso.example/oauth2/v2.0/token".to_owned();
        let request = Request { method: "POST".to_owned(), path, headers: Default::default(), body: None };
        let granted = self.log_in_for(&request, self.at("/login/client_secret"), "https://vault.azure.net/.default").await;
        granted.body.unwrap()["access_token"].as_str().unwrap().to_owned()
    }

    async fn log_in(&self, request: &Request, secret: &str) -> Response {
        self.log_in_for(request, secret, "x").await
    }

    async fn log_in_for(&self, request: &Request, secret: &str, scope: &str) -> Response {
        let names = [("contoso.example", self.at("/login/tenant"))];
        let url = format!("{}{}", self.at("/login/http"), renamed(&request.path, &names));
        let (client, secret) = (self.at("/login/client_id"), secret.replace('~', "%7E"));
        let body = format!("grant_type=client_credentials&client_id={client}&client_secret={secret}&scope={scope}");
        send(&self.http, Message { request, url, token: None, body: Some(body) }).await
    }

    async fn set(&self, parameter: &str, value: &str) -> Response {
        let body = json!({ "properties": { "value": value, "source": "user-override" } });
        self.change("PATCH", &format!("/configurations/{parameter}"), Some(body)).await
    }

    /// A write to the server, which has to be ready.
    async fn change(&self, method: &str, rest: &str, body: Option<Value>) -> Response {
        let group = "/resourceGroups/rg-shop/providers/Microsoft.DBforPostgreSQL/flexibleServers/";
        let path = format!("/subscriptions/{SUBSCRIPTION}{group}{SERVER}{rest}?api-version=2024-08-01");
        let request = Request { method: method.to_owned(), path, headers: Default::default(), body };
        let reply = self.send(&request, &self.url(&request.path), self.token()).await;
        assert!(reply.status < 300, "{method} {rest}: {reply:?}");
        reply
    }

    async fn settle(&self, _accepted: Response) {
        self.ready().await;
    }

    async fn ready(&self) {
        until("the server is ready", async || self.state().await == "Ready").await;
    }

    async fn state(&self) -> String {
        let server = self.change("GET", "", None).await.body.unwrap();
        server["properties"]["state"].as_str().unwrap().to_owned()
    }

    fn url(&self, path: &str) -> String {
        let names =
            [(SUBSCRIPTION, self.at("/subscription")), ("rg-shop", self.at("/resource_group")), ("RG-Shop", self.at("/resource_group"))];
        format!("{}{}", self.at("/arm/http"), renamed(path, &names))
    }

    async fn send(&self, request: &Request, url: &str, token: &str) -> Response {
        let body = request.body.as_ref().map(Value::to_string);
        send(&self.http, Message { request, url: url.to_owned(), token: Some(token), body }).await
    }

    fn token(&self) -> &str {
        self.at("/arm/token")
    }

    fn at(&self, place: &str) -> &str {
        self.endpoints.pointer(place).and_then(Value::as_str).unwrap_or_else(|| panic!("endpoints.json has no {place}"))
    }
}
