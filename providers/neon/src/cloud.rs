//! The target through Neon's API.

use std::time::Duration;

use async_trait::async_trait;
use azure2neon_core::call::TargetCall;
use azure2neon_core::cloud::{
    EgressAddresses, LostPassword, ProjectSpec, TargetCloud, TargetConnection, TargetDatabase, TargetLimits, TargetProject, TargetSettings,
};
use azure2neon_core::{Error, ErrorKind, Result};
use azure2neon_exchange::{Http, Recorder};
use reqwest::Method;
use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use url::Url;

use crate::api::{Api, Request};
use crate::fault::Fault;
use crate::model::{ConnectionUri, Databases, OneEndpoint, Reset, Roles};
use crate::operations::TRIES;
use crate::pace::Pace;
use crate::{organisation, regions, uri};
use azure2neon_core::patience::Waits;

/// As whom to speak to Neon, and how to get there.
pub struct Settings {
    /// The API's address with its version, `https://console.neon.tech/api/v2`.
    pub endpoint: Url,
    /// The API key.
    pub api_key: SecretString,
    /// The organisation; by default the key's own, or the only one of the key's owner.
    pub org_id: Option<String>,
    /// The addresses from which computes connect, in place of the built-in table.
    pub egress_override: Option<EgressAddresses>,
    /// Whom to trust.
    pub tls: rustls::ClientConfig,
    /// How long an answer may take before it counts as lost.
    pub answer_timeout: Duration,
    /// Who hears what is waited for.
    pub waits: Waits,
    /// Who writes the exchanges down, if anybody.
    pub recorder: Option<Recorder>,
}

/// Projects on Neon.
pub struct NeonCloud {
    pub(crate) api: Api,
    pub(crate) org_id: Option<String>,
    pub(crate) only_org: OnceCell<String>,
    egress_override: Option<EgressAddresses>,
}

/// What a branch holds by name.
#[derive(Clone, Copy)]
enum Kind {
    Role,
    Database,
}

impl Kind {
    fn segment(self) -> &'static str {
        match self {
            Self::Role => "roles",
            Self::Database => "databases",
        }
    }
}

fn role_body(name: &str) -> Value {
    json!({ "role": { "name": name } })
}

fn database_body(database: &TargetDatabase) -> Value {
    json!({ "database": { "name": database.name, "owner_name": database.owner } })
}

impl NeonCloud {
    /// Checks the settings; nothing is sent yet.
    pub fn new(settings: Settings) -> Result<Self> {
        let pace = Pace { waits: settings.waits.clone(), ..Pace::default() };
        Self::with_pace(settings, pace)
    }

    pub(crate) fn with_pace(settings: Settings, pace: Pace) -> Result<Self> {
        let Settings { endpoint, api_key, org_id, egress_override, tls, answer_timeout, recorder, .. } = settings;
        let configuration = |text: String| Error::new(ErrorKind::Configuration, text);
        if !matches!(endpoint.scheme(), "https" | "http") || !endpoint.has_host() || endpoint.query().is_some() {
            return Err(configuration(format!("`{endpoint}` can't be the address of Neon's API")));
        }
        let key = api_key.expose_secret().trim();
        let bearer = HeaderValue::from_str(&format!("Bearer {key}")).ok().filter(|_| !key.is_empty());
        let bearer = bearer.ok_or_else(|| {
            configuration("the Neon API key is empty or holds characters that no key has".to_owned()).hint("set NEON_API_KEY")
        })?;
        for address in egress_override.iter().flat_map(|given| &given.addresses) {
            let parsed = address.parse::<std::net::Ipv4Addr>();
            if parsed.map_or(true, |address| address.is_unspecified()) {
                return Err(configuration(format!("`{address}` is no IPv4 address of Neon"))
                    .hint("give one address each with --egress-address, or one a line in the `egress_file` under [target]"));
            }
        }
        let http = azure2neon_exchange::client(tls, answer_timeout)
            .build()
            .map_err(|error| Error::new(ErrorKind::Internal, "the HTTP client can't be set up").because(error))?;
        let api = Api::new(Http::new(http, recorder), endpoint, bearer, pace);
        let egress_override = egress_override.filter(|given| !given.addresses.is_empty());
        Ok(Self { api, org_id, only_org: OnceCell::new(), egress_override })
    }

