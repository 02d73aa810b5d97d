//! Endpoints: create, change, start, suspend, restart, delete; and connection strings.

use std::sync::Arc;

use hyper::StatusCode;
use serde_json::{Value, json};

use super::branch::{Branch, Endpoint, uri};
use super::branches::Place;
use super::operations::{Mutation, Step};
use super::project::{Project, State, merge};
use super::{Neon, error, field, invalid, not_found, not_simulated, object, read_body};
use crate::http::{Answer, Call};

impl Neon {
    pub(super) fn list_endpoints(project: &Project) -> Answer {
        let state = project.state();
        let endpoints: Vec<Value> = state.branches.iter().filter_map(|branch| project.endpoint_json(branch, &state)).collect();
        Answer::ok(json!({ "endpoints": endpoints }))
    }

    pub(super) fn in_endpoint(self: &Arc<Self>, call: &Call, project: &Arc<Project>, words: &[&str]) -> Result<Answer, Answer> {
        let [id, rest @ ..] = words else { return Err(not_simulated(call)) };
        let branch = project.state().branch_of(id).map(|branch| branch.id.clone()).ok_or_else(|| not_found("endpoint"))?;
        let place = Place { project: Arc::clone(project), branch };
        match (call.method.as_str(), rest) {
            ("GET", []) => Ok(Answer::ok(json!({ "endpoint": show(&place)? }))),
            ("PATCH", []) => self.patch_endpoint(call, &place),
            ("DELETE", []) => self.delete_endpoint(call, &place),
            ("POST", ["start"]) => self.run(call, &place, |neon, _, branch| Ok(vec![neon.starting(&place, branch)])),
            ("POST", ["suspend"]) => self.run(call, &place, |_, _, branch| Ok(vec![Self::suspending(&place, branch)])),
            ("POST", ["restart"]) => self.run(call, &place, |neon, _, branch| {
                if !branch.endpoint.as_ref().is_some_and(Endpoint::is_active) {
                    return Err(error(StatusCode::BAD_REQUEST, "endpoint is not active, only active endpoints can be restarted"));
                }
                Ok(neon.restarting(&place, branch))
            }),
            _ => Err(not_simulated(call)),
        }
    }

    /// A mutation that is answered with the endpoint.
    fn run(
        self: &Arc<Self>,
        call: &Call,
        place: &Place,
        steps: impl FnOnce(&Arc<Self>, &State, &Branch) -> Result<Vec<Step>, Answer>,
    ) -> Result<Answer, Answer> {
        let Mutation { operations, .. } =
            self.mutate(call, &place.project, |state| Ok(((), steps(self, state, state.branch(&place.branch)?)?)))?;
        Ok(Answer::ok(json!({ "endpoint": show(place)?, "operations": operations })))
    }

    pub(super) fn starting(self: &Arc<Self>, place: &Place, branch: &Branch) -> Step {
        let (neon, place) = (Arc::clone(self), place.clone());
        Step::on_endpoint("start_compute", branch, async move { neon.compute(&place).await.map(drop) })
    }

    fn suspending(place: &Place, branch: &Branch) -> Step {
        let (place, data) = (place.clone(), Arc::clone(&branch.data));
        Step::on_endpoint("suspend_compute", branch, async move {
            if let Some(server) = data.lock().await.as_ref() {
                server.stop().await?;
            }
            if let Ok(endpoint) = place.project.state().endpoint_mut(&place.branch) {
                endpoint.state = "idle";
            }
            Ok(())
        })
    }

    /// A new compute in place of the old one: its sessions are lost.
    pub(super) fn restarting(self: &Arc<Self>, place: &Place, branch: &Branch) -> Vec<Step> {
        vec![Self::suspending(place, branch), self.starting(place, branch)]
    }

