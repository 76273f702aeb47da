//! Calls that wait for their sequence to be durable. Once a batch the journal thread wakes one task, and that one
//! wakes the calls whose turn it is. With one thread that is their own: a wake from another costs a system call each.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use lockstock_engine::Engine;
use lockstock_stock::ids::Sequence;
use parking_lot::Mutex;
use tokio::sync::Notify;

/// How long a thread that has nothing else to do waits for the sync itself, rather than look at its sockets for every
/// single request that comes meanwhile: as long as a fast disk takes. What comes meanwhile shares the next sync.
const SYNC_WAIT_MAX: Duration = Duration::from_micros(300);

/// While syncs take no longer, who waits alone has them made on the lane's own thread. One that hangs is waited for once,
/// with nothing else served; those behind it are the journal thread's again.
const SYNC_QUICK_MAX: Duration = Duration::from_millis(1);

/// So often long work is interrupted for those who wait for the disk.
const ATTEND_EVERY: Duration = Duration::from_millis(1);

/// The engine has failed: what is waited for will not become durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Abandoned;

/// Everybody who waits, in the order of what they wait for.
#[derive(Clone, Debug)]
pub(super) struct Waiters {
    shared: Arc<Shared>,
}

/// Who waits for what; the number tells apart who waits for the same.
type Place = (Sequence, u64);

#[derive(Debug, Default)]
struct Queue {
    /// In the order of their places.
    waiting: VecDeque<(Place, Waker)>,
    /// The number of the next place.
    next: u64,
    /// When a thread of the lane last attended to those who wait.
    attended: Option<Instant>,
}

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
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

    /// For one who will wait.
    pub fn turn(&self) -> Turn {
        Turn { shared: Arc::clone(&self.shared), place: None }
    }

    /// Releases whoever may go, whenever something has become durable; never ends.
    pub async fn release(&self) {
        loop {
            self.shared.moved.notified().await;
            self.shared.release();
        }
    }

    /// The same amid long work, if nobody has for a while: a thread that only computes would let the one that writes the
    /// journal begin when its slice of the processor is over, and again when the disk is done, some milliseconds each.
    pub fn attend_if_due(&self, engine: &Engine) {
        let last = self.shared.queue.lock().attended;
        if last.is_none_or(|last| last.elapsed() >= ATTEND_EVERY) {
            // Not written by this thread: a change of segments would hold up everybody, not only those who wait for it.
            self.wait_for_the_disk(engine, false);
        }
    }

    /// What a thread of the lane does before it sleeps: nothing is left to run, so the journal may begin. Where one
    /// waits alone, this thread writes it: the way to another and back would be a tenth of what the disk takes.
    pub fn attend(&self, engine: &Engine) {
        self.wait_for_the_disk(engine, true);
    }

    fn wait_for_the_disk(&self, engine: &Engine, may_write: bool) {
        let (first, alone) = {
            let mut queue = self.shared.queue.lock();
            queue.attended = Some(Instant::now());
            (queue.waiting.front().map(|((first, _), _)| *first), queue.waiting.len() == 1)
        };
        let Some(first) = first else { return };
        self.shared.attended.store(true, Ordering::SeqCst);
        if alone && may_write {
            engine.journal_here(SYNC_QUICK_MAX);
        }
        engine.wait_durable_for(first, SYNC_WAIT_MAX);
        self.shared.attended.store(false, Ordering::SeqCst);
        // The journal thread may not have come to telling it yet.
        self.shared.durable.fetch_max(engine.durable(), Ordering::SeqCst);
        self.shared.release();
    }

    /// Forgets everybody: the lane has ended, and who still waits is not woken any more.
    pub fn forget(&self) {
        let forgotten = std::mem::take(&mut self.shared.queue.lock().waiting);
        // Not under the lock: the last waker of a call ends it, and that comes here again.
        drop(forgotten);
    }
}

