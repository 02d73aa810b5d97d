use async_trait::async_trait;
use azure2neon_postgres::copy::manners::Manners;
use azure2neon_postgres::copy::{Division, Load, Snapshot, divide};
use azure2neon_postgres::{Ident, QualifiedName, Session};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::import_schema;
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::operation::{Observed, Operation};
use crate::plan::Effect;
use crate::{copying, units};

/// Its id.
const STEP: &str = "copy-offline";

/// Copies every table through this machine, inside the fence, each with its indexes as soon as it is in. Nothing is replicated, so
/// nothing of a copy that was broken off counts: the next attempt begins with an empty target.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CopyOffline {
    /// How the tables are cut, and by how many workers they are copied at once.
    pub division: Division,
    /// What is to be copied, in bytes as the source stores it, when the plan was made.
    pub planned_bytes: i64,
}

#[async_trait]
impl Operation for CopyOffline {
    fn effect(&self) -> Effect {
        Effect::Creates
    }

    fn describe(&self) -> String {
        format!(
            "copy every table, {}, through this machine with {} workers while the source refuses writes",
            units::bytes(self.planned_bytes),
            self.division.workers
        )
    }

    async fn observe(&self, _cx: &Context) -> Result<Observed> {
        Ok(Observed::OnlyByDoing)
    }

    async fn apply(&self, cx: &Context) -> Result<Value> {
        let (source, target) = (cx.source_endpoint().await?, cx.target_endpoint().await?);
        begin(&target.connect().await?, &cx.names().mark).await?;
        // A session that asks for a read-write transaction itself passes the fence: the snapshot keeps the tables at one state all
        // the same, and the final compare finds what such a session wrote.
        let snapshot = Snapshot::now(&source).await?;
        let session = cx.source().await?;
        let tables = cx.source_inventory(&session).await?.replicated();
        let units = divide(&session, &tables, self.division).await?;
        let manners = Manners::new(self.division.workers);
        manners.limit(cx.settings.manners.rate_limit);
        let load = Load {
            source: &source,
            target: &target,
            snapshot: &snapshot,
            epoch: 1,
            marker_schema: &cx.names().mark,
            units: &units,
            entries: &import_schema::entries(cx)?,
            manners: &manners,
            rows_are_in: false,
            until: None,
        };
        let loaded = load.run(&|progress| cx.events.say(copying::event(STEP, progress))).await?;
        if !loaded.complete {
            return Err(Error::new(ErrorKind::Unreachable, "the source's snapshot was lost in the middle of the copy")
                .hint("the source takes writes again; `azure2neon cut-over` begins the copy anew"));
        }
        Ok(json!({ "tables": tables.len() - loaded.gone.len(), "rows": loaded.rows, "bytes": loaded.bytes }))
    }

    fn note(&self, output: &Value) -> String {
        let number = |key| output.get(key).and_then(Value::as_i64).unwrap_or_default();
        format!("{} tables, {} rows, {}", number("tables"), number("rows"), units::bytes(number("bytes")))
    }
}

/// The mark of a copy that was begun; it goes with the database.
fn mark(schema: &str) -> QualifiedName {
    QualifiedName::new(schema, "begun")
}

async fn begin(target: &Session, schema: &str) -> Result<()> {
    let sql = format!("create schema if not exists {}; create table if not exists {} ()", Ident::new(schema), mark(schema));
    Ok(target.batch_execute(&sql).await?)
}

/// Whether a copy was begun in this database.
pub(super) async fn is_begun(target: &Session, schema: &str) -> Result<bool> {
    Ok(target.query_one("select pg_catalog.to_regclass($1) is not null", &[&mark(schema).to_string()]).await?.get(0))
}
