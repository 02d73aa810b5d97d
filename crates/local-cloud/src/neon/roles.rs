//! Roles of a branch.

use std::sync::Arc;

use hyper::StatusCode;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::branches::Place;
use super::operations::Mutation;
use super::{Neon, compute, error, field, invalid, not_found, now};
use crate::http::{Answer, Call};
use crate::random;

/// A role made through the API.
#[derive(Clone)]
pub(super) struct Role {
    pub(super) name: String,
    /// None for a role that can't log in.
    pub(super) password: Option<SecretString>,
    created: String,
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

/// A new password, as Neon makes them.
fn new_password() -> SecretString {
    random::secret("npg_", 16)
}

/// Refuses names that a role can't have on Neon.
pub(super) fn check_name(name: &str) -> Result<(), Answer> {
    if name.is_empty() || name.len() > 63 {
        return Err(invalid("role name must have between 1 and 63 bytes"));
    }
    if name.starts_with("pg_") || ["neon_superuser", "cloud_admin", "zenith_admin", "public", "none"].contains(&name) {
        return Err(error(StatusCode::BAD_REQUEST, format!("role name {name} is reserved")));
    }
    Ok(())
}

impl Neon {
    pub(super) async fn in_role(self: &Arc<Self>, call: &Call, place: &Place, name: &str, rest: &[&str]) -> Result<Answer, Answer> {
        match (call.method.as_str(), rest) {
            ("GET", []) => {
                self.learn(place).await;
                Ok(Answer::ok(json!({ "role": place.role(name)?.json(&place.branch, false) })))
            }
            ("DELETE", []) => self.delete_role(call, place, name),
            ("POST", ["reset_password"]) => self.reset_password(call, place, name),
            ("GET", ["reveal_password"]) => {
                let role = place.role(name)?;
                place.project.check_passwords()?;
                let password = role.password.as_ref().ok_or_else(|| error(StatusCode::NOT_FOUND, "role has no password"))?;
                Ok(Answer::ok(json!({ "password": password.expose_secret() })))
            }
            _ => Err(super::not_simulated(call)),
        }
    }

    pub(super) async fn list_roles(&self, place: &Place) -> Result<Answer, Answer> {
        self.learn(place).await;
        let roles = place.read(|branch| branch.roles.iter().map(|role| role.json(&branch.id, false)).collect::<Vec<_>>())?;
        Ok(Answer::ok(json!({ "roles": roles })))
    }

    pub(super) fn create_role(self: &Arc<Self>, call: &Call, place: &Place, wanted: &Value) -> Result<Answer, Answer> {
        let name = field(wanted, "name")?;
        check_name(name)?;
        let Mutation { made: role, operations } = self.mutate(call, &place.project, |state| {
            let branch = state.branch_mut(&place.branch)?;
            if branch.roles.iter().any(|role| role.name == name) {
                return Err(error(StatusCode::CONFLICT, format!("role {name} already exists")));
            }
            let role = Role::new(name, wanted["no_login"] != true);
            branch.roles.push(role.clone());
            let created = role.clone();
            let steps = self.configuring(place, branch, move |server| async move {
                compute::create_role(&server, &created).await?;
                compute::drop_connections(&server).await
            });
            Ok((role, steps))
        })?;
        Ok(Answer::new(StatusCode::CREATED, json!({ "role": role.json(&place.branch, true), "operations": operations })))
    }

    fn reset_password(self: &Arc<Self>, call: &Call, place: &Place, name: &str) -> Result<Answer, Answer> {
        let Mutation { made: role, operations } = self.mutate(call, &place.project, |state| {
            let branch = state.branch_mut(&place.branch)?;
            let role = branch.roles.iter_mut().find(|role| role.name == name).ok_or_else(|| not_found("role"))?;
            role.password = Some(new_password());
            let role = role.clone();
            let changed = role.clone();
            let steps = self.configuring(place, branch, move |server| async move {
                compute::set_password(&server, &changed).await?;
                compute::drop_connections(&server).await
            });
            Ok((role, steps))
        })?;
        Ok(Answer::ok(json!({ "role": role.json(&place.branch, true), "operations": operations })))
    }

    fn delete_role(self: &Arc<Self>, call: &Call, place: &Place, name: &str) -> Result<Answer, Answer> {
        let Mutation { made: role, operations } = self.mutate(call, &place.project, |state| {
            let branch = state.branch_mut(&place.branch)?;
            let index = branch.roles.iter().position(|role| role.name == name).ok_or_else(|| not_found("role"))?;
            if branch.databases.iter().any(|database| database.owner == name) {
                return Err(error(StatusCode::BAD_REQUEST, format!("role {name} owns databases")));
            }
            let role = branch.roles.remove(index);
            let gone = role.name.clone();
            let steps = self.configuring(place, branch, move |server| async move { compute::drop_role(&server, &gone).await });
            Ok((role, steps))
        })?;
        Ok(Answer::ok(json!({ "role": role.json(&place.branch, false), "operations": operations })))
    }
}
