//! Branches: list, create, rename, restore, delete; and what SQL made in them.

use std::sync::Arc;

use hyper::StatusCode;
use serde_json::{Value, json};

use super::branch::{Branch, Data, Endpoint};
use super::databases::Database;
use super::operations::{Mutation, Step};
use super::project::{Project, State, merge};
use super::roles::Role;
use super::{Neon, coded, error, field, invalid, not_found, not_simulated, object, read_body, window};
use crate::error::{Doing, Error, Result};
use crate::http::{Answer, Call};
use crate::servers::Server;

/// A branch of a project, by its id: it may be gone when it is looked at.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) project: Arc<Project>,
    pub(super) branch: String,
}

impl Place {
    pub(super) fn read<T>(&self, read: impl FnOnce(&Branch) -> T) -> Result<T, Answer> {
        self.project.state().branch(&self.branch).map(read)
    }

    pub(super) fn role(&self, name: &str) -> Result<Role, Answer> {
        self.read(|branch| branch.roles.iter().find(|role| role.name == name).cloned())?.ok_or_else(|| not_found("role"))
    }
}

impl Neon {
    pub(super) async fn in_branch(self: &Arc<Self>, call: &Call, place: &Place, rest: &[&str]) -> Result<Answer, Answer> {
        place.read(|_| ())?;
        match (call.method.as_str(), rest) {
            ("GET", []) => Ok(Answer::ok(json!({
                "branch": place.read(|branch| branch.json(&place.project))?,
                "annotation": { "object": { "type": "console/branch", "id": place.branch }, "value": {} },
            }))),
            ("PATCH", []) => self.patch_branch(call, place),
            ("DELETE", []) => self.delete_branch(call, place),
            ("POST", ["restore"]) => self.restore_branch(call, place),
            ("GET", ["endpoints"]) => {
                let state = place.project.state();
                let endpoint = place.project.endpoint_json(state.branch(&place.branch)?, &state);
                Ok(Answer::ok(json!({ "endpoints": Vec::from_iter(endpoint) })))
            }
            ("GET", ["databases"]) => self.list_databases(place).await,
            ("POST", ["databases"]) => self.create_database(call, place, object(&read_body(call)?, "database")?),
            ("GET", ["databases", name]) => self.show_database(place, name).await,
            ("DELETE", ["databases", name]) => self.delete_database(call, place, name),
            ("GET", ["roles"]) => self.list_roles(place).await,
            ("POST", ["roles"]) => self.create_role(call, place, object(&read_body(call)?, "role")?),
            (_, ["roles", name, rest @ ..]) => self.in_role(call, place, name, rest).await,
            _ => Err(not_simulated(call)),
        }
    }

    pub(super) fn list_branches(&self, call: &Call, project: &Project) -> Result<Answer, Answer> {
        let search = call.query("search").unwrap_or_default();
        let state = project.state();
        let found: Vec<&Branch> =
            state.branches.iter().filter(|branch| branch.name.contains(search) || branch.id.contains(search)).collect();
        let page = window(call, &found, |branch| branch.id.clone())?;
        let mut body = json!({
            "branches": page.iter().map(|branch| branch.json(project)).collect::<Vec<_>>(),
            "annotations": {},
            "pagination": { "sort_by": "updated_at", "sort_order": "DESC" },
        });
        // As in every list, the last page has a cursor too.
        if let Some(last) = page.last() {
            body["pagination"]["next"] = json!(last.id);
        }
        Ok(Answer::ok(body))
    }

    pub(super) fn count_branches(project: &Project) -> Answer {
        Answer::ok(json!({ "count": project.state().branches.len() }))
    }

