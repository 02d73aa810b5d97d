//! What the source's database tells.

use std::time::Duration;

use azure2neon_postgres::assessment::{self, Hit};
use azure2neon_postgres::catalog::catalog;
use azure2neon_postgres::collation::{self, TextKey};
use azure2neon_postgres::extensions::hanging;
use azure2neon_postgres::roles::SubscriberRights;
use azure2neon_postgres::server::{rights, server_facts};
use azure2neon_postgres::volume::{LogWatch, volume};
use azure2neon_postgres::{Session, dependents, fence, inventory, roles, statistics};

use super::{Survey, TextOrder};
use crate::access::Access;
use crate::basis;
use crate::clock;
use crate::error::{Error, ErrorKind, Result};
use crate::extensions;
use crate::plan::Mode;
use crate::settings::Settings;

/// Looks at the source's database; the target's is asked how it sorts.
pub(super) async fn look(survey: &mut Survey, settings: &Settings, access: &Access, target: Option<&Session>) -> Result<()> {
    refuse_absent(survey, settings)?;
    let endpoint = access.source_endpoint(settings, &survey.server.host, &survey.user, "azure2neon_plan").await?;
    let source = access.connect(&survey.server, &endpoint).await?;
    survey.on_server = server_facts(&source).await?;
    let log = LogWatch::begin(&source).await?;
    survey.round_trip = source.round_trip().await?;
    survey.bandwidth = source.bandwidth().await?;
    survey.clock_skew_milliseconds = clock_skew(&source, survey.round_trip).await?;
    survey.assessment = assessment::assess(&source).await?;
    let unasked = survey.unasked.iter().map(|object| Hit { object: object.clone(), bytes: 0, relation: None });
    if unasked.len() > 0 {
        survey.assessment.entry(assessment::UNCHECKED).or_default().extend(unasked);
    }
    survey.definitions = basis::definitions(&catalog(&source).await?);
    survey.inventory = inventory::inventory(&source).await?;
    let doubtful = extensions::doubtful(&survey.inventory.extensions, survey.extensions.as_ref());
    survey.hanging = hanging(&source, &doubtful).await?;
    survey.text_order = text_order(&source, target).await?;
    survey.changes = statistics::changes(&source).await?;
    let left_out = settings.selection.left_out(&survey.inventory);
    let moved: Vec<u32> = survey.inventory.tables.iter().filter(|table| !left_out.contains(&table.name)).map(|table| table.oid).collect();
    survey.rights = rights(&source, &moved).await?;
    (survey.hidden, survey.subscriber) = match settings.mode {
        Mode::Online => (Vec::new(), roles::subscriber_rights(&source, &moved).await?),
        Mode::Offline => (roles::hidden_from(&source, &survey.user, &moved).await?, SubscriberRights::default()),
    };
    survey.volume = volume(&source, &moved).await?;
    survey.dependents = dependents::dependents(&source, &left_out).await?;
    survey.fence = fence::fence_state(&source, &settings.source_database).await?;
    survey.log_rate = log.end(&source).await?;
    Ok(())
}

fn refuse_absent(survey: &Survey, settings: &Settings) -> Result<()> {
    let databases = &survey.server_databases;
    if databases.contains(&settings.source_database) {
        return Ok(());
    }
    let near: Vec<&str> = databases.iter().map(String::as_str).filter(|name| !matches!(*name, "azure_maintenance" | "azure_sys")).collect();
    Err(Error::new(
        ErrorKind::NotFound,
        format!("there is no database {} on server {}; it has {}", settings.source_database, survey.server.name, near.join(", ")),
    )
    .hint("name one of them with --database (or `database` under [source])"))
}

/// By how much this machine's clock is ahead of the server's, in milliseconds, give or take half a round trip.
async fn clock_skew(source: &Session, round_trip: Duration) -> Result<i64> {
    let sql = "select (pg_catalog.extract('epoch', pg_catalog.clock_timestamp()) * 1000)::pg_catalog.int8";
    let there: i64 = source.query_one(sql, &[]).await?.try_get(0)?;
    let half = i64::try_from(round_trip.as_millis() / 2).unwrap_or_default();
    Ok(clock::now().as_millisecond() - half - there)
}

/// Compares the order of indexed text with the target's, or with that of a new database.
async fn text_order(source: &Session, target: Option<&Session>) -> Result<TextOrder> {
    let keys = collation::text_keys(source).await?;
    if let Some(target) = target {
        return Ok(TextOrder { otherwise: collation::ordered_otherwise(target, &keys).await?, unknown: Vec::new() });
    }
    let (default, others): (Vec<TextKey>, Vec<TextKey>) = keys.into_iter().partition(TextKey::is_default);
    let otherwise = default.into_iter().filter(|key| !key.is_in_order_of_c()).map(|key| key.name).collect();
    Ok(TextOrder { otherwise, unknown: others.into_iter().map(|key| format!("{} ({})", key.name, key.collation)).collect() })
}
