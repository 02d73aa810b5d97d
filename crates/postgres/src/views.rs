//! Materialized views, which replication leaves out.

use crate::connect::Session;
use crate::error::{Doing, Result};
use crate::ident::QualifiedName;

/// Fills the materialized view anew.
///
/// # Errors
/// What the server answered.
pub async fn refresh(session: &Session, view: &QualifiedName) -> Result<()> {
    session.batch_execute(&format!("refresh materialized view {view}")).await.doing(|| format!("refresh the materialized view {view}"))
}
