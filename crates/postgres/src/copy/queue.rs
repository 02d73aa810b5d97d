//! Work in the order of what waits for it longest, handed to workers as it becomes ready.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Work with its cost; the dearest comes first, so that it isn't what everybody waits for at the end.
pub(super) struct Ranked<T> {
    pub(super) cost: i64,
    pub(super) work: T,
}

impl<T> PartialEq for Ranked<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cost == other.cost
    }
}

impl<T> Eq for Ranked<T> {}

impl<T> PartialOrd for Ranked<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Ranked<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.cost.cmp(&other.cost)
    }
}

/// What is ready, and how many work on something that may make more ready.
pub(super) struct Queue<T> {
    state: Mutex<State<T>>,
    changed: Notify,
}

struct State<T> {
    ready: BinaryHeap<Ranked<T>>,
    running: usize,
}

impl<T> Queue<T> {
    pub(super) fn new(ready: impl IntoIterator<Item = Ranked<T>>) -> Self {
        Self { state: Mutex::new(State { ready: ready.into_iter().collect(), running: 0 }), changed: Notify::new() }
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The dearest work that is ready, waiting for some; none when all is done.
    pub(super) async fn take(&self) -> Option<T> {
        loop {
            // Registered before the look, so that no change falls in between.
            let changed = self.changed.notified();
            {
                let mut state = self.state();
                if let Some(ranked) = state.ready.pop() {
                    state.running += 1;
                    return Some(ranked.work);
                }
                if state.running == 0 {
                    return None;
                }
            }
            changed.await;
        }
    }

    /// This is ready too.
    pub(super) fn add(&self, ready: impl IntoIterator<Item = Ranked<T>>) {
        self.state().ready.extend(ready);
        self.changed.notify_waiters();
    }

    /// A piece of work is done, and this is ready because of it.
    pub(super) fn done(&self, ready: impl IntoIterator<Item = Ranked<T>>) {
        let mut state = self.state();
        state.running -= 1;
        state.ready.extend(ready);
        drop(state);
        self.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranked(cost: i64) -> Ranked<i64> {
        Ranked { cost, work: cost }
    }

    #[tokio::test]
    async fn the_dearest_comes_first_and_a_worker_waits_for_what_another_makes_ready() {
        let queue = Queue::new([ranked(1), ranked(3)]);
        assert_eq!(queue.take().await, Some(3));
        assert_eq!(queue.take().await, Some(1));
        let (waited, ()) = tokio::join!(queue.take(), async {
            queue.done([]);
            queue.done([ranked(2)]);
        });
        assert_eq!(waited, Some(2));
        let (end, ()) = tokio::join!(queue.take(), async { queue.done([]) });
        assert_eq!(end, None);
    }
}
