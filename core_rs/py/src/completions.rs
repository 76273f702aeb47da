//! Answers on their way back to asyncio: held until they are durable, then taken in bursts. One eventfd wakes
//! the loop once a batch.

use std::collections::BTreeMap;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use lockstock_engine::Engine;
use lockstock_stock::ids::Sequence;
use lockstock_wire::Called;
use parking_lot::Mutex;
use rustix::event::{EventfdFlags, eventfd};

/// A call and the token it will be known by.
pub struct Waiting {
    /// The caller's number for it.
    pub token: u64,
    /// What came of it.
    pub called: Called,
}

/// The calls whose answers may not leave yet, in the order of what they saw.
pub struct Completions {
    waiting: Mutex<BTreeMap<(Sequence, u64), Called>>,
    failed: AtomicBool,
    event: OwnedFd,
}

impl Completions {
    /// Follows what the engine makes durable.
    pub fn of(engine: &Engine) -> std::io::Result<Arc<Self>> {
        let event = eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?;
        let completions =
            Arc::new(Self { waiting: Mutex::new(BTreeMap::new()), failed: AtomicBool::new(false), event });
        let durable = Arc::clone(&completions);
        engine.on_durable(Box::new(move |sequence| durable.wake(sequence)));
        let failed = Arc::clone(&completions);
        engine.on_failure(Box::new(move |_| failed.fail()));
        Ok(completions)
    }

    /// What the loop watches.
    pub fn fd(&self) -> RawFd {
        self.event.as_raw_fd()
    }

    /// Holds a call until what it saw is durable.
    pub fn hold(&self, engine: &Engine, waiting: Waiting) {
        self.waiting.lock().insert((waiting.called.seen, waiting.token), waiting.called);
        // Held first, looked at second: a sync that ended in between is not missed.
        self.wake(engine.durable());
    }

    /// The calls whose answers may leave, and whether they are to be given up because the engine has failed.
    pub fn take(&self, engine: &Engine) -> (Vec<Waiting>, Vec<Waiting>) {
        let mut count = [0; 8];
        // Reset before looking: what becomes durable from here on sets it again. EAGAIN: nobody had set it.
        let _ = rustix::io::read(&self.event, &mut count);
        let failed = self.failed.load(Ordering::Acquire);
        let durable = engine.durable();
        let mut waiting = self.waiting.lock();
        let later = waiting.split_off(&(durable.saturating_add(1), 0));
        let ready = std::mem::replace(&mut *waiting, later);
        let given_up = if failed { std::mem::take(&mut *waiting) } else { BTreeMap::new() };
        drop(waiting);
        let list = |calls: BTreeMap<(Sequence, u64), Called>| {
            calls.into_iter().map(|((_, token), called)| Waiting { token, called }).collect()
        };
        (list(ready), list(given_up))
    }

    fn wake(&self, durable: Sequence) {
        let first = self.waiting.lock().first_key_value().map(|((seen, _), _)| *seen);
        if first.is_some_and(|seen| seen <= durable) || self.failed.load(Ordering::Acquire) {
            self.signal();
        }
    }

    fn fail(&self) {
        self.failed.store(true, Ordering::Release);
        self.signal();
    }

    fn signal(&self) {
        // It can only fail when the counter is full, and then it is set.
        let _ = rustix::io::write(&self.event, &1_u64.to_ne_bytes());
    }
}
