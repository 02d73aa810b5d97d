//! The simulated Neon, brought into what a fixture tells of.

use std::time::Duration;

use azure2neon_exchange::{Request, Response};
use azure2neon_local_cloud::Options;
use azure2neon_tests::Rig;
use serde_json::{Value, json};

use super::cases::Situation;
use super::{Message, renamed, send, until};

/// What the fixtures call their organisation and their project with its branch and endpoint.
const ORGANISATION: &str = "org-quiet-1";
const PROJECT: &str = "quiet-river-11112222";
const BRANCH: &str = "br-calm-sun-a1b2c3d4";
const ENDPOINT: &str = "ep-still-moon-a9b8c7d6";
/// And a branch that comes and goes.
const SECOND_BRANCH: &str = "br-new-leaf-0a1b2c3d";

pub struct Stage {
    http: reqwest::Client,
    personal: Account,
    organisation: Account,
    full: Account,
    shop: Project,
}

/// One start of the simulator.
struct Account {
    rig: Rig,
    endpoints: Value,
}

struct Project {
    id: String,
    branch: String,
    endpoint: String,
}

impl Account {
    async fn start(change: impl FnOnce(&mut Options)) -> Self {
        let rig = Rig::small(|options| {
            change(options);
            // Long enough to be seen under way.
            options.operation_delay = Duration::from_millis(200);
        })
        .await;
        Self { endpoints: rig.endpoints(), rig }
    }

    fn at(&self, place: &str) -> &str {
        self.endpoints.pointer(place).and_then(Value::as_str).unwrap_or_else(|| panic!("endpoints.json has no {place}"))
    }
}

impl Stage {
    pub async fn start() -> Self {
        let full = |options: &mut Options| {
            options.organization_key = true;
            options.projects_limit = 1;
            options.existing_projects = vec!["shop".to_owned()];
        };
        let (personal, organisation, full) =
            tokio::join!(Account::start(|_| ()), Account::start(|options| options.organization_key = true), Account::start(full));
        let nothing = Project { id: String::new(), branch: String::new(), endpoint: String::new() };
        let mut stage = Self { http: reqwest::Client::new(), personal, organisation, full, shop: nothing };
        stage.shop = stage.create(true).await;
        stage.call("POST", "/branches/{branch}/roles", Some(json!({ "role": { "name": "billing_owner" } }))).await;
        stage.settle(&stage.shop).await;
        stage
    }

    pub async fn stop(self) {
        tokio::join!(self.personal.rig.stop(), self.organisation.rig.stop(), self.full.rig.stop());
    }

    /// Brings the account into the situation, sends the request, and returns when nothing is under way any more.
    pub async fn play(&self, situation: Situation, request: &Request) -> Response {
        let key = self.organisation.at("/neon/key");
        let reply = match situation {
            Situation::Personal => return self.send(&self.personal, request, &request.path, self.personal.at("/neon/key")).await,
            Situation::WrongKey => return self.send(&self.organisation, request, &request.path, "napi_wrong").await,
            Situation::Unknown => {
                let project = if request.method == "DELETE" { "no-river-1" } else { self.shop.id.as_str() };
                let unknown = Project { id: project.to_owned(), branch: self.shop.branch.clone(), endpoint: self.shop.endpoint.clone() };
                let path = self.path(request, &unknown).replace("shop_owner", "nobody");
                return self.send(&self.organisation, request, &path, key).await;
            }
            Situation::Full => return self.send(&self.full, request, &request.path, self.full.at("/neon/key")).await,
            Situation::WithoutPasswords => {
                let project = self.create(false).await;
                let reply = self.send(&self.organisation, request, &self.path(request, &project), key).await;
                self.delete(&project).await;
                return reply;
            }
            Situation::With if request.method == "DELETE" && !request.path.contains("/branches/") => {
                let project = self.create(true).await;
                return self.send(&self.organisation, request, &self.path(request, &project), key).await;
            }
            Situation::Without if request.path.ends_with("/branches") => {
                let reply = self.create_branch(request.body.as_ref().unwrap()).await;
                self.settle(&self.shop).await;
                self.call("DELETE", &format!("/branches/{}", id_of_branch(&reply)), None).await;
                reply
            }
            Situation::With if request.path.contains(SECOND_BRANCH) => {
                let made = self.create_branch(&json!({ "branch": { "name": "second" } })).await;
                self.settle(&self.shop).await;
                let path = renamed(&self.path(request, &self.shop), &[(SECOND_BRANCH, id_of_branch(&made))]);
                self.send(&self.organisation, request, &path, key).await
            }
            Situation::OperationRunning | Situation::OperationDone => self.poll(situation, request).await,
            _ => {
                self.prepare(situation, request).await;
                self.send(&self.organisation, request, &self.path(request, &self.shop), key).await
            }
        };
        self.settle(&self.shop).await;
        if request.method == "POST" && request.path.ends_with("/projects") && reply.status == 201 {
            self.delete(&Project::of(reply.body.as_ref().unwrap())).await;
        }
        reply
    }