    fn of_branch<'a>(project: &'a TargetProject, rest: &[&'a str]) -> Vec<&'a str> {
        let mut segments = vec!["projects", project.id.as_str(), "branches", project.branch.as_str()];
        segments.extend(rest);
        segments
    }

    fn creation(project: &TargetProject, kind: Kind, body: Value) -> Request {
        Request::post(&Self::of_branch(project, &[kind.segment()]), body)
    }

    fn deletion(project: &TargetProject, kind: Kind, name: &str) -> Request {
        Request::new(Method::DELETE, &Self::of_branch(project, &[kind.segment(), name]))
    }

    async fn list_roles(&self, project: &TargetProject) -> std::result::Result<Vec<String>, Fault> {
        let listed: Roles = self.api.send(Request::get(&Self::of_branch(project, &["roles"]))).await?;
        Ok(listed.roles.into_iter().map(|role| role.name).collect())
    }

    async fn list_databases(&self, project: &TargetProject) -> std::result::Result<Vec<TargetDatabase>, Fault> {
        let listed: Databases = self.api.send(Request::get(&Self::of_branch(project, &["databases"]))).await?;
        Ok(listed.databases.into_iter().map(|one| TargetDatabase { name: one.name, owner: one.owner_name }).collect())
    }

    async fn has(&self, project: &TargetProject, kind: Kind, name: &str) -> std::result::Result<bool, Fault> {
        match kind {
            Kind::Role => Ok(self.list_roles(project).await?.iter().any(|role| role == name)),
            Kind::Database => Ok(self.list_databases(project).await?.iter().any(|one| one.name == name)),
        }
    }

    /// Creates what is not there; after a lost answer, or "already exists", what is there decides.
    async fn create_once(&self, project: &TargetProject, kind: Kind, name: &str, body: Value) -> std::result::Result<(), Fault> {
        let request = Self::creation(project, kind, body);
        let (mut tries, mut unsure) = (0, None);
        loop {
            if self.has(project, kind, name).await? {
                return Ok(());
            }
            if let Some(fault) = unsure.take_if(|_| tries >= TRIES) {
                return Err(fault);
            }
            tries += 1;
            match self.api.write(&project.id, request.clone()).await {
                Err(fault) if fault.is_ambiguous() || fault.says_exists() => {
                    self.api.settle(&project.id).await?;
                    unsure = Some(fault);
                }
                result => return result,
            }
        }
    }

    async fn delete_named(&self, project: &TargetProject, kind: Kind, name: &str) -> Result<()> {
        match self.api.write_again(&project.id, Self::deletion(project, kind, name)).await {
            Err(fault) if !fault.is_not_found() => Err(fault.error(&format!("delete {name} from the {} on Neon", kind.segment()))),
            _ => Ok(()),
        }
    }

    /// A project that doesn't store passwords gives a new one instead. That cuts the compute's connections.
    async fn reset_password(&self, project: &TargetProject, database: &TargetDatabase) -> std::result::Result<TargetConnection, Fault> {
        let TargetDatabase { name, owner } = database;
        let segments = Self::of_branch(project, &["roles", owner, "reset_password"]);
        let reset: Reset = self.api.send_again(Request::new(Method::POST, &segments)).await?;
        self.api.finish(&project.id, reset.operations).await?;
        let password = reset.role.password.ok_or_else(|| Fault::Malformed("a new password is missing".to_owned()))?;
        let found: OneEndpoint = self.api.send(Request::get(&["projects", &project.id, "endpoints", &project.endpoint])).await?;
        let host = found.endpoint.host.ok_or_else(|| Fault::Malformed("the compute has no host".to_owned()))?;
        Ok(TargetConnection { host: uri::direct(&host), port: 5432, database: name.clone(), user: owner.clone(), password })
    }
}

#[async_trait]
impl TargetCloud for NeonCloud {
    async fn identity(&self) -> Result<String> {
        organisation::identity(&self.api, self.org_id.as_deref()).await
    }

    fn region_for(&self, source_region: &str) -> Result<(String, String)> {
        regions::nearest(source_region)
    }

    fn region_closed(&self, region: &str) -> Option<String> {
        regions::closed(region)
    }

    async fn limits(&self, project: Option<&TargetProject>) -> Result<TargetLimits> {
        self.read_limits(project).await.map_err(|fault| fault.error("ask what the Neon account's plan allows"))
    }

    async fn find(&self, name: &str) -> Result<Option<TargetProject>> {
        self.find_project(name).await
    }

    async fn open(&self, project: &str, branch: Option<&str>) -> Result<Option<TargetProject>> {
        self.open_project(project, branch).await
    }

    async fn create(&self, spec: &ProjectSpec) -> Result<TargetProject> {
        self.create_project(spec).await
    }

