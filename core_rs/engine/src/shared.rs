//! What the threads of one engine have in common.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use lockstock_journal::DirLock;
use lockstock_journal::disk::Disk;
use lockstock_stock::ids::Sequence;
use parking_lot::{Condvar, Mutex};

use crate::admission::{Admission, Load};
use crate::buyer::BuyerKey;
use crate::config::{Config, Layout};
use crate::core::Core;
use crate::desk::Desk;
use crate::failure::Health;
use crate::gate::Gate;
use crate::metrics::Meters;
use crate::recall::Records;
use crate::stop::Stop;

/// Measures the free disk, in bytes.
pub(crate) type Gauge = Box<dyn Fn() -> std::io::Result<u64> + Send + Sync>;

pub(crate) struct Shared {
    pub config: Config,
    pub layout: Layout,
    pub journal_id: [u8; 16],
    pub buyers: BuyerKey,
    /// The engine's lock.
    pub core: Mutex<Core>,
    /// The journal thread waits here, with the engine's lock, for something to do.
    pub work: Condvar,
    pub gate: Gate,
    pub admission: Admission,
    pub health: Health,
    pub meters: Meters,
    pub desk: Desk,
    pub stop: Stop,
    pub records: Records,
    pub gauge: Gauge,
    pub disk: Arc<dyn Disk>,
    /// One process a data directory; released when the engine is closed.
    pub dir_lock: Mutex<Option<DirLock>>,
    /// The sequence of the last event applied.
    pub applied: AtomicU64,
    /// Bytes of records applied and not durable.
    pub bytes_in_flight: AtomicU64,
    /// Commands let in that have not had the lock yet.
    pub waiting: AtomicU64,
    /// Bytes of journal behind the newest snapshot at the start.
    pub unwritten: u64,
    /// Bytes of records made durable since the start.
    pub journal_bytes: AtomicU64,
}

impl Shared {
    pub fn load(&self) -> Load {
        // Durable first: it never passes what was applied before it was read.
        let durable = self.gate.durable();
        let records = self.applied.load(Ordering::Acquire).saturating_sub(durable);
        Load {
            records: records.saturating_add(self.waiting.load(Ordering::Relaxed)),
            bytes: self.bytes_in_flight.load(Ordering::Relaxed),
        }
    }

    pub fn durable(&self) -> Sequence {
        self.gate.durable()
    }

    /// Ends the service: nothing more is acknowledged, everybody who waits is told. Safe with the engine's
    /// lock held.
    pub fn fail(&self, sentence: &str) {
        self.health.fail(sentence);
        self.gate.wake();
        self.desk.stop();
        self.work.notify_all();
    }

    /// Releases the data directory.
    pub fn unlock(&self) {
        drop(self.dir_lock.lock().take());
    }

    /// Samples the free disk. A failure keeps the last value and is counted.
    pub fn sample_disk(&self) {
        match (self.gauge)() {
            Ok(free) => self.admission.set_disk_free(free),
            Err(_) => {
                self.meters.disk_sample_failures.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}
