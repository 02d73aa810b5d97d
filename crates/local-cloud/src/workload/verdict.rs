//! Whether a server holds what the writer was told.

use std::collections::{BTreeSet, HashMap};

use serde::Serialize;
use tokio_postgres::Client;

use super::{Entry, WriterReport};

/// What a server holds of a writer's transactions.
#[derive(Debug, Clone, Serialize)]
pub struct Verdict {
    /// Acknowledged transactions that were looked for.
    pub acknowledged: usize,
    /// Acknowledged transactions that the server lacks, in whole or in part.
    pub missing: Vec<Entry>,
    /// Transactions that the server holds more than once.
    pub doubled: Vec<Entry>,
    /// Transactions of which the server holds a part only, acknowledged or not.
    pub torn: Vec<Entry>,
    /// Transactions that the server holds although the application was told that they failed.
    pub unexpected: Vec<Entry>,
    /// Of the transactions whose answer was lost, the number that did commit.
    pub unknown_committed: usize,
}

impl Verdict {
    /// Whether the server holds every acknowledged transaction once, and nothing else.
    pub fn is_clean(&self) -> bool {
        self.missing.is_empty() && self.doubled.is_empty() && self.torn.is_empty() && self.unexpected.is_empty()
    }
}

/// Compares what the writer was told with what the server behind `client` holds. Call it when the writer has stopped.
///
/// # Errors
/// When the two ledgers can't be read.
pub async fn verify(client: &Client, report: &WriterReport) -> Result<Verdict, tokio_postgres::Error> {
    let sessions = i32::try_from(report.sessions).unwrap_or(i32::MAX);
    let mut held: HashMap<Entry, (i64, i64)> = HashMap::new();
    // The copy has no key: what is applied twice fails in the ledger itself, or shows here.
    let rows = client
        .query(
            "SELECT writer, seq, count(*) FILTER (WHERE ledger), count(*) FILTER (WHERE NOT ledger)
             FROM (SELECT writer, seq, true AS ledger FROM app.ledger
                   UNION ALL
                   SELECT writer, seq, false FROM app.ledger_copy) AS entries
             WHERE writer BETWEEN 1 AND $1 AND seq >= $2
             GROUP BY writer, seq",
            &[&sessions, &report.first_seq],
        )
        .await?;
    for row in rows {
        held.insert((row.try_get(0)?, row.try_get(1)?), (row.try_get(2)?, row.try_get(3)?));
    }

    let acknowledged: BTreeSet<Entry> = report.acknowledged.iter().copied().collect();
    let unknown: BTreeSet<Entry> = report.unknown.iter().copied().collect();
    let sorted = |wanted: &dyn Fn(&Entry, i64, i64) -> bool| {
        let mut entries: Vec<Entry> =
            held.iter().filter(|(entry, (ledger, copy))| wanted(entry, *ledger, *copy)).map(|(entry, _)| *entry).collect();
        entries.sort_unstable();
        entries
    };
    Ok(Verdict {
        acknowledged: acknowledged.len(),
        missing: acknowledged
            .iter()
            .filter(|entry| held.get(entry).is_none_or(|(ledger, copy)| *ledger == 0 || *copy == 0))
            .copied()
            .collect(),
        doubled: sorted(&|_, ledger, copy| ledger > 1 || copy > 1),
        torn: sorted(&|_, ledger, copy| ledger == 0 || copy == 0),
        unexpected: sorted(&|entry, _, _| !acknowledged.contains(entry) && !unknown.contains(entry)),
        unknown_committed: unknown.iter().filter(|entry| held.contains_key(entry)).count(),
    })
}
