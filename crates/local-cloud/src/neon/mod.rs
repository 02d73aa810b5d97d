//! Neon's API v2 as far as a migration needs it, with a real PostgreSQL as each project's compute.

mod account;
mod branch;
mod branches;
mod compute;
mod databases;
mod endpoints;
mod operations;
mod plan;
mod project;
mod projects;
pub(crate) mod regions;
mod roles;

use std::net::SocketAddrV4;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use hyper::StatusCode;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use branches::Place;
pub use plan::Plan;
use project::Project;

use crate::error::{Error, Result};
use crate::http::{Answer, Api, Call, Faults, proxy_page};
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
    /// The name of the only project that the key is for.
    pub(crate) key_project: Option<String>,
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
    Answer::new(status, json!({ "code": code, "message": message }))
}

/// The refusal while operations are under way.
fn locked() -> Answer {
    error(StatusCode::LOCKED, "project already has running conflicting operations, scheduling of new ones is prohibited")
}

fn not_found(what: &str) -> Answer {
    error(StatusCode::NOT_FOUND, format!("{what} not found"))
}

/// For what Neon may have and this one hasn't.
fn not_simulated(call: &Call) -> Answer {
    error(StatusCode::NOT_FOUND, format!("the simulated Neon has no {} /{}", call.method, call.segments.join("/")))
}

fn invalid(message: impl std::fmt::Display) -> Answer {
    error(StatusCode::BAD_REQUEST, format!("invalid request: {message}"))
}

fn read_body(call: &Call) -> Result<Value, Answer> {
    call.json().map_err(|error| invalid(format!("decode application/json: {error}")))
}

fn missing(name: &str) -> Answer {
    invalid(format!("decode application/json: invalid: {name} (field required)"))
}

/// The request's object of that name, as in `{"project": {…}}`.
fn object<'a>(body: &'a Value, name: &str) -> Result<&'a Value, Answer> {
    Some(&body[name]).filter(|found| found.is_object()).ok_or_else(|| missing(name))
}

/// The text of a field that has to be there.
fn field<'a>(wanted: &'a Value, name: &str) -> Result<&'a str, Answer> {
    wanted[name].as_str().ok_or_else(|| missing(name))
}

/// The page of a list that the call asks for by `limit` and `cursor`, the latter being the last entry of the page before.
fn window<'a, T>(call: &Call, list: &'a [T], cursor_of: impl Fn(&T) -> String) -> Result<&'a [T], Answer> {
    let limit = match call.query("limit").map(str::parse::<usize>) {
        None => 10,
        Some(Ok(limit @ 1..=400)) => limit,
        Some(_) => return Err(invalid("limit: value must be between 1 and 400")),
    };
    // An entry that vanished since leads back to the beginning.
    let seen = call.query("cursor").and_then(|cursor| list.iter().position(|entry| cursor_of(entry) == cursor));
    let rest = &list[seen.map_or(0, |index| index + 1)..];
    Ok(&rest[..limit.min(rest.len())])
}

/// The time as Neon writes it.
fn seconds(time: jiff::Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn now() -> String {
    seconds(jiff::Timestamp::now())
}

impl Api for Neon {
    fn name(&self, _: &str) -> &'static str {
        "neon"
    }

    fn answer(self: Arc<Self>, call: Call) -> BoxFuture<'static, Answer> {
        Box::pin(async move {
            let id = call.headers.get("x-request-id").and_then(|id| id.to_str().ok()).map_or_else(random::uuid, str::to_owned);
            let answer = self.route(&call).await.unwrap_or_else(|mut answer| {
                if let Some(body) = &mut answer.body {
                    body["request_id"] = json!(id);
                }
                answer
            });
            answer.with("x-neon-ret-request-id", id).with("vary", "Origin")
        })
    }

    fn refusal(&self, status: StatusCode) -> Answer {
        match status.as_u16() {
            423 => locked(),
            429 => error(status, "rate limit exceeded").with("retry-after", "1"),
            503 => error(status, "service is temporarily unavailable"),
            _ => proxy_page(status),
        }
    }
}

