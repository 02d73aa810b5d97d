//! The way back: after the hand-over the target's changes flow to the source, so that the application can return to it.
//!
//! A subscription on the source takes what a slot on the target yields. Only one direction runs at a time, since a publisher before
//! PostgreSQL 16 can't tell its own changes from those that it got. When the direction changes, the resting slot is put at its
//! server's present position, so that nothing that came one way goes the other; and the slot of the direction that rests is dropped,
//! for it would keep its server's WAL as long as the window lasts.
//!
//! `prepare` belongs before the fence, `turn` between drain and hand-over, `open` after it; `prepare_forward` before the fence of the
//! target, `resume_forward` when the application is back.

mod window;

use std::time::Duration;

use azure2neon_postgres::barrier::{self, Feed};
use azure2neon_postgres::inventory::{self, ReplicaIdentity};
use azure2neon_postgres::subscription::{self, Applying, Publisher};
use azure2neon_postgres::{Lsn, QualifiedName, Session, replica_identity, replication, roles};

pub use window::{Slot, WindowState, look};

use crate::context::Context;
use crate::direction::Direction;
use crate::epochs::{self, SLOT_DEADLINE};
use crate::error::{Error, ErrorKind, Result};
use crate::steps::{Action, PrepareWayBack};

/// How long the first change may take to come back.
const OPENING: Duration = Duration::from_secs(60);
/// The file of the run's folder that holds the replica identities of the target's tables before.
const IDENTITIES: &str = "target_identities.json";
/// What rows of a whole database need on the way to Azure; verifying would take Neon's authorities on the source's disk.
const SSLMODE: &str = "require";

/// A session in each database.
#[derive(Clone, Copy)]
pub struct Sides<'a> {
    /// As the source's administrator.
    pub source: &'a Session,
    /// As the target's owner.
    pub target: &'a Session,
}

/// The feed from the target to the source.
pub fn feed(cx: &Context) -> Feed {
    Direction::Back.feed(cx)
}

/// Makes everything ready, anew, while the forward subscription runs. Not while the way back is open.
pub async fn prepare(cx: &Context) -> Result<()> {
    let feed = feed(cx);
    let (source, target) = tokio::try_join!(cx.source(), cx.target())?;
    refuse_unless_publishing(cx, &target).await?;
    if subscription::health(&source, &feed.name).await?.is_some_and(|health| health.enabled) {
        return Err(Error::new(ErrorKind::Internal, "the way back is open already"));
    }
    for session in [&source, &target] {
        barrier::create_barrier(session, &feed.barrier).await?;
    }
    identify_as_source(cx, &source, &target).await?;
    let mut tables = cx.source_inventory(&source).await?.publishable();
    tables.push(feed.barrier.clone());
    replication::create_publication(&target, &feed.name, &tables).await?;
    // A slot that lost its WAL, or lies far back, is of no use; nothing depends on one that rests.
    replication::drop_slot(&target, &feed.name).await?;
    replication::create_slot(&target, &feed.name, SLOT_DEADLINE).await?;
    subscribe(cx, &source, &target).await
}

async fn refuse_unless_publishing(cx: &Context, target: &Session) -> Result<()> {
    let level: String = target.query_one("select pg_catalog.current_setting('wal_level')", &[]).await?.get(0);
    if level == "logical" {
        return Ok(());
    }
    let project = &cx.plan.target.project;
    Err(Error::new(ErrorKind::Blocked, format!("there is no way back from the Neon project {project}: its wal_level is {level}"))
        .hint("enable logical replication in the project's settings, which restarts its computes; or go on with --no-way-back"))
}

