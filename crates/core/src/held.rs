//! What a cut-over works with. All of it is opened before the fence: to connect takes seven round trips, and a closed database lets
//! nobody in.

use azure2neon_postgres::copy::Ferry;
use azure2neon_postgres::inventory::{Inventory, Persistence};
use azure2neon_postgres::proof::Witness;
use azure2neon_postgres::{QualifiedName, Session, Table, copy, fence};
use tokio::sync::Mutex;

use crate::comparison::Ready;
use crate::context::Context;
use crate::direction::Direction;
use crate::error::{Error, ErrorKind, Result};
use crate::plan::Mode;

/// Sessions on both sides, and what was read with them shortly before the fence.
pub struct Held {
    /// Which way the changes flow until the fence.
    pub direction: Direction,
    /// In the database that is closed.
    pub from: Session,
    /// In another database of that server, from which the fence is lowered whatever became of `from`.
    pub reopener: Session,
    /// In the database that the changes go to.
    pub to: Session,
    /// In another database of that server, from which its own fence is lowered when the application comes; none if it has none.
    pub opener: Option<Session>,
    /// The sequences to carry over.
    pub sequences: Vec<QualifiedName>,
    /// The unlogged tables to carry over.
    pub unlogged: Vec<Table>,
    /// What carries those, if there are any.
    pub ferry: Option<Mutex<Ferry>>,
    /// Where the changes go to, as who may move the slot there by which they will flow the other way; none without a way back.
    turning: Option<Session>,
    /// What the final compare reads with; none where the tables come only behind the fence.
    ready: Option<Ready>,
    /// Who tells what was written behind the fence; none without replication.
    pub witness: Option<(Session, Witness)>,
}

impl Held {
    /// Opens everything.
    pub async fn open(cx: &Context, direction: Direction) -> Result<Self> {
        let beside = fence::beside(&direction.from_endpoint(cx).await?);
        let reopener = async { Ok(beside.connect().await?) };
        let opener = async {
            if !cx.folder.touched(direction.other().fence()) {
                return Ok(None);
            }
            let beside = fence::beside(&direction.other().from_endpoint(cx).await?);
            Ok(Some(beside.connect().await?))
        };
        let (from, reopener, to, opener) = tokio::try_join!(direction.from_session(cx), reopener, direction.to_session(cx), opener)?;
        // What is moved is what the source had; that the target holds it, too, is known from the compare.
        let source = if direction == Direction::Forward { &from } else { &to };
        let Inventory { sequences, tables: mut unlogged, .. } = cx.source_inventory(source).await?;
        unlogged.retain(|table| table.persistence == Persistence::Unlogged && table.has_storage());
        let ferry = if unlogged.is_empty() {
            None
        } else {
            let (source, target) = (cx.source_lane().await?, cx.target_lane().await?);
            let (from, to) = if direction == Direction::Forward { (source, target) } else { (target, source) };
            Some(Mutex::new(Ferry::new(from, to)))
        };
        let (ready, witness) = match cx.plan.mode {
            Mode::Offline => (None, None),
            Mode::Online => {
                let published = copy::published(&from, &cx.names().mark).await?.into_iter().collect();
                (Some(Ready::get(cx).await?), Some((direction.slots_session(cx).await?, witness(cx, published))))
            }
        };
        let turning = match (cx.has_way_back(), direction) {
            (false, _) => None,
            (true, Direction::Forward) => Some(cx.target().await?),
            (true, Direction::Back) => Some(cx.source_as_replication().await?),
        };
        Ok(Self { direction, from, reopener, to, opener, sequences, unlogged, ferry, turning, ready, witness })
    }

    /// Whether the changes can flow the other way afterwards.
    pub fn turns(&self) -> bool {
        self.turning.is_some()
    }

    /// Who may move the slot of the other direction.
    pub fn turning(&self) -> Result<&Session> {
        self.turning.as_ref().ok_or_else(|| Error::new(ErrorKind::Internal, "nobody may move the slot of the other direction"))
    }

    /// What the final compare reads with.
    pub fn ready(&self) -> Result<&Ready> {
        self.ready.as_ref().ok_or_else(|| Error::new(ErrorKind::Internal, "nothing is ready for a compare at rest"))
    }

    /// The processes behind the sessions in the database that is closed.
    pub async fn pids(&self) -> Vec<i32> {
        let mut pids = vec![self.from.pid()];
        pids.extend(self.witness.iter().map(|(session, _)| session.pid()));
        if let Some(ferry) = &self.ferry {
            pids.push(ferry.lock().await.pid());
        }
        if let Some(ready) = &self.ready {
            let (source, target) = ready.pids();
            pids.extend(if self.direction == Direction::Forward { source } else { target });
        }
        pids
    }
}

/// The witness of this run's fences.
pub fn witness(cx: &Context, publications: Vec<String>) -> Witness {
    Witness { slot: format!("{}_proof", cx.names().mark), publications }
}
