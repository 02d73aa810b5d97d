//! The two clouds as the migration sees them. `providers/azure` and `providers/neon` implement these traits;
//! nothing of an HTTP client or of a vendor's crate shows here.

use async_trait::async_trait;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::call::{SourceCall, TargetCall};
pub use crate::compute::{ComputeRange, TargetSettings};
use crate::error::Result;

/// A source server, as its cloud describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceServer {
    /// The resource's name.
    pub name: String,
    /// The cloud's full id of the resource.
    pub id: String,
    /// Region, normalised: lower case, no blanks (`uksouth`).
    pub region: String,
    /// PostgreSQL major version.
    pub major: u32,
    /// Host name that clients connect to.
    pub host: String,
    /// The administrator's login.
    pub admin_login: String,
    /// The state as the cloud spells it (`Ready`, `Updating`, …).
    pub state: String,
    /// Whether `state` is the one in which the server serves and takes changes.
    pub ready: bool,
    /// Why the target's cloud can't reach this server, if its network rules that out (VNet-injected, private endpoint only).
    pub unreachable_because: Option<String>,
    /// Why this server can't be a source at all (a replica, an elastic cluster).
    pub unsupported_because: Option<String>,
    /// The resource group.
    pub resource_group: String,
    /// Whether roles can log in with a password.
    pub password_login: bool,
    /// Whether principals of the cloud's directory can log in with an access token.
    pub token_login: bool,
    /// Whether a standby takes over when the server fails.
    pub high_availability: bool,
    /// Its disk, where the cloud says.
    pub storage: Option<Storage>,
    /// Whether its CPU is throttled when a credit is used up.
    pub burstable: bool,
}

impl SourceServer {
    /// The Azure CLI's command of this verb for the server.
    pub fn az(&self, verb: &str, rest: &str) -> String {
        let command = format!("az postgres flexible-server {verb} --resource-group {} --name {} {rest}", self.resource_group, self.name);
        command.trim_end().to_owned()
    }

    /// The Azure CLI's command that updates the server.
    pub fn az_update(&self, what: &str) -> String {
        self.az("update", what)
    }

    /// The Azure CLI's command that sets a parameter.
    pub fn az_parameter(&self, name: &str, value: &str) -> String {
        format!(
            "az postgres flexible-server parameter set --resource-group {} --server-name {} --name {name} --value {value}",
            self.resource_group, self.name
        )
    }

    /// The Azure CLI's command that lets an address in, by a rule that replaces no other.
    pub fn az_allow(&self, address: std::net::Ipv4Addr) -> String {
        let rule = format!("operator-{}", address.to_string().replace('.', "-"));
        format!(
            "az postgres flexible-server firewall-rule create --resource-group {} --server-name {} --name {rule} --start-ip-address {address}",
            self.resource_group, self.name
        )
    }
}

/// A server's disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Storage {
    /// Size in bytes.
    pub bytes: i64,
    /// Whether the cloud makes it larger before it is full.
    pub grows: bool,
}

/// A server parameter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parameter {
    /// Its name, such as `wal_level`.
    pub name: String,
    /// The value that the cloud holds, which a pending restart may not have put in force yet.
    pub value: String,
    /// The value it has when nobody set one.
    pub default: String,
    /// Whether it takes effect without a restart.
    pub dynamic: bool,
    /// Whether the cloud refuses to change it.
    pub read_only: bool,
    /// Whether a new value waits for a restart.
    pub pending_restart: bool,
}

/// A firewall rule that lets a range of IPv4 addresses in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InboundRule {
    /// Its name.
    pub name: String,
    /// First address, inclusive.
    pub start: String,
    /// Last address, inclusive.
    pub end: String,
}

/// What a migration may have to do in the source's cloud.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloudAct {
    /// [`SourceCloud::set_parameter`]
    SetParameter,
    /// [`SourceCloud::restart`]
    Restart,
    /// [`SourceCloud::allow_inbound`]
    AllowInbound,
    /// [`SourceCloud::revoke_inbound`]
    RevokeInbound,
}

impl CloudAct {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::SetParameter, Self::Restart, Self::AllowInbound, Self::RevokeInbound];
}

