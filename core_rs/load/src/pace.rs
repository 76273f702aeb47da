//! When calls are due. In an open loop a call's latency counts from the time it was planned for, whether it
//! could be sent then or not: a server that stalls is charged for every call it kept from being made.

/// Nanoseconds since the run began.
pub type Nanos = u64;

/// What a second has.
pub const SECOND: Nanos = 1_000_000_000;

/// A steady rate.
#[derive(Clone, Debug)]
pub struct Pace {
    start: Nanos,
    /// Calls so far, and their rate as nanoseconds a call: whole numbers drift, so the plan is a product.
    planned: u64,
    nanos_per_call: f64,
}

impl Pace {
    /// So many calls a second from `start` on.
    pub fn new(start: Nanos, per_second: f64) -> Self {
        Self { start, planned: 0, nanos_per_call: 1e9 / per_second }
    }

    /// When the next call is due.
    pub fn next(&self) -> Nanos {
        self.start + whole(float(self.planned) * self.nanos_per_call)
    }

    /// Takes the next call, if it is due.
    pub fn take(&mut self, now: Nanos) -> Option<Nanos> {
        let due = self.next();
        (due <= now).then(|| {
            self.planned += 1;
            due
        })
    }
}

/// The window that is measured, between warm-up and end.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// From here ...
    pub begin: Nanos,
    /// ... to here.
    pub end: Nanos,
}

impl Window {
    /// Whether a time is measured.
    pub const fn contains(&self, at: Nanos) -> bool {
        self.begin <= at && at < self.end
    }
}

/// A count as a float; those that are counted here are far below 2^53.
#[allow(clippy::cast_precision_loss, reason = "counts of one run are far below 2^53")]
pub const fn float(count: u64) -> f64 {
    count as f64
}

/// Whole nanoseconds.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "times of one run are positive and fit"
)]
pub const fn whole(nanos: f64) -> Nanos {
    nanos as Nanos
}

/// Seconds as nanoseconds.
pub const fn nanos(seconds: f64) -> Nanos {
    whole(seconds * 1e9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_planned_at_even_distances_from_the_start() {
        let mut pace = Pace::new(1_000, 4.0);
        let planned: Vec<Nanos> = std::iter::from_fn(|| pace.take(SECOND)).collect();
        assert_eq!(planned, [1_000, 250_001_000, 500_001_000, 750_001_000]);
    }

    #[test]
    fn a_call_that_is_not_due_is_not_taken() {
        let mut pace = Pace::new(10, 1.0);
        assert_eq!(pace.take(9), None);
        assert_eq!(pace.take(10), Some(10));
        assert_eq!(pace.take(10), None);
        assert_eq!(pace.next(), 10 + SECOND);
    }

    #[test]
    fn after_a_stall_every_call_it_held_up_keeps_its_planned_time() {
        let mut pace = Pace::new(0, 1_000.0);
        while pace.take(SECOND).is_some() {}
        let late: Vec<Nanos> = std::iter::from_fn(|| pace.take(2 * SECOND)).collect();
        assert_eq!(late.len(), 1_000);
        assert_eq!(late.first(), Some(&(SECOND + 1_000_000)));
    }

    #[test]
    fn a_rate_that_does_not_divide_a_second_does_not_drift() {
        let mut pace = Pace::new(0, 3.0);
        for _ in 0..3_000_000_u64 {
            pace.take(Nanos::MAX);
        }
        assert_eq!(pace.next(), 1_000_000 * SECOND);
    }

    #[test]
    fn a_window_has_its_begin_and_not_its_end() {
        let window = Window { begin: 5, end: 8 };
        assert_eq!([4, 5, 7, 8].map(|at| window.contains(at)), [false, true, true, false]);
    }
}
