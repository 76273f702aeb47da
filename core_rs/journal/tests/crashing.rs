//! The power goes off at any moment: everything acknowledged is found.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests may be blunt")]

mod common;

use common::{append, assert_holds, batch, dir, open, open_async, options};
use lockstock_journal::disk::faulty::FaultyDisk;
use lockstock_journal::{Durability, Log, Options, Segments, Sequence, inspect_on};

/// A small seeded generator.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

/// What a life of the process leaves: what it acknowledged and what it tried last.
#[derive(Clone, Copy)]
struct Life {
    acknowledged: Sequence,
    tried: Sequence,
}

/// Opens and appends until the power goes off (or a bound). `known` is what was acknowledged before.
fn live(disk: &FaultyDisk, durability: Durability, known: Life, dice: &mut Dice) -> Life {
    let Life { mut acknowledged, mut tried } = known;
    let opened = Segments::open(dir(), Options { durability, proved: acknowledged, ..options(disk) });
    let (mut log, found) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            // Only the power may keep a journal from being opened.
            assert!(error.to_string().contains("the power is off"), "{error}");
            return Life { acknowledged, tried };
        }
    };
    assert!(found.last >= acknowledged && found.last <= tried, "{acknowledged} <= {found:?} <= {tried}");
    // What was found is served, so it is as good as acknowledged.
    (acknowledged, tried) = (found.last, found.last);
    for _ in 0..60 {
        let (first, last) = (tried + 1, tried + 1 + dice.below(40));
        tried = last;
        if log.append(first, last, &batch(first, last)).is_err() {
            return Life { acknowledged, tried };
        }
        acknowledged = log.durable();
        if dice.below(12) == 0 && log.seal().is_err() {
            return Life { acknowledged, tried };
        }
    }
    Life { acknowledged, tried }
}

fn crash_often(durability: Durability, seeds: std::ops::Range<u64>) -> u64 {
    let mut lost_tails = 0;
    for seed in seeds {
        let disk = FaultyDisk::new();
        let mut dice = Dice(seed);
        let mut life = Life { acknowledged: 0, tried: 0 };
        for round in 0..8 {
            disk.power_off_after(dice.below(120));
            life = live(&disk, durability, life, &mut dice);
            disk.crash(seed * 1000 + round);
            if let Some(found) = inspect_on(&disk, dir(), life.acknowledged).unwrap() {
                assert!(
                    found.last >= life.acknowledged && found.last <= life.tried,
                    "seed {seed}: {found:?}"
                );
                lost_tails += u64::from(found.torn_bytes > 0);
                if found.last > 0 {
                    assert_holds(&disk, 1, found.last);
                }
            } else {
                assert_eq!(life.acknowledged, 0, "seed {seed}");
            }
        }
    }
    lost_tails
}

#[test]
fn a_crash_at_any_operation_loses_nothing_that_was_acknowledged() {
    let torn = crash_often(Durability::Sync, 0..250);
    assert!(torn > 50, "the test tears tails: {torn}");
}

#[test]
fn an_asynchronous_journal_is_an_exact_prefix_after_a_crash() {
    let torn = crash_often(Durability::Async, 1000..1200);
    assert!(torn > 50, "the test tears tails: {torn}");
}

#[test]
fn a_crash_at_every_single_operation_of_a_short_life_is_survived() {
    let whole = FaultyDisk::new();
    let script = |disk: &FaultyDisk| -> Sequence {
        let Ok((mut log, _)) = open(disk) else { return 0 };
        for first in [1, 11, 21, 31] {
            if log.append(first, first + 9, &batch(first, first + 9)).is_err() || log.seal().is_err() {
                return first - 1;
            }
        }
        40
    };
    assert_eq!(script(&whole), 40);
    for op in 0..whole.ops() {
        for seed in 0..12 {
            let disk = FaultyDisk::new();
            disk.power_off_after(op);
            let acknowledged = script(&disk);
            disk.crash(seed);
            // The recovery is cut off as well, at each of its own operations, until it gets through.
            let mut cut = 0;
            let found = loop {
                disk.power_off_after(cut);
                match open(&disk) {
                    Ok((_, found)) => break found,
                    Err(error) => assert!(error.to_string().contains("the power is off"), "{error}"),
                }
                disk.crash(seed + cut);
                cut += 1;
            };
            disk.crash(seed);
            // The script may have been cut between an append and its answer.
            assert!(found.last >= acknowledged && found.last <= acknowledged + 10, "op {op}: {found:?}");
            let (mut log, again) = open(&disk).unwrap();
            assert_eq!(again.last, found.last);
            append(&mut log, found.last + 1, found.last + 5);
            assert_holds(&disk, 1, found.last + 5);
        }
    }
}

#[test]
fn killing_the_process_alone_loses_nothing_that_was_written_even_asynchronously() {
    let disk = FaultyDisk::new();
    let (mut log, _) = open_async(&disk).unwrap();
    append(&mut log, 1, 7);
    append(&mut log, 8, 9);
    assert_eq!((log.last(), log.durable()), (9, 0));
    drop(log);
    let (log, found) = open_async(&disk).unwrap();
    assert_eq!((found.last, log.durable()), (9, 9));
    // What recovery accepted is durable: all of it, not the last frame only.
    for seed in 0..20 {
        let machine = disk.fork();
        machine.crash(seed);
        assert_eq!(open_async(&machine).unwrap().1.last, 9);
        assert_holds(&machine, 1, 9);
    }
}

#[test]
fn an_asynchronous_journal_is_durable_after_a_sync_and_after_a_seal() {
    for seed in 0..20 {
        let disk = FaultyDisk::new();
        let (mut log, _) = open_async(&disk).unwrap();
        append(&mut log, 1, 7);
        log.sync().unwrap();
        append(&mut log, 8, 9);
        let machine = disk.fork();
        machine.crash(seed);
        assert!(open_async(&machine).unwrap().1.last >= 7);
        log.seal().unwrap();
        disk.crash(seed);
        assert_eq!(open_async(&disk).unwrap().1.last, 9);
    }
}