    /// What must be there, must not be, or must be going on.
    async fn prepare(&self, situation: Situation, request: &Request) {
        let (in_branch, of_databases) = (request.path.contains("/branches/"), request.path.contains("/databases"));
        match situation {
            Situation::Busy => drop(self.call("POST", "/branches/{branch}/roles/shop_owner/reset_password", None).await),
            Situation::Without | Situation::With if in_branch => {
                self.try_call("DELETE", "/branches/{branch}/databases/billing", None).await;
                self.settle(&self.shop).await;
                let there = self.try_call("GET", "/branches/{branch}/roles/billing_owner", None).await.status == 200;
                match (of_databases || situation == Situation::With, there) {
                    (true, false) => {
                        let role = json!({ "role": { "name": "billing_owner" } });
                        drop(self.call("POST", "/branches/{branch}/roles", Some(role)).await);
                    }
                    (false, true) => drop(self.call("DELETE", "/branches/{branch}/roles/billing_owner", None).await),
                    _ => {}
                }
                self.settle(&self.shop).await;
                if of_databases && situation == Situation::With {
                    let database = json!({ "database": { "name": "billing", "owner_name": "billing_owner" } });
                    self.call("POST", "/branches/{branch}/databases", Some(database)).await;
                    self.settle(&self.shop).await;
                }
            }
            _ => {}
        }
    }

    /// The operation's own id takes the place of the fixture's.
    async fn poll(&self, situation: Situation, request: &Request) -> Response {
        let started = self.call("POST", "/branches/{branch}/roles/shop_owner/reset_password", None).await.body.unwrap();
        if situation == Situation::OperationDone {
            self.settle(&self.shop).await;
        }
        let path = format!("/projects/{}/operations/{}", self.shop.id, started["operations"][0]["id"].as_str().unwrap());
        self.send(&self.organisation, request, &path, self.organisation.at("/neon/key")).await
    }

    async fn create_branch(&self, body: &Value) -> Response {
        let body = renamed(&body.to_string(), &[(BRANCH, &self.shop.branch)]);
        self.call("POST", "/branches", serde_json::from_str(&body).unwrap()).await
    }

    async fn create(&self, store_passwords: bool) -> Project {
        let project = json!({
            "name": "shop", "region_id": "aws-eu-west-2", "pg_version": 16, "store_passwords": store_passwords,
            "branch": { "name": "main", "role_name": "shop_owner", "database_name": "shop" },
        });
        let request = asked("POST", Some(json!({ "project": project })));
        let reply = self.send(&self.organisation, &request, "/projects", self.organisation.at("/neon/key")).await;
        assert_eq!(reply.status, 201, "{reply:?}");
        let project = Project::of(reply.body.as_ref().unwrap());
        self.settle(&project).await;
        project
    }

    async fn delete(&self, project: &Project) {
        self.settle(project).await;
        let path = format!("/projects/{}", project.id);
        let reply = self.send(&self.organisation, &asked("DELETE", None), &path, self.organisation.at("/neon/key")).await;
        assert_eq!(reply.status, 200, "{reply:?}");
    }

    /// Waits until the project has no operation under way.
    async fn settle(&self, project: &Project) {
        let path = format!("/projects/{}/operations?limit=100", project.id);
        let idle = async || {
            let reply = self.send(&self.organisation, &asked("GET", None), &path, self.organisation.at("/neon/key")).await;
            let listed = reply.body.unwrap();
            listed["operations"].as_array().unwrap().iter().all(|one| one["status"] != "running" && one["status"] != "scheduling")
        };
        until("operations end", idle).await;
    }

    /// A call in the project, which has to succeed.
    async fn call(&self, method: &str, rest: &str, body: Option<Value>) -> Response {
        let reply = self.try_call(method, rest, body).await;
        assert!(reply.status < 300, "{method} {rest}: {reply:?}");
        reply
    }

    async fn try_call(&self, method: &str, rest: &str, body: Option<Value>) -> Response {
        let path = format!("/projects/{}{}", self.shop.id, rest.replace("{branch}", &self.shop.branch));
        self.send(&self.organisation, &asked(method, body), &path, self.organisation.at("/neon/key")).await
    }

    fn path(&self, request: &Request, project: &Project) -> String {
        renamed(&request.path, &[(PROJECT, &project.id), (BRANCH, &project.branch), (ENDPOINT, &project.endpoint)])
    }

    async fn send(&self, account: &Account, request: &Request, path: &str, key: &str) -> Response {
        let names = [(ORGANISATION, account.at("/neon/organization"))];
        let path = renamed(path.trim_start_matches("/api/v2"), &names);
        // A fixture without a body takes any.
        let body = request.body.clone().or_else(|| match (request.method.as_str(), path.rsplit('/').next()) {
            ("POST", Some("databases")) => Some(json!({ "database": { "name": "billing", "owner_name": "billing_owner" } })),
            ("POST", Some("projects")) => Some(json!({ "project": { "name": "shop" } })),
            _ => None,
        });
        let body = body.map(|body| renamed(&body.to_string(), &names));
        let url = format!("{}{path}", account.at("/neon/http"));
        send(&self.http, Message { request, url, token: Some(key), body }).await
    }
}

impl Project {
    /// Of the answer to its creation.
    fn of(created: &Value) -> Self {
        let text = |place: &str| created.pointer(place).and_then(Value::as_str).unwrap().to_owned();
        Self { id: text("/project/id"), branch: text("/branch/id"), endpoint: text("/endpoints/0/id") }
    }
}

fn id_of_branch(created: &Response) -> &str {
    created.body.as_ref().unwrap().pointer("/branch/id").and_then(Value::as_str).unwrap()
}

fn asked(method: &str, body: Option<Value>) -> Request {
    Request { method: method.to_owned(), path: String::new(), headers: Default::default(), body }
}
