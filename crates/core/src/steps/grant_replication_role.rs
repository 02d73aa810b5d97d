use async_trait::async_trait;
use azure2neon_postgres::roles;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::operation::{Observed, Operation, output};
use crate::plan::Effect;

/// Lets the replication role read every table, now and of later tables of every owner, and proves that row-level security
/// hides nothing from it. Goes with the role, so there is no inverse of its own.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GrantReplicationRole {
    /// The role.
    pub role: String,
}

#[async_trait]
impl Operation for GrantReplicationRole {
    fn effect(&self) -> Effect {
        Effect::Changes
    }

    fn describe(&self) -> String {
        format!("grant {} USAGE on every schema and SELECT on every table, also of later tables of every owner", self.role)
    }

    async fn observe(&self, _cx: &Context) -> Result<Observed> {
        Ok(Observed::OnlyByDoing)
    }

    async fn apply(&self, cx: &Context) -> Result<Value> {
        let source = cx.source().await?;
        let inventory = cx.source_inventory(&source).await?;
        let report = roles::grant_replication_role(&source, &self.role, &inventory, &cx.names().mark).await?;
        if !report.hidden_tables.is_empty() {
            return Err(Error::new(
                ErrorKind::Permission,
                format!("row-level security would hide rows of {} from the replication role", report.hidden_tables.join(", ")),
            )
            .hint(format!(
                "as an administrator on the source: alter role \"{}\" bypassrls; or, for the migration, alter table … no force row level security",
                self.role
            )));
        }
        for owner in &report.skipped_owners {
            cx.events.notice(format!(
                "Tables that {owner} creates from now on are not readable for the replication role: no right to act for {owner}."
            ));
        }
        output(&report.joined_owners)
    }
}
