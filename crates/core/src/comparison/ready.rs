//! A compare of two sides at rest, for which everything is open and known before they are.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use azure2neon_postgres::{QualifiedName, Session};
use futures::future::try_join_all;

use super::evidence::{Changed, changed_since};
use super::pairing::{Pairing, pair};
use super::sessions::SESSIONS;
use super::{Comparison, Scope, Tokens, bracket, opening};
use crate::clock;
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};

/// Each session keeps to what it sees now; whoever writes later is not seen.
const FREEZE: &str = "begin isolation level repeatable read, read only; select 1";

/// The tables of both sides, and sessions to read them with.
pub struct Ready {
    pairing: Pairing,
    source: Stock,
    target: Stock,
}

/// Sessions on one side, which are open and not used now.
struct Stock(Mutex<Vec<Session>>);

impl Stock {
    fn put(&self, sessions: Vec<Session>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(sessions);
    }

    fn take(&self) -> Vec<Session> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn one(&self) -> Result<Session> {
        let session = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        session.ok_or_else(|| Error::new(ErrorKind::Internal, "the compare's sessions are used up"))
    }

    /// Does it in all of them at once.
    async fn all(&self, sql: &str) -> Result<()> {
        let sessions = self.take();
        try_join_all(sessions.iter().map(|session| session.batch_execute(sql))).await?;
        self.put(sessions);
        Ok(())
    }
}

impl Ready {
    /// Reads both catalogs and opens the sessions.
    pub async fn get(cx: &Context) -> Result<Self> {
        let source = try_join_all((0..SESSIONS).map(|_| cx.source()));
        let target = try_join_all((0..SESSIONS).map(|_| cx.target()));
        let scope = Scope::default();
        let (pairing, source, target) = tokio::try_join!(pair(cx, &scope, false), source, target)?;
        Ok(Self { pairing, source: Stock(Mutex::new(source)), target: Stock(Mutex::new(target)) })
    }

    /// The tables that both sides hold, and those that one does.
    pub fn tables(&self) -> BTreeSet<QualifiedName> {
        let both = self.pairing.pairs.iter().map(|pair| &pair.subject.name);
        both.chain(self.pairing.verdicts.iter().map(|verdict| &verdict.table)).cloned().collect()
    }

    /// The processes behind the sessions on the source and on the target.
    pub fn pids(&self) -> (Vec<i32>, Vec<i32>) {
        let pids = |stock: &Stock| stock.0.lock().unwrap_or_else(PoisonError::into_inner).iter().map(Session::pid).collect();
        (pids(&self.source), pids(&self.target))
    }

    /// Both sides are at rest now, and stay so for these sessions. In one round trip.
    pub async fn freeze(&self) -> Result<()> {
        tokio::try_join!(self.source.all(FREEZE), self.target.all(FREEZE))?;
        Ok(())
    }

    /// What has to be read again of an earlier comparison. Before [`Self::freeze`], which would hide what was counted last.
    pub async fn changed_since(&self, earlier: &Comparison) -> Result<Changed> {
        let (source, target) = (self.source.one()?, self.target.one()?);
        let changed = changed_since(earlier, &source, &target).await?;
        self.source.put(vec![source]);
        self.target.put(vec![target]);
        Ok(changed)
    }

    /// Compares these tables, or as many as there is time for, the smallest first.
    pub async fn compare(
        &self,
        cx: &Context,
        step: &'static str,
        only: Option<&BTreeSet<QualifiedName>>,
        budget: Option<Duration>,
    ) -> Result<Comparison> {
        let (at, since) = (clock::now(), clock::stopwatch());
        let end = budget.map(|budget| tokio::time::Instant::now() + budget);
        let is_meant = |name: &QualifiedName| only.is_none_or(|only| only.contains(name));
        let pairs = self.pairing.pairs.iter().filter(|pair| is_meant(&pair.subject.name)).cloned().collect();
        let tables = self.pairing.verdicts.iter().filter(|verdict| is_meant(&verdict.table)).cloned().collect();
        let sides = (opening(async || self.source.one()), opening(async || self.target.one()));
        let job = bracket::Job::new(cx, step, sides, None, pairs);
        job.run(end).await?;
        let mut comparison = Comparison { tables, at: Some(at), tokens: Tokens::default(), ..Comparison::default() };
        comparison.add(&job, since).await?;
        self.source.put(job.source.take_idle());
        self.target.put(job.target.take_idle());
        Ok(comparison)
    }
}
