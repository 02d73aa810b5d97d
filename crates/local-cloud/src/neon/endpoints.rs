//! Endpoints: change, start, suspend, restart; and connection strings.

use std::sync::Arc;

use hyper::StatusCode;
use serde_json::{Value, json};

use super::operations::Step;
use super::project::{Project, merge};
use super::{Neon, error, invalid, not_found, object};
use crate::http::{Answer, Call};

impl Neon {
    pub(super) fn in_endpoint(self: &Arc<Self>, call: &Call, project: &Arc<Project>, rest: &[&str]) -> Result<Answer, Answer> {
        match (call.method.as_str(), rest) {
            ("GET", []) => Ok(Answer::ok(json!({ "endpoint": project.endpoint_json(&project.state()) }))),
            ("PATCH", []) => self.patch_endpoint(call, project),
            ("POST", ["start"]) => self.mutate(call, StatusCode::OK, project, |state| {
                Ok((json!({ "endpoint": project.endpoint_json(state) }), vec![self.starting(project)]))
            }),
            ("POST", ["suspend"]) => self.mutate(call, StatusCode::OK, project, |state| {
                Ok((json!({ "endpoint": project.endpoint_json(state) }), vec![Self::suspending(project)]))
            }),
            ("POST", ["restart"]) => self.mutate(call, StatusCode::OK, project, |state| {
                if state.endpoint_state != "active" {
                    return Err(error(StatusCode::BAD_REQUEST, "endpoint is not active, only active endpoints can be restarted"));
                }
                Ok((json!({ "endpoint": project.endpoint_json(state) }), vec![Self::suspending(project), self.starting(project)]))
            }),
            _ => Err(not_found("route")),
        }
    }

    fn starting(self: &Arc<Self>, project: &Arc<Project>) -> Step {
        let (neon, project) = (Arc::clone(self), Arc::clone(project));
        Step::on_endpoint("start_compute", async move {
            neon.compute(&project).await?;
            project.state().endpoint_state = "active";
            Ok(())
        })
    }

    fn suspending(project: &Arc<Project>) -> Step {
        let project = Arc::clone(project);
        Step::on_endpoint("suspend_compute", async move {
            if let Some(server) = project.compute.lock().await.as_ref() {
                server.stop().await?;
            }
            project.state().endpoint_state = "idle";
            Ok(())
        })
    }

    fn patch_endpoint(self: &Arc<Self>, call: &Call, project: &Arc<Project>) -> Result<Answer, Answer> {
        let body = call.json().map_err(|error| invalid(format!("decode application/json: {error}")))?;
        let wanted = object(&body, "endpoint")?;
        self.mutate(call, StatusCode::OK, project, |state| {
            let mut changed = state.settings_of_endpoint.clone();
            for field in ["autoscaling_limit_min_cu", "autoscaling_limit_max_cu", "suspend_timeout_seconds", "disabled", "name"] {
                if !wanted[field].is_null() {
                    changed[field] = wanted[field].clone();
                }
            }
            merge(&mut changed["settings"], &wanted["settings"]);
            self.plan.check_compute(wanted, &changed)?;
            let resized = ["autoscaling_limit_min_cu", "autoscaling_limit_max_cu"]
                .iter()
                .any(|field| changed[*field] != state.settings_of_endpoint[*field]);
            let disabled = changed["disabled"] == true && state.settings_of_endpoint["disabled"] != true;
            state.settings_of_endpoint = changed;
            let running = state.endpoint_state == "active";
            // A new size is a new compute: sessions are lost. A new timeout is only written down.
            let steps = match (running, disabled, resized) {
                (true, true, _) => vec![Self::suspending(project)],
                (true, false, true) => vec![Self::suspending(project), self.starting(project)],
                _ => Vec::new(),
            };
            Ok((json!({ "endpoint": project.endpoint_json(state) }), steps))
        })
    }

    pub(super) fn connection_uri(&self, call: &Call, project: &Project) -> Result<Answer, Answer> {
        let field = |name: &str| {
            call.query(name)
                .filter(|value| !value.is_empty())
                .ok_or_else(|| invalid(format!("decode params: query: \"{name}\": field required")))
        };
        let (database, role) = (field("database_name")?, field("role_name")?);
        if !project.store_passwords {
            return Err(error(StatusCode::PRECONDITION_FAILED, "storing passwords is not enabled for the project"));
        }
        if call.query("branch_id").is_some_and(|branch| branch != project.branch) {
            return Err(not_found("branch"));
        }
        if call.query("endpoint_id").is_some_and(|endpoint| endpoint != project.endpoint) {
            return Err(not_found("endpoint"));
        }
        let (role, database) = {
            let state = project.state();
            let role = state.roles.iter().find(|candidate| candidate.name == role).cloned().ok_or_else(|| not_found("role"))?;
            // A database made in SQL is as good as one of the API's.
            (role, database.to_owned())
        };
        let uri = project.uri(&role, &database, call.query("pooled") == Some("true"));
        Ok(Answer::ok(Value::from_iter([("uri", uri)])))
    }
}
