//! Two feeds become one: what one subscription applies is applied by another from an exact point on.
//!
//! Nothing is locked on the source, and no change is lost or applied twice. Both subscriptions are stopped right before the same
//! transaction of the source, the gate: it writes to the barrier tables of both, and on the target a trigger makes whoever applies
//! that wait for a lock that we hold. Whoever waits there has committed everything before the gate and nothing after it. Then the
//! first one's slot is put right behind the gate, it takes over the other's publications, which were there before either slot was
//! made, and the lock is released.
//!
//! The slot has to be put there: by itself the first would start again behind the last transaction that it *applied*, or behind
//! one that it was told of and had nothing of, and so apply the other's changes around the gate twice, or not at all.
//!
//! Whenever it is broken off, the lock goes with our session. As long as the first subscription has not taken over, the second goes
//! on with its own tables when it is enabled again; once it has, the second has nothing left to do.

use std::time::{Duration, Instant};

use tokio_postgres::types::Type;

use crate::barrier::Feed;
use crate::connect::Session;
use crate::error::{Doing, Error, ErrorKind, Result};
use crate::ident::{Ident, QualifiedName, literal};
use crate::replication::{drop_slot, release_slot, set_publications, subscription};
use crate::subscription::{SubscriptionState, disable_subscription, enable_subscription};

/// The class of the gates' advisory locks, as good as any; the gate's number is the rest of the key.
const CLASS: i32 = 0x6132_6e67;
/// What a gate's row begins with in the barrier tables; its number follows.
const GATE: &str = "gate ";
/// Between looks at the workers.
const POLL: Duration = Duration::from_millis(20);

/// Two feeds of one run.
#[derive(Clone, Debug)]
pub struct Merge {
    /// The one that stays.
    pub into: Feed,
    /// The one that ends.
    pub from: Feed,
}

/// Where a merge works.
#[derive(Clone, Copy)]
pub struct Places<'a> {
    /// Writes to the barrier tables.
    pub source: &'a Session,
    /// May use the slots, which are on the source too.
    pub owner: &'a Session,
    /// Ends with the merge if that is broken off.
    pub target: &'a Session,
}

/// One transaction of the source at which both stop. Each try has its own, for one of an earlier try may still be on its way to the
/// slower of the two.
struct Gate {
    number: i32,
    deadline: Instant,
}

impl Merge {
    /// Lets the first subscription apply what both do, and drops the second with its slot. Goes on where an earlier one was broken off.
    /// Both should be in step: each waits at the gate for the other.
    ///
    /// # Errors
    /// What a server answered; [`ErrorKind::Timeout`] if a worker did not come to the gate. Then both go on as before.
    pub async fn run(&self, places: Places<'_>, deadline: Duration) -> Result<()> {
        let what = || format!("merge the subscription {} into {}", self.from.name, self.into.name);
        let target = places.target;
        end_earlier(target, Instant::now() + deadline).await.doing(what)?;
        let Some(from) = subscription(target, &self.from.name).await? else {
            // Dropped by an earlier one, whose slot may be left.
            return drop_slot(places.owner, &self.from.name).await;
        };
        if !self.is_taken_over(target, &from).await? {
            // Where an earlier one was broken off it rests.
            enable_subscription(target, &self.from.name).await?;
            self.prepare_gate(target).await.doing(what)?;
            let gate = Gate { number: fastrand::i32(1..), deadline: Instant::now() + deadline };
            gate.lock(target, "pg_advisory_lock").await.doing(what)?;
            let taken = self.take_over(places, &gate).await;
            if taken.is_err() && !target.is_closed() && !self.is_taken_over(target, &from).await? {
                enable_subscription(target, &self.from.name).await?;
            }
            let unlocked = gate.lock(target, "pg_advisory_unlock").await;
            taken.doing(what)?;
            unlocked.doing(what)?;
        }
        self.drop_ended(places).await.doing(what)
    }

    /// Whether the first subscription has all publications of the second but for that of its barrier.
    async fn is_taken_over(&self, target: &Session, from: &SubscriptionState) -> Result<bool> {
        let into = self.state(target, &self.into).await?;
        Ok(from.is_carried(&self.from.name, |publication| into.publications.contains(publication)))
    }

    async fn state(&self, target: &Session, feed: &Feed) -> Result<SubscriptionState> {
        let gone = || Error::new(ErrorKind::Other, "", format!("the subscription {} is gone", feed.name));
        subscription(target, &feed.name).await?.ok_or_else(gone)
    }

    /// The trigger that waits. It must fire in an apply worker, which runs as the tables' owner and with an empty search path.
    async fn prepare_gate(&self, target: &Session) -> Result<()> {
        let schema = &self.into.barrier.schema;
        let function = QualifiedName::new(&**schema, "gate");
        let mut sql = format!(
            "create or replace function {function}() returns trigger language plpgsql as $$ begin
                 if pg_catalog.starts_with(new.id, {}) then
                     perform pg_catalog.pg_advisory_xact_lock_shared({CLASS}, pg_catalog.substr(new.id, {})::pg_catalog.int4);
                 end if;
                 return new;
             end $$;",
            literal(GATE),
            GATE.len() + 1
        );
        for table in [&self.into.barrier, &self.from.barrier] {
            sql.push_str(&format!(
                "create or replace trigger gate before insert on {table} for each row execute function {function}();
                 alter table {table} enable always trigger gate;"
            ));
        }
        Ok(target.batch_execute(&sql).await?)
    }

