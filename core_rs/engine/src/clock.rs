//! Time, as the engine judges deadlines by it: monotonic, anchored to the wall at the start.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use lockstock_stock::ids::Micros;

/// What the engine asks for the time, under its lock, once a hold.
pub trait Clock: Send {
    /// Microseconds since 1970-01-01 UTC; never less than the reading before.
    fn now(&mut self) -> Micros;

    /// How often the system's clock was seen to step since the start.
    fn steps(&self) -> u64;
}

/// The two clocks of a machine.
pub trait Source: Send {
    /// The wall: microseconds since 1970-01-01 UTC; may step either way.
    fn wall(&self) -> Micros;

    /// Microseconds since some fixed moment; never steps.
    fn monotonic(&self) -> Micros;
}

/// This machine's clocks.
#[derive(Debug)]
pub struct SystemSource {
    start: Instant,
}

impl Default for SystemSource {
    fn default() -> Self {
        Self { start: Instant::now() }
    }
}

impl Source for SystemSource {
    fn wall(&self) -> Micros {
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => micros(since.as_micros()),
            Err(before) => -micros(before.duration().as_micros()),
        }
    }

    fn monotonic(&self) -> Micros {
        micros(self.start.elapsed().as_micros())
    }
}

/// `i64` holds the microseconds of 292,000 years.
fn micros(value: u128) -> Micros {
    Micros::try_from(value).unwrap_or(Micros::MAX)
}

/// How often the wall is compared; between two comparisons only the monotonic clock counts.
const COMPARE_EVERY: Micros = 10_000;
/// A jump of the wall of at least this much between two comparisons is a step, not drift.
const STEP: Micros = 100_000;
/// Drift is made good by at most one part in so many of the time that passed (500 ppm, as NTP does).
const SLEW_PART: Micros = 2_000;

/// A clock that runs with the monotonic one, follows the wall's drift slowly and its steps not at all: a
/// step of the system's clock must neither expire every lock at once nor stop them from expiring.
#[derive(Debug)]
pub struct SlewedClock<S> {
    source: S,
    time: Micros,
    monotonic: Micros,
    compared: Micros,
    /// wall - time as it stood after the last comparison.
    skew: Micros,
    /// The part of the skew that came by steps.
    ignored: Micros,
    given: Micros,
    steps: u64,
}

impl<S: Source> SlewedClock<S> {
    /// Anchored to the wall, but never below `floor`, the last journalled stamp.
    pub fn new(source: S, floor: Micros) -> Self {
        let wall = source.wall();
        let monotonic = source.monotonic();
        let time = wall.max(floor);
        Self {
            source,
            time,
            monotonic,
            compared: monotonic,
            skew: wall - time,
            ignored: 0,
            given: time,
            steps: 0,
        }
    }

    fn compare(&mut self) {
        let passed = self.monotonic - self.compared;
        let skew = self.source.wall() - self.time;
        let moved = skew - self.skew;
        if moved.abs() >= STEP {
            self.steps += 1;
            self.ignored += moved;
        }
        let most = passed / SLEW_PART;
        let nearer = (skew - self.ignored).clamp(-most, most);
        self.time += nearer;
        self.skew = skew - nearer;
        self.compared = self.monotonic;
    }
}

impl<S: Source> Clock for SlewedClock<S> {
    fn now(&mut self) -> Micros {
        let monotonic = self.source.monotonic();
        self.time += monotonic - self.monotonic;
        self.monotonic = monotonic;
        if monotonic - self.compared >= COMPARE_EVERY {
            self.compare();
        }
        self.given = self.given.max(self.time);
        self.given
    }

    fn steps(&self) -> u64 {
        self.steps
    }
}

/// A clock that stands until it is moved.
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<AtomicI64>);

impl ManualClock {
    /// Standing at a time.
    #[must_use]
    pub fn at(time: Micros) -> Self {
        Self(Arc::new(AtomicI64::new(time)))
    }

