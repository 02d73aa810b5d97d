//! What the query planner knows of the tables.

use std::collections::HashMap;

use crate::connect::Session;
use crate::error::{Doing, Result};
use crate::ident::QualifiedName;
use crate::inventory::sql::UNANALYZED;

/// How often rows were changed.
pub const CHANGES: &str = over_user_schemas!("../sql/changes_of_tables.sql");

/// So many tables are analyzed in one statement.
const CHUNK: usize = 100;

/// Analyzes every table that has no statistics yet or has some of its own making, which only an analysis after it fills.
///
/// # Errors
/// What the server answered.
pub async fn gather_missing(session: &Session) -> Result<()> {
    let doing = || "gather statistics";
    let mut names = Vec::new();
    for row in session.query(UNANALYZED, &[]).await.doing(doing)? {
        names.push(QualifiedName::new(row.try_get::<_, String>(0)?, row.try_get::<_, String>(1)?).to_string());
    }
    for chunk in names.chunks(CHUNK) {
        session.batch_execute(&format!("analyze {}", chunk.join(", "))).await.doing(doing)?;
    }
    Ok(())
}

/// How many of a table's rows were updated or deleted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Changes {
    /// So many, since the statistics were reset last.
    pub counted: i64,
    /// How long that has been, in hours, if the server knows.
    pub hours: Option<f64>,
}

/// The changes of all tables that had any.
///
/// # Errors
/// What the server answered.
pub async fn changes(session: &Session) -> Result<HashMap<QualifiedName, Changes>> {
    let doing = || "read how often rows are changed";
    let rows = session.query(CHANGES, &[]).await.doing(doing)?;
    rows.iter()
        .map(|row| {
            let name = QualifiedName::new(row.try_get::<_, String>("schema").doing(doing)?, row.try_get::<_, String>("name").doing(doing)?);
            Ok((name, Changes { counted: row.try_get("changes").doing(doing)?, hours: row.try_get("hours").doing(doing)? }))
        })
        .collect()
}
