//! Work that buyers need not wait for rests now and then.
//!
//! However nice a thread is: one that only computes is not interrupted by one that wakes until its slice is over, and
//! the kernel's slices are of some milliseconds (up to 5 were seen). One that sleeps for a moment lets go at once.

use std::io::{self, Read};
use std::time::{Duration, Instant};

/// So long it computes at once: a small part of the millisecond in which a buyer is answered.
const AT_ONCE: Duration = Duration::from_micros(200);
/// So long it rests. To this the system adds what its timers do, some 60 us.
const REST: Duration = Duration::from_micros(20);

/// So much is read at once by who does not hurry: what is made of it, some 250 reservations, takes about as long as is
/// computed at once.
const READ_AT_ONCE: usize = 32 << 10;

/// When a thread rested last; one that begins has rested just now.
#[derive(Debug)]
pub struct Rests {
    /// Nothing for who never rests.
    since: Option<Instant>,
}

impl Default for Rests {
    fn default() -> Self {
        Self { since: Some(Instant::now()) }
    }
}

impl Rests {
    /// No rests at all: for who has a thread to itself, or no time that passes.
    pub const fn never() -> Self {
        Self { since: None }
    }

    /// Rests, if it is time: to be called between small pieces of work.
    pub fn if_due(&mut self) {
        if self.is_due(Instant::now()) {
            std::thread::sleep(REST);
            self.since = Some(Instant::now());
        }
    }

    fn is_due(&self, now: Instant) -> bool {
        self.since.is_some_and(|since| now.saturating_duration_since(since) >= AT_ONCE)
    }
}

/// Reads a little at a time, with rests between, for what is made of it while it is read is work that nobody waits for
/// either. Ends in an error once it is told to stop.
pub(crate) struct Unhurried<'r, R, S> {
    from: R,
    rests: &'r mut Rests,
    stopped: S,
}

impl<'r, R, S> Unhurried<'r, R, S> {
    pub const fn new(from: R, rests: &'r mut Rests, stopped: S) -> Self {
        Self { from, rests, stopped }
    }
}

impl<R: Read, S: Fn() -> bool> Read for Unhurried<'_, R, S> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if (self.stopped)() {
            return Err(io::Error::other("nobody waits for it any more"));
        }
        self.rests.if_due();
        let most = into.len().min(READ_AT_ONCE);
        self.from.read(&mut into[..most])
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
        let since = rests.since.unwrap();
        assert!(!rests.is_due(since + AT_ONCE / 2));
        assert!(rests.is_due(since + AT_ONCE));
        assert!(!Rests::never().is_due(since + AT_ONCE));
    }

    #[test]
    fn who_has_rested_begins_anew() {
        let mut rests = Rests::default();
        let began = rests.since.unwrap();
        while !rests.is_due(Instant::now()) {
            std::hint::spin_loop();
        }
        rests.if_due();
        assert!(rests.since.unwrap() >= began + AT_ONCE + REST);
    }

    #[test]
    fn who_does_not_hurry_reads_all_of_it_a_little_at_a_time() {
        let all: Vec<u8> = (0..=u8::MAX).cycle().take(3 * READ_AT_ONCE + 1).collect();
        let (mut rests, mut read) = (Rests::default(), Vec::new());
        let mut unhurried = Unhurried::new(&all[..], &mut rests, || false);
        assert_eq!(unhurried.read(&mut vec![0; all.len()]).unwrap(), READ_AT_ONCE);
        unhurried.read_to_end(&mut read).unwrap();
        assert_eq!(read, all[READ_AT_ONCE..]);
    }

    #[test]
    fn who_is_told_to_stop_reads_no_further() {
        let (mut rests, stopped) = (Rests::default(), std::cell::Cell::new(false));
        let mut unhurried = Unhurried::new(&b"bytes"[..], &mut rests, || stopped.get());
        unhurried.read_exact(&mut [0; 2]).unwrap();
        stopped.set(true);
        assert!(unhurried.read(&mut [0; 2]).is_err());
    }

    #[test]
    fn nothing_is_lost_while_one_rests() {
        assert!(resting(0..10_000).eq(0..10_000));
    }
}
