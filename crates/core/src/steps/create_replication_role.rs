use async_trait::async_trait;
use azure2neon_postgres::{Ident, roles};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::operation::{Observed, Operation};
use crate::plan::Effect;

/// Creates the role that the target connects as, with a random password that is kept nowhere but in the subscription.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CreateReplicationRole {
    /// Its name.
    pub role: String,
    /// Roles that own tables; privileges were granted in their name.
    pub owners: Vec<String>,
}

#[async_trait]
impl Operation for CreateReplicationRole {
    fn effect(&self) -> Effect {
        Effect::Creates
    }

    fn describe(&self) -> String {
        format!("create role {} (LOGIN REPLICATION, row_security=off)", self.role)
    }

    fn inverse(&self) -> Option<String> {
        Some(format!("drop role {} and what was granted to it", self.role))
    }

    async fn observe(&self, cx: &Context) -> Result<Observed> {
        let mark = cx.plan.role_comment();
        match roles::role_comment(&cx.source().await?, &self.role).await? {
            None => Ok(Observed::Absent),
            Some(Some(comment)) if comment == mark => Ok(Observed::present()),
            Some(_) if cx.folder.touched("create-replication-role") => Ok(Observed::Partial("the role is not marked yet".into())),
            Some(_) => {
                Err(Error::new(ErrorKind::AlreadyExists, format!("role {} exists on the source, and this run did not make it", self.role))
                    .hint(format!("drop it: drop role \"{}\"", self.role)))
            }
        }
    }

    async fn apply(&self, cx: &Context) -> Result<Value> {
        let password = roles::generate_password()?;
        roles::create_replication_role(&cx.source().await?, &self.role, &password, &cx.plan.role_comment()).await.map_err(|error| {
            let error = Error::from(error);
            if error.kind() != ErrorKind::Permission {
                return error;
            }
            // On PostgreSQL 16 and later only who has REPLICATION may give it; Azure lets its administrator take it.
            let user = Ident::new(cx.plan.source.user.as_str());
            error.hint(format!("on the source, as its administrator: alter role {user} replication; then run the same command again"))
        })?;
        cx.remember_replication_password(password).await;
        Ok(Value::Null)
    }

    async fn undo(&self, cx: &Context) -> Result<()> {
        Ok(roles::drop_role(&cx.source().await?, &self.role, &self.owners).await?)
    }

    async fn left_over(&self, cx: &Context) -> Result<Option<String>> {
        let comment = roles::role_comment(&cx.source().await?, &self.role).await?;
        Ok(comment.map(|_| format!("role {}", self.role)))
    }
}
