use std::collections::BTreeSet;

use async_trait::async_trait;
use azure2neon_postgres::copy::{self, Division};
use azure2neon_postgres::{Ident, QualifiedName, Session, barrier, replication};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::context::Context;
use crate::epochs;
use crate::error::Result;
use crate::operation::{Observed, Operation};
use crate::plan::Effect;

/// Publishes the tables by name, with the barrier table whose rows prove how far the target has come.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CreatePublication {
    /// The publication's name; also the schema of the barrier table and the role that may read it.
    pub name: String,
    /// The tables. In one publication, a partitioned root stands for its leaves; in several, the leaves are listed.
    pub tables: Vec<QualifiedName>,
    /// How to divide the tables into units, each with a publication of its own, for a copy that can be resumed.
    pub division: Option<Division>,
}

impl CreatePublication {
    /// The publications that hold a barrier, each with all of its tables.
    fn publications(&self, cx: &Context) -> Vec<(String, BTreeSet<QualifiedName>)> {
        let of = |epoch| {
            let feed = epochs::feed(cx, epoch);
            let tables = if self.division.is_none() { self.tables.as_slice() } else { &[] };
            (feed.name, tables.iter().cloned().chain([feed.barrier]).collect())
        };
        epochs::all().take(if self.division.is_none() { 1 } else { epochs::MOST }).map(of).collect()
    }

    /// Divides the tables, once for all, and publishes the units.
    async fn publish_units(&self, cx: &Context, source: &Session, division: Division) -> Result<()> {
        let units = match epochs::units(cx)? {
            Some(units) => units,
            None => {
                let units = copy::divide(source, &self.tables, division).await?;
                epochs::keep_units(cx, &units)?;
                units
            }
        };
        Ok(copy::publish(source, &self.name, &units).await?)
    }
}

#[async_trait]
impl Operation for CreatePublication {
    fn effect(&self) -> Effect {
        Effect::Creates
    }

    fn describe(&self) -> String {
        let units = if self.division.is_some() { " in units, each with a publication" } else { "" };
        format!("create publication {} for {} tables{units}, and the barrier table in a schema of that name", self.name, self.tables.len())
    }

    fn inverse(&self) -> Option<String> {
        Some(format!("drop publication {} and the barrier's schema", self.name))
    }

    async fn observe(&self, cx: &Context) -> Result<Observed> {
        let source = cx.source().await?;
        let present = copy::published(&source, &self.name).await?;
        if present.is_empty() {
            return Ok(Observed::Absent);
        }
        for (name, tables) in self.publications(cx) {
            if replication::publication_tables(&source, &name).await?.is_none_or(|published| published != tables) {
                return Ok(Observed::Partial(format!("publication {name} is not complete")));
            }
        }
        if self.division.is_some() {
            let Some(units) = epochs::units(cx)? else { return Ok(Observed::Partial("the units are not published".into())) };
            if units.iter().any(|unit| !present.contains(&unit.publication(&self.name))) {
                return Ok(Observed::Partial("not all units are published".into()));
            }
        }
        Ok(Observed::present())
    }

    async fn apply(&self, cx: &Context) -> Result<Value> {
        let source = cx.source().await?;
        let publications = self.publications(cx);
        for epoch in epochs::all().take(publications.len()) {
            barrier::create_barrier(&source, &epochs::feed(cx, epoch).barrier).await?;
        }
        let (schema, role) = (Ident::new(&self.name), Ident::new(&self.name));
        source
            .batch_execute(&format!("grant usage on schema {schema} to {role}; grant select on all tables in schema {schema} to {role}"))
            .await?;
        for (name, tables) in publications {
            replication::create_publication(&source, &name, &tables.into_iter().collect::<Vec<_>>()).await?;
        }
        if let Some(division) = self.division {
            self.publish_units(cx, &source, division).await?;
        }
        Ok(Value::Null)
    }

    async fn undo(&self, cx: &Context) -> Result<()> {
        let source = cx.source().await?;
        let publications: Vec<String> =
            copy::published(&source, &self.name).await?.into_iter().map(|name| Ident::new(name).to_string()).collect();
        if !publications.is_empty() {
            source.batch_execute(&format!("drop publication if exists {}", publications.join(", "))).await?;
        }
        source.batch_execute(&schema_drop(&self.name)).await?;
        Ok(())
    }

    async fn left_over(&self, cx: &Context) -> Result<Option<String>> {
        let source = cx.source().await?;
        let published = !copy::published(&source, &self.name).await?.is_empty();
        let schema = schema_exists(&source, &self.name).await?;
        Ok((published || schema).then(|| format!("publication or schema {}", self.name)))
    }
}

/// The statement that drops a schema of the run with all that is in it.
pub(crate) fn schema_drop(name: &str) -> String {
    format!("drop schema if exists {} cascade", Ident::new(name))
}

/// Whether the schema exists.
pub(super) async fn schema_exists(session: &Session, name: &str) -> Result<bool> {
    let sql = "select exists (select 1 from pg_catalog.pg_namespace where nspname = $1)";
    Ok(session.query_one(sql, &[&name]).await?.get(0))
}
