//! How the engine stands.

use std::fmt::Write;
use std::sync::atomic::Ordering;

use lockstock_stock::ids::{Micros, Sequence};
use serde::Serialize;

use crate::config::durability_name;
use crate::shared::Shared;

/// How the engine stands, at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Status {
    /// `"ready"`, `"frozen"`, `"draining"` or `"failed"`.
    pub state: &'static str,
    /// Whether commands are taken and nothing has failed.
    pub ready: bool,
    /// What has failed: for good, or an invariant that a command would have violated.
    pub failure: Option<String>,
    /// The last sequence applied.
    pub sequence: Sequence,
    /// The last sequence that is durable.
    pub durable_sequence: Sequence,
    /// The sequence of the newest snapshot; 0 for none.
    pub snapshot_sequence: Sequence,
    /// Why the last snapshot could not be written, if it could not.
    pub snapshot_error: Option<String>,
    /// The state hash at `sequence`, in hexadecimal.
    pub state_hash: String,
    /// The journal's UUID.
    pub journal_id: String,
    /// `"sync"` or `"async"`.
    pub durability: &'static str,
    /// The engine's clock: microseconds since 1970-01-01 UTC.
    pub now: Micros,
    /// Steps of the system's clock since the start.
    pub clock_steps: u64,
    /// The largest stamp of a request id that was forgotten, in milliseconds.
    pub horizon_ms: u64,
    /// Reservations known.
    pub reservations: u64,
    /// SKUs known.
    pub skus: u64,
    /// Warehouses known.
    pub warehouses: u64,
    /// Reservations with locked units.
    pub open_locks: u64,
    /// Request ids remembered.
    pub known_keys: u64,
    /// Records applied and not durable, and commands that wait for the lock.
    pub in_flight: u64,
    /// Bytes of records applied and not durable.
    pub in_flight_bytes: u64,
    /// Commands let in that have not had the lock yet.
    pub waiting: u64,
    /// Bytes of records made durable since the start.
    pub journal_bytes: u64,
    /// Free disk, as last sampled, in bytes.
    pub disk_free_bytes: u64,
}

impl Status {
    pub(crate) fn of(shared: &Shared) -> Self {
        let load = shared.load();
        let (snapshot, snapshot_error) = shared.desk.newest();
        let fatal = shared.health.fatal().map(ToString::to_string);
        let failure = fatal.or_else(|| shared.health.violation().map(ToString::to_string));
        let state = [
            ("failed", failure.is_some()),
            ("draining", shared.admission.draining()),
            ("frozen", shared.admission.frozen()),
        ];
        let state = state.iter().find(|(_, is)| *is).map_or("ready", |(name, _)| name);
        let mut core = shared.core.lock();
        let now = core.now();
        let known = core.state();
        Self {
            state,
            ready: state == "ready",
            failure,
            sequence: known.sequence(),
            durable_sequence: shared.durable(),
            snapshot_sequence: snapshot.map_or(0, |info| info.sequence),
            snapshot_error,
            state_hash: hash_text(known.hash()),
            journal_id: uuid_text(shared.journal_id),
            durability: durability_name(shared.config.durability),
            now,
            clock_steps: core.clock_steps(),
            horizon_ms: known.horizon_ms(),
            reservations: known.reservation_count() as u64,
            skus: known.skus().len() as u64,
            warehouses: known.warehouses().len() as u64,
            open_locks: known.open_locks() as u64,
            known_keys: known.known_keys() as u64,
            in_flight: load.records,
            in_flight_bytes: load.bytes,
            waiting: shared.waiting.load(Ordering::Relaxed),
            journal_bytes: shared.journal_bytes.load(Ordering::Relaxed),
            disk_free_bytes: shared.admission.disk_free(),
        }
    }
}

/// A state hash as text.
#[must_use]
pub fn hash_text(hash: u64) -> String {
    format!("{hash:016x}")
}

/// Bytes as hexadecimal text.
#[must_use]
pub fn hex_text(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a String cannot fail.
        let _infallible = write!(text, "{byte:02x}");
    }
    text
}

/// A UUID as text.
#[must_use]
pub fn uuid_text(id: [u8; 16]) -> String {
    let mut text = hex_text(&id);
    for at in [20, 16, 12, 8] {
        text.insert(at, '-');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_is_written_as_everybody_writes_it() {
        let id = *b"\x01\x23\x45\x67\x89\xab\xcd\xef\x00\x11\x22\x33\x44\x55\x66\x77";
        assert_eq!(uuid_text(id), "01234567-89ab-cdef-0011-223344556677");
        assert_eq!(hash_text(255), "00000000000000ff");
    }
}
