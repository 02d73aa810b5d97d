//! Projects: list, create, change, delete.

use std::sync::{Arc, PoisonError};

use hyper::StatusCode;
use serde_json::{Value, json};

use super::branch::{Branch, Endpoint};
use super::branches::{Place, remove};
use super::databases::Database;
use super::operations::{Mutation, Step};
use super::project::{Project, State, merge};
use super::roles::Role;
use super::{Neon, coded, databases, error, invalid, not_found, object, read_body, regions, roles, window};
use crate::http::{Answer, Call};

impl Neon {
    fn check_organization(&self, named: Option<&str>) -> Result<(), Answer> {
        match named.filter(|named| !named.is_empty()) {
            Some(named) if named != self.organization => Err(not_found("organization")),
            None if !self.organization_key => {
                Err(error(StatusCode::BAD_REQUEST, "org_id is required, you can find it on your organization settings page"))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn list_projects(&self, call: &Call) -> Result<Answer, Answer> {
        self.check_organization(call.query("org_id"))?;
        let search = call.query("search").unwrap_or_default().to_lowercase();
        let mut projects = self.projects();
        projects.retain(|project| project.id.contains(&search) || project.state().name.to_lowercase().contains(&search));
        let page = window(call, &projects, |project| project.id.clone())?;
        let mut body = json!({
            "projects": page.iter().map(|project| project.list_json(&project.state())).collect::<Vec<_>>(),
            "applications": {},
            "integrations": {},
        });
        // The last page has a cursor too; only an empty one has none.
        if let Some(last) = page.last() {
            body["pagination"] = json!({ "cursor": last.id });
        }
        Ok(Answer::ok(body))
    }

    /// The project with its owner, which only a look at this one project tells.
    pub(super) fn whole_project(&self, project: &Project) -> Value {
        let mut shown = project.json(&project.state());
        shown["owner"] = json!({ "email": "operator@example.com", "name": "Bikeparts", "branches_limit": self.plan.branches(), "subscription_type": self.plan.id() });
        shown
    }

    pub(super) fn create_project(self: &Arc<Self>, call: &Call) -> Result<Answer, Answer> {
        let body = read_body(call)?;
        let wanted = object(&body, "project")?;
        self.check_organization(wanted["org_id"].as_str())?;
        let existing = self.projects().len();
        if existing >= self.projects_limit {
            let message = format!("user projects limit of {} exceeded, got {existing}", self.projects_limit);
            return Err(coded(StatusCode::UNPROCESSABLE_ENTITY, "PROJECTS_LIMIT_EXCEEDED", message));
        }
        let project = self.new_project(wanted)?;
        self.projects.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&project));
        let Mutation { operations, .. } = self.mutate(call, &project, |state| {
            let branch = &state.branches[0];
            let place = Place { project: Arc::clone(&project), branch: branch.id.clone() };
            Ok(((), vec![Step::on_branch("create_timeline", branch, async { Ok(()) }), self.starting(&place, branch)]))
        })?;
        let state = project.state();
        let branch = &state.branches[0];
        let body = json!({
            "project": project.json(&state),
            "connection_uris": branch.connection_uris(&project),
            "roles": branch.roles.iter().map(|role| role.json(&branch.id, true)).collect::<Vec<_>>(),
            "databases": branch.databases.iter().map(|database| database.json(&branch.id)).collect::<Vec<_>>(),
            "operations": operations,
            "branch": branch.json(&project),
            "endpoints": Vec::from_iter(project.endpoint_json(branch, &state)),
        });
        Ok(Answer::new(StatusCode::CREATED, body))
    }

    /// Makes a project of what the request asks for; no server yet.
    pub(crate) fn new_project(&self, wanted: &Value) -> Result<Arc<Project>, Answer> {
        let region_id = wanted["region_id"].as_str().unwrap_or(regions::DEFAULT);
        let region = regions::find(region_id).ok_or_else(|| {
            if region_id.starts_with("azure-") {
                error(StatusCode::BAD_REQUEST, format!("creating projects in region {region_id} is no longer supported"))
            } else {
                error(StatusCode::BAD_REQUEST, format!("region {region_id} does not exist"))
            }
        })?;
        let mut state = State::new(&wanted["settings"], &wanted["default_endpoint_settings"]);
        self.plan.check_compute(&wanted["default_endpoint_settings"], &state.default_endpoint_settings)?;
        state.history_retention = self.plan.history(wanted)?.unwrap_or(self.plan.default_history());
        state.store_passwords = wanted["store_passwords"] != false;

        let named = &wanted["branch"];
        let database = named["database_name"].as_str().unwrap_or("neondb");
        databases::check_name(database)?;
        let role = named["role_name"].as_str().map_or_else(|| format!("{database}_owner"), str::to_owned);
        roles::check_name(&role)?;
        let mut branch = Branch::root(named["name"].as_str().unwrap_or("main"), Endpoint::new(&state.default_endpoint_settings));
        branch.roles.push(Role::new(&role, true));
        branch.databases.push(Database::new(database, &role));
        state.branches.push(branch);

        let project = Project::new(self, region, self.major(&wanted["pg_version"])?, state);
        // Without a name Neon takes the id.
        let name = wanted["name"].as_str().unwrap_or(&project.id).to_owned();
        check_name(&name)?;
        project.state().name = name;
        Ok(project)
    }

    fn major(&self, wanted: &Value) -> Result<u32, Answer> {
        if wanted.is_null() {
            return Ok(self.default_major);
        }
        // 14 and 15 let nobody but a superuser subscribe, for which Neon patches them; plain ones can't stand in.
        let major = wanted.as_u64().and_then(|version| u32::try_from(version).ok()).filter(|version| (16..=18).contains(version));
        major.ok_or_else(|| {
            error(StatusCode::BAD_REQUEST, format!("unsupported Postgres version {wanted}: the simulated Neon has 16, 17 and 18"))
        })
    }

    pub(super) fn patch_project(self: &Arc<Self>, call: &Call, project: &Arc<Project>) -> Result<Answer, Answer> {
        let body = read_body(call)?;
        let wanted = object(&body, "project")?;
        let Mutation { operations, .. } = self.mutate(call, project, |state| {
            let mut defaults = state.default_endpoint_settings.clone();
            merge(&mut defaults, &wanted["default_endpoint_settings"]);
            self.plan.check_compute(&wanted["default_endpoint_settings"], &defaults)?;
            let history = self.plan.history(wanted)?.unwrap_or(state.history_retention);
            let was_logical = state.is_logical();
            if was_logical && wanted["settings"]["enable_logical_replication"] == false {
                return Err(invalid("logical replication can't be disabled once it is enabled"));
            }
            if let Some(name) = wanted["name"].as_str() {
                check_name(name)?;
                name.clone_into(&mut state.name);
            }
            state.default_endpoint_settings = defaults;
            state.history_retention = history;
            merge(&mut state.settings, &wanted["settings"]);
            let mut steps = Vec::new();
            if !was_logical && state.is_logical() {
                for branch in state.branches.iter().filter(|branch| branch.endpoint.as_ref().is_some_and(Endpoint::is_active)) {
                    let place = Place { project: Arc::clone(project), branch: branch.id.clone() };
                    steps.extend(self.restarting(&place, branch));
                }
            }
            Ok(((), steps))
        })?;
        Ok(Answer::ok(json!({ "project": project.json(&project.state()), "operations": operations })))
    }

    pub(super) fn delete_project(self: &Arc<Self>, call: &Call, project: &Arc<Project>) -> Result<Answer, Answer> {
        let Mutation { made: abandoned, .. } = self.mutate(call, project, |state| Ok((state.abandon(), Vec::new())))?;
        self.projects.lock().unwrap_or_else(PoisonError::into_inner).retain(|other| other.id != project.id);
        let id = project.id.clone();
        tokio::spawn(async move {
            for data in abandoned {
                if let Err(error) = remove(&data).await {
                    tracing::warn!("removing a compute of {id}: {error}");
                }
            }
        });
        Ok(Answer::ok(json!({ "project": project.json(&project.state()) })))
    }
}

fn check_name(name: &str) -> Result<(), Answer> {
    if name.is_empty() || name.chars().count() > 256 {
        return Err(invalid("name: must have between 1 and 256 characters"));
    }
    Ok(())
}
