//! The machine and the naive twin, fed the same commands, must say and hold the same.
//!
//! `LOCKSTOCK_SEEDS=n` runs n seeds (800 unless told), `LOCKSTOCK_SEED=s` only that one,
//! `LOCKSTOCK_COMMANDS=n` so many commands a seed (400 unless told).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests may be blunt")]

mod sides;

use lockstock_twin::workload::{self, Workload};
use sides::{Coverage, Sides};

/// Enough to meet everything there is to meet, and a few seconds.
const SEEDS: u64 = 800;
const COMMANDS: u64 = 400;

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} must be a number")))
}

fn run(seed: u64, commands: u64, coverage: &mut Coverage) {
    let mut workload = Workload::new(seed);
    let mut sides = Sides::new(seed, workload::limits(seed));
    for opening in [Workload::opening, Workload::opening_stock] {
        let command = opening(&mut workload);
        let request = workload.request(command);
        let now = workload.now;
        sides.step(&request, now, coverage);
    }
    for _ in 0..commands {
        workload.tick(&sides.twin.world);
        if workload.rng.percent(10) {
            sides.sweep(&mut workload);
        }
        let request = workload.next(&sides.twin.world);
        let now = workload.now;
        sides.step(&request, now, coverage);
    }
    sides.finish(workload.now);
}

#[test]
fn the_machine_and_the_naive_twin_agree() {
    let commands = setting("LOCKSTOCK_COMMANDS").unwrap_or(COMMANDS);
    assert!(commands <= 5_000, "LOCKSTOCK_COMMANDS is at most 5000: run more seeds instead");
    let mut coverage = Coverage::default();
    if let Some(seed) = setting("LOCKSTOCK_SEED") {
        return run(seed, commands, &mut coverage);
    }
    let seeds = setting("LOCKSTOCK_SEEDS").unwrap_or(SEEDS);
    for seed in 0..seeds {
        run(seed, commands, &mut coverage);
    }
    println!("{coverage}");
    // A shorter run than the usual one cannot meet everything.
    if seeds >= SEEDS && commands >= COMMANDS {
        coverage.assert_nothing_was_left_out();
    }
}
