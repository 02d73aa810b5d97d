//! The branch with its roles and databases.

use std::sync::Arc;

use hyper::StatusCode;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::operations::Step;
use super::project::{Database, Project, Role, State, new_password};
use super::projects::{check_database_name, check_role_name};
use super::{Neon, compute, error, invalid, not_found, object};
use crate::error::{Doing, Result};
use crate::http::{Answer, Call};

impl Neon {
    pub(super) async fn in_branch(self: &Arc<Self>, call: &Call, project: &Arc<Project>, rest: &[&str]) -> Result<Answer, Answer> {
        let read = || call.json().map_err(|error| invalid(format!("decode application/json: {error}")));
        match (call.method.as_str(), rest) {
            ("GET", []) => Ok(Answer::ok(json!({ "branch": project.branch_json(&project.state()) }))),
            ("GET", ["endpoints"]) => Ok(Answer::ok(json!({ "endpoints": [project.endpoint_json(&project.state())] }))),
            ("GET", ["databases"]) => {
                self.learn(project).await;
                let databases: Vec<Value> = project.state().databases.iter().map(|database| database.json(&project.branch)).collect();
                Ok(Answer::ok(json!({ "databases": databases })))
            }
            ("POST", ["databases"]) => self.create_database(call, project, object(&read()?, "database")?),
            ("GET", ["databases", name]) => {
                self.learn(project).await;
                let state = project.state();
                let database = state.databases.iter().find(|database| database.name == *name).ok_or_else(|| not_found("database"))?;
                Ok(Answer::ok(json!({ "database": database.json(&project.branch) })))
            }
            ("DELETE", ["databases", name]) => self.delete_database(call, project, name),
            ("GET", ["roles"]) => {
                self.learn(project).await;
                let roles: Vec<Value> = project.state().roles.iter().map(|role| role.json(&project.branch, false)).collect();
                Ok(Answer::ok(json!({ "roles": roles })))
            }
            ("POST", ["roles"]) => self.create_role(call, project, object(&read()?, "role")?),
            ("GET", ["roles", name]) => {
                self.learn(project).await;
                Ok(Answer::ok(json!({ "role": find_role(&project.state(), name)?.json(&project.branch, false) })))
            }
            ("DELETE", ["roles", name]) => self.delete_role(call, project, name),
            ("POST", ["roles", name, "reset_password"]) => self.reset_password(call, project, name),
            ("GET", ["roles", name, "reveal_password"]) => {
                let role = find_role(&project.state(), name)?.clone();
                if !project.store_passwords {
                    return Err(error(StatusCode::PRECONDITION_FAILED, "storing passwords is not enabled for the project"));
                }
                let password = role.password.as_ref().ok_or_else(|| error(StatusCode::NOT_FOUND, "role has no password"))?;
                Ok(Answer::ok(json!({ "password": password.expose_secret() })))
            }
            (method, _) => Err(error(StatusCode::NOT_FOUND, format!("the simulated Neon has no {method} {}", call.segments.join("/")))),
        }
    }

    /// Takes note of the roles and databases that were made in SQL, of which the real control plane is told at each commit.
    async fn learn(&self, project: &Project) {
        if project.state().busy() || project.state().endpoint_state != "active" {
            return;
        }
        if let Err(error) = self.try_learn(project).await {
            tracing::debug!("roles and databases of {} are shown as last known: {error}", project.id);
        }
    }

    async fn try_learn(&self, project: &Project) -> Result<()> {
        let client = self.compute(project).await?.superuser("postgres").await?;
        let databases = client
            .query(
                "select d.datname::text, r.rolname::text from pg_catalog.pg_database d join pg_catalog.pg_roles r on r.oid = d.datdba
                 where not d.datistemplate and r.rolname <> 'cloud_admin' order by d.oid",
                &[],
            )
            .await
            .doing(|| "listing the databases")?;
        let roles = client
            .query(
                "select rolname::text from pg_catalog.pg_roles where rolname not in ('cloud_admin', 'neon_superuser') and rolname !~ '^pg_' order by oid",
                &[],
            )
            .await
            .doing(|| "listing the roles")?;
        let mut state = project.state();
        if state.busy() {
            return Ok(());
        }
        let pairs: Vec<(&str, &str)> = databases.iter().map(|row| (row.get(0), row.get(1))).collect();
        state.databases.retain(|database| pairs.iter().any(|(name, _)| *name == database.name));
        for (name, owner) in pairs {
            match state.databases.iter_mut().find(|database| database.name == name) {
                Some(database) => owner.clone_into(&mut database.owner),
                None => state.databases.push(Database::new(name, owner)),
            }
        }
        let names: Vec<&str> = roles.iter().map(|row| row.get(0)).collect();
        state.roles.retain(|role| names.contains(&role.name.as_str()));
        for name in names {
            if !state.roles.iter().any(|role| role.name == name) {
                // Its password is not known here.
                state.roles.push(Role::new(name, false));
            }
        }
        Ok(())
    }