impl Neon {
    async fn route(self: &Arc<Self>, call: &Call) -> Result<Answer, Answer> {
        let words: Vec<&str> = call.segments.iter().map(String::as_str).collect();
        let ["api", "v2", words @ ..] = words.as_slice() else { return Err(not_found("route")) };
        if call.bearer() != Some(self.key.expose_secret()) {
            return Err(error(StatusCode::UNAUTHORIZED, "supplied credentials do not pass authentication"));
        }
        self.check_key(words)?;
        match (call.method.as_str(), words) {
            ("GET", ["auth"]) => Ok(Answer::ok(self.auth())),
            ("GET", ["users", "me"]) => Ok(Answer::ok(self.me())),
            ("GET", ["users", "me", "organizations"]) => Ok(Answer::ok(json!({ "organizations": [self.organization_json()] }))),
            ("GET", ["organizations", id]) if *id == self.organization => Ok(Answer::ok(self.organization_json())),
            ("GET", ["organizations", _]) => Err(not_found("organization")),
            ("GET", ["regions"]) => Ok(Answer::ok(account::regions_json())),
            ("GET", ["projects", "shared"]) => Ok(Answer::ok(json!({ "projects": [] }))),
            ("GET", ["projects"]) => self.list_projects(call),
            ("POST", ["projects"]) => self.create_project(call),
            (_, ["projects", id, rest @ ..]) => {
                let project = self.project(id).ok_or_else(|| not_found("project"))?;
                self.in_project(call, &project, rest).await
            }
            _ => Err(not_simulated(call)),
        }
    }

    async fn in_project(self: &Arc<Self>, call: &Call, project: &Arc<Project>, rest: &[&str]) -> Result<Answer, Answer> {
        match (call.method.as_str(), rest) {
            ("GET", []) => Ok(Answer::ok(json!({ "project": self.whole_project(project) }))),
            ("PATCH", []) => self.patch_project(call, project),
            ("DELETE", []) => self.delete_project(call, project),
            ("GET", ["operations"]) => self.list_operations(call, project),
            ("GET", ["operations", id]) => project.operation(id),
            ("GET", ["connection_uri"]) => self.connection_uri(call, project),
            ("GET", ["endpoints"]) => Ok(Self::list_endpoints(project)),
            ("POST", ["endpoints"]) => self.create_endpoint(call, project),
            (_, ["endpoints", words @ ..]) => self.in_endpoint(call, project, words),
            ("GET", ["branches"]) => self.list_branches(call, project),
            ("POST", ["branches"]) => self.create_branch(call, project),
            ("GET", ["branches", "count"]) => Ok(Self::count_branches(project)),
            (_, ["branches", id, rest @ ..]) => {
                let place = Place { project: Arc::clone(project), branch: (*id).to_owned() };
                self.in_branch(call, &place, rest).await
            }
            _ => Err(not_simulated(call)),
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

    /// The running server of a project's default branch, by the project's id or name.
    pub(crate) async fn server(&self, project: &str) -> Result<Arc<Server>> {
        let found = self.projects().into_iter().find(|candidate| candidate.id == project || candidate.state().name == project);
        let found = found.ok_or_else(|| Error::new(format!("there is no Neon project {project}")))?;
        found.settled().await;
        let branch = found.state().branches.iter().find(|branch| branch.default).map(|branch| branch.id.clone());
        let branch = branch.ok_or_else(|| Error::new(format!("{project} has no default branch")))?;
        self.compute(&Place { project: found, branch }).await
    }

    /// Stops every compute.
    pub(crate) async fn stop(&self) -> Result<()> {
        let stops = self.projects().into_iter().map(|project| async move {
            let abandoned = project.state().abandon();
            for data in abandoned {
                if let Some(server) = data.lock().await.take() {
                    server.stop().await?;
                }
            }
            Ok(())
        });
        futures::future::join_all(stops).await.into_iter().collect()
    }
}

/// How the proxy finds its way.
pub(crate) struct Directory(pub(crate) Arc<Neon>);

impl Computes for Directory {
    fn wake<'a>(&'a self, endpoint: &'a str) -> BoxFuture<'a, Result<SocketAddrV4, NoCompute>> {
        Box::pin(async move {
            let of = |project: &Arc<Project>| project.state().branch_of(endpoint).map(|branch| branch.id.clone());
            let found = self.0.projects().into_iter().find_map(|project| of(&project).map(|branch| Place { project, branch }));
            let place = found.ok_or(NoCompute::Unknown)?;
            // A compute that is being made is waited for, as the real proxy does.
            place.project.settled().await;
            let disabled = place.read(|branch| branch.endpoint.as_ref().is_some_and(|endpoint| endpoint.settings["disabled"] == true));
            if disabled.unwrap_or(false) {
                return Err(NoCompute::Disabled);
            }
            let server = self.0.compute(&place).await.map_err(|error| {
                tracing::warn!("waking {endpoint}: {error}");
                NoCompute::Broken
            })?;
            Ok(server.address())
        })
    }
}
