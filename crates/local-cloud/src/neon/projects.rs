//! Projects: list, create, change, delete.

use std::sync::{Arc, PoisonError};

use hyper::StatusCode;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::operations::Step;
use super::project::{Database, Project, Role, State, merge};
use super::{Neon, coded, error, invalid, not_found, object, regions};
use crate::http::{Answer, Call};

/// Names that belong to PostgreSQL.
pub(super) const RESERVED_DATABASES: &[&str] = &["postgres", "template0", "template1"];

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
        let limit = match call.query("limit").map(str::parse::<usize>) {
            None => 10,
            Some(Ok(limit @ 1..=400)) => limit,
            Some(_) => return Err(invalid("limit: value must be between 1 and 400")),
        };
        let search = call.query("search").unwrap_or_default().to_lowercase();
        let projects = self.projects();
        // The cursor is the last project seen, whether it still exists or not: then the list begins anew, as after a lost cursor.
        let start =
            call.query("cursor").and_then(|cursor| projects.iter().position(|project| project.id == cursor)).map_or(0, |index| index + 1);
        let page: Vec<&Arc<Project>> = projects
            .iter()
            .skip(start)
            .filter(|project| project.id.contains(&search) || project.state().name.to_lowercase().contains(&search))
            .take(limit)
            .collect();
        let mut body = json!({
            "projects": page.iter().map(|project| project.json(&project.state(), &self.organization)).collect::<Vec<_>>(),
            "applications": {},
            "integrations": {},
        });
        // The last page has a cursor too; only an empty one has none.
        if let Some(last) = page.last() {
            body["pagination"] = json!({ "cursor": last.id });
        }
        Ok(Answer::ok(body))
    }

    pub(super) fn create_project(self: &Arc<Self>, call: &Call) -> Result<Answer, Answer> {
        let body = call.json().map_err(|error| invalid(format!("decode application/json: {error}")))?;
        let wanted = object(&body, "project")?;
        self.check_organization(wanted["org_id"].as_str())?;
        let existing = self.projects().len();
        if existing >= self.projects_limit {
            let message = format!("user projects limit of {} exceeded, got {existing}", self.projects_limit);
            return Err(coded(StatusCode::UNPROCESSABLE_ENTITY, "PROJECTS_LIMIT_EXCEEDED", message));
        }
        let project = self.new_project(wanted)?;
        let (role, database) = {
            let state = project.state();
            (state.roles[0].clone(), state.databases[0].clone())
        };
        self.projects.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&project));

        let (neon, created) = (Arc::clone(self), Arc::clone(&project));
        let steps = vec![
            Step::on_branch("create_timeline", async { Ok(()) }),
            Step::on_endpoint("start_compute", async move {
                neon.compute(&created).await?;
                created.state().endpoint_state = "active";
                Ok(())
            }),
        ];
        self.mutate(call, StatusCode::CREATED, &project, |state| {
            let mut endpoint = project.endpoint_json(state);
            endpoint["pending_state"] = json!("active");
            let body = json!({
                "project": project.json(state, &self.organization),
                "connection_uris": [{
                    "connection_uri": project.uri(&role, &database.name, false),
                    "connection_parameters": {
                        "database": database.name,
                        "password": role.password.as_ref().map_or("", |password| password.expose_secret()),
                        "role": role.name,
                        "host": project.host(),
                        "pooler_host": project.pooler_host(),
                    },
                }],
                "roles": [role.json(&project.branch, true)],
                "databases": [database.json(&project.branch)],
                "branch": project.branch_json(state),
                "endpoints": [endpoint],
            });
            Ok((body, steps))
        })
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
        let major = match &wanted["pg_version"] {
            Value::Null => self.default_major,
            version => version
                .as_u64()
                .and_then(|version| u32::try_from(version).ok())
                // 14 and 15 let nobody but a superuser subscribe, for which Neon patches them; plain ones can't stand in.
                .filter(|version| (16..=18).contains(version))
                .ok_or_else(|| {
                    error(StatusCode::BAD_REQUEST, format!("unsupported Postgres version {version}: the simulated Neon has 16, 17 and 18"))
                })?,
        };
        let branch = &wanted["branch"];
        let database = branch["database_name"].as_str().unwrap_or("neondb");
        check_database_name(database)?;
        let role = branch["role_name"].as_str().map_or_else(|| format!("{database}_owner"), str::to_owned);
        check_role_name(&role)?;
        let mut state = State::new("");
        merge(&mut state.settings, &wanted["settings"]);
        merge(&mut state.default_endpoint_settings, &wanted["default_endpoint_settings"]);
        self.plan.check_compute(&wanted["default_endpoint_settings"], &state.default_endpoint_settings)?;
        // A new endpoint starts with the project's settings, in its own words.
        for field in ["autoscaling_limit_min_cu", "autoscaling_limit_max_cu", "suspend_timeout_seconds"] {
            state.settings_of_endpoint[field] = state.default_endpoint_settings[field].clone();
        }
        if let Value::Object(_) = state.default_endpoint_settings["pg_settings"] {
            state.settings_of_endpoint["settings"]["pg_settings"] = state.default_endpoint_settings["pg_settings"].clone();
        }
        state.history_retention_seconds = self.plan.history(wanted)?.unwrap_or(self.plan.default_history());
        if let Some(name) = branch["name"].as_str() {
            state.branch_name = name.to_owned();
        }
        state.roles.push(Role::new(&role, true));
        state.databases.push(Database::new(database, &role));
        let project = Project::new(region, major, wanted["store_passwords"].as_bool().unwrap_or(true), state);
        // Without a name Neon takes the id.
        let name = wanted["name"].as_str().map_or_else(|| project.id.clone(), str::to_owned);
        if name.is_empty() || name.chars().count() > 256 {
            return Err(invalid("name: must have between 1 and 256 characters"));
        }
        project.state().name = name;
        Ok(Arc::new(project))
    }

    pub(super) fn patch_project(self: &Arc<Self>, call: &Call, project: &Arc<Project>) -> Result<Answer, Answer> {
        let body = call.json().map_err(|error| invalid(format!("decode application/json: {error}")))?;
        let wanted = object(&body, "project")?;
        self.mutate(call, StatusCode::OK, project, |state| {
            let mut defaults = state.default_endpoint_settings.clone();
            merge(&mut defaults, &wanted["default_endpoint_settings"]);
            self.plan.check_compute(&wanted["default_endpoint_settings"], &defaults)?;
            let history = self.plan.history(wanted)?.unwrap_or(state.history_retention_seconds);
            let was_logical = state.settings["enable_logical_replication"] == true;
            if was_logical && wanted["settings"]["enable_logical_replication"] == false {
                return Err(invalid("logical replication can't be disabled once it is enabled"));
            }
            state.default_endpoint_settings = defaults;
            merge(&mut state.settings, &wanted["settings"]);
            if let Some(name) = wanted["name"].as_str() {
                state.name = name.to_owned();
            }
            state.history_retention_seconds = history;
            let mut steps = Vec::new();
            if !was_logical && state.settings["enable_logical_replication"] == true {
                let (neon, project) = (Arc::clone(self), Arc::clone(project));
                steps.push(Step::on_endpoint("apply_config", async move {
                    let server = neon.compute(&project).await?;
                    super::compute::enable_logical(&server).await
                }));
            }
            Ok((json!({ "project": project.json(state, &self.organization) }), steps))
        })
    }

    pub(super) fn delete_project(self: &Arc<Self>, call: &Call, project: &Arc<Project>) -> Result<Answer, Answer> {
        let mut answer = self.mutate(call, StatusCode::OK, project, |state| {
            state.deleted = true;
            Ok((json!({ "project": project.json(state, &self.organization) }), Vec::new()))
        })?;
        if let Some(Value::Object(body)) = &mut answer.body {
            body.remove("operations");
        }
        self.projects.lock().unwrap_or_else(PoisonError::into_inner).retain(|other| other.id != project.id);
        let project = Arc::clone(project);
        tokio::spawn(async move {
            if let Some(server) = project.compute.lock().await.take()
                && let Err(error) = server.remove().await
            {
                tracing::warn!("removing the compute of {}: {error}", project.id);
            }
        });
        Ok(answer)
    }
}

/// Refuses names that a database can't have on Neon.
pub(super) fn check_database_name(name: &str) -> Result<(), Answer> {
    if name.is_empty() || name.len() > 63 {
        return Err(invalid("database name must have between 1 and 63 bytes"));
    }
    if RESERVED_DATABASES.contains(&name) {
        return Err(error(StatusCode::BAD_REQUEST, format!("database name {name} is reserved")));
    }
    Ok(())
}

/// Refuses names that a role can't have on Neon.
pub(super) fn check_role_name(name: &str) -> Result<(), Answer> {
    if name.is_empty() || name.len() > 63 {
        return Err(invalid("role name must have between 1 and 63 bytes"));
    }
    if name.starts_with("pg_") || ["neon_superuser", "cloud_admin", "zenith_admin", "public", "none"].contains(&name) {
        return Err(error(StatusCode::BAD_REQUEST, format!("role name {name} is reserved")));
    }
    Ok(())
}
