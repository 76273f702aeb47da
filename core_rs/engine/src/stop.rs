//! How the threads that work from time to time are told to end.

use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

/// A flag that can be waited on.
#[derive(Default)]
pub(crate) struct Stop {
    stopped: Mutex<bool>,
    told: Condvar,
}

impl Stop {
    pub fn stop(&self) {
        *self.stopped.lock() = true;
        self.told.notify_all();
    }

    /// Pauses; whether to go on.
    pub fn pause(&self, pause: Duration) -> bool {
        let until = Instant::now() + pause;
        let mut stopped = self.stopped.lock();
        while !*stopped {
            if self.told.wait_until(&mut stopped, until).timed_out() {
                break;
            }
        }
        !*stopped
    }
}
