//! Whatever moment the machine dies at: acknowledged is found, and what is found is a prefix.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use lockstock_journal::disk::Disk;
use lockstock_journal::disk::faulty::{FaultyDisk, Op};
use lockstock_stock::command::Command;
use lockstock_stock::ids::Sequence;
use lockstock_stock::machine::Reply;
use lockstock_stock::refusal::Reason;
use parking_lot::Mutex;

use super::shop::{Shop, all_of, config, lock, open, try_open_on};
use crate::offline::Offline;

fn on_disk(dir: &Path, disk: &FaultyDisk) -> Shop {
    try_open_on(config(dir), Arc::new(disk.clone()) as Arc<dyn Disk>).unwrap().0
}

/// The state hash after each sequence, by a straight replay of what a shop has.
fn stands_of(shop: &Shop) -> (Sequence, u64) {
    shop.engine
        .read(|state, _| {
            state.check().unwrap();
            (state.sequence(), state.hash())
        })
        .0
}

#[test]
fn after_a_power_cut_at_any_moment_everything_acknowledged_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::new();
    let shop = on_disk(dir.path(), &disk).stocked(1_000_000);
    let acknowledged: Mutex<BTreeMap<String, Sequence>> = Mutex::default();
    let durable = AtomicU64::new(0);
    let done = AtomicBool::new(false);
    // (a copy of the disk at some moment, what had been acknowledged before it was taken)
    let mut moments = Vec::new();
    thread::scope(|scope| {
        for buyer in 0..3 {
            let (shop, acknowledged, durable, done) = (&shop, &acknowledged, &durable, &done);
            scope.spawn(move || {
                for turn in 0.. {
                    if done.load(Ordering::SeqCst) {
                        break;
                    }
                    let id = format!("order-{buyer}-{turn}");
                    let executed = shop.execute(lock(&id, 1));
                    shop.engine.wait_durable(executed.seen).unwrap();
                    if let Reply::Done(answer) = &executed.replies[0] {
                        acknowledged.lock().insert(id, answer.sequence);
                        durable.fetch_max(answer.sequence, Ordering::SeqCst);
                    }
                }
            });
        }
        for moment in 1..=20 {
            // Far enough from the last one that something has happened in between.
            shop.engine.wait_durable(shop.engine.durable() + moment).unwrap();
            let before = acknowledged.lock().clone();
            moments.push((disk.fork(), before));
        }
        done.store(true, Ordering::SeqCst);
    });
    let last = durable.load(Ordering::SeqCst);
    assert!(last > 200);
    shop.engine.close().unwrap();
    drop(shop);
    for (seed, (copy, before)) in moments.into_iter().enumerate() {
        copy.crash(seed as u64);
        let recovered = on_disk(dir.path(), &copy);
        let (sequence, _) = stands_of(&recovered);
        for (id, at) in &before {
            assert!(*at <= sequence, "{id} was acknowledged as {at}, the journal ends at {sequence}");
            recovered.engine.read(|state, _| assert!(state.find_reservation(id).is_some(), "{id} is lost"));
        }
    }
}

#[test]
fn a_process_killed_at_any_moment_recovers_a_state_that_the_engine_had() {
    let dir = tempfile::tempdir().unwrap();
    let shop = open(dir.path()).0.stocked(1_000_000);
    let mut hashes = BTreeMap::new();
    let mut copies = Vec::new();
    for turn in 0..400 {
        let executed = shop.execute(lock(&format!("order-{turn}"), 1));
        let (sequence, hash) = shop.stands();
        hashes.insert(sequence, hash);
        if turn % 40 == 0 {
            shop.engine.wait_durable(executed.seen).unwrap();
            // What a kill leaves behind: all that was written, in whatever moment of the next batch.
            let copy = tempfile::tempdir().unwrap();
            let durable = shop.engine.durable();
            copy_dir(dir.path(), copy.path());
            copies.push((copy, durable));
        }
    }
    for (copy, durable) in copies {
        let (shop, recovery) = open(copy.path());
        assert!(recovery.sequence >= durable);
        let (sequence, hash) = stands_of(&shop);
        assert_eq!(hashes.get(&sequence), Some(&hash), "sequence {sequence}");
        shop.engine.close().unwrap();
        let offline = Offline::open(copy.path(), Some(sequence)).unwrap();
        assert_eq!(offline.state().hash(), hash, "a straight replay gives the same");
    }
}

fn copy_dir(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    let mut entries: Vec<_> = std::fs::read_dir(from).unwrap().map(Result::unwrap).collect();
    // Unfinished segments come and go while this runs; a kill would leave them or not.
    entries.retain(|entry| !entry.file_name().to_string_lossy().ends_with(".tmp"));
    for entry in entries {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_dir(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), &target).unwrap();
        }
    }
}

#[test]
fn a_sync_that_fails_on_the_disk_stops_the_engine_and_the_restart_has_what_was_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::new();
    let shop = on_disk(dir.path(), &disk).stocked(100);
    shop.done(lock("before", 1));
    let acknowledged = shop.engine.durable();
    disk.fail(Op::Sync, 1, std::io::ErrorKind::Other);
    let executed = shop.execute(lock("lost-or-not", 1));
    shop.engine.wait_durable(executed.seen).unwrap_err();
    assert_eq!(shop.reason(lock("after", 1)), Reason::Draining);
    shop.engine.close().unwrap_err();
    drop(shop);
    disk.crash(1);
    let shop = on_disk(dir.path(), &disk);
    assert!(shop.stands().0 >= acknowledged);
    shop.engine.read(|state, _| assert!(state.find_reservation("before").is_some()));
    shop.done(lock("again", 1));
}

#[test]
fn a_full_disk_stops_the_engine_before_anything_unwritten_is_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::new();
    let shop = on_disk(dir.path(), &disk).stocked(1_000_000);
    shop.done(lock("first", 1));
    disk.set_capacity(Some(0));
    let mut acknowledged = 0;
    let failed = loop {
        let id = format!("an-order-with-a-rather-long-name-to-fill-the-segment-{acknowledged}");
        let executed = shop.execute(lock(&id, 1));
        match shop.engine.wait_durable(executed.seen) {
            Ok(()) => acknowledged += 1,
            Err(failed) => break failed,
        }
    };
    assert!(failed.to_string().contains("cannot be written"), "{failed}");
    assert!(shop.engine.close().is_err());
    drop(shop);
    disk.set_capacity(None);
    let shop = on_disk(dir.path(), &disk);
    shop.engine.read(|state, _| {
        for at in 0..acknowledged {
            let id = format!("an-order-with-a-rather-long-name-to-fill-the-segment-{at}");
            assert!(state.find_reservation(&id).is_some(), "{id} is lost");
        }
    });
    shop.done(Command::Deduct(all_of("first")));
}
