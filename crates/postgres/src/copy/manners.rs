//! What keeps a copy from hurting its source: a rate limit, pause and resume, and no more workers than the source bears.

mod bucket;
mod source_load;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use tokio::sync::{Mutex as Turn, watch};

use bucket::Bucket;
pub use source_load::{Bounds, Change, Lag, SOURCE_LOAD, Sample, Sessions, Watch, baseline};

/// What is allowed now, and who makes use of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowed {
    /// Nothing may move and nothing may begin.
    pub paused: bool,
    /// Bytes per second over all workers; none is no limit.
    pub rate: Option<u64>,
    /// How many may copy at once.
    pub workers: usize,
    /// How many do.
    pub at_work: usize,
    /// How many have a piece half done and wait until others allow them to go on with it.
    pub stepped_back: usize,
}

impl Allowed {
    fn may_begin(&self) -> bool {
        !self.paused && self.at_work + self.stepped_back < self.workers
    }

    fn may_go_on(&self) -> bool {
        !self.paused && self.at_work < self.workers
    }

    fn is_crowded(&self) -> bool {
        self.at_work > self.workers
    }
}

/// What all workers of a copy obey; shared by reference.
pub struct Manners {
    allowed: watch::Sender<Allowed>,
    bucket: Mutex<Bucket>,
    most: usize,
}

impl Manners {
    /// Manners of a copy by at most so many workers, all of which may work.
    pub fn new(workers: usize) -> Self {
        let most = workers.max(1);
        let allowed = Allowed { paused: false, rate: None, workers: most, at_work: 0, stepped_back: 0 };
        Self { allowed: watch::Sender::new(allowed), bucket: Mutex::new(Bucket::new(Instant::now())), most }
    }

    /// What is allowed now.
    pub fn allowed(&self) -> Allowed {
        *self.allowed.borrow()
    }

    /// How many may work when the source is at ease.
    pub fn most(&self) -> usize {
        self.most
    }

    /// Stops the copy: nothing moves, and no new piece is begun. False if it was stopped already.
    pub fn pause(&self) -> bool {
        self.change(|allowed| allowed.paused = true)
    }

    /// Lets it go on. False if it was not stopped.
    pub fn resume(&self) -> bool {
        self.change(|allowed| allowed.paused = false)
    }

    /// Limits all workers together to so many bytes per second, from now on; none is no limit. False if it was so.
    pub fn limit(&self, rate: Option<u64>) -> bool {
        // The time until now counts at the rate that was in force.
        if let Some(before) = self.allowed().rate {
            self.bucket().pass(before, Instant::now());
        }
        self.change(|allowed| allowed.rate = rate.map(|rate| rate.max(1)))
    }

    /// Lets so many copy at once: at least one, at most all. Who is one too many stops in the middle of a piece. False if it was so.
    pub fn allow(&self, workers: usize) -> bool {
        let workers = workers.clamp(1, self.most);
        self.change(|allowed| allowed.workers = workers)
    }

    /// The right to copy, before a piece is begun: waits while paused, and while as many copy as may.
    pub async fn admit(&self) -> Permit<'_> {
        self.enter(Allowed::may_begin, |allowed| allowed.at_work += 1).await;
        Permit { manners: self, inside: AtomicBool::new(true), turn: Turn::new(()) }
    }

    /// Waits while paused: for work that burdens the target alone.
    pub async fn unpaused(&self) {
        if self.allowed.borrow().paused {
            // The sender is ours, so this can't fail.
            let _ = self.allowed.subscribe().wait_for(|allowed| !allowed.paused).await;
        }
    }

    /// Waits until the rate limit lets so many bytes go.
    async fn spend(&self, bytes: usize) {
        let Some(rate) = self.allowed.borrow().rate else { return };
        let ticket = self.bucket().ticket(bytes, rate, Instant::now());
        let mut changes = self.allowed.subscribe();
        loop {
            let Some(rate) = changes.borrow_and_update().rate else { return };
            let wait = self.bucket().wait(ticket, rate, Instant::now());
            if wait.is_zero() {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                _ = changes.changed() => {}
            }
        }
    }

    /// Waits until `may` and takes the place at once, so that no two take the same.
    async fn enter(&self, may: fn(&Allowed) -> bool, take: impl Fn(&mut Allowed)) {
        let mut changes = self.allowed.subscribe();
        loop {
            let entered = self.allowed.send_if_modified(|allowed| {
                let may = may(allowed);
                if may {
                    take(allowed);
                }
                may
            });
            if entered {
                return;
            }
            let _ = changes.changed().await;
        }
    }

    fn change(&self, change: impl FnOnce(&mut Allowed)) -> bool {
        self.allowed.send_if_modified(|allowed| {
            let before = *allowed;
            change(allowed);
            *allowed != before
        })
    }

    fn bucket(&self) -> std::sync::MutexGuard<'_, Bucket> {
        self.bucket.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to copy a piece; given back when it is dropped.
