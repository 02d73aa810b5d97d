//! The server's databases as ARM resources.

use std::sync::Arc;

use hyper::StatusCode;
use serde_json::{Value, json};

use super::{Azure, State, broken, error, invalid_content, operations};
use crate::error::{Doing, Result};
use crate::http::{Answer, Call, Outcome};
use crate::servers::{identifier, literal};

/// Databases that belong to the service.
const SYSTEM: [&str; 3] = ["azure_maintenance", "azure_sys", "postgres"];

impl Azure {
    async fn databases(&self) -> Result<Vec<Value>> {
        let client = self.server.superuser("postgres").await?;
        let query = "select datname::text, pg_catalog.pg_encoding_to_char(encoding)::text, datcollate::text
            from pg_catalog.pg_database where not datistemplate order by 1";
        let rows = client.query(query, &[]).await.doing(|| "listing the databases")?;
        let json = |row: &tokio_postgres::Row| {
            let properties = json!({ "charset": row.get::<_, &str>(1), "collation": row.get::<_, &str>(2) });
            self.child_json("databases", row.get(0), properties)
        };
        Ok(rows.iter().map(json).collect())
    }

    pub(super) async fn list_databases(&self) -> Answer {
        match self.databases().await {
            Ok(databases) => Answer::ok(json!({ "value": databases })),
            Err(_) => operations::busy(&self.name),
        }
    }

    pub(super) async fn get_database(&self, name: &str) -> Answer {
        match self.databases().await {
            Ok(databases) => match databases.into_iter().find(|database| database["name"] == name) {
                Some(database) => Answer::ok(database),
                None => self.child_not_found("databases", name),
            },
            Err(_) => operations::busy(&self.name),
        }
    }

    /// Makes a database that belongs to azure_pg_admin; one that is there already stays as it is.
    pub(super) async fn put_database(self: &Arc<Self>, call: &Call, name: &str) -> Answer {
        let Ok(body) = call.json() else { return invalid_content() };
        let good = |character: char| character.is_ascii_alphanumeric() || character == '_' || character == '-';
        if name.len() > 63 || !name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_') || !name.chars().all(good) {
            return error(StatusCode::BAD_REQUEST, "InvalidParameterValue", "Invalid value given for parameter databaseName.");
        }
        let exists = self.get_database(name).await.status == StatusCode::OK;
        let mut statement = format!("create database {} owner azure_pg_admin template template0", identifier(name));
        for (word, property) in [("encoding", "charset"), ("locale", "collation")] {
            if let Some(value) = body["properties"][property].as_str() {
                statement.push_str(&format!(" {word} {}", literal(value)));
            }
        }
        self.change_database(call, "UpsertServerDatabaseManagementOperation", if exists { String::new() } else { statement })
    }

    pub(super) async fn delete_database(self: &Arc<Self>, call: &Call, name: &str) -> Answer {
        if SYSTEM.contains(&name) {
            return error(StatusCode::BAD_REQUEST, "InvalidParameterValue", format!("The database '{name}' belongs to the service."));
        }
        if self.get_database(name).await.status == StatusCode::NOT_FOUND {
            return Answer::empty(StatusCode::NO_CONTENT);
        }
        let statement = format!("drop database {} with (force)", identifier(name));
        self.change_database(call, "DropServerDatabaseManagementOperation", statement)
    }

    fn change_database(self: &Arc<Self>, call: &Call, kind: &'static str, statement: String) -> Answer {
        if let Err(answer) = self.claim(State::Ready, State::Updating) {
            return answer;
        }
        let azure = Arc::clone(self);
        self.begin(call, kind, State::Ready, Value::Null, async move {
            let client = azure.server.superuser("postgres").await.map_err(broken)?;
            let done = client.batch_execute(&statement).await.doing(|| "changing the databases");
            done.map_err(|error| Outcome { code: "OperationFailed".to_owned(), message: error.to_string() })
        })
    }
}
