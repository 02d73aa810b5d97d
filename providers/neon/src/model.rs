//! Neon's JSON as far as it is read. Only what a call can't do without is required; states, actions and regions are text.

use secrecy::SecretString;
use serde::{Deserialize, Deserializer};

/// Takes null for the default.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

/// Takes text for a secret at once.
fn secret<'de, D: Deserializer<'de>>(from: D) -> Result<SecretString, D::Error> {
    Ok(SecretString::from(String::deserialize(from)?))
}

fn secret_if_any<'de, D: Deserializer<'de>>(from: D) -> Result<Option<SecretString>, D::Error> {
    Ok(Option::<String>::deserialize(from)?.map(SecretString::from))
}

#[derive(Deserialize)]
pub(crate) struct Auth {
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) account_id: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) auth_method: String,
}

#[derive(Deserialize)]
pub(crate) struct Organisations {
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) organizations: Vec<Organisation>,
}

#[derive(Deserialize)]
pub(crate) struct Organisation {
    pub(crate) id: String,
    pub(crate) name: Option<String>,
}

#[derive(Clone, Deserialize)]
pub(crate) struct Project {
    pub(crate) id: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) name: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) region_id: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) pg_version: u32,
    pub(crate) created_at: Option<String>,
    pub(crate) history_retention_seconds: Option<i64>,
    pub(crate) branch_logical_size_limit_bytes: Option<i64>,
    pub(crate) settings: Option<ProjectSettings>,
}

#[derive(Clone, Deserialize)]
pub(crate) struct ProjectSettings {
    pub(crate) enable_logical_replication: Option<bool>,
}

#[derive(Deserialize)]
pub(crate) struct OneProject {
    pub(crate) project: Project,
}

#[derive(Deserialize)]
pub(crate) struct Projects {
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) projects: Vec<Project>,
    pub(crate) pagination: Option<Pagination>,
}

/// A position in a list: `cursor` for projects, `next` for branches.
#[derive(Deserialize)]
pub(crate) struct Pagination {
    pub(crate) cursor: Option<String>,
    pub(crate) next: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct Branch {
    pub(crate) id: String,
    pub(crate) name: Option<String>,
    /// `primary` is the older name of it.
    pub(crate) default: Option<bool>,
    pub(crate) primary: Option<bool>,
}

#[derive(Deserialize)]
pub(crate) struct Branches {
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) branches: Vec<Branch>,
    pub(crate) pagination: Option<Pagination>,
}

#[derive(Deserialize)]
pub(crate) struct Endpoint {
    pub(crate) id: String,
    pub(crate) branch_id: Option<String>,
    pub(crate) r#type: Option<String>,
    pub(crate) host: Option<String>,
    pub(crate) suspend_timeout_seconds: Option<i64>,
    pub(crate) autoscaling_limit_min_cu: Option<f64>,
    pub(crate) autoscaling_limit_max_cu: Option<f64>,
}

impl Endpoint {
    /// Whether it takes writes; without a type it is the one that a project is made with.
    pub(crate) fn writes(&self) -> bool {
        self.r#type.as_deref().is_none_or(|kind| kind == "read_write")
    }
}

#[derive(Deserialize)]
pub(crate) struct NewBranch {
    pub(crate) branch: Branch,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) endpoints: Vec<Endpoint>,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) operations: Vec<Operation>,
}

#[derive(Deserialize)]
pub(crate) struct Endpoints {
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) endpoints: Vec<Endpoint>,
}

#[derive(Deserialize)]
pub(crate) struct OneEndpoint {
    pub(crate) endpoint: Endpoint,
}

#[derive(Deserialize)]
pub(crate) struct Created {
    pub(crate) project: Project,
    pub(crate) branch: Option<Branch>,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) endpoints: Vec<Endpoint>,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) operations: Vec<Operation>,
}

#[derive(Clone, Deserialize)]
pub(crate) struct Operation {
    pub(crate) id: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) action: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) status: String,
    pub(crate) error: Option<String>,
    pub(crate) retry_at: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct OneOperation {
    pub(crate) operation: Operation,
}

/// Operations that were listed, or that an answer says were started.
#[derive(Deserialize)]
pub(crate) struct Operations {
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) operations: Vec<Operation>,
}

#[derive(Deserialize)]
pub(crate) struct Databases {
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) databases: Vec<Database>,
}

#[derive(Deserialize)]
pub(crate) struct Database {
    pub(crate) name: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) owner_name: String,
}

#[derive(Deserialize)]
pub(crate) struct Roles {
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) roles: Vec<RoleName>,
}

#[derive(Deserialize)]
pub(crate) struct RoleName {
    pub(crate) name: String,
}

#[derive(Deserialize)]
pub(crate) struct ConnectionUri {
    #[serde(deserialize_with = "secret")]
    pub(crate) uri: SecretString,
}

#[derive(Deserialize)]
pub(crate) struct Reset {
    pub(crate) role: RolePassword,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) operations: Vec<Operation>,
}

#[derive(Deserialize)]
pub(crate) struct RolePassword {
    #[serde(default, deserialize_with = "secret_if_any")]
    pub(crate) password: Option<SecretString>,
}
