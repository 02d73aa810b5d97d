//! The application's parts on Azure that hold its connection string: an App Service app and a container app.
//!
//! The app's processes see what they were started with: App Service restarts them when its settings are written, Container Apps only
//! when a revision is restarted.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use hyper::StatusCode;
use serde_json::{Map, Value, json};

use super::{Azure, error, invalid_content, not_found, unknown};
use crate::http::{Answer, Call};
use crate::random;

/// Name of the setting, or of the secret, that holds the connection string.
pub(crate) const SETTING: &str = "DATABASE_URL";
pub(crate) const SECRET: &str = "database-url";

const WEB: &str = "Microsoft.Web";
const CONTAINERS: &str = "Microsoft.App";

/// Both apps.
pub(crate) struct Apps {
    pub(crate) web: String,
    pub(crate) container: String,
    state: Mutex<State>,
}

struct State {
    settings: Map<String, Value>,
    secrets: Vec<Value>,
    /// What the container app's active revision was started with.
    running: Vec<Value>,
    restarts: usize,
    /// Updates that were accepted, and when each is done.
    operations: HashMap<String, Instant>,
}

impl Apps {
    /// The apps of the application with this connection string.
    pub(crate) fn new(application: &str, url: &str) -> Self {
        let secrets = vec![
            json!({ "name": "queue", "value": random::alphanumeric(20) }),
            json!({ "name": SECRET, "value": url }),
            json!({ "name": "mail", "keyVaultUrl": "https://kv-mail.vault.azure.net/secrets/mail", "identity": "system" }),
        ];
        let settings = json!({ "WEBSITE_NODE_DEFAULT_VERSION": "~20", SETTING: url, "MAIL_KEY": random::alphanumeric(20) });
        let state = State {
            settings: settings.as_object().cloned().unwrap_or_default(),
            running: secrets.clone(),
            secrets,
            restarts: 0,
            operations: HashMap::new(),
        };
        Self { web: format!("{application}-web"), container: format!("{application}-worker"), state: Mutex::new(state) }
    }

