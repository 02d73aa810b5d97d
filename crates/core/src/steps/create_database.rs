use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::cloud::TargetDatabase;
use crate::context::Context;
use crate::error::Result;
use crate::operation::{Observed, Operation};
use crate::plan::Effect;

/// Makes sure that the database and its owner exist. They go with the project, so there is no inverse of their own.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CreateDatabase {
    /// Database and owner.
    pub database: TargetDatabase,
}

#[async_trait]
impl Operation for CreateDatabase {
    fn effect(&self) -> Effect {
        Effect::Creates
    }

    fn describe(&self) -> String {
        format!("create database {} owned by {}", self.database.name, self.database.owner)
    }

    async fn observe(&self, cx: &Context) -> Result<Observed> {
        let databases = cx.clouds.target.databases(&cx.project()?).await?;
        Ok(if databases.contains(&self.database) { Observed::present() } else { Observed::Absent })
    }

    async fn apply(&self, cx: &Context) -> Result<Value> {
        cx.clouds.target.create_database(&cx.project()?, &self.database).await?;
        Ok(Value::Null)
    }
}
