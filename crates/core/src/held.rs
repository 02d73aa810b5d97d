//! What a cut-over works with. All of it is opened before the fence: to connect takes seven round trips, and a closed source lets
//! nobody in.

use azure2neon_postgres::copy::Ferry;
use azure2neon_postgres::inventory::Persistence;
use azure2neon_postgres::proof::Witness;
use azure2neon_postgres::{QualifiedName, Session, Table, copy};
use tokio::sync::Mutex;

use crate::context::Context;
use crate::error::Result;
use crate::plan::Mode;

/// Sessions on both sides, and what was read with them shortly before the fence.
pub struct Held {
    /// In the source's database, as the operator.
    pub source: Session,
    /// In another database of that server, from which the fence is lowered whatever became of `source`.
    pub reopener: Session,
    /// In the target's database, as its owner.
    pub target: Session,
    /// The source's sequences that are moved.
    pub sequences: Vec<QualifiedName>,
    /// The source's unlogged tables that are moved.
    pub unlogged: Vec<Table>,
    /// What carries those, if there are any.
    pub ferry: Option<Mutex<Ferry>>,
    /// Who tells what was written behind the fence; none without replication.
    pub witness: Option<(Session, Witness)>,
}

impl Held {
    /// Opens everything.
    pub async fn open(cx: &Context) -> Result<Self> {
        let beside = cx.beside_source().await?;
        let reopener = async { Ok(beside.connect().await?) };
        let (source, reopener, target) = tokio::try_join!(cx.source(), reopener, cx.target())?;
        let inventory = cx.source_inventory(&source).await?;
        let mut unlogged = inventory.tables;
        unlogged.retain(|table| table.persistence == Persistence::Unlogged && table.has_storage());
        let ferry = if unlogged.is_empty() {
            None
        } else {
            let (from, to) = tokio::try_join!(cx.source_endpoint(), cx.target_endpoint())?;
            Some(Mutex::new(Ferry::connect(&from, &to).await?))
        };
        let witness = match cx.plan.mode {
            Mode::Offline => None,
            Mode::Online => Some((
                cx.source_as_replication().await?,
                witness(cx, copy::published(&source, &cx.names().mark).await?.into_iter().collect()),
            )),
        };
        Ok(Self { source, reopener, target, sequences: inventory.sequences, unlogged, ferry, witness })
    }

    /// The processes of the source behind these sessions.
    pub async fn pids(&self) -> Vec<i32> {
        let mut pids = vec![self.source.pid()];
        pids.extend(self.witness.iter().map(|(session, _)| session.pid()));
        if let Some(ferry) = &self.ferry {
            pids.push(ferry.lock().await.pid());
        }
        pids
    }
}

/// The witness of this run's fence.
pub fn witness(cx: &Context, publications: Vec<String>) -> Witness {
    Witness { slot: format!("{}_proof", cx.names().mark), publications }
}