    /// What each app's processes see as their connection string, and how often they were restarted.
    pub(crate) fn seen(&self) -> (BTreeMap<String, String>, usize) {
        let state = self.lock();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let secret = state.running.iter().find(|secret| secret["name"] == SECRET).map(|secret| text(&secret["value"]));
        let seen = [(self.web.clone(), text(&state.settings[SETTING])), (self.container.clone(), secret.unwrap_or_default())];
        (seen.into(), state.restarts)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Azure {
    /// `providers/Microsoft.Web/sites/…` of a resource group.
    pub(super) fn site(&self, call: &Call, rest: &[&str]) -> Answer {
        let name = call.segments.get(7).map_or("", String::as_str);
        if !name.eq_ignore_ascii_case(&self.apps.web) {
            return not_found(&format!("{WEB}/sites/{name}"), &self.resource_group);
        }
        let shown = |settings: &Map<String, Value>| {
            Answer::ok(json!({
                "id": format!("{}/config/appsettings", self.app_id(WEB, "sites", &self.apps.web)),
                "name": "appsettings",
                "type": "Microsoft.Web/sites/config",
                "location": self.location,
                "properties": settings,
            }))
        };
        let mut state = self.apps.lock();
        match (call.method.as_str(), rest) {
            ("POST", ["config", "appsettings", "list"]) => shown(&state.settings),
            ("PUT", ["config", "appsettings"]) => {
                let Ok(Value::Object(body)) = call.json() else { return invalid_content() };
                let Some(settings) = body.get("properties").and_then(Value::as_object) else { return invalid_content() };
                if settings.values().any(|value| !value.is_string()) {
                    return invalid_content();
                }
                // All of them are replaced, and the app restarts.
                state.settings = settings.clone();
                state.restarts += 1;
                shown(&state.settings)
            }
            _ => unknown(call),
        }
    }

    /// `providers/Microsoft.App/containerApps/…` of a resource group.
    pub(super) fn container_app(&self, call: &Call, rest: &[&str]) -> Answer {
        let name = call.segments.get(7).map_or("", String::as_str);
        if !name.eq_ignore_ascii_case(&self.apps.container) {
            return not_found(&format!("{CONTAINERS}/containerApps/{name}"), &self.resource_group);
        }
        let revision = format!("{}--1a2b3c4", self.apps.container);
        match (call.method.as_str(), rest) {
            ("GET", []) => Answer::ok(self.container_json()),
            ("POST", ["listsecrets"]) => Answer::ok(json!({ "value": self.apps.lock().secrets })),
            ("PATCH", []) => self.update_container(call),
            ("GET", ["revisions"]) => {
                let old = format!("{}--0000000", self.apps.container);
                let one = |name: &str, active: bool| {
                    let id = format!("{}/revisions/{name}", self.app_id(CONTAINERS, "containerApps", &self.apps.container));
                    let properties =
                        json!({ "active": active, "replicas": i32::from(active), "trafficWeight": if active { 100 } else { 0 } });
                    json!({ "id": id, "name": name, "type": "Microsoft.App/containerapps/revisions", "properties": properties })
                };
                Answer::ok(json!({ "value": [one(&old, false), one(&revision, true)] }))
            }
            ("POST", ["revisions", name, "restart"]) if name.eq_ignore_ascii_case(&revision) => {
                let mut state = self.apps.lock();
                state.running = state.secrets.clone();
                state.restarts += 1;
                Answer::empty(StatusCode::OK)
            }
            ("POST", ["revisions", name, "restart"]) => {
                not_found(&format!("{CONTAINERS}/containerApps/revisions/{name}"), &self.resource_group)
            }
            _ => unknown(call),
        }
    }

    /// A JSON merge patch: the list of secrets is replaced as a whole, and a secret that a running revision needs must be in it.
    fn update_container(&self, call: &Call) -> Answer {
        let Ok(body) = call.json() else { return invalid_content() };
        let mut state = self.apps.lock();
        if let Some(secrets) = body["properties"]["configuration"]["secrets"].as_array() {
            for needed in &state.running {
                if !secrets.iter().any(|secret| secret["name"] == needed["name"]) {
                    let name = needed["name"].as_str().unwrap_or_default();
                    return error(
                        StatusCode::BAD_REQUEST,
                        "ContainerAppSecretRefNotFound",
                        format!("SecretRef '{name}' defined for container 'main' not found."),
                    );
                }
            }
            let lacks = |secret: &&Value| secret["value"].as_str().is_none_or(str::is_empty) && secret["keyVaultUrl"].is_null();
            if let Some(secret) = secrets.iter().find(lacks) {
                let name = secret["name"].as_str().unwrap_or_default();
                return error(
                    StatusCode::BAD_REQUEST,
                    "ContainerAppSecretInvalid",
                    format!(
                        "Invalid Request: Container app secret(s) with name(s) '{name}' are invalid: value or keyVaultUrl and identity should be provided."
                    ),
                );
            }
            state.secrets = secrets.clone();
        }
        let id = random::uuid();
        state.operations.insert(id.clone(), Instant::now() + self.delay);
        let base = format!("{}/subscriptions/{}/providers/{CONTAINERS}/locations/{}", call.origin, self.subscription, self.region_slug());
        let version = call.query("api-version").unwrap_or_default();
        Answer::empty(StatusCode::ACCEPTED)
            .with("azure-asyncoperation", format!("{base}/containerappOperationStatuses/{id}?api-version={version}"))
            .with("location", format!("{base}/containerappOperationResults/{id}?api-version={version}"))
    }

    /// `providers/Microsoft.App/locations/…/containerappOperationStatuses/…` of the subscription.
    pub(super) fn container_operation(&self, call: &Call, rest: &[&str]) -> Answer {
        let ["locations", _, "containerappoperationstatuses", id] = rest else { return unknown(call) };
        let done = self.apps.lock().operations.get(*id).map(|done| *done <= Instant::now());
        match done {
            Some(done) => Answer::ok(json!({ "name": id, "status": if done { "Succeeded" } else { "InProgress" } })),
            None => error(StatusCode::NOT_FOUND, "OperationNotFound", format!("The operation '{id}' could not be found.")),
        }
    }

    /// As ARM shows it: the secrets' names only.
    fn container_json(&self) -> Value {
        let names: Vec<Value> = self.apps.lock().secrets.iter().map(|secret| json!({ "name": secret["name"] })).collect();
        json!({
            "id": self.app_id(CONTAINERS, "containerApps", &self.apps.container),
            "name": self.apps.container,
            "type": "Microsoft.App/containerApps",
            "location": self.location,
            "properties": { "provisioningState": "Succeeded", "configuration": { "activeRevisionsMode": "Single", "secrets": names } },
        })
    }

    fn app_id(&self, provider: &str, kind: &str, name: &str) -> String {
        format!("/subscriptions/{}/resourceGroups/{}/providers/{provider}/{kind}/{name}", self.subscription, self.resource_group)
    }
}