    /// Moves it on (or back).
    pub fn advance(&self, by: Micros) {
        self.0.fetch_add(by, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&mut self) -> Micros {
        self.0.load(Ordering::SeqCst)
    }

    fn steps(&self) -> u64 {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Micros = 1_000_000;

    #[derive(Clone, Default)]
    struct Machine {
        wall: Arc<AtomicI64>,
        monotonic: Arc<AtomicI64>,
    }

    impl Machine {
        fn pass(&self, wall: Micros, monotonic: Micros) {
            self.wall.fetch_add(wall, Ordering::SeqCst);
            self.monotonic.fetch_add(monotonic, Ordering::SeqCst);
        }
    }

    impl Source for Machine {
        fn wall(&self) -> Micros {
            self.wall.load(Ordering::SeqCst)
        }

        fn monotonic(&self) -> Micros {
            self.monotonic.load(Ordering::SeqCst)
        }
    }

    fn at(wall: Micros, floor: Micros) -> (Machine, SlewedClock<Machine>) {
        let machine = Machine::default();
        machine.pass(wall, 7);
        let clock = SlewedClock::new(machine.clone(), floor);
        (machine, clock)
    }

    #[test]
    fn it_starts_at_the_wall_and_runs_with_the_monotonic_clock() {
        let (machine, mut clock) = at(1_000 * SECOND, 0);
        assert_eq!(clock.now(), 1_000 * SECOND);
        machine.pass(SECOND, SECOND);
        assert_eq!(clock.now(), 1_001 * SECOND);
        assert_eq!(clock.steps(), 0);
    }

    #[test]
    fn it_never_starts_below_the_last_journalled_stamp() {
        let (machine, mut clock) = at(1_000 * SECOND, 1_500 * SECOND);
        assert_eq!(clock.now(), 1_500 * SECOND);
        machine.pass(SECOND, SECOND);
        let next = clock.now();
        assert!(next > 1_500 * SECOND, "time goes on");
        assert!(next < 1_501 * SECOND, "and comes nearer to the wall");
    }

    #[test]
    fn a_step_back_of_the_system_clock_is_counted_and_does_not_move_time_backwards() {
        let (machine, mut clock) = at(1_000 * SECOND, 0);
        machine.pass(SECOND, SECOND);
        let before = clock.now();
        machine.pass(-3_600 * SECOND, SECOND);
        assert_eq!(clock.now(), before + SECOND);
        assert_eq!(clock.steps(), 1);
        for _ in 0..100 {
            machine.pass(SECOND, SECOND);
            clock.now();
        }
        assert_eq!(clock.now(), before + 101 * SECOND, "it is not followed later either");
        assert_eq!(clock.steps(), 1);
    }

    #[test]
    fn a_step_forward_does_not_expire_every_lock_at_once() {
        let (machine, mut clock) = at(1_000 * SECOND, 0);
        machine.pass(7_200 * SECOND, SECOND);
        assert_eq!(clock.now(), 1_001 * SECOND);
        assert_eq!(clock.steps(), 1);
    }

    #[test]
    fn drift_is_made_good_slowly() {
        let (machine, mut clock) = at(1_000 * SECOND, 0);
        // The wall runs 100 ppm fast: within what is slewed.
        for _ in 0..100 {
            machine.pass(SECOND + 100, SECOND);
            clock.now();
        }
        let behind = machine.wall() - clock.now();
        assert!(behind.abs() <= 100, "{behind} microseconds behind the wall");
        assert_eq!(clock.steps(), 0);
    }

    #[test]
    fn slewing_back_never_turns_a_reading_back() {
        let (machine, mut clock) = at(1_000 * SECOND, 1_000 * SECOND + 50_000);
        let mut last = clock.now();
        for pass in [9_999, 1, 9_999, 1, 10_000, 0, 1, 30_000] {
            machine.pass(pass, pass);
            let now = clock.now();
            assert!(now >= last);
            last = now;
        }
    }
}
