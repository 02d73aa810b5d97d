use std::collections::BTreeSet;

use async_trait::async_trait;
use azure2neon_postgres::{Ident, QualifiedName, barrier, replication};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::context::Context;
use crate::error::Result;
use crate::operation::{Observed, Operation};
use crate::plan::Effect;

/// Publishes the tables by name, with the barrier table whose rows prove how far the target has come.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CreatePublication {
    /// The publication's name; also the schema of the barrier table and the role that may read it.
    pub name: String,
    /// The tables; of a partitioned one the root, whose leaves follow.
    pub tables: Vec<QualifiedName>,
}

impl CreatePublication {
    fn all_tables(&self) -> BTreeSet<QualifiedName> {
        let mut tables: BTreeSet<QualifiedName> = self.tables.iter().cloned().collect();
        tables.insert(QualifiedName::new(&self.name, "barrier"));
        tables
    }
}

#[async_trait]
impl Operation for CreatePublication {
    fn effect(&self) -> Effect {
        Effect::Creates
    }

    fn describe(&self) -> String {
        format!("create publication {} for {} tables, and the barrier table in a schema of that name", self.name, self.tables.len())
    }

    fn inverse(&self) -> Option<String> {
        Some(format!("drop publication {} and the barrier's schema", self.name))
    }

    async fn observe(&self, cx: &Context) -> Result<Observed> {
        let published = replication::publication_tables(&cx.source().await?, &self.name).await?;
        Ok(match published {
            Some(tables) if tables == self.all_tables() => Observed::present(),
            Some(_) => Observed::Partial("not all tables are published".into()),
            None => Observed::Absent,
        })
    }

    async fn apply(&self, cx: &Context) -> Result<Value> {
        let source = cx.source().await?;
        barrier::create_barrier(&source, &self.name).await?;
        let (schema, role) = (Ident::new(&self.name), Ident::new(&self.name));
        source
            .batch_execute(&format!("grant usage on schema {schema} to {role}; grant select on all tables in schema {schema} to {role}"))
            .await?;
        let tables: Vec<QualifiedName> = self.all_tables().into_iter().collect();
        replication::create_publication(&source, &self.name, &tables).await?;
        Ok(Value::Null)
    }

    async fn undo(&self, cx: &Context) -> Result<()> {
        let source = cx.source().await?;
        replication::drop_publication(&source, &self.name).await?;
        source.batch_execute(&format!("drop schema if exists {} cascade", Ident::new(&self.name))).await?;
        Ok(())
    }

    async fn left_over(&self, cx: &Context) -> Result<Option<String>> {
        let source = cx.source().await?;
        let published = replication::publication_tables(&source, &self.name).await?.is_some();
        let schema = schema_exists(&source, &self.name).await?;
        Ok((published || schema).then(|| format!("publication or schema {}", self.name)))
    }
}

/// Whether the schema exists.
pub(super) async fn schema_exists(session: &azure2neon_postgres::Session, name: &str) -> Result<bool> {
    let sql = "select exists (select 1 from pg_catalog.pg_namespace where nspname = $1)";
    Ok(session.query_one(sql, &[&name]).await?.get(0))
}
