//! Sequences, which replication leaves out.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::connect::Session;
use crate::error::{Doing, Error, ErrorKind, Result};
use crate::ident::{QualifiedName, literal};

/// So many sequences are named in one statement; planning a UNION ALL grows faster than its length.
const BATCH: usize = 200;

/// A sequence's state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SequenceValue {
    /// Schema and name.
    pub name: QualifiedName,
    /// The last value, or the next one if `is_called` is false.
    pub last_value: i64,
    /// `nextval` advances first.
    pub is_called: bool,
}

/// Reads every sequence from the relation itself (pg_sequences hides the value of one that was never used).
///
/// # Errors
/// What the server answered; a sequence that is gone is one.
pub async fn read_sequences(session: &Session, names: &[QualifiedName]) -> Result<Vec<SequenceValue>> {
    let mut values = Vec::with_capacity(names.len());
    for batch in names.chunks(BATCH) {
        let mut sql = String::new();
        for (index, name) in batch.iter().enumerate() {
            let glue = if index == 0 { "" } else { " union all " };
            let _ = write!(sql, "{glue}select {index}::pg_catalog.int4, last_value, is_called from {name}");
        }
        let rows = session.query_typed(&sql, &[]).await.doing(|| "read the sequences")?;
        for row in rows {
            let index = usize::try_from(row.try_get::<_, i32>(0)?).unwrap_or(usize::MAX);
            let Some(name) = batch.get(index) else {
                return Err(Error::new(ErrorKind::Other, "read the sequences", "an unknown one came back"));
            };
            values.push(SequenceValue { name: name.clone(), last_value: row.try_get(1)?, is_called: row.try_get(2)? });
        }
    }
    Ok(values)
}

/// Sets every sequence in one transaction, durably.
///
/// # Errors
/// What the server answered; then none is set.
pub async fn set_sequences(session: &Session, values: &[SequenceValue]) -> Result<()> {
    if values.is_empty() {
        return Ok(());
    }
    // One message, hence one round trip: the cut-over waits for it. The commit also flushes what was applied before it.
    let mut sql = String::from("begin; set local synchronous_commit = on;\n");
    for batch in values.chunks(BATCH) {
        for (index, value) in batch.iter().enumerate() {
            let glue = if index == 0 { "select " } else { ", " };
            let name = literal(&value.name.to_string());
            let _ = write!(
                sql,
                "{glue}pg_catalog.setval({name}::pg_catalog.regclass, {}::pg_catalog.int8, {})",
                value.last_value, value.is_called
            );
        }
        sql.push_str(";\n");
    }
    sql.push_str("commit");
    let done = session.batch_execute(&sql).await;
    if done.is_err() {
        let _ = session.batch_execute("rollback").await;
    }
    done.doing(|| "set the sequences")
}
