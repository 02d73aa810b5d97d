//! Neon's API v2 as far as a migration needs it, with a real PostgreSQL as each project's compute.

mod branches;
mod compute;
mod endpoints;
mod operations;
mod plan;
mod project;
mod projects;
pub(crate) mod regions;

use std::net::SocketAddrV4;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use hyper::{Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

pub use plan::Plan;
use project::Project;

use crate::error::{Error, Result};
use crate::http::{Answer, Api, Call, Faults};
use crate::network::{Computes, Nat, NoCompute, Subnet};
use crate::random;
use crate::servers::{Machine, Server};
use crate::tls::Authority;

/// The account with its projects.
pub(crate) struct Neon {
    pub(crate) key: SecretString,
    /// The account's only organization.
    pub(crate) organization: String,
    pub(crate) user: String,
    /// Whether the key is the organization's own; a personal key has to name the organization.
    pub(crate) organization_key: bool,
    pub(crate) plan: Plan,
    pub(crate) projects_limit: usize,
    pub(crate) default_major: u32,
    pub(crate) delay: Duration,
    pub(crate) machine: Arc<Machine>,
    pub(crate) authority: Arc<Authority>,
    pub(crate) subnet: Subnet,
    pub(crate) nat: Nat,
    pub(crate) faults: Arc<Faults>,
    /// Oldest first.
    pub(crate) projects: Mutex<Vec<Arc<Project>>>,
    pub(crate) computes: AtomicUsize,
}

/// An answer that is an error; Neon hardly ever fills in the code.
fn error(status: StatusCode, message: impl Into<String>) -> Answer {
    coded(status, "", message)
}

/// One of the few errors with a code.
fn coded(status: StatusCode, code: &str, message: impl Into<String>) -> Answer {
    let message = message.into();
    Answer::new(status, json!({ "request_id": random::uuid(), "code": code, "message": message }))
}

fn not_found(what: &str) -> Answer {
    error(StatusCode::NOT_FOUND, format!("{what} not found"))
}

fn invalid(message: impl std::fmt::Display) -> Answer {
    error(StatusCode::BAD_REQUEST, format!("invalid request: {message}"))
}

/// The request's object of that name, as in `{"project": {…}}`.
fn object<'a>(body: &'a Value, name: &str) -> Result<&'a Value, Answer> {
    match &body[name] {
        found @ Value::Object(_) => Ok(found),
        _ => Err(invalid(format!("decode application/json: invalid: {name} (field required)"))),
    }
}

/// The time with seconds, as Neon writes it.
fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

impl Api for Neon {
    fn answer(self: Arc<Self>, call: Call) -> BoxFuture<'static, Answer> {
        Box::pin(async move {
            let answer = self.route(&call).await.unwrap_or_else(|answer| answer);
            answer.with("x-neon-ret-request-id", random::uuid()).with("vary", "Origin")
        })
    }
}

impl Neon {
    async fn route(self: &Arc<Self>, call: &Call) -> Result<Answer, Answer> {
        let words: Vec<&str> = call.segments.iter().map(String::as_str).collect();
        let ["api", "v2", words @ ..] = words.as_slice() else { return Err(not_found("route")) };
        if call.bearer() != Some(self.key.expose_secret()) {
            return Err(error(StatusCode::UNAUTHORIZED, "supplied credentials do not pass authentication"));
        }
        let get = call.method == Method::GET;
        match words {
            ["auth"] if get => Ok(Answer::ok(json!({
                "account_id": if self.organization_key { &self.organization } else { &self.user },
                "auth_method": if self.organization_key { "api_key_org" } else { "api_key_user" },
            }))),
            ["users", ..] | ["regions"] if self.organization_key => {
                Err(error(StatusCode::NOT_FOUND, "not allowed for organization API keys"))
            }
            ["users", "me"] if get => Ok(Answer::ok(self.me())),
            ["users", "me", "organizations"] if get => Ok(Answer::ok(json!({ "organizations": [self.organization_json()] }))),
            ["organizations", id] if get && *id == self.organization => Ok(Answer::ok(self.organization_json())),
            ["regions"] if get => Ok(Answer::ok(regions_json())),
            ["projects", "shared"] if get => Ok(Answer::ok(json!({ "projects": [] }))),
            ["projects"] if get => self.list_projects(call),
            ["projects"] if call.method == Method::POST => self.create_project(call),
            ["projects", id, rest @ ..] => {
                let project = self.project(id).ok_or_else(|| not_found("project"))?;
                self.in_project(call, &project, rest).await
            }
            _ => Err(not_found("route")),
        }
    }

