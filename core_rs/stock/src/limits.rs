//! Bounds. Those of the contract are constants; those an operator sets are [`Limits`].

use crate::ids::{Micros, Units};

/// The most units one operation may name for a line, and one SKU in one operation may add up to.
pub const QUANTITY_MAX: Units = 1_000_000_000_000;
/// The most a counter may hold: far below `i64`, so that sums of counters cannot overflow.
pub const COUNTER_MAX: Units = 1_000_000_000_000_000;
/// The most lines an operation may have.
pub const LINES_MAX: usize = 2_000;
/// The most warehouses a caller may list.
pub const WAREHOUSES_MAX: usize = 1_000;
/// The most levels (a SKU in a warehouse) that the answer to a read may have.
pub const LEVELS_MAX: usize = 40_000;
/// The most commands a batch may have.
pub const COMMANDS_MAX: usize = 8_190;
/// The longest id, in bytes.
pub const ID_BYTES_MAX: usize = 64;
/// The longest reason, in bytes.
pub const REASON_BYTES_MAX: usize = 256;
/// The most an order may say of itself, in bytes.
pub const ATTRIBUTES_BYTES_MAX: usize = 1_024;
/// What a planner may say of a destination, in bytes.
pub const DESTINATION_BYTES_MAX: usize = 96;
/// How far a request id may be ahead of the engine's clock, in milliseconds.
pub const KEY_AHEAD_MS_MAX: u64 = 5 * 60 * 1_000;
/// Locks that one hold of the engine's lock sweeps before its commands.
pub const SWEEP_PER_HOLD: usize = 256;
/// Locks that one command may have swept before it is told to come again.
pub const SWEEP_PER_COMMAND: usize = 4_096;
/// Splits are exact up to this many candidates ...
pub const EXACT_CANDIDATES_MAX: usize = 16;
/// ... and this many parcels.
pub const EXACT_PARCELS_MAX: usize = 3;
/// How many of the next locks to end are looked through for one on a short SKU.
pub const NEXT_UNLOCK_SCAN_MAX: usize = 1_024;
/// The shortest hold, in microseconds.
pub const HOLD_MIN: Micros = 1_000;

const SECOND: Micros = 1_000_000;
const HOUR: Micros = 3_600 * SECOND;

/// What an operator sets; it takes part in deciding only, never in applying, so that a journal replays
/// under any setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// A lock's hold where the caller names none.
    pub hold_default: Micros,
    /// The longest hold.
    pub hold_max: Micros,
    /// How often a lock may be extended.
    pub extensions_max: u32,
    /// How long a lock may live in all.
    pub lock_lifetime_max: Micros,
    /// How long request ids are remembered.
    pub key_retention: Micros,
    /// How many request ids are remembered at most.
    pub keys_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            hold_default: 30 * 60 * SECOND,
            hold_max: 24 * HOUR,
            extensions_max: 10,
            lock_lifetime_max: 72 * HOUR,
            // The longest lifetime of a lock and a day: a retry can always find its first answer.
            key_retention: 96 * HOUR,
            keys_max: 20_000_000,
        }
    }
}
