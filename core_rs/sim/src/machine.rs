//! The machine a node runs on: its disk, its clocks, its settings.

use std::sync::Arc;

use lockstock_engine::clock::{Clock, SlewedClock};
use lockstock_engine::config::{Config, Layout};
use lockstock_engine::stepped::Stepped;
use lockstock_engine::{OpenError, Recovery};
use lockstock_journal::SEGMENT_BYTES_MIN;
use lockstock_journal::disk::faulty::FaultyDisk;
use lockstock_stock::ids::Sequence;
use lockstock_stock::state::State;
use lockstock_twin::workload::{START, limits};

use crate::clock::Clocks;

/// New promises are refused while less than this is free: room for a segment and a snapshot.
pub const DISK_FLOOR: u64 = 4 * SEGMENT_BYTES_MIN;

/// Every journal has the same identity, so that the same seed writes the same bytes.
const JOURNAL: [u8; 16] = *b"a journal of sim";

/// What outlives a node.
pub struct Machine {
    pub disk: FaultyDisk,
    pub clocks: Clocks,
    config: Config,
    /// What the database has, as of the last start.
    pub proved: Sequence,
}

impl Machine {
    /// A new one. The seed chooses how tight its limits are.
    pub fn new(seed: u64) -> Self {
        let mut config = Config::new("/data");
        config.limits = limits(seed);
        config.segment_bytes = SEGMENT_BYTES_MIN;
        config.disk_floor_bytes = DISK_FLOOR;
        config.snapshot_every_bytes = if seed.is_multiple_of(3) { 2_000 } else { 1 << 30 };
        config.in_flight_records_max = if seed.is_multiple_of(4) { 8 } else { 1_000 };
        Self { disk: FaultyDisk::new(), clocks: Clocks::at(START), config, proved: 0 }
    }

    /// The settings.
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// Where things are.
    pub fn layout(&self) -> Layout {
        self.config.layout()
    }

    /// Starts a node.
    pub fn open(&self) -> Result<(Stepped, Recovery), OpenError> {
        let config = Config { proved_by_database: self.proved, ..self.config.clone() };
        let clocks = self.clocks.clone();
        let clock = |state: &State| Box::new(SlewedClock::new(clocks, state.clock())) as Box<dyn Clock>;
        Stepped::open(config, Arc::new(self.disk.clone()), clock, JOURNAL)
    }

    /// Another machine with the same bytes.
    pub fn fork(&self) -> Self {
        let Self { disk, clocks, config, proved } = self;
        Self { disk: disk.fork(), clocks: clocks.clone(), config: config.clone(), proved: *proved }
    }
}