    async fn in_project(self: &Arc<Self>, call: &Call, project: &Arc<Project>, rest: &[&str]) -> Result<Answer, Answer> {
        match (call.method.as_str(), rest) {
            ("GET", []) => Ok(Answer::ok(json!({ "project": project.json(&project.state(), &self.organization) }))),
            ("PATCH", []) => self.patch_project(call, project),
            ("DELETE", []) => self.delete_project(call, project),
            ("GET", ["operations"]) => Ok(self.list_operations(call, project)),
            ("GET", ["operations", id]) => project.operation(id).map(Answer::ok).ok_or_else(|| not_found("operation")),
            ("GET", ["connection_uri"]) => self.connection_uri(call, project),
            ("GET", ["endpoints"]) => Ok(Answer::ok(json!({ "endpoints": [project.endpoint_json(&project.state())] }))),
            (_, ["endpoints", id, rest @ ..]) => {
                if *id != project.endpoint {
                    return Err(not_found("endpoint"));
                }
                self.in_endpoint(call, project, rest)
            }
            ("GET", ["branches"]) => Ok(Answer::ok(json!({
                "branches": [project.branch_json(&project.state())],
                "annotations": {},
                "pagination": { "next": random::alphanumeric(64), "sort_by": "updated_at", "sort_order": "DESC" },
            }))),
            (_, ["branches", id, rest @ ..]) => {
                if *id != project.branch {
                    return Err(not_found("branch"));
                }
                self.in_branch(call, project, rest).await
            }
            (method, _) => Err(error(StatusCode::NOT_FOUND, format!("the simulated Neon has no {method} {}", call.segments.join("/")))),
        }
    }

    /// The project of that id, unless it was deleted.
    fn project(&self, id: &str) -> Option<Arc<Project>> {
        self.projects().into_iter().find(|project| project.id == id)
    }

    /// All projects, oldest first.
    pub(crate) fn projects(&self) -> Vec<Arc<Project>> {
        self.projects.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The running server of a project, by the project's id or name.
    pub(crate) async fn server(self: &Arc<Self>, project: &str) -> Result<Arc<Server>> {
        let found = self.projects().into_iter().find(|candidate| candidate.id == project || candidate.state().name == project);
        let found = found.ok_or_else(|| Error::new(format!("there is no Neon project {project}")))?;
        found.settled().await;
        self.compute(&found).await
    }

    /// Stops every compute.
    pub(crate) async fn stop(&self) -> Result<()> {
        let stops = self.projects().into_iter().map(|project| async move {
            let mut compute = project.compute.lock().await;
            // Its creation may only be about to begin: a server made after this would stay.
            project.state().deleted = true;
            match compute.take() {
                Some(server) => server.stop().await,
                None => Ok(()),
            }
        });
        futures::future::join_all(stops).await.into_iter().collect()
    }

    fn me(&self) -> Value {
        json!({
            "active_seconds_limit": 0,
            "billing_account": {
                "state": "active", "payment_source": { "type": "" }, "subscription_type": self.plan.id(), "payment_method": "none",
                "quota_reset_at_last": "2026-01-01T00:00:00Z", "name": "", "email": "operator@example.com", "address_city": "",
                "address_country": "", "address_line1": "", "address_line2": "", "address_postal_code": "", "address_state": "",
            },
            "auth_accounts": [{ "email": "operator@example.com", "image": "", "login": "operator", "name": "Operator", "provider": "github" }],
            "email": "operator@example.com",
            "id": self.user,
            "image": "",
            "login": "operator",
            "name": "Operator",
            "last_name": "",
            "projects_limit": self.projects_limit,
            "branches_limit": 10,
            "max_autoscaling_limit": self.plan.largest_range(),
            "plan": self.plan.id(),
        })
    }

    fn organization_json(&self) -> Value {
        json!({
            "id": self.organization,
            "name": "Bikeparts",
            "handle": "bikeparts",
            "plan": self.plan.id(),
            "created_at": "2025-02-01T09:00:00Z",
            "updated_at": "2025-02-01T09:00:00Z",
            "managed_by": "console",
        })
    }
}

fn regions_json() -> Value {
    let regions: Vec<Value> = regions::REGIONS
        .iter()
        .map(|region| {
            json!({
                "region_id": region.id,
                "name": region.name,
                "default": region.id == regions::DEFAULT,
                "geo_lat": region.latitude,
                "geo_long": region.longitude,
            })
        })
        .collect();
    json!({ "regions": regions })
}

/// How the proxy finds its way.
pub(crate) struct Directory(pub(crate) Arc<Neon>);

impl Computes for Directory {
    fn wake<'a>(&'a self, endpoint: &'a str) -> BoxFuture<'a, Result<SocketAddrV4, NoCompute>> {
        Box::pin(async move {
            let project = self.0.projects().into_iter().find(|project| project.endpoint == endpoint).ok_or(NoCompute::Unknown)?;
            // A compute that is being made is waited for, as the real proxy does.
            project.settled().await;
            if project.state().settings_of_endpoint["disabled"] == true {
                return Err(NoCompute::Disabled);
            }
            let server = self.0.compute(&project).await.map_err(|error| {
                tracing::warn!("waking {endpoint}: {error}");
                NoCompute::Broken
            })?;
            project.state().endpoint_state = "active";
            Ok(server.address())
        })
    }
}
