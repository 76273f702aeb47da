//! Where everybody waits who may not speak before a sequence is durable.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use lockstock_stock::ids::Sequence;
use parking_lot::{Condvar, Mutex, RwLock};

use crate::failure::{Failed, Health};

type Hook = Box<dyn Fn(Sequence) + Send + Sync>;

/// The durable sequence and those who wait for it.
#[derive(Default)]
pub(crate) struct Gate {
    durable: AtomicU64,
    lock: Mutex<()>,
    moved: Condvar,
    hooks: RwLock<Vec<Hook>>,
}

impl Gate {
    pub fn at(durable: Sequence) -> Self {
        Self { durable: AtomicU64::new(durable), ..Self::default() }
    }

    pub fn durable(&self) -> Sequence {
        self.durable.load(Ordering::Acquire)
    }

    /// Releases all waiters up to `durable` at once.
    pub fn publish(&self, durable: Sequence) {
        self.durable.store(durable, Ordering::Release);
        self.wake();
        for hook in self.hooks.read().iter() {
            hook(durable);
        }
    }

    /// Has every waiter look again: the sequence has moved, or the engine has failed.
    pub fn wake(&self) {
        // Taken and left: whoever looked before the change is asleep by now and hears the call.
        drop(self.lock.lock());
        self.moved.notify_all();
    }

    pub fn on_durable(&self, hook: Hook) {
        self.hooks.write().push(hook);
    }

    /// Waits so long at most; whether `sequence` is durable.
    pub fn wait_for(&self, sequence: Sequence, health: &Health, most: Duration) -> bool {
        let mut held = self.lock.lock();
        let waits = |(): &mut ()| self.durable() < sequence && health.fatal().is_none();
        self.moved.wait_while_for(&mut held, waits, most);
        self.durable() >= sequence
    }

    pub fn wait(&self, sequence: Sequence, health: &Health) -> Result<(), Failed> {
        if self.durable() >= sequence {
            return Ok(());
        }
        let mut held = self.lock.lock();
        loop {
            if self.durable() >= sequence {
                return Ok(());
            }
            if let Some(failed) = health.fatal() {
                return Err(failed.clone());
            }
            self.moved.wait(&mut held);
        }
    }
}
