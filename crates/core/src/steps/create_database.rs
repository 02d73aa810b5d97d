use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::cloud::TargetDatabase;
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::operation::{Observed, Operation};
use crate::plan::{Effect, Makes};

/// Makes sure that the database and its owner exist. In a new project they go with it; in an existing one, what the run made
/// of them has its own inverse.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CreateDatabase {
    /// Database and owner.
    pub database: TargetDatabase,
    /// What of it was not there when the plan was made.
    pub makes: Makes,
}

#[async_trait]
impl Operation for CreateDatabase {
    fn effect(&self) -> Effect {
        if self.makes == Makes::Nothing { Effect::Reads } else { Effect::Creates }
    }

    fn describe(&self) -> String {
        let TargetDatabase { name, owner } = &self.database;
        match self.makes {
            Makes::Project => format!("create database {name} owned by {owner}"),
            Makes::DatabaseAndRole => format!("create role {owner} (Neon drops the sessions of the compute) and database {name}"),
            Makes::Database => format!("create database {name} owned by {owner}, who is there already"),
            Makes::Nothing => format!("use database {name} of {owner}, which is empty"),
        }
    }

    fn inverse(&self) -> Option<String> {
        let TargetDatabase { name, owner } = &self.database;
        match self.makes {
            Makes::Project | Makes::Nothing => None,
            Makes::DatabaseAndRole => Some(format!("delete database {name} and role {owner}")),
            Makes::Database => Some(format!("delete database {name}")),
        }
    }

    async fn observe(&self, cx: &Context) -> Result<Observed> {
        if self.inverse().is_some() && !cx.folder.touched("create-database") {
            // What is there now came after the plan, and is somebody else's.
            return match self.left_over(cx).await? {
                None => Ok(Observed::Absent),
                Some(what) => Err(Error::new(ErrorKind::AlreadyExists, format!("{what} is there, and was not when the plan was made"))
                    .hint("`azure2neon abort`, then name another `database` or `role` under [target]")),
            };
        }
        let databases = cx.clouds.target.databases(&cx.project()?).await?;
        Ok(if databases.contains(&self.database) { Observed::present() } else { Observed::Absent })
    }

    async fn apply(&self, cx: &Context) -> Result<Value> {
        cx.clouds.target.create_database(&cx.project()?, &self.database).await?;
        Ok(Value::Null)
    }

    async fn undo(&self, cx: &Context) -> Result<()> {
        let (true, Some(project)) = (self.inverse().is_some(), cx.project_unless_gone().await?) else { return Ok(()) };
        cx.clouds.target.delete_database(&project, &self.database.name).await?;
        if self.makes == Makes::DatabaseAndRole {
            cx.clouds.target.delete_role(&project, &self.database.owner).await?;
        }
        Ok(())
    }

    async fn left_over(&self, cx: &Context) -> Result<Option<String>> {
        let (true, Some(project)) = (self.inverse().is_some(), cx.project_unless_gone().await?) else { return Ok(None) };
        let TargetDatabase { name, owner } = &self.database;
        if cx.clouds.target.databases(&project).await?.iter().any(|database| database.name == *name) {
            return Ok(Some(format!("database {name} on Neon")));
        }
        let role = self.makes == Makes::DatabaseAndRole && cx.clouds.target.roles(&project).await?.contains(owner);
        Ok(role.then(|| format!("role {owner} on Neon")))
    }
}
