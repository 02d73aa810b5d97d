//! What Neon knows about a project, and how the API shows it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::now;
use super::operations::Operation;
use super::regions::Region;
use crate::random;
use crate::servers::Server;

/// The label between endpoint and region in the hosts of newer projects.
const CELL: &str = "c-2";

/// A project with its one branch and its one endpoint.
pub(crate) struct Project {
    pub(crate) id: String,
    pub(super) branch: String,
    pub(crate) endpoint: String,
    pub(super) region: &'static Region,
    pub(super) major: u32,
    pub(super) store_passwords: bool,
    pub(super) created: String,
    state: Mutex<State>,
    /// The server, once there is one; it may be stopped.
    pub(super) compute: tokio::sync::Mutex<Option<Arc<Server>>>,
}

/// What changes in a project's life.
pub(crate) struct State {
    pub(crate) name: String,
    pub(super) branch_name: String,
    pub(super) settings: Value,
    pub(super) default_endpoint_settings: Value,
    pub(super) history_retention_seconds: i64,
    pub(super) updated: String,
    pub(super) roles: Vec<Role>,
    pub(super) databases: Vec<Database>,
    pub(super) operations: Vec<Operation>,
    /// Compute units, suspend timeout, `disabled`, `settings`.
    pub(super) settings_of_endpoint: Value,
    /// `init`, `active` or `idle`.
    pub(super) endpoint_state: &'static str,
    pub(super) deleted: bool,
}

/// A role made through the API.
#[derive(Clone)]
pub(super) struct Role {
    pub(super) name: String,
    /// None for a role that can't log in.
    pub(super) password: Option<SecretString>,
    pub(super) created: String,
}

/// A database made through the API.
#[derive(Clone)]
pub(super) struct Database {
    pub(super) id: u32,
    pub(super) name: String,
    pub(super) owner: String,
    pub(super) created: String,
}

/// A new password, as Neon makes them.
pub(super) fn new_password() -> SecretString {
    random::secret("npg_", 16)
}

impl Role {
    pub(super) fn new(name: &str, login: bool) -> Self {
        Self { name: name.to_owned(), password: login.then(new_password), created: now() }
    }

    /// The role, with its password only where the API tells it.
    pub(super) fn json(&self, branch: &str, with_password: bool) -> Value {
        let mut role =
            json!({ "branch_id": branch, "name": self.name, "protected": false, "created_at": self.created, "updated_at": self.created });
        if let Some(password) = self.password.as_ref().filter(|_| with_password) {
            role["password"] = json!(password.expose_secret());
        }
        role
    }
}

impl Database {
    pub(super) fn new(name: &str, owner: &str) -> Self {
        Self { id: fastrand::u32(10_000_000..90_000_000), name: name.to_owned(), owner: owner.to_owned(), created: now() }
    }

    pub(super) fn json(&self, branch: &str) -> Value {
        json!({ "id": self.id, "branch_id": branch, "name": self.name, "owner_name": self.owner, "created_at": self.created, "updated_at": self.created })
    }
}