    pub(super) fn create_branch(self: &Arc<Self>, call: &Call, project: &Arc<Project>) -> Result<Answer, Answer> {
        let body = read_body(call)?;
        let wanted = &body["branch"];
        refuse_the_past(wanted["parent_lsn"].as_str().or(wanted["parent_timestamp"].as_str()))?;
        let Mutation { made: id, operations } = self.mutate(call, project, |state| {
            let most = self.plan.branches();
            if state.branches.len() >= most {
                let message = format!("branches limit of {most} exceeded, got {}", state.branches.len());
                return Err(coded(StatusCode::UNPROCESSABLE_ENTITY, "BRANCHES_LIMIT_EXCEEDED", message));
            }
            let parent = match wanted["parent_id"].as_str() {
                Some(id) => state.branch(id)?,
                None => state.branches.iter().find(|branch| branch.default).ok_or_else(|| not_found("parent branch"))?,
            };
            let endpoint = self.endpoint_of_request(&body["endpoints"][0], &state.default_endpoint_settings)?;
            let mut child = parent.child(wanted["name"].as_str(), endpoint);
            child.protected = wanted["protected"] == true;
            check_name(state, &child.name)?;
            let parent = Place { project: Arc::clone(project), branch: parent.id.clone() };
            let place = Place { branch: child.id.clone(), ..parent.clone() };
            let neon = Arc::clone(self);
            let (data, created) = (Arc::clone(&child.data), place.clone());
            let mut steps = vec![Step::on_branch("create_branch", &child, async move {
                *data.lock().await = Some(neon.copy_data(&parent).await?);
                created.project.state().branch_mut(&created.branch).map_err(gone)?.ready = true;
                Ok(())
            })];
            if child.endpoint.is_some() {
                steps.push(self.starting(&place, &child));
            }
            let id = child.id.clone();
            state.branches.push(child);
            Ok((id, steps))
        })?;
        let state = project.state();
        let branch = state.branch(&id)?;
        let body = json!({
            "branch": branch.json(project),
            "endpoints": Vec::from_iter(project.endpoint_json(branch, &state)),
            "operations": operations,
            "roles": branch.roles.iter().map(|role| role.json(&id, true)).collect::<Vec<_>>(),
            "databases": branch.databases.iter().map(|database| database.json(&id)).collect::<Vec<_>>(),
            "connection_uris": branch.connection_uris(project),
        });
        Ok(Answer::new(StatusCode::CREATED, body))
    }

    /// The endpoint that a request for a branch describes, if it does.
    pub(super) fn endpoint_of_request(&self, wanted: &Value, defaults: &Value) -> Result<Option<Endpoint>, Answer> {
        match wanted["type"].as_str() {
            None => return Ok(None),
            Some("read_write") => {}
            Some(other) => return Err(error(StatusCode::BAD_REQUEST, format!("the simulated Neon has no {other} computes"))),
        }
        let mut settings = defaults.clone();
        merge(&mut settings, wanted);
        self.plan.check_compute(wanted, &settings)?;
        Ok(Some(Endpoint::new(&settings)))
    }

    fn patch_branch(self: &Arc<Self>, call: &Call, place: &Place) -> Result<Answer, Answer> {
        let body = read_body(call)?;
        let wanted = object(&body, "branch")?;
        let Mutation { operations, .. } = self.mutate(call, &place.project, |state| {
            if let Some(name) = wanted["name"].as_str() {
                check_name(state, name)?;
                name.clone_into(&mut state.branch_mut(&place.branch)?.name);
            }
            if let Some(protected) = wanted["protected"].as_bool() {
                state.branch_mut(&place.branch)?.protected = protected;
            }
            Ok(((), Vec::new()))
        })?;
        Ok(Answer::ok(json!({ "branch": place.read(|branch| branch.json(&place.project))?, "operations": operations })))
    }

    fn delete_branch(self: &Arc<Self>, call: &Call, place: &Place) -> Result<Answer, Answer> {
        let Mutation { made: branch, operations } = self.mutate(call, &place.project, |state| {
            let index = state.branches.iter().position(|branch| branch.id == place.branch).ok_or_else(|| not_found("branch"))?;
            let refusal = match &state.branches[index] {
                branch if branch.default => Some("cannot delete the default branch"),
                branch if branch.protected => Some("cannot delete a protected branch"),
                _ if has_children(state, &place.branch) => Some("cannot delete a branch that has children"),
                _ => None,
            };
            if let Some(refusal) = refusal {
                return Err(error(StatusCode::UNPROCESSABLE_ENTITY, refusal));
            }
            let branch = state.branches.remove(index);
            let data = Arc::clone(&branch.data);
            let steps = vec![Step::on_branch("delete_timeline", &branch, async move { remove(&data).await })];
            Ok((branch, steps))
        })?;
        Ok(Answer::ok(json!({ "branch": branch.json(&place.project), "operations": operations })))
    }

