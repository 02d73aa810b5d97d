//! What the query planner knows of the tables.

use crate::connect::Session;
use crate::error::{Doing, Result};
use crate::ident::QualifiedName;
use crate::inventory::sql::UNANALYZED;

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