pub struct Permit<'a> {
    manners: &'a Manners,
    /// Whether it counts as at work; else it has stepped back.
    inside: AtomicBool,
    turn: Turn<()>,
}

impl Permit<'_> {
    /// Waits until so many bytes may go: while paused, while more are at work than may be, and for the rate limit.
    /// Called before each chunk, of 64 KiB or so.
    pub async fn spend(&self, bytes: usize) {
        self.manners.spend(bytes).await;
        let allowed = *self.manners.allowed.borrow();
        if allowed.is_crowded() || !self.inside.load(Ordering::Acquire) {
            self.step_back().await;
        } else if allowed.paused {
            self.manners.unpaused().await;
        }
    }

    /// Leaves the place to others if they are too many, and waits for one.
    async fn step_back(&self) {
        // Several tables of one piece may be on their way at once.
        let _turn = self.turn.lock().await;
        if self.inside.load(Ordering::Acquire) {
            let left = self.manners.allowed.send_if_modified(|allowed| {
                let crowded = allowed.is_crowded();
                if crowded {
                    allowed.at_work -= 1;
                    allowed.stepped_back += 1;
                }
                crowded
            });
            if !left {
                return self.manners.unpaused().await;
            }
            self.inside.store(false, Ordering::Release);
        }
        let take = |allowed: &mut Allowed| {
            allowed.stepped_back -= 1;
            allowed.at_work += 1;
        };
        self.manners.enter(Allowed::may_go_on, take).await;
        self.inside.store(true, Ordering::Release);
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let inside = *self.inside.get_mut();
        self.manners.allowed.send_modify(|allowed| {
            if inside {
                allowed.at_work -= 1;
            } else {
                allowed.stepped_back -= 1;
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures::FutureExt;

    use super::*;

    fn counts(manners: &Manners) -> (usize, usize) {
        let allowed = manners.allowed();
        (allowed.at_work, allowed.stepped_back)
    }

    #[tokio::test]
    async fn no_more_begin_than_may_and_one_too_many_stops_in_the_middle() {
        let manners = Manners::new(2);
        let (one, two) = (manners.admit().await, manners.admit().await);
        assert!(manners.admit().now_or_never().is_none());
        assert!(manners.allow(0) && manners.allowed().workers == 1);
        let mut stopped = Box::pin(two.spend(1));
        assert!(stopped.as_mut().now_or_never().is_none());
        assert_eq!(counts(&manners), (1, 1));
        one.spend(1).now_or_never().expect("one may go on");
        drop(one);
        assert!(manners.admit().now_or_never().is_none(), "what is half done goes first");
        stopped.await;
        assert_eq!(counts(&manners), (1, 0));
        drop(two);
        drop(manners.admit().await);
        assert_eq!(counts(&manners), (0, 0));
    }

    #[tokio::test]
    async fn a_worker_that_stepped_back_may_give_up() {
        let manners = Manners::new(2);
        let (one, two) = (manners.admit().await, manners.admit().await);
        manners.allow(1);
        assert!(two.spend(1).now_or_never().is_none());
        assert!(two.spend(1).now_or_never().is_none(), "still outside, though the one before was dropped");
        drop(two);
        assert_eq!(counts(&manners), (1, 0));
        manners.allow(9);
        assert_eq!(manners.allowed().workers, 2);
        drop(one);
        assert_eq!(counts(&manners), (0, 0));
    }

    #[tokio::test]
    async fn nothing_moves_or_begins_while_paused() {
        let manners = Manners::new(2);
        let permit = manners.admit().await;
        assert!(manners.pause() && !manners.pause());
        let mut spending = pin!(permit.spend(1));
        assert!(spending.as_mut().now_or_never().is_none());
        assert!(manners.admit().now_or_never().is_none() && manners.unpaused().now_or_never().is_none());
        assert!(manners.resume());
        spending.await;
        manners.unpaused().await;
        assert_eq!(manners.allowed().at_work, 1);
    }

    #[tokio::test]
    async fn whoever_waits_for_the_rate_limit_hears_that_it_is_lifted() {
        let manners = Manners::new(1);
        let permit = manners.admit().await;
        manners.limit(Some(1));
        let mut spending = pin!(permit.spend(1 << 20));
        assert!(spending.as_mut().now_or_never().is_none());
        manners.limit(None);
        tokio::time::timeout(std::time::Duration::from_secs(30), spending).await.expect("the limit is gone");
    }
}
