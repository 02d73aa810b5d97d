//! Two feeds become one: what one subscription applies is applied by another from an exact point on.
//!
//! Nothing is locked on the source, and no change is lost or applied twice. Both subscriptions are stopped right before the same
//! transaction of the source, the gate: it writes to the barrier tables of both, and on the target a trigger makes whoever applies
//! that wait for a lock that we hold. Whoever waits there has committed everything before the gate and nothing after it. Then one
//! takes over the other's publications, which were there before either slot was made, and the lock is released.
//!
//! Whenever it is broken off, the lock goes with our session. As long as the first subscription has not taken over, the second goes
//! on with its own tables when it is enabled again; once it has, the second has nothing left to do.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::barrier::{Feed, barrier_id};
use crate::connect::Session;
use crate::error::{Doing, Error, ErrorKind, Result};
use crate::ident::{Ident, QualifiedName, literal};
use crate::replication::{drop_slot, set_publications, subscription};
use crate::subscription::{SubscriptionState, disable_subscription, enable_subscription};

/// The advisory lock of the gate: its class, as good as any, and a number.
const LOCK: (i32, i32) = (0x6132_6e67, 1);
/// What the gate's row begins with in the barrier tables.
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

impl Merge {
    /// Lets the first subscription apply what both do, and drops the second with its slot. Goes on where an earlier one was broken off.
    /// Both should be in step: each waits at the gate for the other.
    ///
    /// # Errors
    /// What a server answered; [`ErrorKind::Timeout`] if a worker did not come to the gate. Then both go on as before.
    pub async fn run(&self, source: &Session, target: &Session, deadline: Duration) -> Result<()> {
        let what = || format!("merge the subscription {} into {}", self.from.name, self.into.name);
        let Some(from) = subscription(target, &self.from.name).await? else {
            // Dropped by an earlier one, whose slot may be left.
            return drop_slot(source, &self.from.name).await;
        };
        if !self.is_taken_over(target, &from).await? {
            // Where an earlier one was broken off it rests.
            enable_subscription(target, &self.from.name).await?;
            self.prepare_gate(target).await.doing(what)?;
            lock(target, "pg_advisory_lock").await.doing(what)?;
            let taken = self.take_over(source, target, deadline).await;
            if taken.is_err() && !target.is_closed() && !self.is_taken_over(target, &from).await? {
                enable_subscription(target, &self.from.name).await?;
            }
            let unlocked = lock(target, "pg_advisory_unlock").await;
            taken.doing(what)?;
            unlocked.doing(what)?;
        }
        self.drop_ended(source, target).await.doing(what)
    }

    /// Whether the first subscription has all publications of the second but for that of its barrier.
    async fn is_taken_over(&self, target: &Session, from: &SubscriptionState) -> Result<bool> {
        let into = self.state(target, &self.into).await?;
        Ok(from.publications.iter().all(|publication| *publication == self.from.name || into.publications.contains(publication)))
    }

    async fn state(&self, target: &Session, feed: &Feed) -> Result<SubscriptionState> {
        let gone = || Error::new(ErrorKind::Other, "", format!("the subscription {} is gone", feed.name));
        subscription(target, &feed.name).await?.ok_or_else(gone)
    }

    /// The trigger that waits. It must fire in an apply worker, which runs as the tables' owner and with an empty search path.
    async fn prepare_gate(&self, target: &Session) -> Result<()> {
        let schema = &self.into.barrier.schema;
        let function = QualifiedName::new(&**schema, "gate");
        let (class, number) = LOCK;
        let mut sql = format!(
            "create or replace function {function}() returns trigger language plpgsql as $$ begin
                 if pg_catalog.starts_with(new.id, {}) then
                     perform pg_catalog.pg_advisory_xact_lock_shared({class}, {number});
                 end if;
                 return new;
             end $$;",
            literal(GATE)
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
    async fn take_over(&self, source: &Session, target: &Session, deadline: Duration) -> Result<()> {
        let began = Instant::now();
        let id = literal(&format!("{GATE}{}", barrier_id()));
        let rows = [&self.into, &self.from].map(|feed| format!("insert into {} (id) values ({id})", feed.barrier));
        source.batch_execute(&format!("begin; {}; commit", rows.join("; "))).await?;
        let waiting = self.wait_at_gate(target, began, deadline).await?;
        // From here on it would not start again, whatever happens to its worker.
        target.batch_execute(&format!("alter subscription {} disable", Ident::new(&*self.from.name))).await?;
        let mut publications = self.state(target, &self.into).await?.publications;
        let others = self.state(target, &self.from).await?.publications;
        publications.extend(others.into_iter().filter(|publication| *publication != self.from.name));
        set_publications(target, &self.into.name, &publications).await?;
        // Both are still at the gate, so that what they were sent beyond it is dropped with them. The first starts again from there.
        for pid in &waiting {
            target.query("select pg_catalog.pg_terminate_backend($1)", &[pid]).await?;
        }
        loop {
            let alive = "select exists (select from pg_catalog.pg_stat_activity where pid = any ($1))";
            let pids: Vec<i32> = waiting.iter().copied().collect();
            if !target.query_one(alive, &[&pids]).await?.try_get::<_, bool>(0)? {
                return Ok(());
            }
            if began.elapsed() > deadline {
                return Err(Error::new(ErrorKind::Timeout, "", "an apply worker that was told to end still runs"));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Waits until the workers of both wait for the lock; returns their processes.
    async fn wait_at_gate(&self, target: &Session, began: Instant, deadline: Duration) -> Result<BTreeSet<i32>> {
        let sql = "select s.subname::pg_catalog.text, l.pid from pg_catalog.pg_locks l \
                   join pg_catalog.pg_stat_subscription s on s.pid = l.pid and s.relid is null \
                   where l.locktype = 'advisory' and not l.granted and s.subname = any ($1) and l.classid = $2 and l.objid = $3";
        let names = [&*self.into.name, &*self.from.name];
        let (class, number) = (LOCK.0.unsigned_abs(), LOCK.1.unsigned_abs());
        loop {
            let rows = target.query(sql, &[&&names[..], &class, &number]).await?;
            if rows.len() == names.len() {
                return rows.iter().map(|row| Ok(row.try_get(1)?)).collect();
            }
            if began.elapsed() > deadline {
                let there: Vec<&str> = rows.iter().map(|row| row.get(0)).collect();
                let late: Vec<&str> = names.into_iter().filter(|name| !there.contains(name)).collect();
                let why = format!("{} did not come to the gate within {:.0} s", late.join(" and "), deadline.as_secs_f64());
                return Err(Error::new(ErrorKind::Timeout, "", why));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    async fn drop_ended(&self, source: &Session, target: &Session) -> Result<()> {
        let name = &self.from.name;
        disable_subscription(target, name).await?;
        let subscription = Ident::new(&**name);
        target.batch_execute(&format!("alter subscription {subscription} set (slot_name = none)")).await?;
        target.batch_execute(&format!("drop subscription {subscription}")).await?;
        drop_slot(source, name).await
    }
}

async fn lock(session: &Session, function: &str) -> Result<()> {
    let (class, number) = LOCK;
    Ok(session.batch_execute(&format!("select pg_catalog.{function}({class}, {number})")).await?)
}
