//! Copies rows again that differ.

use azure2neon_postgres::digest::{self, RepairRow, Subject};
use azure2neon_postgres::{QualifiedName, Session};
use serde::Serialize;

use super::rows::Found;
use crate::context::Context;
use crate::error::{Error, Result};

/// What was repaired.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Repaired {
    /// By table.
    pub tables: Vec<RepairedTable>,
}

/// What was done to a table's rows on the target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RepairedTable {
    /// The table.
    pub table: QualifiedName,
    /// Rows that got the source's values.
    pub updated: u64,
    /// Rows that were missing.
    pub inserted: u64,
    /// Rows that the source doesn't have.
    pub deleted: u64,
    /// Rows that changed on the source meanwhile: not touched.
    pub changed: u64,
    /// Why nothing was done, if so.
    pub failed: Option<String>,
}

/// Repairs table by table. One that a foreign key hinders waits for the others.
pub(super) async fn repair(cx: &Context, found: &[(Subject, Vec<Found>)]) -> Result<Repaired> {
    let (source, target) = tokio::try_join!(cx.source(), cx.target())?;
    let mut open: Vec<&(Subject, Vec<Found>)> = found.iter().collect();
    let mut repaired = Repaired::default();
    loop {
        let mut refused = Vec::new();
        let before = open.len();
        for (subject, rows) in open {
            match of_table(&source, &target, subject, rows).await {
                Ok(done) => repaired.tables.push(RepairedTable {
                    table: subject.name.clone(),
                    updated: done.updated,
                    inserted: done.inserted,
                    deleted: done.deleted,
                    changed: done.changed,
                    failed: None,
                }),
                // The server refused the rows, or the apply worker came in between; a lost connection is another thing.
                Err(error) if error.sqlstate().is_some_and(|state| state.starts_with("23") || state == "40P01") => {
                    refused.push(((subject, rows), error))
                }
                Err(error) => return Err(error.into()),
            }
        }
        if refused.is_empty() || refused.len() == before {
            for ((subject, _), error) in refused {
                let failed = Some(Error::from(error).to_string());
                let table = subject.name.clone();
                repaired.tables.push(RepairedTable { table, updated: 0, inserted: 0, deleted: 0, changed: 0, failed });
            }
            return Ok(repaired);
        }
        open = found.iter().filter(|(subject, _)| refused.iter().any(|((other, _), _)| other.name == subject.name)).collect();
    }
}

async fn of_table(source: &Session, target: &Session, subject: &Subject, rows: &[Found]) -> azure2neon_postgres::Result<digest::Repair> {
    let rows: Vec<RepairRow> =
        rows.iter().map(|found| RepairRow { identity: found.identity.clone(), source: found.source.clone() }).collect();
    digest::repair(source, target, subject, &rows).await
}
