//! Azure Resource Manager as far as a flexible server is concerned, and the login that goes with it.

mod apps;
mod capabilities;
mod configurations;
mod database_login;
mod databases;
mod firewall_rules;
mod identity;
mod load;
mod metadata;
mod operations;
mod permissions;
mod servers;
mod source;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use hyper::{Method, StatusCode};
use serde_json::{Value, json};

pub(crate) use apps::{Apps, SECRET, SETTING};
pub(crate) use configurations::Configurations;
pub(crate) use identity::{Audience, Identity};
pub(crate) use load::Load;
pub(crate) use operations::Operations;
pub(crate) use source::{create as create_source, create_entra_administrator};

use crate::http::{Answer, Api, Call, Faults, Outcome, proxy_page};
use crate::network::Firewall;
use crate::random;
use crate::servers::Server;

/// The resource provider's namespace.
const PROVIDER: &str = "Microsoft.DBforPostgreSQL";

/// The resource group of the servers that exist by name only.
const OTHER_GROUP: &str = "other-things";

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
    /// The application's parts on Azure.
    pub(crate) apps: Apps,
    pub(crate) configurations: Configurations,
    pub(crate) faults: Arc<Faults>,
    pub(crate) delay: Duration,
    pub(crate) retry_after: Option<u64>,
    pub(crate) state: Mutex<State>,
    pub(crate) operations: Operations,
    /// What was changed of the server's own properties, as a patch to them.
    pub(crate) changes: Mutex<Value>,
    /// What the application may not do.
    pub(crate) not_actions: Vec<String>,
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

fn invalid_content() -> Answer {
    error(StatusCode::BAD_REQUEST, "InvalidRequestContent", "The request content was invalid.")
}

/// How an operation ends when our own machinery failed.
fn broken(error: crate::Error) -> Outcome {
    Outcome { code: "InternalServerError".to_owned(), message: error.to_string() }
}

/// How many calls are left, to the one who asks and in the subscription as a whole. The real buckets fill up again so fast that
/// nobody ever sees them other than short of the call just made.
fn quota(method: &Method) -> [(&'static str, &'static str); 2] {
    match *method {
        Method::GET => {
            [("x-ms-ratelimit-remaining-subscription-reads", "1099"), ("x-ms-ratelimit-remaining-subscription-global-reads", "16499")]
        }
        Method::DELETE => {
            [("x-ms-ratelimit-remaining-subscription-deletes", "799"), ("x-ms-ratelimit-remaining-subscription-global-deletes", "11999")]
        }
        _ => [("x-ms-ratelimit-remaining-subscription-writes", "799"), ("x-ms-ratelimit-remaining-subscription-global-writes", "11999")],
    }
}

fn is_uuid(text: &str) -> bool {
    let parts: Vec<usize> = text.split('-').map(str::len).collect();
    parts == [8, 4, 4, 4, 12] && text.chars().all(|character| character == '-' || character.is_ascii_hexdigit())
}

/// What the real Azure may have, and this one has not.
fn unknown(call: &Call) -> Answer {
    error(StatusCode::NOT_FOUND, "InvalidResourceType", format!("The simulated Azure has no {} /{}.", call.method, call.segments.join("/")))
}

