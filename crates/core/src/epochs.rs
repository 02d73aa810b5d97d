//! The epochs of a copy through this machine.
//!
//! An epoch is a slot with the snapshot that it begins at. What is copied under the snapshot follows the source through the slot.
//! When a snapshot ends before the copy does, the next epoch copies the rest; at the end the subscriptions of all become one.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use azure2neon_postgres::barrier::{self, Feed};
use azure2neon_postgres::copy::{self, Epoch, Extent, Marks, Storage, Unit};
use azure2neon_postgres::merge::{Merge, Places};
use azure2neon_postgres::schema::{self, Entry, Section, indexed_table};
use azure2neon_postgres::subscription::{self, Publisher};
use azure2neon_postgres::walsender::{self, ExportedSlot};
use azure2neon_postgres::{QualifiedName, Session, replication};

use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::steps::{complete_on_target, refuse_unexpected, schema_entries};
use crate::units::count;

/// So many live at once: each has an apply worker on the target, of which a small compute runs four, and keeps WAL on the source.
pub const MOST: usize = 3;
/// The slot waits for transactions that run when it is made; longer than this and the operator must know.
pub const SLOT_DEADLINE: Duration = Duration::from_secs(120);
/// How long a subscription may take to apply what came since its snapshot.
const CATCH_UP: Duration = Duration::from_secs(24 * 3600);
/// How long two subscriptions may take to come to the same point, when both are in step.
const MERGE: Duration = Duration::from_secs(60);
/// The file of the run's folder that holds the units, and the one with what their tables were kept in when each epoch began.
const UNITS: &str = "units.json";
const STORAGE: &str = "storage.json";

/// The feed of the `n`th epoch.
pub fn feed(cx: &Context, epoch: Epoch) -> Feed {
    Feed::nth(&cx.names().mark, usize::try_from(epoch).unwrap_or_default())
}

/// All epochs that there can be at once.
pub fn all() -> impl Iterator<Item = Epoch> + Clone {
    1..=MOST as Epoch
}

/// The feeds of a run with this mark.
pub fn feeds(mark: &str) -> impl Iterator<Item = Feed> {
    (1..=MOST).map(move |n| Feed::nth(mark, n))
}

/// The slots of this run's epochs that are there.
pub async fn slots(cx: &Context, source: &Session) -> Result<Vec<String>> {
    let mut slots = Vec::new();
    for epoch in all() {
        let name = feed(cx, epoch).name;
        if replication::slot(source, &name).await?.is_some() {
            slots.push(name);
        }
    }
    Ok(slots)
}

/// The units, as they were divided for this run; none before that.
pub fn units(cx: &Context) -> Result<Option<Vec<Unit>>> {
    cx.folder.kept(UNITS)
}

/// Keeps the units. Their publications are made from them.
pub fn keep_units(cx: &Context, units: &[Unit]) -> Result<()> {
    cx.folder.keep(UNITS, &units)
}

/// A new slot for the epoch in place of one whose snapshot is lost. Only where nothing that was copied depends on that.
pub async fn begin(cx: &Context, epoch: Epoch) -> Result<ExportedSlot> {
    // Azure's administrator has no REPLICATION of its own; the replication role has.
    let endpoint = cx.replication_endpoint().await?;
    let source = endpoint.connect().await?;
    let name = feed(cx, epoch).name;
    replication::drop_slot(&source, &name).await?;
    let units = units(cx)?.unwrap_or_default();
    let finished = Marks::new(&cx.names().mark).finished(&cx.target().await?, &units).await?;
    let open = in_ranges(units.iter().filter(|unit| !finished.contains_key(&unit.number)));
    let mut kept = kept_storage(cx)?;
    kept.retain(|(of, ..)| *of != epoch);
    kept.extend(copy::storage(&source, &open).await?.into_iter().map(|(table, storage)| (epoch, table, storage)));
    cx.folder.keep(STORAGE, &kept)?;
    Ok(walsender::create_exported_slot(&endpoint, &name, SLOT_DEADLINE).await?)
}

/// The tables of these units of which an epoch may have a part only.
fn in_ranges<'u>(units: impl IntoIterator<Item = &'u Unit>) -> Vec<&'u QualifiedName> {
    let in_ranges = units.into_iter().filter(|unit| matches!(unit.extent, Extent::Range(_)));
    in_ranges.flat_map(Unit::tables).collect::<BTreeSet<_>>().into_iter().collect()
}