/// The subscription with a new password: only it holds that, and an earlier one may be another's.
async fn subscribe(cx: &Context, source: &Session, target: &Session) -> Result<()> {
    let feed = feed(cx);
    subscription::leave_slot(source, &feed.name).await?;
    subscription::drop_subscription(source, &feed.name).await?;
    let mark = cx.names().mark;
    let password = roles::generate_password()?;
    roles::create_replication_role_on_neon(target, &mark, &password, &cx.plan.role_comment()).await?;
    let publisher = cx.target_endpoint().await?.as_user(&mark, password);
    let conninfo = subscription::conninfo(&Publisher::from(&publisher), SSLMODE, &feed.name);
    let applying = Applying { as_subscriber: planned(cx)?.as_subscriber, own_changes_only: source.major() >= 16 };
    subscription::create_resting_subscription(source, &feed.name, &conninfo, applying).await.map_err(|error| {
        let error = Error::from(error);
        if error.kind() != ErrorKind::Unreachable {
            return error.hint("mend that, or go on without a way back: azure2neon cut-over --no-way-back");
        }
        Error::new(ErrorKind::Unreachable, format!("the source can't connect to Neon, so there is no way back: {error}")).hint(format!(
            "let the source out to {} port {}; or go on without a way back: azure2neon cut-over --no-way-back",
            publisher.host, publisher.port
        ))
    })
}

fn planned(cx: &Context) -> Result<&PrepareWayBack> {
    match cx.plan.step("prepare-way-back").map(|step| &step.action) {
        Some(Action::PrepareWayBack(step)) => Ok(step),
        _ => Err(Error::new(ErrorKind::Internal, "the plan has no way back")),
    }
}

/// Gives the target's tables the source's replica identities, which those have for the way forward; without one the application's
/// own updates on the target would fail. What they were is written down first.
async fn identify_as_source(cx: &Context, source: &Session, target: &Session) -> Result<()> {
    let wanted = cx.source_inventory(source).await?.tables;
    let here = inventory::inventory(target).await?.tables;
    let mut changes = Vec::new();
    for table in wanted.iter().filter(|table| table.has_storage()) {
        let is_other = |here: &&inventory::Table| here.name == table.name && here.replica_identity != table.replica_identity;
        changes.extend(here.iter().find(is_other).map(|here| (here, &table.replica_identity)));
    }
    if changes.is_empty() {
        return Ok(());
    }
    let mut before = identities_before(cx)?;
    for (here, _) in &changes {
        if !before.iter().any(|(table, _)| *table == here.name) {
            before.push((here.name.clone(), here.replica_identity.clone()));
        }
    }
    cx.folder.keep(IDENTITIES, &before)?;
    for (here, to) in changes {
        replica_identity::set(target, &here.name, to).await?;
    }
    Ok(())
}

fn identities_before(cx: &Context) -> Result<Vec<(QualifiedName, ReplicaIdentity)>> {
    Ok(cx.folder.kept(IDENTITIES)?.unwrap_or_default())
}

/// The tables that the target's replica identity must be put back of, each with what it was.
async fn identities_to_put_back(cx: &Context, target: &Session) -> Result<Vec<(QualifiedName, ReplicaIdentity)>> {
    let before = identities_before(cx)?;
    if before.is_empty() {
        return Ok(before);
    }
    let now = inventory::inventory(target).await?.tables;
    let differs = |(name, identity): &(QualifiedName, ReplicaIdentity)| {
        now.iter().any(|table| table.name == *name && table.replica_identity != *identity)
    };
    Ok(before.into_iter().filter(differs).collect())
}

/// Puts the resting slot of the other direction near the present, so that `turn` has little to read. Right before the fence.
pub async fn keep_near(cx: &Context, direction: Direction, to: &Session) -> Result<Lsn> {
    Ok(replication::bring_slot_near(to, &other(cx, direction)).await?)
}

/// Puts the resting slot of the other direction at the present position of the server that the changes go to: of what came nothing
/// goes back. When all has come, before anybody else writes there. One round trip.
pub async fn turn(cx: &Context, direction: Direction, to: &Session) -> Result<Lsn> {
    Ok(replication::advance_slot(to, &other(cx, direction)).await?)
}

/// The slot of the other direction, where the changes go to.
fn other(cx: &Context, direction: Direction) -> String {
    match direction {
        Direction::Forward => Direction::Back.feed(cx).name,
        Direction::Back => Direction::Forward.feed(cx).name,
    }
}

