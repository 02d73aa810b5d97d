//! How much there is to move, and how fast more comes.

use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::barrier::insert_position;
use crate::connect::Session;
use crate::error::{Doing, Result};
use crate::lsn::Lsn;

/// What some tables hold.
pub const VOLUME: &str = include_str!("../sql/volume.sql");
/// How much log a server has written since its statistics began, and how long that is.
pub const LOGGED: &str = "select wal_bytes::pg_catalog.int8, \
     pg_catalog.extract('epoch', pg_catalog.clock_timestamp() - stats_reset)::pg_catalog.float8 from pg_catalog.pg_stat_wal";

/// What some tables hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// Rows, as the planner's statistics have them.
    pub rows: i64,
    /// Tables without such statistics.
    pub unanalyzed: i64,
    /// Bytes with TOAST, without indexes.
    pub bytes: i64,
    /// Indexes.
    pub indexes: i64,
    /// Their bytes.
    pub index_bytes: i64,
}

/// What these tables hold.
///
/// # Errors
/// What the server answered.
pub async fn volume(session: &Session, tables: &[u32]) -> Result<Volume> {
    let row = session.query_one(VOLUME, &[&tables]).await.doing(|| "add up the tables")?;
    Ok(Volume {
        rows: row.try_get("rows")?,
        unanalyzed: row.try_get("unanalyzed")?,
        bytes: row.try_get("bytes")?,
        indexes: row.try_get("indexes")?,
        index_bytes: row.try_get("index_bytes")?,
    })
}

/// How much log a server writes, in bytes a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogRate {
    /// While it was watched.
    pub now: u64,
    /// Since its statistics began; none if it doesn't say.
    pub mean: Option<u64>,
}

/// Watches how much log a server writes, from now until it is asked.
pub struct LogWatch {
    since: Instant,
    at: Lsn,
}

impl LogWatch {
    /// Begins.
    ///
    /// # Errors
    /// What the server answered.
    pub async fn begin(session: &Session) -> Result<Self> {
        Ok(Self { at: insert_position(session).await?, since: Instant::now() })
    }

    /// What was written since.
    ///
    /// # Errors
    /// What the server answered.
    pub async fn end(self, session: &Session) -> Result<LogRate> {
        let (written, took) = (insert_position(session).await?.bytes_since(self.at), self.since.elapsed());
        let row = session.query_one(LOGGED, &[]).await.doing(|| "read how much log was written")?;
        let (bytes, seconds): (i64, Option<f64>) = (row.try_get(0)?, row.try_get(1)?);
        let mean = seconds.filter(|seconds| *seconds >= 60.0).map(|seconds| (bytes as f64 / seconds) as u64);
        Ok(LogRate { now: (written as f64 / took.as_secs_f64().max(0.001)) as u64, mean })
    }
}