/// What the tables that were not wholly copied were kept in when an epoch began.
fn kept_storage(cx: &Context) -> Result<Vec<(Epoch, QualifiedName, Storage)>> {
    Ok(cx.folder.kept(STORAGE)?.unwrap_or_default())
}

/// The copy's state on both servers.
pub struct Epochs<'a> {
    cx: &'a Context,
    source: Session,
    target: Session,
    marks: Marks,
    /// What there is to copy.
    pub units: Vec<Unit>,
}

impl<'a> Epochs<'a> {
    /// Looks at the copy of this run.
    pub async fn open(cx: &'a Context) -> Result<Self> {
        let units = units(cx)?.ok_or_else(|| Error::new(ErrorKind::RunFolder, format!("{UNITS} is missing from the run's folder")))?;
        let (source, target) = tokio::try_join!(cx.source(), cx.target())?;
        Ok(Self { cx, source, target, marks: Marks::new(&cx.names().mark), units })
    }

    /// The units that are copied, each with its epoch.
    pub async fn finished(&self) -> Result<BTreeMap<i32, Epoch>> {
        Ok(self.marks.finished(&self.target, &self.units).await?)
    }

    /// Whether everything is copied and can follow the source from where it was copied.
    pub async fn is_complete(&self) -> Result<bool> {
        Ok(self.finished().await?.len() == self.units.len() && self.lost().await?.is_empty())
    }

    /// Whether one subscription carries everything, and nothing is left of the others.
    pub async fn is_settled(&self) -> Result<bool> {
        let carried = self.carried_by_first().await?;
        for epoch in all().skip(1) {
            let name = feed(self.cx, epoch).name;
            if replication::slot(&self.source, &name).await?.is_some() || self.is_subscribed(epoch).await? {
                return Ok(false);
            }
        }
        Ok(self.is_complete().await? && self.units.iter().all(|unit| carried.contains(&self.publication(unit))))
    }

    /// After what an earlier process may have left: subscriptions learn this process's password, what lost its slot is to be
    /// copied again, and merges that were broken off are completed.
    pub async fn take_up(&self) -> Result<()> {
        let conninfo = self.conninfo().await?;
        let is_new = self.cx.take_password_renewed();
        let carried = self.carried_by_first().await?;
        for epoch in all() {
            let name = feed(self.cx, epoch).name;
            let Some(state) = subscription::subscription(&self.target, &name).await? else { continue };
            if is_new {
                subscription::set_connection(&self.target, &name, &conninfo).await?;
            }
            // One that was about to be dropped must rest: the first applies what it did.
            let is_over = epoch > 1 && !carried.is_empty() && state.is_carried(&name, |publication| carried.contains(publication));
            if is_over {
                self.merge(epoch).await?;
            } else {
                subscription::enable_subscription(&self.target, &name).await?;
            }
        }
        for (epoch, units) in self.by_epoch().await? {
            if epoch > 1 && units.iter().all(|unit| carried.contains(&self.publication(unit))) {
                self.merge(epoch).await?;
            }
        }
        self.take_back_lost().await?;
        self.take_back_changed().await
    }

    /// An epoch that nothing depends on yet; when all are in use they become one first.
    pub async fn next(&self) -> Result<Epoch> {
        if let Some(free) = self.free().await? {
            return Ok(free);
        }
        self.settle().await?;
        self.free().await?.ok_or_else(|| Error::new(ErrorKind::Internal, "no epoch is free after all were merged"))
    }

    async fn free(&self) -> Result<Option<Epoch>> {
        let used = self.by_epoch().await?;
        for epoch in all() {
            if !used.contains_key(&epoch) && !self.is_subscribed(epoch).await? {
                return Ok(Some(epoch));
            }
        }
        Ok(None)
    }