impl Shared {
    fn publish(&self, durable: Sequence) {
        let before = self.durable.fetch_max(durable, Ordering::SeqCst);
        if before < durable && !self.attended.load(Ordering::SeqCst) {
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

    fn add(&self, sequence: Sequence, waker: Waker) -> Place {
        let mut queue = self.queue.lock();
        let place = (sequence, queue.next);
        queue.next += 1;
        // Nearly always at the end: threads of the lane may come here in another order than to the engine.
        let before = queue.waiting.iter().rposition(|(other, _)| *other < place);
        queue.waiting.insert(before.map_or(0, |last| last + 1), (place, waker));
        place
    }

    /// Has another woken in that place; who it was.
    fn change(&self, place: Place, waker: Waker) -> Option<Waker> {
        let mut queue = self.queue.lock();
        let at = queue.waiting.binary_search_by_key(&place, |(place, _)| *place).ok()?;
        Some(std::mem::replace(&mut queue.waiting[at].1, waker))
    }

    fn release(&self) {
        let ready: Vec<_> = {
            let mut queue = self.queue.lock();
            let count = queue.waiting.partition_point(|((sequence, _), _)| self.outcome(*sequence).is_some());
            queue.waiting.drain(..count).collect()
        };
        for (_, waker) in ready {
            waker.wake();
        }
    }
}

/// Waits for a sequence, and then for another.
#[derive(Debug)]
pub(super) struct Turn {
    shared: Arc<Shared>,
    /// Where it stands in the queue, and who is woken.
    place: Option<(Place, Waker)>,
}

impl Turn {
    /// What came of waiting for a sequence; else whoever polls is woken when it has come to something.
    pub fn poll(&mut self, sequence: Sequence, cx: &Context<'_>) -> Poll<Result<(), Abandoned>> {
        if let Some(outcome) = self.shared.outcome(sequence) {
            // Asked for one that came earlier, it still waits for its own.
            self.place.take_if(|(place, _)| place.0 <= sequence);
            return Poll::Ready(outcome);
        }
        let place = match &self.place {
            Some((place, waker)) if place.0 == sequence => {
                if waker.will_wake(cx.waker()) {
                    return Poll::Pending;
                }
                drop(self.shared.change(*place, cx.waker().clone()));
                *place
            }
            _ => {
                self.leave();
                self.shared.add(sequence, cx.waker().clone())
            }
        };
        self.place = Some((place, cx.waker().clone()));
        // In the queue first, looked at second: a sync that ended in between is not missed.
        self.shared.outcome(sequence).map_or(Poll::Pending, Poll::Ready)
    }

    /// Waits for one sequence.
    pub async fn wait(mut self, sequence: Sequence) -> Result<(), Abandoned> {
        poll_fn(|cx| self.poll(sequence, cx)).await
    }

    /// One that was given up must not be kept in memory by the queue, which may be long while the disk stands still.
    fn leave(&mut self) {
        if let Some((place, _)) = self.place.take() {
            drop(self.shared.change(place, Waker::noop().clone()));
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nobody() -> Waiters {
        Waiters { shared: Arc::new(Shared::default()) }
    }

    /// Polls once, as whoever does not mind.
    fn poll(turn: &mut Turn, sequence: Sequence) -> Poll<Result<(), Abandoned>> {
        turn.poll(sequence, &Context::from_waker(Waker::noop()))
    }

    fn left(waiters: &Waiters) -> Vec<Sequence> {
        waiters.shared.queue.lock().waiting.iter().map(|((sequence, _), _)| *sequence).collect()
    }

    #[test]
    fn those_go_whose_sequence_is_durable_in_whatever_order_they_came() {
        let waiters = nobody();
        let mut turns = [4, 9, 2, 5].map(|sequence| (waiters.turn(), sequence));
        assert!(turns.iter_mut().all(|(turn, sequence)| poll(turn, *sequence).is_pending()));
        waiters.shared.publish(4);
        waiters.shared.release();
        assert_eq!(left(&waiters), [5, 9], "the others are not woken");
        let ready: Vec<_> = turns.iter_mut().map(|(turn, at)| poll(turn, *at).is_ready()).collect();
        assert_eq!(ready, [true, false, true, false]);
    }

    #[test]
    fn a_call_that_is_looked_at_again_does_not_queue_again() {
        let waiters = nobody();
        let mut turn = waiters.turn();
        assert!(poll(&mut turn, 1).is_pending());
        assert!(poll(&mut turn, 1).is_pending());
        assert_eq!(left(&waiters), [1]);
    }

    #[test]
    fn a_call_that_is_given_up_is_not_kept_by_the_queue() {
        struct Nothing;
        impl std::task::Wake for Nothing {
            fn wake(self: Arc<Self>) {}
        }
        let (waiters, call) = (nobody(), Arc::new(Nothing));
        let waker = Waker::from(Arc::clone(&call));
        let mut turns: Vec<_> = [7, 7, 7].map(|sequence| (waiters.turn(), sequence)).into();
        for (turn, sequence) in &mut turns {
            assert!(turn.poll(*sequence, &Context::from_waker(&waker)).is_pending());
        }
        drop(waker);
        assert_eq!(Arc::strong_count(&call), 7, "each is known to itself and to the queue");
        drop(turns.remove(1));
        assert_eq!(Arc::strong_count(&call), 5);
        waiters.forget();
        assert_eq!(Arc::strong_count(&call), 3);
        drop(turns);
        assert_eq!(Arc::strong_count(&call), 1);
    }

    #[test]
    fn after_a_failure_nobody_waits_but_what_is_durable_stays_so() {
        let waiters = nobody();
        waiters.shared.publish(3);
        let mut turn = waiters.turn();
        assert!(poll(&mut turn, 7).is_pending());
        waiters.shared.fail();
        waiters.shared.release();
        assert!(left(&waiters).is_empty());
        assert_eq!(poll(&mut turn, 7), Poll::Ready(Err(Abandoned)));
        assert_eq!(poll(&mut turn, 3), Poll::Ready(Ok(())));
    }

    #[test]
    fn who_goes_on_to_another_sequence_is_woken_for_that_one_only() {
        let waiters = nobody();
        let mut turn = waiters.turn();
        assert!(poll(&mut turn, 2).is_pending());
        waiters.shared.publish(2);
        waiters.shared.release();
        assert_eq!(poll(&mut turn, 2), Poll::Ready(Ok(())));
        assert!(poll(&mut turn, 5).is_pending());
        assert_eq!(left(&waiters), [5]);
    }

    #[test]
    fn who_asks_in_between_for_what_is_durable_keeps_its_one_place() {
        let waiters = nobody();
        let mut turn = waiters.turn();
        for _ in 0..3 {
            assert!(poll(&mut turn, 5).is_pending());
            assert_eq!(poll(&mut turn, 0), Poll::Ready(Ok(())));
        }
        assert_eq!(left(&waiters), [5]);
    }

    #[tokio::test]
    async fn one_task_wakes_them_whenever_something_has_become_durable() {
        let waiters = nobody();
        let waiting = {
            let waiters = waiters.clone();
            tokio::spawn(async move { waiters.turn().wait(2).await })
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