    /// Gives a branch the data of another one. Its id and its endpoint stay; its replication slots don't, since no copy has any.
    fn restore_branch(self: &Arc<Self>, call: &Call, place: &Place) -> Result<Answer, Answer> {
        let body = read_body(call)?;
        let source = field(&body, "source_branch_id")?;
        refuse_the_past(body["source_lsn"].as_str().or(body["source_timestamp"].as_str()))?;
        if source == place.branch {
            return Err(invalid("source_branch_id: a branch can't be restored from its own present"));
        }
        let Mutation { operations, .. } = self.mutate(call, &place.project, |state| {
            let (roles, databases) = state.branch(source).map(|source| (source.roles.clone(), source.databases.clone()))?;
            let preserved = match body["preserve_under_name"].as_str() {
                None if has_children(state, &place.branch) => return Err(invalid("preserve_under_name: a branch with children needs it")),
                None => None,
                Some(name) => {
                    check_name(state, name)?;
                    let mut preserved = state.branch(&place.branch)?.child(Some(name), None);
                    preserved.ready = true;
                    Some(preserved)
                }
            };
            let kept = preserved.as_ref().map(|preserved| Arc::clone(&preserved.data));
            state.branches.extend(preserved);
            let branch = state.branch_mut(&place.branch)?;
            (branch.roles, branch.databases) = (roles, databases);
            let (neon, source, data) = (Arc::clone(self), Place { branch: source.to_owned(), ..place.clone() }, Arc::clone(&branch.data));
            let mut steps = vec![Step::on_branch("create_branch", branch, async move {
                let copy = neon.copy_data(&source).await?;
                let Some(old) = data.lock().await.replace(copy) else { return Ok(()) };
                match kept {
                    Some(kept) => {
                        old.stop().await?;
                        *kept.lock().await = Some(old);
                        Ok(())
                    }
                    None => old.remove().await,
                }
            })];
            if branch.endpoint.is_some() {
                steps.push(self.starting(place, branch));
            }
            Ok(((), steps))
        })?;
        Ok(Answer::ok(json!({ "branch": place.read(|branch| branch.json(&place.project))?, "operations": operations })))
    }

    /// One operation that works on the running compute.
    pub(super) fn configuring<F, W>(self: &Arc<Self>, place: &Place, branch: &Branch, work: F) -> Vec<Step>
    where
        F: FnOnce(Arc<Server>) -> W + Send + 'static,
        W: Future<Output = Result<()>> + Send + 'static,
    {
        let (neon, place) = (Arc::clone(self), place.clone());
        vec![Step::on_endpoint("apply_config", branch, async move { work(neon.compute(&place).await?).await })]
    }

    /// Takes note of the roles and databases that were made in SQL, of which the real control plane is told at each commit.
    pub(super) async fn learn(&self, place: &Place) {
        let active = place.read(|branch| branch.endpoint.as_ref().is_some_and(Endpoint::is_active));
        if !active.unwrap_or(false) || place.project.state().busy() {
            return;
        }
        if let Err(error) = self.try_learn(place).await {
            tracing::debug!("roles and databases of {} are shown as last known: {error}", place.branch);
        }
    }

    async fn try_learn(&self, place: &Place) -> Result<()> {
        let client = self.compute(place).await?.superuser("postgres").await?;
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
        let mut state = place.project.state();
        if state.busy() {
            return Ok(());
        }
        let branch = state.branch_mut(&place.branch).map_err(gone)?;
        let pairs: Vec<(&str, &str)> = databases.iter().map(|row| (row.get(0), row.get(1))).collect();
        branch.databases.retain(|database| pairs.iter().any(|(name, _)| *name == database.name));
        for (name, owner) in pairs {
            match branch.databases.iter_mut().find(|database| database.name == name) {
                Some(database) => owner.clone_into(&mut database.owner),
                None => branch.databases.push(Database::new(name, owner)),
            }
        }
        let names: Vec<&str> = roles.iter().map(|row| row.get(0)).collect();
        branch.roles.retain(|role| names.contains(&role.name.as_str()));
        for name in names {
            if !branch.roles.iter().any(|role| role.name == name) {
                // Its password is not known here.
                branch.roles.push(Role::new(name, false));
            }
        }
        Ok(())
    }
}

/// The simulated storage keeps no history.
fn refuse_the_past(point: Option<&str>) -> Result<(), Answer> {
    match point {
        None => Ok(()),
        Some(point) => Err(error(StatusCode::BAD_REQUEST, format!("the simulated Neon knows only the present, not {point}"))),
    }
}

fn check_name(state: &State, name: &str) -> Result<(), Answer> {
    if name.is_empty() || name.chars().count() > 256 {
        return Err(invalid("name: must have between 1 and 256 characters"));
    }
    if state.branches.iter().any(|branch| branch.name == name) {
        return Err(error(StatusCode::CONFLICT, format!("branch {name} already exists")));
    }
    Ok(())
}

fn has_children(state: &State, branch: &str) -> bool {
    state.branches.iter().any(|candidate| candidate.parent.as_deref() == Some(branch))
}

/// A branch that vanished while something was done to it.
pub(super) fn gone(_: Answer) -> Error {
    Error::new("the branch is gone")
}

/// Stops the server and removes its data.
pub(super) async fn remove(data: &Data) -> Result<()> {
    match data.lock().await.take() {
        Some(server) => server.remove().await,
        None => Ok(()),
    }
}
