//! What Neon knows about a project, and how the API shows it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hyper::StatusCode;
use serde_json::{Value, json};

use super::branch::{Branch, Data, Endpoint};
use super::operations::Operation;
use super::regions::Region;
use super::{Neon, error, not_found, now};
use crate::http::Answer;
use crate::random;

/// The label between endpoint and region in the hosts of newer projects.
const CELL: &str = "c-2";

/// A project.
pub(crate) struct Project {
    pub(crate) id: String,
    pub(super) region: &'static Region,
    pub(super) major: u32,
    organization: String,
    /// Bytes that a branch may hold.
    size_limit: u64,
    created: String,
    state: Mutex<State>,
}

/// What changes in a project's life.
pub(crate) struct State {
    pub(crate) name: String,
    pub(super) store_passwords: bool,
    pub(super) settings: Value,
    pub(super) default_endpoint_settings: Value,
    /// Seconds.
    pub(super) history_retention: i64,
    pub(super) updated: String,
    /// Oldest first; the default one is among them.
    pub(super) branches: Vec<Branch>,
    /// Oldest first.
    pub(super) operations: Vec<Operation>,
    pub(super) deleted: bool,
}

impl Project {
    pub(super) fn new(neon: &Neon, region: &'static Region, major: u32, state: State) -> Arc<Self> {
        Arc::new(Self {
            id: format!("{}-{}", random::words(), random::digits()),
            region,
            major,
            organization: neon.organization.clone(),
            size_limit: neon.plan.size_limit(),
            created: now(),
            state: Mutex::new(state),
        })
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a project to rest that has never run.
    pub(crate) fn sleep(&self) {
        for branch in &mut self.state().branches {
            branch.ready = true;
            branch.endpoint.iter_mut().for_each(|endpoint| endpoint.state = "idle");
        }
    }

    /// Returns when no operation is under way.
    pub(super) async fn settled(&self) {
        while self.state().busy() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    /// Refuses to tell passwords that the project doesn't store.
    pub(super) fn check_passwords(&self) -> Result<(), Answer> {
        if self.state().store_passwords {
            Ok(())
        } else {
            Err(error(StatusCode::PRECONDITION_FAILED, "storing passwords is not enabled for the project"))
        }
    }

    pub(super) fn proxy_host(&self) -> String {
        format!("{CELL}.{}", self.region.suffix)
    }

    pub(super) fn host(&self, endpoint: &str) -> String {
        format!("{endpoint}.{}", self.proxy_host())
    }

    pub(super) fn pooler_host(&self, endpoint: &str) -> String {
        format!("{endpoint}-pooler.{}", self.proxy_host())
    }

    pub(super) fn endpoint_json(&self, branch: &Branch, state: &State) -> Option<Value> {
        let endpoint = branch.endpoint.as_ref()?;
        Some(endpoint.json(self, &branch.id, state.pending(&endpoint.id)))
    }

    pub(super) fn json(&self, state: &State) -> Value {
        let mut project = json!({
            "data_storage_bytes_hour": 0,
            "data_transfer_bytes": 0,
            "written_data_bytes": 0,
            "compute_time_seconds": 0,
            "active_time_seconds": 0,
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
            "branch_logical_size_limit": self.size_limit >> 20,
            "branch_logical_size_limit_bytes": self.size_limit,
            "store_passwords": state.store_passwords,
            "creation_source": "console",
            "history_retention_seconds": state.history_retention,
            "created_at": self.created,
            "updated_at": state.updated,
            "synthetic_storage_size": 0,
            "consumption_period_start": "0001-01-01T00:00:00Z",
            "consumption_period_end": "0001-01-01T00:00:00Z",
            "owner_id": self.organization,
            "org_id": self.organization,
        });
        if let Some(active) = state.branches.iter().filter_map(|branch| branch.endpoint.as_ref()?.last_active.as_ref()).max() {
            project["compute_last_active_at"] = json!(active);
        }
        project
    }

    /// The project as lists show it: without its size, and with the time that its computes were up.
    pub(super) fn list_json(&self, state: &State) -> Value {
        let mut project = self.json(state);
        project["active_time"] = json!(0);
        if let Value::Object(fields) = &mut project {
            for field in [
                "data_storage_bytes_hour",
                "data_transfer_bytes",
                "written_data_bytes",
                "compute_time_seconds",
                "active_time_seconds",
                "consumption_period_start",
                "consumption_period_end",
            ] {
                fields.remove(field);
            }
        }
        project
    }
}

impl State {
    pub(super) fn new(settings: &Value, default_endpoint_settings: &Value) -> Self {
        let mut state = Self {
            name: String::new(),
            store_passwords: true,
            settings: json!({
                "allowed_ips": { "ips": [], "protected_branches_only": false },
                "enable_logical_replication": false,
                "block_public_connections": false,
                "block_vpc_connections": false,
            }),
            default_endpoint_settings: json!({ "autoscaling_limit_min_cu": 0.25, "autoscaling_limit_max_cu": 0.25, "suspend_timeout_seconds": 0 }),
            history_retention: 0,
            updated: now(),
            branches: Vec::new(),
            operations: Vec::new(),
            deleted: false,
        };
        merge(&mut state.settings, settings);
        merge(&mut state.default_endpoint_settings, default_endpoint_settings);
        state
    }

    /// Whether the computes write what a publisher needs.
    pub(super) fn is_logical(&self) -> bool {
        self.settings["enable_logical_replication"] == true
    }

    /// Marks the project as deleted, after which no server is made or started for it, and tells where its servers are.
    pub(super) fn abandon(&mut self) -> Vec<Data> {
        self.deleted = true;
        self.branches.iter().map(|branch| Arc::clone(&branch.data)).collect()
    }

    /// Whether an operation is under way.
    pub(super) fn busy(&self) -> bool {
        self.operations.iter().any(Operation::unfinished)
    }

    /// The state that an operation will bring the endpoint into, if one is under way that does.
    fn pending(&self, endpoint: &str) -> Option<&'static str> {
        self.operations.iter().rev().filter(|operation| operation.unfinished()).find_map(|operation| operation.leads_to(endpoint))
    }

    pub(super) fn branch(&self, id: &str) -> Result<&Branch, Answer> {
        self.branches.iter().find(|branch| branch.id == id).ok_or_else(|| not_found("branch"))
    }

    pub(super) fn branch_mut(&mut self, id: &str) -> Result<&mut Branch, Answer> {
        self.branches.iter_mut().find(|branch| branch.id == id).ok_or_else(|| not_found("branch"))
    }

    /// The branch to which an endpoint of that id leads.
    pub(super) fn branch_of(&self, endpoint: &str) -> Option<&Branch> {
        self.branches.iter().find(|branch| branch.endpoint.as_ref().is_some_and(|candidate| candidate.id == endpoint))
    }

    /// The endpoint of a branch.
    pub(super) fn endpoint_mut(&mut self, branch: &str) -> Result<&mut Endpoint, Answer> {
        self.branch_mut(branch)?.endpoint.as_mut().ok_or_else(|| not_found("endpoint"))
    }
}

/// Takes over the fields of one object into another; objects among them are merged in turn.
pub(super) fn merge(into: &mut Value, from: &Value) {
    let Value::Object(fields) = from else { return };
    for (name, value) in fields {
        if value.is_object() && into[name].is_object() {
            merge(&mut into[name], value);
        } else {
            into[name] = value.clone();
        }
    }
}
