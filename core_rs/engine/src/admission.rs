//! Who is let in (decision 11): under pressure new promises are refused first, so that units that are
//! promised already can still be paid, given back and shipped.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use lockstock_stock::refusal::Refusal;

use crate::config::Config;

/// New promises are refused from this share of the in-flight bounds on, in percent.
pub const EARLY_PERCENT: u64 = 70;

/// What is in flight: applied and not durable, or waiting for the engine's lock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Load {
    pub records: u64,
    pub bytes: u64,
}

/// The door in front of the engine's lock.
#[derive(Debug)]
pub(crate) struct Admission {
    records_max: u64,
    bytes_max: u64,
    disk_floor: u64,
    disk_free: AtomicU64,
    frozen: AtomicBool,
    draining: AtomicBool,
}

impl Admission {
    pub fn new(config: &Config, disk_free: u64) -> Self {
        Self {
            records_max: config.in_flight_records_max,
            bytes_max: config.in_flight_bytes_max,
            disk_floor: config.disk_floor_bytes,
            disk_free: AtomicU64::new(disk_free),
            frozen: AtomicBool::new(false),
            draining: AtomicBool::new(false),
        }
    }

    pub fn set_frozen(&self, frozen: bool) {
        self.frozen.store(frozen, Ordering::SeqCst);
    }

    pub fn frozen(&self) -> bool {
        self.frozen.load(Ordering::SeqCst)
    }

    pub fn drain(&self) {
        self.draining.store(true, Ordering::SeqCst);
    }

    pub fn draining(&self) -> bool {
        self.draining.load(Ordering::SeqCst)
    }

    pub fn set_disk_free(&self, bytes: u64) {
        self.disk_free.store(bytes, Ordering::Relaxed);
    }

    pub fn disk_free(&self) -> u64 {
        self.disk_free.load(Ordering::Relaxed)
    }

    /// Whether a command may come in; `promises`: it would promise new units.
    pub fn judge(&self, promises: bool, load: Load) -> Result<(), Refusal> {
        if self.draining() {
            return Err(Refusal::Draining {});
        }
        if self.frozen() {
            return Err(Refusal::Frozen {});
        }
        let bounds = [
            ("in_flight_records_max", load.records, self.records_max),
            ("in_flight_bytes_max", load.bytes, self.bytes_max),
        ];
        for (name, in_flight, max) in bounds {
            let bound = if promises { early(max) } else { max };
            if in_flight >= bound {
                return Err(Refusal::Overloaded { limit: format!("{in_flight} of {name} {max}") });
            }
        }
        let free = self.disk_free();
        if promises && free < self.disk_floor {
            return Err(Refusal::DiskLow { free, floor: self.disk_floor });
        }
        Ok(())
    }
}

/// 70 %, at least one: a bound that lets nothing in would not be a bound.
fn early(max: u64) -> u64 {
    (u128::from(max) * u128::from(EARLY_PERCENT) / 100).try_into().unwrap_or(max).max(1)
}

#[cfg(test)]
mod tests {
    use lockstock_stock::refusal::Reason;

    use super::*;

    fn door() -> Admission {
        let mut config = Config::new("data");
        config.in_flight_records_max = 100;
        config.in_flight_bytes_max = 1_000;
        config.disk_floor_bytes = 50;
        Admission::new(&config, 60)
    }

    fn reason(door: &Admission, promises: bool, records: u64, bytes: u64) -> Option<Reason> {
        door.judge(promises, Load { records, bytes }).err().map(|refusal| refusal.reason())
    }

    #[test]
    fn promises_are_refused_at_seventy_percent_and_everything_else_only_at_the_end() {
        let door = door();
        for (promises, records, bytes, expected) in [
            (true, 69, 699, None),
            (true, 70, 0, Some(Reason::Overloaded)),
            (true, 0, 700, Some(Reason::Overloaded)),
            (false, 99, 999, None),
            (false, 100, 0, Some(Reason::Overloaded)),
            (false, 0, 1_000, Some(Reason::Overloaded)),
        ] {
            assert_eq!(reason(&door, promises, records, bytes), expected, "{promises} {records} {bytes}");
        }
    }

    #[test]
    fn a_disk_below_its_floor_refuses_promises_only() {
        let door = door();
        door.set_disk_free(49);
        assert_eq!(reason(&door, true, 0, 0), Some(Reason::DiskLow));
        assert_eq!(reason(&door, false, 0, 0), None);
        door.set_disk_free(50);
        assert_eq!(reason(&door, true, 0, 0), None);
    }

    #[test]
    fn a_freeze_refuses_every_change_until_thawed_and_draining_comes_first() {
        let door = door();
        door.set_frozen(true);
        assert_eq!(reason(&door, false, 0, 0), Some(Reason::Frozen));
        door.set_frozen(false);
        assert_eq!(reason(&door, false, 0, 0), None);
        door.set_frozen(true);
        door.drain();
        assert_eq!(reason(&door, false, 0, 0), Some(Reason::Draining));
    }
}