    /// One operation that works on the running compute.
    fn configuring<F, W>(self: &Arc<Self>, project: &Arc<Project>, work: F) -> Vec<Step>
    where
        F: FnOnce(Arc<crate::servers::Server>) -> W + Send + 'static,
        W: Future<Output = Result<()>> + Send + 'static,
    {
        let (neon, project) = (Arc::clone(self), Arc::clone(project));
        vec![Step::on_endpoint("apply_config", async move { work(neon.compute(&project).await?).await })]
    }

    fn create_database(self: &Arc<Self>, call: &Call, project: &Arc<Project>, wanted: &Value) -> Result<Answer, Answer> {
        let name = wanted["name"].as_str().ok_or_else(|| invalid("decode application/json: invalid: name (field required)"))?;
        let owner =
            wanted["owner_name"].as_str().ok_or_else(|| invalid("decode application/json: invalid: owner_name (field required)"))?;
        check_database_name(name)?;
        self.mutate(call, StatusCode::CREATED, project, |state| {
            if !state.roles.iter().any(|role| role.name == owner) {
                return Err(not_found("database owner"));
            }
            if state.databases.iter().any(|database| database.name == name) {
                return Err(error(StatusCode::CONFLICT, format!("database {name} already exists")));
            }
            let database = Database::new(name, owner);
            state.databases.push(database.clone());
            let body = json!({ "database": database.json(&project.branch) });
            let major = project.major;
            Ok((body, self.configuring(project, move |server| async move { compute::create_database(&server, major, &database).await })))
        })
    }

    fn delete_database(self: &Arc<Self>, call: &Call, project: &Arc<Project>, name: &str) -> Result<Answer, Answer> {
        self.mutate(call, StatusCode::OK, project, |state| {
            let index = state.databases.iter().position(|database| database.name == name).ok_or_else(|| not_found("database"))?;
            let database = state.databases.remove(index);
            let body = json!({ "database": database.json(&project.branch) });
            Ok((body, self.configuring(project, move |server| async move { compute::drop_database(&server, &database.name).await })))
        })
    }

    fn create_role(self: &Arc<Self>, call: &Call, project: &Arc<Project>, wanted: &Value) -> Result<Answer, Answer> {
        let name = wanted["name"].as_str().ok_or_else(|| invalid("decode application/json: invalid: name (field required)"))?;
        check_role_name(name)?;
        self.mutate(call, StatusCode::CREATED, project, |state| {
            if state.roles.iter().any(|role| role.name == name) {
                return Err(error(StatusCode::CONFLICT, format!("role {name} already exists")));
            }
            let role = Role::new(name, wanted["no_login"] != true);
            state.roles.push(role.clone());
            let body = json!({ "role": role.json(&project.branch, true) });
            let steps = self.configuring(project, move |server| async move {
                compute::create_role(&server, &role).await?;
                compute::drop_connections(&server).await
            });
            Ok((body, steps))
        })
    }

    fn reset_password(self: &Arc<Self>, call: &Call, project: &Arc<Project>, name: &str) -> Result<Answer, Answer> {
        self.mutate(call, StatusCode::OK, project, |state| {
            let role = state.roles.iter_mut().find(|role| role.name == name).ok_or_else(|| not_found("role"))?;
            role.password = Some(new_password());
            let role = role.clone();
            let body = json!({ "role": role.json(&project.branch, true) });
            let steps = self.configuring(project, move |server| async move {
                compute::set_password(&server, &role).await?;
                compute::drop_connections(&server).await
            });
            Ok((body, steps))
        })
    }

    fn delete_role(self: &Arc<Self>, call: &Call, project: &Arc<Project>, name: &str) -> Result<Answer, Answer> {
        self.mutate(call, StatusCode::OK, project, |state| {
            let role = find_role(state, name)?.clone();
            if state.databases.iter().any(|database| database.owner == name) {
                return Err(error(StatusCode::BAD_REQUEST, format!("role {name} owns databases")));
            }
            state.roles.retain(|candidate| candidate.name != name);
            let body = json!({ "role": role.json(&project.branch, false) });
            Ok((body, self.configuring(project, move |server| async move { compute::drop_role(&server, &role.name).await })))
        })
    }
}

fn find_role<'a>(state: &'a State, name: &str) -> Result<&'a Role, Answer> {
    state.roles.iter().find(|role| role.name == name).ok_or_else(|| not_found("role"))
}