impl Project {
    pub(super) fn new(region: &'static Region, major: u32, store_passwords: bool, state: State) -> Self {
        Self {
            id: format!("{}-{}", random::words(), random::digits()),
            branch: format!("br-{}-{}", random::words(), random::digits()),
            endpoint: format!("ep-{}-{}", random::words(), random::digits()),
            region,
            major,
            store_passwords,
            created: now(),
            state: Mutex::new(state),
            compute: tokio::sync::Mutex::default(),
        }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a project to rest that has never run.
    pub(crate) fn sleep(&self) {
        self.state().endpoint_state = "idle";
    }

    /// Returns when no operation is under way.
    pub(super) async fn settled(&self) {
        while self.state().busy() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    fn proxy_host(&self) -> String {
        format!("{CELL}.{}", self.region.suffix)
    }

    pub(super) fn host(&self) -> String {
        format!("{}.{}", self.endpoint, self.proxy_host())
    }

    pub(super) fn pooler_host(&self) -> String {
        format!("{}-pooler.{}", self.endpoint, self.proxy_host())
    }

    /// A connection string; passwords of Neon's making need no escaping, names may.
    pub(super) fn uri(&self, role: &Role, database: &str, pooled: bool) -> String {
        let escape =
            |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string().replace("%5F", "_");
        format!(
            "postgresql://{}:{}@{}/{}?sslmode=require&channel_binding=require",
            escape(&role.name),
            role.password.as_ref().map_or("", |password| password.expose_secret()),
            if pooled { self.pooler_host() } else { self.host() },
            escape(database),
        )
    }

    pub(super) fn endpoint_json(&self, state: &State) -> Value {
        let mut endpoint = json!({
            "host": self.host(),
            "id": self.endpoint,
            "project_id": self.id,
            "branch_id": self.branch,
            "region_id": self.region.id,
            "type": "read_write",
            "current_state": state.endpoint_state,
            "pooler_enabled": false,
            "pooler_mode": "transaction",
            "passwordless_access": true,
            "last_active": "2000-01-01T00:00:00Z",
            "creation_source": "console",
            "created_at": self.created,
            "updated_at": state.updated,
            "proxy_host": self.proxy_host(),
            "provisioner": "k8s-neonvm",
        });
        merge(&mut endpoint, &state.settings_of_endpoint);
        if state.busy() {
            endpoint["pending_state"] = json!("active");
        }
        endpoint
    }

    pub(super) fn json(&self, state: &State, organization: &str) -> Value {
        json!({
            "data_storage_bytes_hour": 0,
            "data_transfer_bytes": 0,
            "written_data_bytes": 0,
            "compute_time_seconds": 0,
            "active_time_seconds": 0,
            "active_time": 0,
            "cpu_used_sec": 0,
            "id": self.id,
            "platform_id": "aws",
            "region_id": self.region.id,
            "name": state.name,
            "provisioner": "k8s-neonvm",
            "default_endpoint_settings": state.default_endpoint_settings,
            "settings": state.settings,
            "pg_version": self.major,
            "proxy_host": self.proxy_host(),
            "branch_logical_size_limit": 16_777_216,
            "branch_logical_size_limit_bytes": 17_592_186_044_416_u64,
            "store_passwords": self.store_passwords,
            "creation_source": "console",
            "history_retention_seconds": state.history_retention_seconds,
            "created_at": self.created,
            "updated_at": state.updated,
            "synthetic_storage_size": 0,
            "consumption_period_start": "0001-01-01T00:00:00Z",
            "consumption_period_end": "0001-01-01T00:00:00Z",
            "owner_id": organization,
            "org_id": organization,
        })
    }

    pub(super) fn branch_json(&self, state: &State) -> Value {
        let mut branch = json!({
            "id": self.branch,
            "project_id": self.id,
            "name": state.branch_name,
            "current_state": if state.endpoint_state == "init" { "init" } else { "ready" },
            "state_changed_at": self.created,
            "creation_source": "console",
            "primary": true,
            "default": true,
            "protected": false,
            "cpu_used_sec": 0,
            "compute_time_seconds": 0,
            "active_time_seconds": 0,
            "written_data_bytes": 0,
            "data_transfer_bytes": 0,
            "created_at": self.created,
            "updated_at": state.updated,
            "init_source": "parent-data",
        });
        if state.endpoint_state == "init" {
            branch["pending_state"] = json!("ready");
        }
        branch
    }

    pub(super) fn operation(&self, id: &str) -> Option<Value> {
        self.state().operations.iter().find(|operation| operation.id == id).map(|operation| json!({ "operation": operation.json(self) }))
    }
}

impl State {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            branch_name: "main".to_owned(),
            settings: json!({
                "allowed_ips": { "ips": [], "protected_branches_only": false },
                "enable_logical_replication": false,
                "block_public_connections": false,
                "block_vpc_connections": false,
            }),
            default_endpoint_settings: json!({ "autoscaling_limit_min_cu": 0.25, "autoscaling_limit_max_cu": 0.25, "suspend_timeout_seconds": 0 }),
            history_retention_seconds: 86400,
            updated: now(),
            roles: Vec::new(),
            databases: Vec::new(),
            operations: Vec::new(),
            settings_of_endpoint: json!({ "disabled": false, "settings": {} }),
            endpoint_state: "init",
            deleted: false,
        }
    }

    /// Whether an operation is under way.
    pub(super) fn busy(&self) -> bool {
        self.operations.iter().any(Operation::unfinished)
    }
}

/// Takes over the fields of one object into another.
pub(super) fn merge(into: &mut Value, from: &Value) {
    if let Value::Object(fields) = from {
        for (name, value) in fields {
            into[name] = value.clone();
        }
    }
}
