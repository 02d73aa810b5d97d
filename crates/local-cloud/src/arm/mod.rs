//! Azure Resource Manager as far as a flexible server is concerned, and the login that goes with it.

mod configurations;
mod database_login;
mod identity;
mod load;
mod operations;
mod resources;
mod source;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use hyper::{Method, StatusCode};
use serde_json::{Value, json};

pub(crate) use configurations::Configurations;
pub(crate) use identity::Identity;
pub(crate) use load::Load;
pub(crate) use operations::Operations;
pub(crate) use source::{create as create_source, create_entra_administrator};

use crate::http::{Answer, Api, Call, Faults};
use crate::network::Firewall;
use crate::random;
use crate::servers::Server;

/// The resource provider's namespace.
const PROVIDER: &str = "Microsoft.DBforPostgreSQL";

/// The one real server and the names under which ARM knows it.
pub(crate) struct Azure {
    pub(crate) identity: Identity,
    pub(crate) subscription: String,
    pub(crate) resource_group: String,
    pub(crate) name: String,
    pub(crate) location: String,
    pub(crate) administrator: String,
    pub(crate) major: u32,
    pub(crate) private: bool,
    /// The role that stands for the application.
    pub(crate) entra_administrator: Option<String>,
    pub(crate) password_login: bool,
    /// Servers that exist by name only.
    pub(crate) other_servers: Vec<String>,
    pub(crate) page_size: Option<usize>,
    pub(crate) server: Arc<Server>,
    pub(crate) firewall: Arc<Firewall>,
    pub(crate) configurations: Configurations,
    pub(crate) faults: Arc<Faults>,
    pub(crate) delay: Duration,
    pub(crate) retry_after: Option<u64>,
    pub(crate) state: Mutex<State>,
    pub(crate) operations: Operations,
    pub(crate) writes: AtomicU32,
}

/// The server's state as ARM shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Ready,
    Updating,
    Restarting,
    Stopping,
    Stopped,
    Starting,
}

impl State {
    fn name(self) -> &'static str {
        match self {
            Self::Ready => "Ready",
            Self::Updating => "Updating",
            Self::Restarting => "Restarting",
            Self::Stopping => "Stopping",
            Self::Stopped => "Stopped",
            Self::Starting => "Starting",
        }
    }
}

/// An answer that is an error: the envelope that every ARM service uses.
fn error(status: StatusCode, code: &str, message: impl Into<String>) -> Answer {
    let message = message.into();
    Answer::new(status, json!({ "error": { "code": code, "message": message } })).with("x-ms-error-code", code)
}

fn not_found(id: &str, group: &str) -> Answer {
    error(
        StatusCode::NOT_FOUND,
        "ResourceNotFound",
        format!(
            "The Resource '{id}' under resource group '{group}' was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix"
        ),
    )
}

impl Api for Azure {
    fn answer(self: Arc<Self>, call: Call) -> BoxFuture<'static, Answer> {
        Box::pin(async move {
            let request_id = random::uuid();
            let write = call.method != Method::GET;
            let mut answer = self.route(&call).await;
            if write {
                let left = 800u32.saturating_sub(self.writes.fetch_add(1, Ordering::Relaxed) + 1);
                answer = answer.with("x-ms-ratelimit-remaining-subscription-writes", left.to_string());
            }
            answer
                .with("x-ms-request-id", request_id.as_str())
                .with("x-ms-correlation-request-id", request_id.as_str())
                .with("strict-transport-security", "max-age=31536000; includeSubDomains")
                .with("x-content-type-options", "nosniff")
        })
    }
}

impl Azure {
    async fn route(self: &Arc<Self>, call: &Call) -> Answer {
        // ARM doesn't care for case, neither in its own words nor in names.
        let lower: Vec<String> = call.segments.iter().map(|segment| segment.to_lowercase()).filter(|segment| !segment.is_empty()).collect();
        let words: Vec<&str> = lower.iter().map(String::as_str).collect();
        let get = call.method == Method::GET;
        match words.as_slice() {
            [_, "oauth2", "v2.0", "token"] if call.method == Method::POST => return self.token(call).await,
            [_, "v2.0", ".well-known", "openid-configuration"] if get => return self.identity.openid(&call.segments[0], &call.origin),
            ["metadata", "endpoints"] if get => return self.metadata(&call.origin),
            _ => {}
        }
        if let Err(answer) = self.identity.check(call.bearer(), &call.origin) {
            return answer;
        }
        if call.query("api-version").is_none_or(str::is_empty) {
            return error(
                StatusCode::BAD_REQUEST,
                "MissingApiVersionParameter",
                "The api-version query parameter (?api-version=) is required for all requests.",
            );
        }
        match words.as_slice() {
            ["subscriptions"] if get => {
                Answer::ok(json!({ "value": [self.subscription_json()], "count": { "type": "Total", "value": 1 } }))
            }
            ["tenants"] if get => Answer::ok(
                json!({ "value": [{ "id": format!("/tenants/{}", self.identity.tenant), "tenantId": self.identity.tenant, "displayName": "local cloud" }] }),
            ),
            ["subscriptions", subscription, ..] if *subscription != self.subscription.to_lowercase() => {
                error(StatusCode::NOT_FOUND, "SubscriptionNotFound", format!("The subscription '{}' could not be found.", call.segments[1]))
            }
            ["subscriptions", _] if get => Answer::ok(self.subscription_json()),
            ["subscriptions", _, "resourcegroups"] if get => Answer::ok(json!({ "value": [self.group_json()] })),
            ["subscriptions", _, "providers", "microsoft.dbforpostgresql", rest @ ..] => self.provider(call, rest),
            ["subscriptions", _, "resourcegroups", group, ..] if *group != self.resource_group.to_lowercase() => {
                error(StatusCode::NOT_FOUND, "ResourceGroupNotFound", format!("Resource group '{}' could not be found.", call.segments[3]))
            }
            ["subscriptions", _, "resourcegroups", _] if get => Answer::ok(self.group_json()),
            ["subscriptions", _, "resourcegroups", _, "providers", "microsoft.dbforpostgresql", "flexibleservers", rest @ ..] => {
                self.flexible_servers(call, rest).await
            }
            _ => error(
                StatusCode::NOT_FOUND,
                "InvalidResourceType",
                format!("The simulated Azure has no {} {}.", call.method, call.segments.join("/")),
            ),
        }
    }

