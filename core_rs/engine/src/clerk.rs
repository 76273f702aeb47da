//! Reads for threads that give way to buyers. Such a thread, once it is interrupted, may wait for its next turn for tens of
//! milliseconds, and with the engine's lock in hand it would keep everybody waiting so long: 33 ms were seen. So the
//! clerk, a thread like any other, takes the lock in its place.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use lockstock_stock::state::State;
use parking_lot::Mutex;

use crate::shared::Shared;

/// What is looked for, under the engine's lock.
pub(crate) type Errand = Box<dyn FnOnce(&State) + Send>;

/// The way to the clerk; closed where there is none, or none any more.
#[derive(Default)]
pub(crate) struct Clerk(Mutex<Option<Sender<Errand>>>);

impl Clerk {
    /// The way to a clerk, and the end of it where the clerk stands.
    pub fn hire() -> (Self, Receiver<Errand>) {
        let (errands, asked) = channel();
        (Self(Mutex::new(Some(errands))), asked)
    }

    /// Has the clerk look; what was found. `None`: there is no clerk to do it.
    pub fn look<R: Send + 'static>(&self, look: impl FnOnce(&State) -> R + Send + 'static) -> Option<R> {
        let errands = self.0.lock().clone()?;
        let (found, finding) = channel();
        let errand = move |state: &State| {
            // Who asked waits for it.
            let _gone = found.send(look(state));
        };
        errands.send(Box::new(errand)).ok()?;
        // Or it would keep the clerk from leaving.
        drop(errands);
        finding.recv().ok()
    }

    /// The clerk leaves, once what was asked is done.
    pub fn dismiss(&self) {
        drop(self.0.lock().take());
    }
}

/// What the thread does until it is dismissed.
pub(crate) fn run(shared: &Arc<Shared>, asked: &Receiver<Errand>) {
    for errand in asked {
        errand(shared.core.lock().state());
    }
}
