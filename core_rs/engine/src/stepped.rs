//! The engine without its threads and without a machine under it, for a simulator: whoever holds a [`Stepped`]
//! says when each of them has a turn. What runs in a turn is what the threads run.

use std::sync::Arc;

use lockstock_journal::disk::Disk;
use lockstock_journal::{JournalId, Options};
use lockstock_stock::state::State;
use parking_lot::Mutex;

use crate::buyer::BuyerKey;
use crate::clerk::Clerk;
use crate::clock::Clock;
use crate::commit::{Committer, Turn};
use crate::config::Config;
use crate::engine::{Engine, Owner};
use crate::failure::Failed;
use crate::periodic;
use crate::recovery::{OpenError, Recovery, recover, share};
use crate::snapshotter::Snapshotter;

/// A node in one thread. Dropped, it is a killed process: what its buffer holds is gone.
pub struct Stepped {
    engine: Engine,
    committer: Committer,
    snapshotter: Snapshotter,
    turn: Option<Turn>,
}

impl Stepped {
    /// Recovers what is on `disk`. Nothing is read or written elsewhere; a journal that is begun gets the
    /// identity `begun_as`, so that the same run writes the same bytes.
    pub fn open(
        config: Config,
        disk: Arc<dyn Disk>,
        clock: impl FnOnce(&State) -> Box<dyn Clock>,
        begun_as: JournalId,
    ) -> Result<(Self, Recovery), OpenError> {
        config.check().map_err(OpenError::Config)?;
        let options = Options { prepare_ahead: false, begun_as: Some(begun_as), ..Options::default() };
        let recovered = recover(&config, &disk, &options)?;
        let (parts, recovery) = recovered.parts(config, disk, clock, BuyerKey::of_tests(), None);
        let (shared, log) = share(parts)?;
        let owner = Owner {
            shared: Arc::clone(&shared),
            committer: Arc::default(),
            threads: Mutex::default(),
            clerk: Clerk::default(),
        };
        let stepped = Self {
            engine: Engine { owner: Arc::new(owner) },
            committer: Committer::new(Arc::clone(&shared), log),
            snapshotter: Snapshotter::new(shared),
            turn: None,
        };
        Ok((stepped, recovery))
    }

    /// The face that callers see. Nothing that waits may be called on it.
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The state as it is, without the sweep that a read begins with.
    pub fn look<R>(&self, f: impl FnOnce(&State) -> R) -> R {
        f(self.engine.shared().core.lock().state())
    }

    /// Whether a batch was taken and is not written.
    pub const fn has_batch(&self) -> bool {
        self.turn.is_some()
    }

    /// First half of a turn of the journal thread: it takes what is buffered. Whether there is a batch to write.
    pub fn take_batch(&mut self) -> bool {
        if self.turn.is_none() {
            self.turn = self.committer.begin();
        }
        self.turn.is_some()
    }

    /// Second half: the batch is appended, synced, published. False after a failure.
    pub fn write_batch(&mut self) -> bool {
        self.turn.take().is_none_or(|turn| self.committer.finish(turn))
    }

    /// A turn of the sweeper; the locks that expired.
    pub fn sweep(&self) -> usize {
        periodic::sweep_all(self.engine.shared())
    }

    /// A turn of the thread that watches the disk.
    pub fn sample_disk(&self) {
        self.engine.shared().sample_disk();
    }

    /// Wishes for a snapshot, as an operator does.
    pub fn ask_for_snapshot(&self) {
        // Refused only by an engine that has ended, which writes no snapshot.
        let _ended = self.engine.ask_for_snapshot();
    }

    /// A turn of the snapshotter, if a sealed segment is durable. Whether it did something and goes on.
    pub fn snapshot(&mut self) -> bool {
        self.snapshotter.step()
    }

    /// A graceful stop: everything applied becomes durable.
    pub fn close(&mut self) -> Result<(), Failed> {
        self.engine.drain();
        while self.take_batch() {
            if !self.write_batch() {
                break;
            }
        }
        self.committer.end();
        self.engine.failed().map_or(Ok(()), Err)
    }
}
