use async_trait::async_trait;
use azure2neon_postgres::schema::Section;
use azure2neon_postgres::subscription;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::import_schema;
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::operation::{Observed, Operation};
use crate::plan::Effect;

/// Creates indexes, foreign keys, triggers, policies and rules after the copy, and gathers statistics.
///
/// The subscription rests meanwhile: an apply worker and a statement that both lock tables would deadlock now and then.
/// Every table is synchronized by now, so that what the target holds is one consistent state and its foreign keys hold.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BuildIndexes {}

fn post_data(section: Section) -> bool {
    section == Section::PostData
}

#[async_trait]
impl Operation for BuildIndexes {
    fn effect(&self) -> Effect {
        Effect::Creates
    }

    fn describe(&self) -> String {
        "create indexes, foreign keys, triggers and policies while the subscription rests; analyze".into()
    }

    async fn observe(&self, cx: &Context) -> Result<Observed> {
        let schema = import_schema::observe(cx, post_data).await?;
        let state = subscription::subscription(&cx.target().await?, &cx.names().mark).await?;
        Ok(match (schema, state) {
            (Observed::Present(output), Some(state)) if state.enabled => Observed::Present(output),
            (Observed::Present(_), _) => Observed::Partial("the subscription rests".into()),
            (other, _) => other,
        })
    }

    async fn apply(&self, cx: &Context) -> Result<Value> {
        let name = cx.names().mark;
        let target = cx.target().await?;
        subscription::disable_subscription(&target, &name).await?;
        let built = import_schema::import(cx, "build-indexes", post_data).await;
        // Back to work before anything else, also when a statement failed: the source keeps WAL for us.
        let enabled = subscription::enable_subscription(&target, &name).await;
        built?;
        enabled?;
        target.batch_execute("analyze").await.map_err(|error| {
            Error::new(ErrorKind::Database, "could not gather statistics on the target").because(azure2neon_postgres::Error::from(error))
        })?;
        Ok(Value::Null)
    }

    fn note(&self, output: &Value) -> String {
        import_schema::note(output)
    }
}