impl Api for Azure {
    fn name(&self, path: &str) -> &'static str {
        if path.contains("/oauth2/") { "entra" } else { "arm" }
    }

    fn answer(self: Arc<Self>, call: Call) -> BoxFuture<'static, Answer> {
        Box::pin(async move {
            let request_id = random::uuid();
            let route = format!("{}:{}:{request_id}", self.region_slug().to_uppercase(), jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ"));
            let answer = self.route(&call).await;
            quota(&call.method)
                .into_iter()
                .fold(answer, |answer, (name, left)| answer.with(name, left))
                .with("x-ms-routing-request-id", route)
                .with("x-ms-request-id", request_id.as_str())
                .with("x-ms-correlation-request-id", request_id.as_str())
                .with("strict-transport-security", "max-age=31536000; includeSubDomains")
                .with("x-content-type-options", "nosniff")
        })
    }

    fn refusal(&self, status: StatusCode) -> Answer {
        match status.as_u16() {
            409 => operations::busy(&self.name),
            429 => error(status, "TooManyRequests", "The request is being throttled as the limit has been reached for operation type.")
                .with("retry-after", "1"),
            500 => error(status, "InternalServerError", "An unexpected error occured while processing the request."),
            503 => error(status, "ServiceUnavailable", "The service is temporarily unavailable. Please retry later."),
            _ => proxy_page(status),
        }
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
            ["metadata", "endpoints"] if get => return metadata::endpoints(call),
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
            ["subscriptions", subscription, ..] if !is_uuid(subscription) => {
                let message = format!("The provided subscription identifier '{}' is malformed or invalid.", call.segments[1]);
                error(StatusCode::BAD_REQUEST, "InvalidSubscriptionId", message)
            }
            ["subscriptions", subscription, ..] if *subscription != self.subscription.to_lowercase() => {
                error(StatusCode::NOT_FOUND, "SubscriptionNotFound", format!("The subscription '{}' could not be found.", call.segments[1]))
            }
            ["subscriptions", _] if get => Answer::ok(self.subscription_json()),
            ["subscriptions", _, "resourcegroups"] if get => {
                Answer::ok(json!({ "value": self.groups().map(|group| self.group_json(group)).collect::<Vec<_>>() }))
            }
            ["subscriptions", _, "providers", "microsoft.dbforpostgresql", rest @ ..] => self.provider(call, rest),
            ["subscriptions", _, "providers", "microsoft.app", rest @ ..] if get => self.container_operation(call, rest),
            ["subscriptions", _, "resourcegroups", group, rest @ ..] => match self.groups().find(|known| known.eq_ignore_ascii_case(group))
            {
                Some(group) => self.in_group(call, group, rest).await,
                None => {
                    let message = format!("Resource group '{}' could not be found.", call.segments[3]);
                    error(StatusCode::NOT_FOUND, "ResourceGroupNotFound", message)
                }
            },
            _ => unknown(call),
        }
    }

    async fn in_group(self: &Arc<Self>, call: &Call, group: &str, rest: &[&str]) -> Answer {
        let get = call.method == Method::GET;
        match rest {
            [] if get => Answer::ok(self.group_json(group)),
            ["providers", "microsoft.dbforpostgresql", "flexibleservers"] if get => self.list_servers(call, Some(group)),
            ["providers", "microsoft.dbforpostgresql", "flexibleservers", name, rest @ ..] => match self.find_server(group, name) {
                Some(_) if group == self.resource_group => self.flexible_server(call, rest).await,
                Some(name) if get && rest.is_empty() => Answer::ok(self.server_json_of(group, name, State::Ready)),
                Some(_) => unknown(call),
                None => not_found(&format!("{PROVIDER}/flexibleServers/{}", call.segments[7]), group),
            },
            ["providers", "microsoft.web", "sites", _, rest @ ..] if group == self.resource_group => self.site(call, rest),
            ["providers", "microsoft.app", "containerapps", _, rest @ ..] if group == self.resource_group => self.container_app(call, rest),
            _ => unknown(call),
        }
    }

    fn provider(&self, call: &Call, rest: &[&str]) -> Answer {
        match rest {
            ["flexibleservers"] if call.method == Method::GET => self.list_servers(call, None),
            ["locations", _, "azureasyncoperation", id] => self.poll_operation(call, id),
            ["locations", _, "operationresults", id] => self.poll_result(call, id),
            ["locations", _, "capabilities"] => capabilities::list(),
            _ => unknown(call),
        }
    }

    async fn flexible_server(self: &Arc<Self>, call: &Call, rest: &[&str]) -> Answer {
        // The child's name as the client wrote it: subscriptions/s/resourceGroups/g/providers/p/flexibleServers/n/kind come before it.
        let child = call.segments.get(9).map_or("", String::as_str);
        let method = call.method.as_str();
        if let Some(refusal) = self.refuse_forbidden(method, rest) {
            return refusal;
        }
        match (method, rest) {
            ("GET", ["providers", "microsoft.authorization", "permissions"]) => self.list_permissions(),
            ("GET", []) => Answer::ok(self.server_json()),
            ("PATCH", []) => self.update_server(call),
            ("GET", ["configurations"]) => self.list_configurations().await,
            ("GET", ["configurations", name]) => self.get_configuration(name).await,
            ("PATCH" | "PUT", ["configurations", name]) => self.set_configuration(call, name).await,
            ("GET", ["firewallrules"]) => self.list_rules(),
            ("GET", ["firewallrules", _]) => self.get_rule(child),
            ("PUT", ["firewallrules", _]) => self.put_rule(call, child),
            ("DELETE", ["firewallrules", _]) => self.delete_rule(call, child),
            ("GET", ["databases"]) => self.list_databases().await,
            ("GET", ["databases", _]) => self.get_database(child).await,
            ("PUT", ["databases", _]) => self.put_database(call, child).await,
            ("DELETE", ["databases", _]) => self.delete_database(call, child).await,
            ("GET", ["capabilities"]) => capabilities::list(),
            // There are none of these.
            ("GET", ["replicas" | "virtualendpoints" | "privateendpointconnections" | "administrators"]) => {
                Answer::ok(json!({ "value": [] }))
            }
            ("POST", ["restart"]) => self.restart(call),
            ("POST", ["stop"]) => self.stop(call),
            ("POST", ["start"]) => self.start(call),
            _ => unknown(call),
        }
    }

    /// The resource groups, the server's first.
    fn groups(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.resource_group.as_str()).chain((!self.other_servers.is_empty()).then_some(OTHER_GROUP))
    }

    /// The name of that server of the group, whatever its case.
    fn find_server(&self, group: &str, name: &str) -> Option<&str> {
        let own = std::slice::from_ref(&self.name);
        let servers = if group == self.resource_group { own } else { &self.other_servers };
        servers.iter().map(String::as_str).find(|known| known.eq_ignore_ascii_case(name))
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

    /// A child resource of the server.
    fn child_json(&self, kind: &str, name: &str, properties: Value) -> Value {
        json!({
            "properties": properties,
            "id": format!("{}/{kind}/{name}", self.id()),
            "name": name,
            "type": format!("{PROVIDER}/flexibleServers/{kind}"),
        })
    }

    fn child_not_found(&self, kind: &str, name: &str) -> Answer {
        not_found(&format!("{PROVIDER}/flexibleServers/{}/{kind}/{name}", self.name), &self.resource_group)
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

    fn group_json(&self, group: &str) -> Value {
        json!({
            "id": format!("/subscriptions/{}/resourceGroups/{group}", self.subscription),
            "name": group,
            "type": "Microsoft.Resources/resourceGroups",
            "location": self.location,
            "properties": { "provisioningState": "Succeeded" },
        })
    }
}