    fn provider(&self, call: &Call, rest: &[&str]) -> Answer {
        match rest {
            ["flexibleservers"] => self.list_servers(call, None),
            ["locations", _, "azureasyncoperation", id] => self.poll_operation(call, id),
            ["locations", _, "operationresults", id] => self.poll_result(call, id),
            ["locations", _, "capabilities"] => Answer::ok(json!({ "value": [] })),
            _ => error(StatusCode::NOT_FOUND, "InvalidResourceType", "The resource type could not be found."),
        }
    }

    async fn flexible_servers(self: &Arc<Self>, call: &Call, rest: &[&str]) -> Answer {
        // What the client wrote, with its case: subscriptions/s/resourceGroups/g/providers/p/flexibleServers come before it.
        let original = |index: usize| call.segments.get(7 + index).map_or("", String::as_str);
        let (name, rest) = match rest {
            [] => return self.list_servers(call, Some(&self.resource_group)),
            [name, rest @ ..] => (*name, rest),
        };
        if name != self.name.to_lowercase() {
            return not_found(&format!("{PROVIDER}/flexibleServers/{}", original(0)), &self.resource_group);
        }
        let method = call.method.as_str();
        match (method, rest) {
            ("GET", []) => Answer::ok(self.server_json()),
            ("GET", ["configurations"]) => self.list_configurations().await,
            ("GET", ["configurations", name]) => self.get_configuration(name).await,
            ("PATCH" | "PUT", ["configurations", name]) => self.set_configuration(call, name).await,
            ("GET", ["firewallrules"]) => self.list_rules(),
            ("GET", ["firewallrules", _]) => self.get_rule(original(2)),
            ("PUT", ["firewallrules", _]) => self.put_rule(call, original(2)),
            ("DELETE", ["firewallrules", _]) => self.delete_rule(call, original(2)),
            ("GET", ["databases"]) => self.list_databases().await,
            ("GET", ["databases", _]) => self.get_database(original(2)).await,
            ("GET", ["replicas" | "virtualendpoints" | "privateendpointconnections" | "capabilities" | "administrators"]) => {
                Answer::ok(json!({ "value": [] }))
            }
            ("POST", ["restart"]) => self.restart(call),
            ("POST", ["stop"]) => self.stop(call),
            ("POST", ["start"]) => self.start(call),
            _ => error(
                StatusCode::METHOD_NOT_ALLOWED,
                "HttpMethodNotSupported",
                format!("The simulated Azure doesn't support {method} here."),
            ),
        }
    }

    pub(crate) fn state(&self) -> State {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_state(&self, state: State) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }

    /// The server's resource id.
    pub(crate) fn id(&self) -> String {
        self.id_of(&self.resource_group, &self.name)
    }

    fn id_of(&self, group: &str, server: &str) -> String {
        format!("/subscriptions/{}/resourceGroups/{group}/providers/{PROVIDER}/flexibleServers/{server}", self.subscription)
    }

    /// What the world calls the server.
    pub(crate) fn host(&self) -> String {
        format!("{}.postgres.database.azure.com", self.name.to_lowercase())
    }

    fn subscription_json(&self) -> Value {
        json!({
            "id": format!("/subscriptions/{}", self.subscription),
            "subscriptionId": self.subscription,
            "tenantId": self.identity.tenant,
            "displayName": "Bikeparts",
            "state": "Enabled",
            "authorizationSource": "RoleBased",
            "managedByTenants": [],
            "subscriptionPolicies": { "locationPlacementId": "Public_2014-09-01", "quotaId": "PayAsYouGo_2014-09-01", "spendingLimit": "Off" },
        })
    }

    fn group_json(&self) -> Value {
        json!({
            "id": format!("/subscriptions/{}/resourceGroups/{}", self.subscription, self.resource_group),
            "name": self.resource_group,
            "type": "Microsoft.Resources/resourceGroups",
            "location": self.location,
            "properties": { "provisioningState": "Succeeded" },
        })
    }

    /// What a client needs to know to register this cloud.
    fn metadata(&self, origin: &str) -> Answer {
        Answer::ok(json!([{
            "name": "LocalCloud",
            "portal": origin,
            "authentication": { "loginEndpoint": origin, "audiences": [format!("{origin}/")], "tenant": self.identity.tenant, "identityProvider": "AAD" },
            "resourceManager": format!("{origin}/"),
            "graph": origin,
            "graphAudience": origin,
            "media": origin,
            "batch": origin,
            "suffixes": {
                "postgresqlServerEndpoint": "postgres.database.azure.com",
                "keyVaultDns": "vault.azure.net",
                "storage": "core.windows.net",
                "sqlServerHostname": "database.windows.net",
                "mysqlServerEndpoint": "mysql.database.azure.com",
                "mariadbServerEndpoint": "mariadb.database.azure.com",
                "acrLoginServer": "azurecr.io",
            },
        }]))
    }
}
