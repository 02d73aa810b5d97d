//! A branch: data of its own, the roles and databases in them, and the endpoint that leads there.

use std::sync::Arc;

use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::databases::Database;
use super::project::{Project, merge};
use super::roles::Role;
use super::{now, random};
use crate::servers::Server;

/// A branch of a project.
pub(super) struct Branch {
    pub(super) id: String,
    pub(super) name: String,
    /// None for one that began empty.
    pub(super) parent: Option<String>,
    pub(super) default: bool,
    pub(super) protected: bool,
    /// Whether its data are there.
    pub(super) ready: bool,
    pub(super) created: String,
    pub(super) updated: String,
    pub(super) roles: Vec<Role>,
    pub(super) databases: Vec<Database>,
    pub(super) endpoint: Option<Endpoint>,
    pub(super) data: Data,
}

/// A branch's data with the server on them, once there are any; it may be stopped.
pub(super) type Data = Arc<tokio::sync::Mutex<Option<Arc<Server>>>>;

/// The read-write endpoint of a branch.
pub(super) struct Endpoint {
    pub(super) id: String,
    /// Compute units, suspend timeout, `disabled`, `settings`.
    pub(super) settings: Value,
    /// `init`, `active` or `idle`.
    pub(super) state: &'static str,
    /// When its compute was started last, if it ever was.
    pub(super) last_active: Option<String>,
    created: String,
    updated: String,
}

impl Branch {
    /// The branch that a project begins with.
    pub(super) fn root(name: &str, endpoint: Endpoint) -> Self {
        Self {
            id: format!("br-{}-{}", random::words(), random::digits()),
            name: name.to_owned(),
            parent: None,
            default: true,
            protected: false,
            ready: false,
            created: now(),
            updated: now(),
            roles: Vec::new(),
            databases: Vec::new(),
            endpoint: Some(endpoint),
            data: Data::default(),
        }
    }

    /// A branch that will have this one's data. Without a name it has its id for one.
    pub(super) fn child(&self, name: Option<&str>, endpoint: Option<Endpoint>) -> Self {
        let mut child = Self {
            parent: Some(self.id.clone()),
            default: false,
            roles: self.roles.clone(),
            databases: self.databases.clone(),
            endpoint,
            ..Self::root("", Endpoint::new(&Value::Null))
        };
        child.name = name.unwrap_or(&child.id).to_owned();
        child
    }

    pub(super) fn json(&self, project: &Project) -> Value {
        let mut branch = json!({
            "id": self.id,
            "project_id": project.id,
            "name": self.name,
            "current_state": if self.ready { "ready" } else { "init" },
            "state_changed_at": self.created,
            "creation_source": "console",
            "primary": self.default,
            "default": self.default,
            "protected": self.protected,
            "cpu_used_sec": 0,
            "compute_time_seconds": 0,
            "active_time_seconds": 0,
            "written_data_bytes": 0,
            "data_transfer_bytes": 0,
            "created_at": self.created,
            "updated_at": self.updated,
            "created_by": { "name": "Operator", "image": "" },
            "init_source": "parent-data",
        });
        if !self.ready {
            branch["pending_state"] = json!("ready");
        }
        if let Some(parent) = &self.parent {
            branch["parent_id"] = json!(parent);
            branch["parent_timestamp"] = json!(self.created);
        }
        branch
    }

    /// What the answer to its creation tells of the ways in: one for each database, with the database's owner.
    pub(super) fn connection_uris(&self, project: &Project) -> Value {
        let Some(endpoint) = &self.endpoint else { return json!([]) };
        let uris = self.databases.iter().filter_map(|database| {
            let role = self.roles.iter().find(|role| role.name == database.owner)?;
            Some(json!({
                "connection_uri": uri(&project.host(&endpoint.id), role, &database.name),
                "connection_parameters": {
                    "database": database.name,
                    "password": role.password.as_ref().map_or("", |password| password.expose_secret()),
                    "role": role.name,
                    "host": project.host(&endpoint.id),
                    "pooler_host": project.pooler_host(&endpoint.id),
                },
            }))
        });
        uris.collect()
    }
}

impl Endpoint {
    /// With these settings: `autoscaling_limit_min_cu`, `autoscaling_limit_max_cu`, `suspend_timeout_seconds`, `pg_settings`.
    pub(super) fn new(defaults: &Value) -> Self {
        let mut settings = json!({ "disabled": false, "settings": {} });
        for field in ["autoscaling_limit_min_cu", "autoscaling_limit_max_cu", "suspend_timeout_seconds"] {
            settings[field] = defaults[field].clone();
        }
        if defaults["pg_settings"].is_object() {
            settings["settings"]["pg_settings"] = defaults["pg_settings"].clone();
        }
        Self {
            id: format!("ep-{}-{}", random::words(), random::digits()),
            settings,
            state: "init",
            last_active: None,
            created: now(),
            updated: now(),
        }
    }

    /// Its compute is up.
    pub(super) fn activate(&mut self) {
        if !self.is_active() {
            self.state = "active";
            self.last_active = Some(now());
        }
    }

    pub(super) fn is_active(&self) -> bool {
        self.state == "active"
    }

    /// The upper end of its range, in compute units.
    pub(super) fn units(&self) -> f64 {
        self.settings["autoscaling_limit_max_cu"].as_f64().unwrap_or(0.25)
    }

    pub(super) fn change(&mut self, settings: Value) {
        self.settings = settings;
        self.updated = now();
    }

    /// `pending` is the state that an operation will bring about.
    pub(super) fn json(&self, project: &Project, branch: &str, pending: Option<&str>) -> Value {
        let mut endpoint = json!({
            "host": project.host(&self.id),
            "id": self.id,
            "project_id": project.id,
            "branch_id": branch,
            "region_id": project.region.id,
            "type": "read_write",
            "current_state": self.state,
            "pooler_enabled": false,
            "pooler_mode": "transaction",
            "passwordless_access": true,
            "last_active": self.last_active.as_deref().unwrap_or("2000-01-01T00:00:00Z"),
            "creation_source": "console",
            "created_at": self.created,
            "updated_at": self.updated,
            "proxy_host": project.proxy_host(),
            "provisioner": "k8s-neonvm",
        });
        merge(&mut endpoint, &self.settings);
        if let Some(pending) = pending {
            endpoint["pending_state"] = json!(pending);
        }
        endpoint
    }
}

/// A connection string; passwords of Neon's making need no escaping, names may.
pub(super) fn uri(host: &str, role: &Role, database: &str) -> String {
    let escape =
        |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string().replace("%5F", "_");
    format!(
        "postgresql://{}:{}@{host}/{}?sslmode=require&channel_binding=require",
        escape(&role.name),
        role.password.as_ref().map_or("", |password| password.expose_secret()),
        escape(database),
    )
}
