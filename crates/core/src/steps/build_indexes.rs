use async_trait::async_trait;
use azure2neon_postgres::copy::manners::Manners;
use azure2neon_postgres::copy::{Extent, Load, Snapshot, Unit};
use azure2neon_postgres::schema::Section;
use azure2neon_postgres::{Session, statistics, subscription};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::import_schema;
use crate::context::Context;
use crate::error::Result;
use crate::operation::{Observed, Operation};
use crate::plan::Effect;

/// Creates what is left of the schema after the copy: indexes, foreign keys, triggers, policies and rules; gathers statistics.
///
/// A subscription rests meanwhile: an apply worker and a statement that both lock tables would deadlock now and then.
/// Every table is copied by now, so that what the target holds is one consistent state and its foreign keys hold.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BuildIndexes {
    /// For how many tables at once indexes are built, where the copy has left that to this step.
    pub workers: Option<usize>,
}

impl BuildIndexes {
    /// The tables' own indexes, several at once; what spans tables is left for later.
    async fn build_by_table(&self, cx: &Context, workers: usize) -> Result<()> {
        let (source, target) = (cx.source_endpoint().await?, cx.target_endpoint().await?);
        let tables = cx.source_inventory(&cx.source().await?).await?.replicated();
        let load = Load {
            source: &source,
            target: &target,
            snapshot: &Snapshot::now(&source).await?,
            epoch: 1,
            marker_schema: &cx.names().mark,
            units: &[Unit { number: 1, extent: Extent::Tables(tables) }],
            entries: &import_schema::entries(cx)?,
            manners: &Manners::new(workers),
            rows_are_in: true,
            until: None,
        };
        load.run(&|_| {}).await?;
        Ok(())
    }

    async fn build(&self, cx: &Context, target: &mut Session) -> Result<()> {
        if let Some(workers) = self.workers {
            self.build_by_table(cx, workers).await?;
        }
        import_schema::import(cx, target, "build-indexes", after_data).await
    }
}

fn after_data(section: Section) -> bool {
    section != Section::PreData
}

#[async_trait]
impl Operation for BuildIndexes {
    fn effect(&self) -> Effect {
        Effect::Creates
    }

    fn describe(&self) -> String {
        "create what is left of indexes, foreign keys, triggers and policies while nothing is applied; analyze".into()
    }

    async fn observe(&self, cx: &Context) -> Result<Observed> {
        let schema = import_schema::observe(cx, after_data).await?;
        let state = subscription::subscription(&cx.target().await?, &cx.names().mark).await?;
        Ok(match (schema, state) {
            (Observed::Present(_), Some(state)) if !state.enabled => Observed::Partial("the subscription rests".into()),
            (schema, _) => schema,
        })
    }

    async fn apply(&self, cx: &Context) -> Result<Value> {
        let name = cx.names().mark;
        let mut target = cx.target().await?;
        let subscribed = subscription::subscription(&target, &name).await?.is_some();
        subscription::disable_subscription(&target, &name).await?;
        let built = self.build(cx, &mut target).await;
        // Back to work before anything else, also when a statement failed: the source keeps WAL for us.
        let enabled = if subscribed { subscription::enable_subscription(&target, &name).await } else { Ok(()) };
        built?;
        enabled?;
        statistics::gather_missing(&target).await?;
        Ok(Value::Null)
    }

    fn note(&self, output: &Value) -> String {
        import_schema::note(output)
    }
}