/// The cloud that holds the source server. One value stands for one server.
///
/// Every method may be repeated: none does harm when called twice. Writes return only when the cloud says that they are
/// complete, not when it accepted them; an implementation sends one write at a time and waits out "busy" answers itself.
#[async_trait]
pub trait SourceCloud: Send + Sync {
    /// Which credential is used, in words for the operator ("service principal 1234…"). Never a secret.
    fn identity(&self) -> String;

    /// An access token that the server's database takes as the password of a login that stands for `identity`, good for five
    /// minutes at least. It is asked for only when the one before is about to end.
    async fn database_token(&self) -> Result<SecretString>;

    /// Finds the server. `NotFound` if there is none of that name, `Configuration` if there are several.
    async fn describe(&self) -> Result<SourceServer>;

    /// Which acts the credential may not do, each with the name of the right that it lacks; found by asking, not by trying.
    async fn forbidden(&self) -> Result<Vec<(CloudAct, String)>>;

    /// Names of the server's databases.
    async fn databases(&self) -> Result<Vec<String>>;

    /// Parameters by name; a name that the cloud doesn't know is left out of the answer.
    async fn parameters(&self, names: &[&str]) -> Result<Vec<Parameter>>;

    /// Sets a parameter. A static one is in force only after `restart`. An error leaves the old value or the new one:
    /// ask `parameters`.
    async fn set_parameter(&self, name: &str, value: &str) -> Result<()>;

    /// Restarts the server and waits until it is ready. Sent at most once a call: after a lost answer the server's state
    /// decides whether it happened.
    async fn restart(&self) -> Result<()>;

    /// All firewall rules.
    async fn inbound_rules(&self) -> Result<Vec<InboundRule>>;

    /// Creates the rule, or makes the one of its name equal to it.
    async fn allow_inbound(&self, rule: &InboundRule) -> Result<()>;

    /// Removes the rule of that name; it is no error if there is none.
    async fn revoke_inbound(&self, name: &str) -> Result<()>;

    /// The request that such a change sends, as `METHOD url body`. Nothing is sent.
    fn spell(&self, server: &SourceServer, call: &SourceCall) -> String;
}

/// A project of the target's cloud with one of its branches and the branch's read-write endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetProject {
    /// The cloud's id.
    pub id: String,
    /// The name given by people.
    pub name: String,
    /// Region id (`aws-eu-west-2`).
    pub region: String,
    /// PostgreSQL major version.
    pub major: u32,
    /// Id of the branch: the default one, unless another was named.
    pub branch: String,
    /// Id of its read-write endpoint.
    pub endpoint: String,
    /// When it was created, if the cloud says so.
    pub created: Option<jiff::Timestamp>,
    /// Whether others can subscribe to its changes, if the cloud says so.
    #[serde(default)]
    pub publishes: Option<bool>,
}

/// What a new project shall be like.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectSpec {
    /// Name, unique among the projects that the key sees.
    pub name: String,
    /// Region id.
    pub region: String,
    /// PostgreSQL major version.
    pub major: u32,
    /// First database.
    pub database: String,
    /// Its owner, made with it.
    pub role: String,
    /// What project and compute are set to.
    pub settings: TargetSettings,
    /// Whether others can subscribe to its changes, which can't be taken back later.
    #[serde(default)]
    pub publishes: bool,
}

/// A database of a branch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetDatabase {
    /// Its name.
    pub name: String,
    /// Its owner.
    pub owner: String,
}

/// The addresses from which the target's cloud connects to others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EgressAddresses {
    /// IPv4 addresses.
    pub addresses: Vec<String>,
    /// Where the list comes from and of what day it is, for the operator.
    pub provenance: String,
}

/// What to do if the cloud keeps no password of a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LostPassword {
    /// Give it a new one: nobody else uses the role.
    Replace,
    /// Fail: a new one would lock out whoever uses the role.
    Fail,
}

/// What an account's plan allows; what is not known is none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TargetLimits {
    /// The plan's name, as the cloud spells it.
    pub plan: Option<String>,
    /// How many projects there are, and may be.
    pub projects: Option<(i64, i64)>,
    /// What a branch may hold, in bytes.
    pub branch_bytes: Option<i64>,
    /// The largest compute, in compute units.
    pub compute: Option<f64>,
    /// The longest history, in seconds.
    pub history_seconds: Option<i64>,
    /// Whether a compute suspends, however it is set.
    pub suspends: bool,
}

