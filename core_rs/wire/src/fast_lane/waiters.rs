//! Calls that wait for their sequence to be durable. Once a batch the journal thread wakes one task, and that one
//! wakes the calls whose turn it is, on their own thread: a wake from another thread costs a system call each.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use lockstock_engine::Engine;
use lockstock_stock::ids::Sequence;
use parking_lot::Mutex;
use tokio::sync::Notify;

/// How long a thread that has nothing else to do waits for the sync itself, rather than look at its sockets for every
/// single request that comes meanwhile: as long as a fast disk takes. What comes meanwhile shares the next sync.
const SYNC_WAIT_MAX: Duration = Duration::from_micros(300);

/// The engine has failed: what is waited for will not become durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Abandoned;

/// Everybody who waits, in the order of what they wait for.
#[derive(Clone, Debug)]
pub(super) struct Waiters {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<VecDeque<(Sequence, Waker)>>,
    durable: AtomicU64,
    failed: AtomicBool,
    /// A thread of the lane waits for the sync itself and will release.
    attended: AtomicBool,
    moved: Notify,
}

impl Waiters {
    pub fn of(engine: &Engine) -> Self {
        let shared = Arc::new(Shared::default());
        let (durable, failed) = (Arc::clone(&shared), Arc::clone(&shared));
        engine.on_durable(Box::new(move |sequence| durable.publish(sequence)));
        engine.on_failure(Box::new(move |_| failed.fail()));
        // Registered first, looked at second: nothing that happens in between is missed.
        shared.publish(engine.durable());
        Self { shared }
    }

    /// Whether a sequence is durable.
    pub fn has(&self, sequence: Sequence) -> bool {
        self.shared.outcome(sequence) == Some(Ok(()))
    }

    /// Until a sequence is durable.
    pub fn wait(&self, sequence: Sequence) -> Wait<'_> {
        Wait { shared: &self.shared, sequence, asleep: None }
    }

    /// Releases whoever may go, whenever something has become durable; never ends.
    pub async fn release(&self) {
        loop {
            self.shared.moved.notified().await;
            self.shared.release();
        }
    }

    /// What a thread of the lane does before it sleeps: nothing is left to run, so the journal may begin.
    pub fn before_sleep(&self, engine: &Engine) {
        let Some(first) = self.shared.queue.lock().front().map(|(first, _)| *first) else { return };
        self.shared.attended.store(true, Ordering::SeqCst);
        engine.wait_durable_for(first, SYNC_WAIT_MAX);
        self.shared.attended.store(false, Ordering::SeqCst);
        self.shared.release();
    }
}

impl Shared {
    fn publish(&self, durable: Sequence) {
        self.durable.fetch_max(durable, Ordering::SeqCst);
        if !self.attended.load(Ordering::SeqCst) {
            self.moved.notify_one();
        }
    }

    fn fail(&self) {
        self.failed.store(true, Ordering::SeqCst);
        self.moved.notify_one();
    }

    /// What came of waiting, if anything has.
    fn outcome(&self, sequence: Sequence) -> Option<Result<(), Abandoned>> {
        if self.durable.load(Ordering::SeqCst) >= sequence {
            return Some(Ok(()));
        }
        self.failed.load(Ordering::SeqCst).then_some(Err(Abandoned))
    }

    fn add(&self, sequence: Sequence, waker: Waker) {
        let mut queue = self.queue.lock();
        // Nearly always at the end: threads of the lane may come here in another order than to the engine.
        let at = queue.iter().rposition(|(other, _)| *other <= sequence).map_or(0, |last| last + 1);
        queue.insert(at, (sequence, waker));
    }

    fn release(&self) {
        let ready: Vec<_> = {
            let mut queue = self.queue.lock();
            let count = queue.partition_point(|(sequence, _)| self.outcome(*sequence).is_some());
            queue.drain(..count).collect()
        };
        for (_, waker) in ready {
            waker.wake();
        }
    }
}

/// Waits for one sequence.
#[must_use = "nothing waits before it is polled"]
pub(super) struct Wait<'a> {
    shared: &'a Shared,
    sequence: Sequence,
    /// Who stands in the queue for it.
    asleep: Option<Waker>,
}

impl Future for Wait<'_> {
    type Output = Result<(), Abandoned>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(outcome) = self.shared.outcome(self.sequence) {
            return Poll::Ready(outcome);
        }
        if self.asleep.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            return Poll::Pending;
        }
        self.shared.add(self.sequence, cx.waker().clone());
        self.asleep = Some(cx.waker().clone());
        // In the queue first, looked at second: a sync that ended in between is not missed.
        self.shared.outcome(self.sequence).map_or(Poll::Pending, Poll::Ready)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nobody() -> Waiters {
        Waiters { shared: Arc::new(Shared::default()) }
    }

    /// Polls once, as whoever does not mind.
    fn poll(wait: &mut Wait<'_>) -> Poll<Result<(), Abandoned>> {
        Pin::new(wait).poll(&mut Context::from_waker(Waker::noop()))
    }

    fn left(waiters: &Waiters) -> Vec<Sequence> {
        waiters.shared.queue.lock().iter().map(|(sequence, _)| *sequence).collect()
    }

    #[test]
    fn those_go_whose_sequence_is_durable_in_whatever_order_they_came() {
        let waiters = nobody();
        let mut waits: Vec<_> = [4, 9, 2, 5].map(|sequence| waiters.wait(sequence)).into();
        assert!(waits.iter_mut().all(|wait| poll(wait).is_pending()));
        waiters.shared.publish(4);
        waiters.shared.release();
        assert_eq!(left(&waiters), [5, 9], "the others are not woken");
        let ready: Vec<_> = waits.iter_mut().map(|wait| poll(wait).is_ready()).collect();
        assert_eq!(ready, [true, false, true, false]);
    }

    #[test]
    fn a_call_that_is_looked_at_again_does_not_queue_again() {
        let waiters = nobody();
        let mut wait = waiters.wait(1);
        assert!(poll(&mut wait).is_pending());
        assert!(poll(&mut wait).is_pending());
        assert_eq!(left(&waiters), [1]);
    }

    #[test]
    fn after_a_failure_nobody_waits_but_what_is_durable_stays_so() {
        let waiters = nobody();
        waiters.shared.publish(3);
        let mut wait = waiters.wait(7);
        assert!(poll(&mut wait).is_pending());
        waiters.shared.fail();
        waiters.shared.release();
        assert!(left(&waiters).is_empty());
        assert_eq!(poll(&mut wait), Poll::Ready(Err(Abandoned)));
        assert_eq!(poll(&mut waiters.wait(3)), Poll::Ready(Ok(())));
    }

    #[tokio::test]
    async fn one_task_wakes_them_whenever_something_has_become_durable() {
        let waiters = nobody();
        let waiting = {
            let waiters = waiters.clone();
            tokio::spawn(async move { waiters.wait(2).await })
        };
        let releasing = {
            let waiters = waiters.clone();
            tokio::spawn(async move { waiters.release().await })
        };
        tokio::task::yield_now().await;
        waiters.shared.publish(2);
        assert_eq!(waiting.await.unwrap(), Ok(()));
        releasing.abort();
    }
}