    /// Lets everything that is copied follow the source, through one subscription at the end.
    ///
    /// What was emptied on the source meanwhile may have to be copied again: then not everything is copied afterwards.
    pub async fn settle(&self) -> Result<()> {
        self.take_back_changed().await?;
        self.add_keys().await?;
        complete_on_target(self.cx, &self.target).await?;
        let epochs: BTreeSet<Epoch> = self.by_epoch().await?.into_keys().chain([1]).collect();
        for epoch in epochs.iter().copied() {
            self.subscribe(epoch).await?;
        }
        for epoch in epochs.iter().copied() {
            let what = format!("what was written to the source since the copy ({})", feed(self.cx, epoch).name);
            self.cx.events.notice(format!("Waiting for {what}."));
            let lag = &mut |lag: &barrier::Lag| self.cx.events.say(Event::Lag { bytes: lag.bytes });
            barrier::wait_applied(&self.source, &self.target, &feed(self.cx, epoch), CATCH_UP, lag).await?;
        }
        for epoch in all().skip(1) {
            // One from which everything was taken back has no units any more.
            if epochs.contains(&epoch) || self.is_subscribed(epoch).await? {
                self.merge(epoch).await?;
            }
        }
        self.take_back_changed().await?;
        // From here on one subscription applies everything in its order.
        self.cx.folder.keep(STORAGE, &Vec::<(Epoch, QualifiedName, Storage)>::new())
    }

    /// The subscription of an epoch, unless it is there.
    async fn subscribe(&self, epoch: Epoch) -> Result<()> {
        if self.is_subscribed(epoch).await? {
            return Ok(());
        }
        let feed = feed(self.cx, epoch);
        let by_epoch = self.by_epoch().await?;
        let units = by_epoch.get(&epoch).map(Vec::as_slice).unwrap_or_default();
        if replication::slot(&self.source, &feed.name).await?.is_none() {
            if !units.is_empty() {
                return Err(slot_is_gone(&feed.name));
            }
            let owner = self.cx.replication_endpoint().await?.connect().await?;
            replication::create_slot(&owner, &feed.name, SLOT_DEADLINE).await?;
        }
        barrier::create_barrier(&self.target, &feed.barrier).await?;
        let mut publications = vec![feed.name.clone()];
        publications.extend(units.iter().map(|unit| self.publication(unit)));
        let conninfo = self.conninfo().await?;
        Ok(subscription::create_subscription(&self.target, &feed.name, &conninfo, &publications, false).await?)
    }

    /// The first subscription takes over what this epoch's carries.
    async fn merge(&self, epoch: Epoch) -> Result<()> {
        let merge = Merge { into: feed(self.cx, 1), from: feed(self.cx, epoch) };
        let owner = self.cx.replication_endpoint().await?.connect().await?;
        // A session of its own, by whose end the lock goes if this is broken off.
        let target = self.cx.target().await?;
        merge.run(Places { source: &self.source, owner: &owner, target: &target }, MERGE).await?;
        self.marks.move_epoch(&self.target, epoch, 1).await?;
        self.cx.events.notice(format!("Subscription {} now carries what {} did.", merge.into.name, merge.from.name));
        Ok(())
    }

    /// Keys of the tables that are copied in part: changes can't be applied without. The others have theirs.
    async fn add_keys(&self) -> Result<()> {
        let finished = self.finished().await?;
        let tables: BTreeSet<&QualifiedName> =
            self.units.iter().filter(|unit| finished.contains_key(&unit.number)).flat_map(Unit::tables).collect();
        let is_key = |entry: &Entry| entry.section == Section::Keys && indexed_table(entry).is_some_and(|table| tables.contains(&table));
        let keys: Vec<Entry> = schema_entries(self.cx)?.into_iter().filter(is_key).collect();
        let mut session = self.cx.target().await?;
        let failures = schema::apply(&mut session, &self.cx.names().mark, &keys, &mut |_, _| {}).await?;
        refuse_unexpected(self.cx, failures)
    }

    /// Units whose slot is gone, so that nothing tells what was written to them since.
    async fn lost(&self) -> Result<Vec<&Unit>> {
        let mut lost = Vec::new();
        let carried = self.carried_by_first().await?;
        let first_is_gone = self.slot_is_gone(1).await?;
        for (epoch, units) in self.by_epoch().await? {
            let is_gone = self.slot_is_gone(epoch).await?;
            lost.extend(units.into_iter().filter(|unit| if carried.contains(&self.publication(unit)) { first_is_gone } else { is_gone }));
        }
        Ok(lost)
    }

    async fn slot_is_gone(&self, epoch: Epoch) -> Result<bool> {
        let slot = replication::slot(&self.source, &feed(self.cx, epoch).name).await?;
        Ok(slot.is_none_or(|slot| slot.wal_status == "lost"))
    }

