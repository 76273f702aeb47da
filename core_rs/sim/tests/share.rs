//! The share of the simulator in every test run. `LOCKSTOCK_SIM_SEEDS=n` runs n seeds (1,200 unless told),
//! `LOCKSTOCK_SIM_SEED=s` only that one.
#![allow(clippy::panic, reason = "tests may be blunt")]

use std::collections::BTreeSet;

use lockstock_sim::{Tally, run};
use lockstock_stock::event::Operation;

/// Enough to meet everything there is to meet.
const SEEDS: u64 = 1_200;

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} must be a number")))
}

#[test]
fn whatever_happens_to_the_node_everything_acknowledged_is_true_for_ever() {
    let only = setting("LOCKSTOCK_SIM_SEED");
    let seeds = match only {
        Some(seed) => seed..seed + 1,
        None => 0..setting("LOCKSTOCK_SIM_SEEDS").unwrap_or(SEEDS),
    };
    let (mut tally, mut operations) = (Tally::default(), BTreeSet::new());
    for seed in seeds.clone() {
        let ran = run(seed).unwrap_or_else(|why| panic!("LOCKSTOCK_SIM_SEED={seed}: {why}"));
        tally.join(&ran.tally);
        operations.extend(ran.operations);
    }
    println!("{tally}");
    // A shorter run than the usual one cannot meet everything.
    if seeds.end - seeds.start >= SEEDS {
        assert_eq!(tally.missing(), Vec::<&str>::new(), "the runs did not meet this");
        // The engine's own; and what needs a longer life than a node has here, which the twin's own test meets.
        let own = [Operation::Sweep, Operation::Checkpoint];
        let seldom = [Operation::RecallOrder, Operation::CancelOrderReturn];
        let all =
            Operation::ALL.iter().filter(|operation| !own.contains(operation) && !seldom.contains(operation));
        let missing: Vec<_> =
            all.map(|operation| operation.name()).filter(|name| !operations.contains(name)).collect();
        assert_eq!(missing, Vec::<&str>::new(), "the runs were granted none of these");
    }
}

#[test]
fn a_seed_is_one_run_to_the_byte() {
    for seed in [3, 20, 77] {
        assert_eq!(run(seed), run(seed), "seed {seed}");
    }
}