/// How to connect to a database of the target.
#[derive(Clone)]
pub struct TargetConnection {
    /// Direct host, never a pooler's.
    pub host: String,
    /// Port; 5432 unless the cloud says otherwise.
    pub port: u16,
    /// Database.
    pub database: String,
    /// Role.
    pub user: String,
    /// Its password.
    pub password: SecretString,
}

/// The cloud that gets the target.
///
/// Writes return only when all operations that the cloud started for them are finished. "Locked" and "too many requests"
/// are waited out by the implementation.
#[async_trait]
pub trait TargetCloud: Send + Sync {
    /// Checks the credential and says whose it is ("organisation org-x"). `Credentials` if it is refused.
    async fn identity(&self) -> Result<String>;

    /// The region for a source in `source_region`, with the reason in words; `Configuration` if there is no safe default.
    fn region_for(&self, source_region: &str) -> Result<(String, String)>;

    /// Why a new project can't be created in this region, if so.
    fn region_closed(&self, region: &str) -> Option<String>;

    /// What the account's plan allows for a new project or in this one, as far as the cloud tells.
    async fn limits(&self, project: Option<&TargetProject>) -> Result<TargetLimits>;

    /// Looks a project up by its exact name, with its default branch. One that is still being made is waited for.
    async fn find(&self, name: &str) -> Result<Option<TargetProject>>;

    /// Looks a project up by its id or exact name, with the branch of that id or name, else its default branch.
    /// `Configuration` if several projects have the name.
    async fn open(&self, project: &str, branch: Option<&str>) -> Result<Option<TargetProject>>;

    /// Creates the project with its first database and role. After a lost answer it looks the name up before it tries
    /// again, so that there is never a second one. `AlreadyExists` if the name was taken before. A setting that the
    /// account's plan doesn't allow is left to the cloud: ask `settings`.
    async fn create(&self, spec: &ProjectSpec) -> Result<TargetProject>;

    /// Databases of the project's branch.
    async fn databases(&self, project: &TargetProject) -> Result<Vec<TargetDatabase>>;

    /// Roles of the project's branch.
    async fn roles(&self, project: &TargetProject) -> Result<Vec<String>>;

    /// Creates a database owned by `owner`, and the role too if it is missing. No error if both exist.
    async fn create_database(&self, project: &TargetProject, database: &TargetDatabase) -> Result<()>;

    /// Deletes the database with all that it holds; no error if it is gone.
    async fn delete_database(&self, project: &TargetProject, name: &str) -> Result<()>;

    /// Deletes the role; no error if it is gone.
    async fn delete_role(&self, project: &TargetProject, name: &str) -> Result<()>;

    /// What project and compute are set to; all of it, as far as the cloud tells.
    async fn settings(&self, project: &TargetProject) -> Result<TargetSettings>;

    /// Sets what differs. Another size restarts the compute. What the account's plan doesn't allow is left as near as it
    /// may be: ask `settings`.
    async fn change_settings(&self, project: &TargetProject, wanted: &TargetSettings) -> Result<()>;

    /// Addresses from which computes of the region connect to others.
    fn egress_addresses(&self, region: &str) -> Result<EgressAddresses>;

    /// How to connect as the database's owner. The password is asked of the cloud, which mostly keeps it; `Configuration`
    /// if it doesn't and `lost` forbids a new one.
    async fn connection(&self, project: &TargetProject, database: &TargetDatabase, lost: LostPassword) -> Result<TargetConnection>;

    /// Creates a branch of the project's branch that holds what that one holds, with a compute of its own. After a lost answer
    /// it looks the name up before it tries again, so that there is never a second one. `AlreadyExists` if the name was taken
    /// before.
    async fn create_branch(&self, project: &TargetProject, name: &str) -> Result<TargetProject>;

    /// Deletes the project's branch of this name with its compute; no error if it is gone.
    async fn delete_branch(&self, project: &TargetProject, name: &str) -> Result<()>;

    /// Deletes the project; no error if it is gone.
    async fn delete(&self, project: &TargetProject) -> Result<()>;

    /// The requests that such a change sends, each as `METHOD url body`. Nothing is sent.
    fn spell(&self, call: &TargetCall) -> Vec<String>;
}