    async fn take_back_lost(&self) -> Result<()> {
        let lost = self.lost().await?;
        if lost.is_empty() {
            return Ok(());
        }
        self.cx.events.notice(format!("A replication slot is gone from the source: {} are copied again.", count(lost.len(), "unit")));
        for epoch in all() {
            if self.slot_is_gone(epoch).await? {
                subscription::drop_subscription(&self.target, &feed(self.cx, epoch).name).await?;
            }
        }
        Ok(self.marks.forget(&self.target, &lost).await?)
    }

    /// A table that was copied in several epochs must not have been emptied meanwhile: whose subscription applied that last would
    /// take away what the other's had written since. Nor may it have values out of line, which a row that moves between its parts loses.
    async fn take_back_changed(&self) -> Result<()> {
        let mut kept = kept_storage(self.cx)?;
        let now = copy::storage(&self.source, &in_ranges(&self.units)).await?;
        let is_changed = |table: &QualifiedName| {
            let of_table = || kept.iter().filter(|(_, of, _)| of == table);
            let in_several = of_table().any(|(epoch, ..)| *epoch > 1);
            let is_another = |now: &Storage| now.out_of_line > 0 || of_table().any(|(_, _, then)| then.file != now.file);
            in_several && now.get(table).is_some_and(is_another)
        };
        let changed: BTreeSet<QualifiedName> = in_ranges(&self.units).into_iter().filter(|table| is_changed(table)).cloned().collect();
        if changed.is_empty() {
            return Ok(());
        }
        let names: Vec<String> = changed.iter().map(ToString::to_string).collect();
        self.cx.events.notice(format!("Emptied or written anew on the source meanwhile, so copied again: {}.", names.join(", ")));
        let finished = self.finished().await?;
        let is_back = |unit: &&Unit| finished.contains_key(&unit.number) && unit.tables().iter().any(|table| changed.contains(table));
        let back: Vec<&Unit> = self.units.iter().filter(is_back).collect();
        self.unsubscribe(&back).await?;
        self.marks.forget(&self.target, &back).await?;
        kept.retain(|(_, table, _)| !changed.contains(table));
        self.cx.folder.keep(STORAGE, &kept)
    }

    /// No subscription carries these any more.
    async fn unsubscribe(&self, units: &[&Unit]) -> Result<()> {
        let dropped: BTreeSet<String> = units.iter().map(|unit| self.publication(unit)).collect();
        for epoch in all() {
            let name = feed(self.cx, epoch).name;
            let Some(state) = subscription::subscription(&self.target, &name).await? else { continue };
            let left: Vec<String> = state.publications.iter().filter(|publication| !dropped.contains(*publication)).cloned().collect();
            if left.len() < state.publications.len() {
                subscription::set_publications(&self.target, &name, &left).await?;
            }
        }
        Ok(())
    }

    async fn by_epoch(&self) -> Result<BTreeMap<Epoch, Vec<&Unit>>> {
        let finished = self.finished().await?;
        let mut by_epoch: BTreeMap<Epoch, Vec<&Unit>> = BTreeMap::new();
        for unit in &self.units {
            if let Some(epoch) = finished.get(&unit.number) {
                by_epoch.entry(*epoch).or_default().push(unit);
            }
        }
        Ok(by_epoch)
    }

    async fn is_subscribed(&self, epoch: Epoch) -> Result<bool> {
        Ok(subscription::subscription(&self.target, &feed(self.cx, epoch).name).await?.is_some())
    }

    async fn carried_by_first(&self) -> Result<BTreeSet<String>> {
        let state = subscription::subscription(&self.target, &feed(self.cx, 1).name).await?;
        Ok(state.map(|state| state.publications.into_iter().collect()).unwrap_or_default())
    }

    fn publication(&self, unit: &Unit) -> String {
        unit.publication(&self.cx.names().mark)
    }

    async fn conninfo(&self) -> Result<secrecy::SecretString> {
        let endpoint = self.cx.replication_endpoint().await?;
        Ok(subscription::conninfo(&Publisher::from(&endpoint), &self.cx.settings.subscription_sslmode, &self.cx.names().mark))
    }
}

/// The error for a slot that somebody, or Azure itself when storage ran short, dropped.
pub fn slot_is_gone(name: &str) -> Error {
    Error::new(ErrorKind::Database, format!("replication slot {name} is gone from the source: changes since then are lost to the target"))
        .hint("`azure2neon abort`, then `azure2neon migrate`; Azure drops an inactive slot when its storage runs short")
}