/// Turns the direction: stops the forward subscription for good and lets the target's changes flow back, and proves that they do.
/// After the hand-over. Also lets go of the forward slot, so that the source keeps no WAL for it; that failing is only said.
///
/// `owner` may drop slots on the source, which lets nobody else in.
pub async fn open(cx: &Context, sides: Sides<'_>, owner: &Session) -> Result<()> {
    let forth = epochs::feed(cx, 1).name;
    subscription::disable_subscription(sides.target, &forth).await?;
    subscription::enable_subscription(sides.source, &feed(cx).name).await?;
    Direction::Back.wait_applied(cx, (sides.target, sides.source), OPENING).await.map_err(|error| {
        Error::new(error.kind(), format!("the hand-over is done, but the target's changes do not flow back: {error}"))
            .hint("`azure2neon status` shows the way back; the target keeps its changes until it is open or `azure2neon finish` removes it")
    })?;
    if let Err(error) = let_forward_go(cx, sides, owner).await {
        cx.events.notice(format!("The replication slot {forth} is still on the source, which keeps WAL for it: {error}"));
    }
    Ok(())
}

async fn let_forward_go(cx: &Context, sides: Sides<'_>, owner: &Session) -> Result<()> {
    let forth = epochs::feed(cx, 1).name;
    subscription::leave_slot(sides.target, &forth).await?;
    Ok(replication::drop_slot(owner, &forth).await?)
}

/// Makes the forward slot anew, while the way back is open. Before the target is fenced.
pub async fn prepare_forward(cx: &Context) -> Result<()> {
    Ok(replication::create_slot(&cx.source_as_replication().await?, &epochs::feed(cx, 1).name, SLOT_DEADLINE).await?)
}

/// Turns the direction back: the run is then where it was before the cut-over. When the target is fenced and all has come from it,
/// before anybody writes to the source. The way back can be prepared again.
pub async fn resume_forward(cx: &Context, sides: Sides<'_>) -> Result<()> {
    let (forth, back) = (epochs::feed(cx, 1).name, feed(cx).name);
    subscription::disable_subscription(sides.source, &back).await?;
    subscription::take_slot(sides.target, &forth).await?;
    subscription::enable_subscription(sides.target, &forth).await?;
    subscription::leave_slot(sides.source, &back).await?;
    Ok(replication::drop_slot(sides.target, &back).await?)
}

/// Removes everything of the way back, whatever of it is there.
pub async fn remove(cx: &Context) -> Result<()> {
    let feed = feed(cx);
    let source = cx.source().await?;
    subscription::drop_subscription(&source, &feed.name).await?;
    let drop_barrier = format!("drop table if exists {}", feed.barrier);
    source.batch_execute(&drop_barrier).await?;
    let Some(target) = cx.target_unless_gone().await? else { return Ok(()) };
    replication::drop_slot(&target, &feed.name).await?;
    replication::drop_publication(&target, &feed.name).await?;
    for (table, identity) in identities_to_put_back(cx, &target).await? {
        replica_identity::set(&target, &table, &identity).await?;
    }
    target.batch_execute(&drop_barrier).await?;
    Ok(roles::drop_role(&target, &cx.names().mark, &[]).await?)
}

/// What is left of the way back.
pub async fn left_over(cx: &Context) -> Result<Option<String>> {
    let (mark, name) = (cx.names().mark, feed(cx).name);
    let mut left = Vec::new();
    if subscription::health(&cx.source().await?, &name).await?.is_some() {
        left.push(format!("subscription {name} on the source"));
    }
    if let Some(target) = cx.target_unless_gone().await? {
        if replication::slot(&target, &name).await?.is_some() {
            left.push(format!("replication slot {name} on the target"));
        }
        if replication::publication_tables(&target, &name).await?.is_some() {
            left.push(format!("publication {name} on the target"));
        }
        if roles::role_comment(&target, &mark).await?.is_some() {
            left.push(format!("role {mark} on the target"));
        }
        let identities = identities_to_put_back(cx, &target).await?.len();
        if identities > 0 {
            left.push(format!("the replica identity of {identities} tables on the target"));
        }
    }
    Ok((!left.is_empty()).then(|| left.join(", ")))
}
