//! Databases of a branch.

use std::sync::Arc;

use hyper::StatusCode;
use serde_json::{Value, json};

use super::branches::Place;
use super::operations::Mutation;
use super::{Neon, compute, error, field, invalid, not_found, now};
use crate::http::{Answer, Call};

/// Names that belong to PostgreSQL.
const RESERVED: &[&str] = &["postgres", "template0", "template1"];

/// A database made through the API.
#[derive(Clone)]
pub(super) struct Database {
    id: u32,
    pub(super) name: String,
    pub(super) owner: String,
    created: String,
}

impl Database {
    pub(super) fn new(name: &str, owner: &str) -> Self {
        Self { id: fastrand::u32(10_000_000..90_000_000), name: name.to_owned(), owner: owner.to_owned(), created: now() }
    }

    pub(super) fn json(&self, branch: &str) -> Value {
        json!({ "id": self.id, "branch_id": branch, "name": self.name, "owner_name": self.owner, "created_at": self.created, "updated_at": self.created })
    }
}

/// Refuses names that a database can't have on Neon.
pub(super) fn check_name(name: &str) -> Result<(), Answer> {
    if name.is_empty() || name.len() > 63 {
        return Err(invalid("database name must have between 1 and 63 bytes"));
    }
    if RESERVED.contains(&name) {
        return Err(error(StatusCode::BAD_REQUEST, format!("database name {name} is reserved")));
    }
    Ok(())
}

impl Neon {
    pub(super) async fn list_databases(&self, place: &Place) -> Result<Answer, Answer> {
        self.learn(place).await;
        let databases = place.read(|branch| branch.databases.iter().map(|database| database.json(&branch.id)).collect::<Vec<_>>())?;
        Ok(Answer::ok(json!({ "databases": databases })))
    }

    pub(super) async fn show_database(&self, place: &Place, name: &str) -> Result<Answer, Answer> {
        self.learn(place).await;
        let found = place.read(|branch| branch.databases.iter().find(|database| database.name == name).cloned())?;
        Ok(Answer::ok(json!({ "database": found.ok_or_else(|| not_found("database"))?.json(&place.branch) })))
    }

    pub(super) fn create_database(self: &Arc<Self>, call: &Call, place: &Place, wanted: &Value) -> Result<Answer, Answer> {
        let (name, owner) = (field(wanted, "name")?, field(wanted, "owner_name")?);
        check_name(name)?;
        let Mutation { made: database, operations } = self.mutate(call, &place.project, |state| {
            let branch = state.branch_mut(&place.branch)?;
            if !branch.roles.iter().any(|role| role.name == owner) {
                return Err(not_found("database owner"));
            }
            if branch.databases.iter().any(|database| database.name == name) {
                return Err(error(StatusCode::CONFLICT, format!("database {name} already exists")));
            }
            let database = Database::new(name, owner);
            branch.databases.push(database.clone());
            let (major, created) = (place.project.major, database.clone());
            let steps =
                self.configuring(place, branch, move |server| async move { compute::create_database(&server, major, &created).await });
            Ok((database, steps))
        })?;
        Ok(Answer::new(StatusCode::CREATED, json!({ "database": database.json(&place.branch), "operations": operations })))
    }

    pub(super) fn delete_database(self: &Arc<Self>, call: &Call, place: &Place, name: &str) -> Result<Answer, Answer> {
        let Mutation { made: database, operations } = self.mutate(call, &place.project, |state| {
            let branch = state.branch_mut(&place.branch)?;
            let index = branch.databases.iter().position(|database| database.name == name).ok_or_else(|| not_found("database"))?;
            let database = branch.databases.remove(index);
            let gone = database.name.clone();
            let steps = self.configuring(place, branch, move |server| async move { compute::drop_database(&server, &gone).await });
            Ok((database, steps))
        })?;
        Ok(Answer::ok(json!({ "database": database.json(&place.branch), "operations": operations })))
    }
}
