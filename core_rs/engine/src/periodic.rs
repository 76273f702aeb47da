//! What happens by itself: deadlines pass although nobody calls, and the disk fills up.

use std::sync::Arc;
use std::time::Duration;

use lockstock_stock::limits::SWEEP_PER_HOLD;

use crate::shared::Shared;

/// How often the free disk is sampled.
const DISK_EVERY: Duration = Duration::from_secs(1);

/// The sweeper: every interval, until nothing is due.
pub(crate) fn sweep(shared: &Arc<Shared>) {
    while shared.stop.pause(shared.config.sweep_interval()) {
        sweep_all(shared);
    }
}

/// Sweeps in short holds until nothing is due; how many locks.
pub(crate) fn sweep_all(shared: &Shared) -> usize {
    let mut total = 0;
    loop {
        let mut core = shared.core.lock();
        let now = core.now();
        let swept = core.sweep(shared, now, SWEEP_PER_HOLD);
        let wake = !core.buffer().is_empty();
        // Fair: buyers who wait for the lock go before the next round.
        parking_lot::MutexGuard::unlock_fair(core);
        if wake {
            shared.work.notify_one();
        }
        total += swept;
        if swept < SWEEP_PER_HOLD {
            return total;
        }
    }
}

/// Samples the free disk about once a second.
pub(crate) fn watch_disk(shared: &Arc<Shared>) {
    while shared.stop.pause(DISK_EVERY) {
        shared.sample_disk();
    }
}