    async fn databases(&self, project: &TargetProject) -> Result<Vec<TargetDatabase>> {
        let result = self.list_databases(project).await;
        result.map_err(|fault| fault.error(&format!("list the databases of the Neon project {}", project.name)))
    }

    async fn roles(&self, project: &TargetProject) -> Result<Vec<String>> {
        let result = self.list_roles(project).await;
        result.map_err(|fault| fault.error(&format!("list the roles of the Neon project {}", project.name)))
    }

    async fn create_database(&self, project: &TargetProject, database: &TargetDatabase) -> Result<()> {
        let TargetDatabase { name, owner } = database;
        // A new role cuts the compute's connections, so it comes before there are any.
        let role = self.create_once(project, Kind::Role, owner, role_body(owner)).await;
        role.map_err(|fault| fault.error(&format!("create the role {owner} on Neon")))?;
        let created = self.create_once(project, Kind::Database, name, database_body(database)).await;
        created.map_err(|fault| fault.error(&format!("create the database {name} on Neon")))
    }

    async fn delete_database(&self, project: &TargetProject, name: &str) -> Result<()> {
        self.delete_named(project, Kind::Database, name).await
    }

    async fn delete_role(&self, project: &TargetProject, name: &str) -> Result<()> {
        self.delete_named(project, Kind::Role, name).await
    }

    async fn settings(&self, project: &TargetProject) -> Result<TargetSettings> {
        let result = self.read_settings(project).await;
        result.map_err(|fault| fault.error(&format!("read the settings of the Neon project {}", project.name)))
    }

    async fn change_settings(&self, project: &TargetProject, wanted: &TargetSettings) -> Result<()> {
        let result = self.write_settings(project, wanted).await;
        result.map_err(|fault| fault.error(&format!("change the Neon project {} to {wanted}", project.name)))
    }

    fn egress_addresses(&self, region: &str) -> Result<EgressAddresses> {
        match &self.egress_override {
            Some(given) => Ok(given.clone()),
            None => regions::egress(region),
        }
    }

    async fn connection(&self, project: &TargetProject, database: &TargetDatabase, lost: LostPassword) -> Result<TargetConnection> {
        let TargetDatabase { name, owner } = database;
        let what = format!("get the connection to the database {name} on Neon");
        let request = Request::get(&["projects", &project.id, "connection_uri"])
            .query("branch_id", project.branch.as_str())
            .query("endpoint_id", project.endpoint.as_str())
            .query("database_name", name)
            .query("role_name", owner)
            .query("pooled", "false");
        let found = match self.api.send::<ConnectionUri>(request).await {
            Ok(answer) => uri::parse(&answer.uri).ok_or_else(|| Fault::Malformed("the connection URI has another form".to_owned())),
            Err(fault) if fault.keeps_no_password() => match lost {
                LostPassword::Replace => self.reset_password(project, database).await,
                LostPassword::Fail => {
                    let text = format!("Neon keeps no password of the role {owner}, and a new one would lock out whoever uses it");
                    return Err(Error::new(ErrorKind::Configuration, text)
                        .hint("name a new database with a new owner: `database` and `role` under [target]"));
                }
            },
            Err(fault) => Err(fault),
        };
        found.map_err(|fault| fault.error(&what))
    }

    async fn create_branch(&self, project: &TargetProject, name: &str) -> Result<TargetProject> {
        self.branch_off(project, name).await
    }

    async fn delete_branch(&self, project: &TargetProject, name: &str) -> Result<()> {
        let result = self.drop_branch(project, name).await;
        result.map_err(|fault| fault.error(&format!("delete the branch {name} of the Neon project {}", project.name)))
    }

    async fn delete(&self, project: &TargetProject) -> Result<()> {
        self.delete_project(project).await
    }

    fn spell(&self, call: &TargetCall) -> Vec<String> {
        let requests = match call {
            TargetCall::CreateProject(spec) => vec![self.project_request(spec, spec.settings.suspend_seconds.is_some())],
            TargetCall::DeleteProject(project) => vec![Self::project_deletion(project)],
            TargetCall::ChangeSettings(project, wanted) => crate::settings::requests(project, wanted),
            TargetCall::CreateRole(project, name) => vec![Self::creation(project, Kind::Role, role_body(name))],
            TargetCall::DeleteRole(project, name) => vec![Self::deletion(project, Kind::Role, name)],
            TargetCall::CreateDatabase(project, database) => vec![Self::creation(project, Kind::Database, database_body(database))],
            TargetCall::DeleteDatabase(project, name) => vec![Self::deletion(project, Kind::Database, name)],
        };
        requests.iter().map(|request| self.api.spell(request)).collect()
    }
}
