//! Replica identities, set without queueing the application behind a lock.

use std::time::{Duration, Instant};

use crate::connect::Session;
use crate::error::{Doing, Error, Result};
use crate::ident::{Ident, QualifiedName};
use crate::inventory::ReplicaIdentity;

/// Whoever comes after our request for the lock waits as long as we do; this bounds both.
const LOCK_TIMEOUT: &str = "2s";
/// No more tries after this.
const DEADLINE: Duration = Duration::from_secs(60);

/// Sets the table's replica identity. Waits at most 2 s at a time for the lock, and tries again up to a minute.
///
/// # Errors
/// What the server answered; 55P03 if the lock was never free.
pub async fn set(session: &Session, table: &QualifiedName, to: &ReplicaIdentity) -> Result<()> {
    let sql = statements(table, to);
    let began = Instant::now();
    loop {
        let Err(error) = session.batch_execute(&sql).await else { return Ok(()) };
        let error = Error::from(error).doing(format!("set the replica identity of {table}"));
        if session.is_closed() {
            return Err(error);
        }
        session.batch_execute("rollback").await.doing(|| "roll back")?;
        if !error.is_lock_conflict() || began.elapsed() > DEADLINE {
            return Err(error);
        }
        // Lets those through who queued behind us.
        tokio::time::sleep(Duration::from_millis(500 + fastrand::u64(..500))).await;
    }
}

/// The statements of one attempt.
pub fn statements(table: &QualifiedName, to: &ReplicaIdentity) -> String {
    let identity = match to {
        ReplicaIdentity::Default => "default".to_owned(),
        ReplicaIdentity::Nothing => "nothing".to_owned(),
        ReplicaIdentity::Full => "full".to_owned(),
        ReplicaIdentity::Index(index) => format!("using index {}", Ident::new(index)),
    };
    format!("begin; set local lock_timeout = '{LOCK_TIMEOUT}'; alter table only {table} replica identity {identity}; commit")
}
