//! Work that buyers need not wait for rests now and then.
//!
//! However nice a thread is: one that only computes is not interrupted by one that wakes until its slice is over, and
//! the kernel's slices are of some milliseconds (up to 5 were seen). One that sleeps for a moment lets go at once.

use std::time::{Duration, Instant};

/// So long it computes at once: a small part of the millisecond in which a buyer is answered.
const AT_ONCE: Duration = Duration::from_micros(200);
/// So long it rests. To this the system adds what its timers do, some 60 us.
const REST: Duration = Duration::from_micros(20);

/// When a thread rested last; one that begins has rested just now.
#[derive(Debug)]
pub struct Rests {
    since: Instant,
}

impl Default for Rests {
    fn default() -> Self {
        Self { since: Instant::now() }
    }
}

impl Rests {
    /// Rests, if it is time: to be called between small pieces of work.
    pub fn if_due(&mut self) {
        if self.is_due(Instant::now()) {
            std::thread::sleep(REST);
            self.since = Instant::now();
        }
    }

    fn is_due(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) >= AT_ONCE
    }
}

/// The same things, with rests between them.
pub(crate) fn resting<T>(things: impl IntoIterator<Item = T>) -> impl Iterator<Item = T> {
    let mut rests = Rests::default();
    things.into_iter().inspect(move |_| rests.if_due())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rest_is_due_after_a_fifth_of_a_millisecond_of_work() {
        let rests = Rests::default();
        assert!(!rests.is_due(rests.since + AT_ONCE / 2));
        assert!(rests.is_due(rests.since + AT_ONCE));
    }

    #[test]
    fn who_has_rested_begins_anew() {
        let mut rests = Rests::default();
        let began = rests.since;
        while !rests.is_due(Instant::now()) {
            std::hint::spin_loop();
        }
        rests.if_due();
        assert!(rests.since >= began + AT_ONCE + REST);
    }

    #[test]
    fn nothing_is_lost_while_one_rests() {
        assert!(resting(0..10_000).eq(0..10_000));
    }
}