    /// While the lock is held.
    async fn take_over(&self, places: Places<'_>, gate: &Gate) -> Result<()> {
        let target = places.target;
        let written = self.write_gate(places.source, gate).await?;
        self.wait_at_gate(target, gate).await?;
        // From here on it would not start again, whatever happens to its worker. What both have applied is on the target's disk with
        // this, since its commit is waited for and theirs were before it.
        target.batch_execute(&format!("alter subscription {} disable", Ident::new(&*self.from.name))).await?;
        self.put_behind(places.owner, &written, gate).await?;
        let mut publications = self.state(target, &self.into).await?.publications;
        let others = self.state(target, &self.from).await?.publications;
        publications.extend(others.into_iter().filter(|publication| *publication != self.from.name));
        // Both still wait: its worker, which has lost its connection, will see this before it connects again.
        self.wait_at_gate(target, gate).await?;
        set_publications(target, &self.into.name, &publications).await
    }

    /// Writes the gate; returns its transaction's number.
    async fn write_gate(&self, source: &Session, gate: &Gate) -> Result<String> {
        let id = literal(&gate.id());
        let sql = format!(
            "with one as (insert into {} (id) values ({id})), other as (insert into {} (id) values ({id})) \
             select pg_catalog.pg_current_xact_id()::pg_catalog.xid::pg_catalog.text",
            self.into.barrier, self.from.barrier
        );
        Ok(source.query_typed_one(&sql, &[]).await?.try_get(0)?)
    }

    /// Waits until the workers of both wait for the lock of this very gate.
    async fn wait_at_gate(&self, target: &Session, gate: &Gate) -> Result<()> {
        let sql = "select s.subname::pg_catalog.text from pg_catalog.pg_locks l \
                   join pg_catalog.pg_stat_subscription s on s.pid = l.pid and s.relid is null \
                   where l.locktype = 'advisory' and not l.granted and s.subname = any ($1) and l.classid = $2 and l.objid = $3";
        let names = [&*self.into.name, &*self.from.name];
        let (class, number) = (CLASS.unsigned_abs(), gate.number.unsigned_abs());
        loop {
            let rows = target.query(sql, &[&&names[..], &class, &number]).await?;
            if rows.len() == names.len() {
                return Ok(());
            }
            gate.check(|| {
                let there: Vec<&str> = rows.iter().map(|row| row.get(0)).collect();
                let late: Vec<&str> = names.into_iter().filter(|name| !there.contains(name)).collect();
                format!("{} did not come to the gate in time", late.join(" and "))
            })?;
            tokio::time::sleep(POLL).await;
        }
    }

    /// Puts the first one's slot right behind the gate, while its worker waits there and so can't ask for the slot again.
    async fn put_behind(&self, owner: &Session, written: &str, gate: &Gate) -> Result<()> {
        let name = &self.into.name;
        while !release_slot(owner, name).await? {
            gate.check(|| format!("the replication slot {name} is still in use"))?;
            tokio::time::sleep(POLL).await;
        }
        // The commit's own position is where the next record begins: all before it are skipped from there on, this one too.
        let behind = "select pg_catalog.max(lsn)::pg_catalog.text from pg_catalog.pg_logical_slot_peek_binary_changes($1, \
                      pg_catalog.pg_current_wal_insert_lsn(), null, 'proto_version', '1', 'publication_names', $2) \
                      where xid::pg_catalog.text = $3";
        let publication = Ident::new(&**name).to_string();
        let parameters: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 3] =
            [(name, Type::NAME), (&publication, Type::TEXT), (&written, Type::TEXT)];
        let position: Option<String> = owner.query_typed_one(behind, &parameters).await?.try_get(0)?;
        let unseen = || Error::new(ErrorKind::Other, "", format!("the replication slot {name} does not show the gate"));
        let position = position.ok_or_else(unseen)?;
        let put = format!("select pg_catalog.pg_replication_slot_advance({}, {})", literal(name), literal(&position));
        Ok(owner.batch_execute(&put).await?)
    }

    async fn drop_ended(&self, Places { owner, target, .. }: Places<'_>) -> Result<()> {
        let name = &self.from.name;
        disable_subscription(target, name).await?;
        let subscription = Ident::new(&**name);
        target.batch_execute(&format!("alter subscription {subscription} set (slot_name = none)")).await?;
        target.batch_execute(&format!("drop subscription {subscription}")).await?;
        drop_slot(owner, name).await
    }
}

/// Ends the session of a try that was broken off: behind a dead line it would hold the workers up, and what it did last may still
/// be on its way.
async fn end_earlier(target: &Session, deadline: Instant) -> Result<()> {
    let sql = "select pg_catalog.pg_terminate_backend(l.pid) from pg_catalog.pg_locks l \
               where l.locktype = 'advisory' and l.granted and l.mode = 'ExclusiveLock' and l.classid = $1 and l.pid <> pg_catalog.pg_backend_pid() \
               and l.database = (select d.oid from pg_catalog.pg_database d where d.datname = pg_catalog.current_database())";
    while !target.query(sql, &[&CLASS.unsigned_abs()]).await?.is_empty() {
        if Instant::now() > deadline {
            return Err(Error::new(ErrorKind::Timeout, "", "the session of an earlier try, which was told to end, still runs"));
        }
        tokio::time::sleep(POLL).await;
    }
    Ok(())
}

impl Gate {
    fn id(&self) -> String {
        format!("{GATE}{}", self.number)
    }

    async fn lock(&self, session: &Session, function: &str) -> Result<()> {
        Ok(session.batch_execute(&format!("select pg_catalog.{function}({CLASS}, {})", self.number)).await?)
    }

    fn check(&self, why: impl FnOnce() -> String) -> Result<()> {
        if Instant::now() < self.deadline { Ok(()) } else { Err(Error::new(ErrorKind::Timeout, "", why())) }
    }
}
