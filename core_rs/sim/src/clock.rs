//! The clocks of the simulated machine.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use lockstock_engine::clock::Source;
use lockstock_stock::ids::Micros;

/// A wall that may step and a monotonic clock that does not. Clones are the same clocks.
#[derive(Clone)]
pub struct Clocks {
    wall: Arc<AtomicI64>,
    monotonic: Arc<AtomicI64>,
}

impl Clocks {
    /// Both standing, the wall at a time.
    pub fn at(wall: Micros) -> Self {
        Self { wall: Arc::new(AtomicI64::new(wall)), monotonic: Arc::default() }
    }

    /// Time goes on; the wall runs a little fast or slow.
    pub fn pass(&self, time: Micros, drift: Micros) {
        self.monotonic.fetch_add(time, Ordering::Relaxed);
        self.wall.fetch_add(time + drift, Ordering::Relaxed);
    }

    /// Somebody sets the wall.
    pub fn step(&self, by: Micros) {
        self.wall.fetch_add(by, Ordering::Relaxed);
    }
}

impl Source for Clocks {
    fn wall(&self) -> Micros {
        self.wall.load(Ordering::Relaxed)
    }

    fn monotonic(&self) -> Micros {
        self.monotonic.load(Ordering::Relaxed)
    }
}
