//! What about a database and its server may hurt a migration: one query a check, all of them on their way at once.

use std::collections::BTreeMap;

use futures::future::join_all;
use tokio_postgres::Row;

use crate::connect::Session;
use crate::error::{Doing, Result};

/// Something that a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// What, as people name it.
    pub object: String,
    /// How large it is, in bytes; zero where that says nothing.
    pub bytes: i64,
    /// The oid of the relation that it is or belongs to, if any.
    pub relation: Option<u32>,
}

/// The id of what could not be looked for, since the server refused the question.
pub const UNCHECKED: &str = "unchecked";

/// The queries, by the ids of their checks. Each answers with `object` and `bytes`, and may with `relation`.
pub const QUERIES: &[(&str, &str)] = &[
    ("bloat", over_user_schemas!("../sql/checks/bloat.sql")),
    ("clients-without-tls", include_str!("../sql/checks/clients_without_tls.sql")),
    ("collation-versions", over_user_schemas!("../sql/checks/collation_versions.sql")),
    ("collations-missing", over_user_schemas!("../sql/checks/collations_missing.sql")),
    ("comments-on-extensions", over_user_schemas!("../sql/checks/comments_on_extensions.sql")),
    ("default-privileges", over_user_schemas!("../sql/checks/default_privileges.sql")),
    ("deferrable-keys", over_user_schemas!("../sql/checks/deferrable_keys.sql")),
    ("disabled-triggers", over_user_schemas!("../sql/checks/disabled_triggers.sql")),
    ("event-triggers", over_user_schemas!("../sql/checks/event_triggers.sql")),
    ("exclusion-constraints", over_user_schemas!("../sql/checks/exclusion_constraints.sql")),
    ("generated-columns", over_user_schemas!("../sql/checks/generated_columns.sql")),
    ("identity-columns", over_user_schemas!("../sql/checks/identity_columns.sql")),
    ("inactive-slots", over_user_schemas!("../sql/checks/inactive_slots.sql")),
    ("inheritance", over_user_schemas!("../sql/checks/inheritance.sql")),
    ("invalid-indexes", over_user_schemas!("../sql/checks/invalid_indexes.sql")),
    ("long-transactions", over_user_schemas!("../sql/checks/long_transactions.sql")),
    ("materialized-views", over_user_schemas!("../sql/checks/materialized_views.sql")),
    ("objects-of-the-provider", over_user_schemas!("../sql/checks/objects_of_the_provider.sql")),
    ("partitioned-tables", over_user_schemas!(recursive "../sql/checks/partitioned_tables.sql")),
    ("prepared-transactions", over_user_schemas!("../sql/checks/prepared_transactions.sql")),
    ("publications", over_user_schemas!("../sql/checks/publications.sql")),
    ("recent-ddl", over_user_schemas!("../sql/checks/recent_ddl.sql")),
    ("roles", over_user_schemas!(recursive "../sql/checks/roles.sql")),
    ("row-security", over_user_schemas!("../sql/checks/row_security.sql")),
    ("rules", over_user_schemas!("../sql/checks/rules.sql")),
    ("scheduled-jobs", over_user_schemas!("../sql/checks/scheduled_jobs.sql")),
    ("security-labels", over_user_schemas!("../sql/checks/security_labels.sql")),
    ("settings-of-database", over_user_schemas!("../sql/checks/settings_of_database.sql")),
    ("superuser-objects", over_user_schemas!("../sql/checks/superuser_objects.sql")),
    ("tablespaces", over_user_schemas!("../sql/checks/tablespaces.sql")),
    ("temporary-tables", over_user_schemas!("../sql/checks/temporary_tables.sql")),
    ("text-range-partitions", over_user_schemas!("../sql/checks/text_range_partitions.sql")),
    ("unset-search-path", over_user_schemas!("../sql/checks/unset_search_path.sql")),
    ("untrusted-functions", over_user_schemas!("../sql/checks/untrusted_functions.sql")),
    ("unvalidated-constraints", over_user_schemas!("../sql/checks/unvalidated_constraints.sql")),
    ("wraparound", over_user_schemas!("../sql/checks/wraparound.sql")),
];

/// Asks all of them: what each found, the largest first. In a bounded number of round trips, however much there is.
///
/// # Errors
/// A lost connection. A question that the server refuses is under [`UNCHECKED`].
pub async fn assess(session: &Session) -> Result<BTreeMap<&'static str, Vec<Hit>>> {
    let answers = join_all(QUERIES.iter().map(async |(id, sql)| (*id, ask(session, id, sql).await))).await;
    let mut found: BTreeMap<&'static str, Vec<Hit>> = BTreeMap::new();
    for (id, answer) in answers {
        match answer {
            Ok(hits) if hits.is_empty() => {}
            Ok(hits) => _ = found.insert(id, hits),
            // What could not be looked for is not absent.
            Err(error) if error.sqlstate().is_some() => {
                found.entry(UNCHECKED).or_default().push(Hit { object: format!("{id} ({})", error.message()), bytes: 0, relation: None });
            }
            Err(lost) => return Err(lost),
        }
    }
    Ok(found)
}

async fn ask(session: &Session, id: &str, sql: &str) -> Result<Vec<Hit>> {
    let rows = session.query_typed(sql, &[]).await.doing(|| format!("look for {id}"))?;
    let hit = |row: &Row| {
        let relation = if row.len() > 2 { row.try_get(2)? } else { None };
        Ok(Hit { object: row.try_get(0)?, bytes: row.try_get(1)?, relation })
    };
    let mut hits = rows.iter().map(hit).collect::<Result<Vec<_>>>()?;
    hits.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.object.cmp(&b.object)));
    Ok(hits)
}