    pub(super) fn create_endpoint(self: &Arc<Self>, call: &Call, project: &Arc<Project>) -> Result<Answer, Answer> {
        let body = read_body(call)?;
        let wanted = object(&body, "endpoint")?;
        let place = Place { project: Arc::clone(project), branch: field(wanted, "branch_id")?.to_owned() };
        let Mutation { operations, .. } = self.mutate(call, project, |state| {
            let endpoint = self.endpoint_of_request(wanted, &state.default_endpoint_settings)?;
            let branch = state.branch_mut(&place.branch)?;
            if branch.endpoint.is_some() {
                return Err(error(StatusCode::CONFLICT, "read-write endpoint already exists"));
            }
            branch.endpoint = Some(endpoint.ok_or_else(|| invalid("decode application/json: invalid: type (field required)"))?);
            Ok(((), vec![self.starting(&place, branch)]))
        })?;
        Ok(Answer::new(StatusCode::CREATED, json!({ "endpoint": show(&place)?, "operations": operations })))
    }

    fn delete_endpoint(self: &Arc<Self>, call: &Call, place: &Place) -> Result<Answer, Answer> {
        let shown = show(place)?;
        let Mutation { operations, .. } = self.mutate(call, &place.project, |state| {
            let branch = state.branch_mut(&place.branch)?;
            let steps = vec![Self::suspending(place, branch)];
            branch.endpoint = None;
            Ok(((), steps))
        })?;
        Ok(Answer::ok(json!({ "endpoint": shown, "operations": operations })))
    }

    fn patch_endpoint(self: &Arc<Self>, call: &Call, place: &Place) -> Result<Answer, Answer> {
        let body = read_body(call)?;
        let wanted = object(&body, "endpoint")?;
        let Mutation { operations, .. } = self.mutate(call, &place.project, |state| {
            let endpoint = state.endpoint_mut(&place.branch)?;
            let mut changed = endpoint.settings.clone();
            for field in ["autoscaling_limit_min_cu", "autoscaling_limit_max_cu", "suspend_timeout_seconds", "disabled", "name"] {
                if !wanted[field].is_null() {
                    changed[field] = wanted[field].clone();
                }
            }
            merge(&mut changed["settings"], &wanted["settings"]);
            self.plan.check_compute(wanted, &changed)?;
            let differs = |field: &str| changed[field] != endpoint.settings[field];
            let resized = differs("autoscaling_limit_min_cu") || differs("autoscaling_limit_max_cu");
            let disabled = differs("disabled") && changed["disabled"] == true;
            let running = endpoint.is_active();
            endpoint.change(changed);
            let branch = state.branch(&place.branch)?;
            // A new timeout is only written down.
            let steps = match (running, disabled, resized) {
                (true, true, _) => vec![Self::suspending(place, branch)],
                (true, false, true) => self.restarting(place, branch),
                _ => Vec::new(),
            };
            Ok(((), steps))
        })?;
        Ok(Answer::ok(json!({ "endpoint": show(place)?, "operations": operations })))
    }

    pub(super) fn connection_uri(&self, call: &Call, project: &Project) -> Result<Answer, Answer> {
        let parameter = |name: &str| {
            call.query(name)
                .filter(|value| !value.is_empty())
                .ok_or_else(|| invalid(format!("decode params: query: \"{name}\": field required")))
        };
        let (database, role) = (parameter("database_name")?, parameter("role_name")?);
        project.check_passwords()?;
        let state = project.state();
        let branch = match call.query("branch_id") {
            Some(id) => state.branch(id)?,
            None => state.branches.iter().find(|branch| branch.default).ok_or_else(|| not_found("branch"))?,
        };
        let endpoint = branch.endpoint.as_ref().ok_or_else(|| not_found("endpoint"))?;
        if call.query("endpoint_id").is_some_and(|id| id != endpoint.id) {
            return Err(not_found("endpoint"));
        }
        let role = branch.roles.iter().find(|candidate| candidate.name == role).ok_or_else(|| not_found("role"))?;
        let pooled = call.query("pooled").is_some_and(|pooled| pooled.eq_ignore_ascii_case("true"));
        let host = if pooled { project.pooler_host(&endpoint.id) } else { project.host(&endpoint.id) };
        // A database made in SQL is as good as one of the API's, so the name isn't looked up.
        Ok(Answer::ok(json!({ "uri": uri(&host, role, database) })))
    }
}

fn show(place: &Place) -> Result<Value, Answer> {
    let state = place.project.state();
    place.project.endpoint_json(state.branch(&place.branch)?, &state).ok_or_else(|| not_found("endpoint"))
}
