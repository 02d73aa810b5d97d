//! A snapshot that several sessions share.

use crate::connect::{Endpoint, Session};
use crate::error::{Doing, Result};
use crate::lsn::Lsn;

/// A snapshot of a server. It can be imported for as long as this value lives.
pub struct Snapshot {
    /// Its name, for `set transaction snapshot`.
    pub name: String,
    /// Where the server's WAL was then.
    pub position: Lsn,
    /// Its transaction is the snapshot's life.
    _session: Session,
}

/// Exports a snapshot of the endpoint's database, as of now.
///
/// # Errors
/// What the server answered.
pub async fn export(endpoint: &Endpoint) -> Result<Snapshot> {
    let doing = || "export a snapshot";
    let session = endpoint.connect().await?;
    session.batch_execute("begin isolation level repeatable read read only").await.doing(doing)?;
    let sql = "select pg_catalog.pg_export_snapshot(), pg_catalog.pg_current_wal_insert_lsn()::pg_catalog.text";
    let row = session.query_one(sql, &[]).await.doing(doing)?;
    let (name, position) = (row.try_get(0)?, row.try_get::<_, &str>(1)?.parse()?);
    Ok(Snapshot { name, position, _session: session })
}
