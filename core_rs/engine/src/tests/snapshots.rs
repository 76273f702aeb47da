//! Snapshots, and the checkpoints they are compared with.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lockstock_journal::disk::faulty::FaultyDisk;
use lockstock_journal::snapshot::{self, Body, Snapshot};
use lockstock_stock::command::Command;
use lockstock_stock::counters::Counter;
use lockstock_stock::event::{Change, Event, Operation};
use lockstock_stock::ids::Sequence;

use super::shop::{Shop, all_of, config, lock, open, over_memory, try_open, try_open_on};
use crate::config::Layout;
use crate::desk::SnapshotError;
use crate::offline::Offline;
use crate::projection::{Format, Projection};

/// Enough orders for several small segments.
fn busy(shop: &Shop, orders: usize) {
    for at in 0..orders {
        let id = format!("an-order-with-a-rather-long-name-{at}");
        let executed = shop.execute(lock(&id, 1));
        shop.execute(Command::Deduct(all_of(&id)));
        if at % 4 == 0 {
            shop.engine.wait_durable(executed.seen).unwrap();
        }
    }
}

fn events(dir: &Path, last: Sequence) -> Vec<Event> {
    Offline::events(dir, 1, last).unwrap().map(Result::unwrap).collect()
}

#[test]
fn a_snapshot_and_the_tail_give_the_state_of_a_full_replay() {
    let dir = tempfile::tempdir().unwrap();
    let shop = open(dir.path()).0.stocked(10_000);
    busy(&shop, 100);
    let info = shop.engine.snapshot_now().unwrap();
    assert!(info.size_bytes > 0);
    assert_eq!(shop.engine.status().snapshot_sequence, info.sequence);
    busy_after(&shop);
    let stands = shop.stands();
    shop.engine.close().unwrap();
    drop(shop);
    let (shop, recovery) = open(dir.path());
    assert_eq!(recovery.snapshot_sequence, info.sequence);
    assert_eq!(recovery.replayed, stands.0 - info.sequence);
    assert_eq!(shop.stands(), stands);
    shop.engine.read(|state, _| state.check().unwrap());
    let offline = Offline::open(dir.path(), None).unwrap();
    assert_eq!(offline.summary().sequence, stands.0);
    assert_eq!(offline.summary().state_hash, shop.engine.status().state_hash);
    assert_eq!(offline.summary().snapshots.len(), 1);
    assert_eq!(offline.summary().snapshots[0].equal, Some(true));
}

fn busy_after(shop: &Shop) {
    for at in 0..50 {
        shop.done(lock(&format!("later-{at}"), 1));
    }
}

#[test]
fn a_snapshot_holds_everything_that_was_applied_before_it_was_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let shop = open(dir.path()).0.stocked(100);
    for at in 0..10 {
        let executed = shop.execute(lock(&format!("order-{at}"), 1));
        let info = shop.engine.snapshot_now().unwrap();
        assert!(info.sequence > executed.seen);
    }
    let again = shop.engine.snapshot_now().unwrap();
    assert_eq!(shop.stands().0, again.sequence, "the checkpoint is the last event");
}

#[test]
fn segments_begin_with_a_checkpoint_and_snapshots_come_by_themselves() {
    let dir = tempfile::tempdir().unwrap();
    let mut often = config(dir.path());
    often.snapshot_every_bytes = 1;
    let shop = try_open(often).unwrap().0.stocked(10_000);
    busy(&shop, 1_500);
    // The last one asked for: those that came by themselves are through by then.
    shop.engine.snapshot_now().unwrap();
    let (last, _) = shop.stands();
    shop.engine.wait_durable(last).unwrap();
    let segments = lockstock_journal::segments(&Layout::of(dir.path()).journal).unwrap();
    assert!(segments.len() > 3, "{}", segments.len());
    let events = events(dir.path(), last);
    for segment in &segments[1..] {
        let first = &events[usize::try_from(segment.first).unwrap() - 1];
        assert_eq!(first.operation, Operation::Checkpoint, "segment {} at {}", segment.index, segment.first);
        assert!(matches!(first.changes[..], [Change::Checkpoint { .. }]));
    }
    let metrics = serde_json::to_value(shop.engine.metrics()).unwrap();
    let family =
        metrics.as_array().unwrap().iter().find(|family| family[0] == "lockstock_snapshots_total").unwrap();
    assert!(family[3][0][1].as_f64().unwrap() >= 2.0, "{family}");
}

#[test]
fn a_damaged_snapshot_is_passed_over_with_a_note_and_costs_no_data() {
    let dir = tempfile::tempdir().unwrap();
    let shop = open(dir.path()).0.stocked(100);
    shop.done(lock("order", 1));
    shop.engine.snapshot_now().unwrap();
    shop.done(lock("later", 1));
    let stands = shop.stands();
    shop.engine.close().unwrap();
    drop(shop);
    let snapshots = Layout::of(dir.path()).snapshots;
    let file = std::fs::read_dir(&snapshots).unwrap().next().unwrap().unwrap().path();
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let (shop, recovery) = open(dir.path());
    assert_eq!((recovery.snapshot_sequence, recovery.replayed), (0, stands.0));
    assert_eq!(recovery.notes.len(), 1, "{:?}", recovery.notes);
    assert_eq!(shop.stands(), stands);
    let summary = Offline::open(dir.path(), Some(stands.0)).unwrap().summary().clone();
    assert_eq!(summary.snapshots[0].equal, Some(false));
    assert!(summary.snapshots[0].problem.is_some());
}

#[test]
fn a_snapshot_whose_bytes_are_whole_and_whose_state_is_not_the_one_it_names_is_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    let shop = open(dir.path()).0.stocked(100);
    shop.done(lock("order", 1));
    let older = shop.engine.snapshot_now().unwrap().sequence;
    shop.done(lock("another", 1));
    let newest = shop.engine.snapshot_now().unwrap().sequence;
    let (stands, journal) = (shop.stands(), shop.engine.journal_id());
    shop.engine.close().unwrap();
    drop(shop);
    let snapshots = Layout::of(dir.path()).snapshots;
    let all = |file: &Snapshot, body: &mut Body| {
        let mut bytes = Vec::new();
        body.read_to_end(&mut bytes).map_err(|error| error.to_string())?;
        Ok((file.state_hash ^ 1, bytes))
    };
    for (broken, left) in [(newest, older), (older, 0)] {
        let (another, body) = snapshot::read(&snapshots, journal, broken, all).unwrap();
        snapshot::write(&snapshots, journal, broken, another, |out| out.write_all(&body)).unwrap();
        let (shop, recovery) = open(dir.path());
        assert_eq!((recovery.snapshot_sequence, recovery.replayed), (left, stands.0 - left));
        let [.., note] = &recovery.notes[..] else { panic!("no note of {broken}") };
        assert!(note.contains(&format!("{broken:020}.lks is passed over: it holds the state")), "{note}");
        assert_eq!(shop.stands(), stands);
    }
}

#[test]
fn a_replay_that_disagrees_with_the_engine_ends_the_service_loudly() {
    let dir = tempfile::tempdir().unwrap();
    let shop = open(dir.path()).0.stocked(100);
    shop.done(lock("order", 1));
    shop.engine.wait_durable(shop.stands().0).unwrap();
    let (told, heard) = std::sync::mpsc::channel();
    shop.engine.on_failure(Box::new(move |sentence| told.send(sentence.to_owned()).unwrap()));
    // Other bytes at rest than the engine wrote: the snapshotter's replay is the one that meets them.
    let segment = lockstock_journal::segments(&Layout::of(dir.path()).journal).unwrap().remove(0).path;
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes[4096 + 60] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    assert_eq!(shop.engine.snapshot_now().unwrap_err(), SnapshotError::Stopped);
    assert!(heard.recv().unwrap().contains("nothing more is acknowledged"));
    assert_eq!(shop.engine.status().state, "failed");
}

#[test]
fn a_snapshot_that_cannot_be_written_is_an_error_and_the_service_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let shop = open(dir.path()).0.stocked(100);
    let snapshots = Layout::of(dir.path()).snapshots;
    std::fs::remove_dir(&snapshots).unwrap();
    std::fs::write(&snapshots, b"in the way").unwrap();
    assert!(matches!(shop.engine.snapshot_now().unwrap_err(), SnapshotError::Failed(_)));
    assert!(shop.engine.status().snapshot_error.is_some());
    std::fs::remove_file(&snapshots).unwrap();
    std::fs::create_dir(&snapshots).unwrap();
    shop.done(lock("order", 1));
    shop.engine.snapshot_now().unwrap();
    assert!(shop.engine.status().snapshot_error.is_none());
    assert_eq!(shop.count(Counter::Locked), 1);
}

#[test]
fn for_whoever_follows_the_journal_beside_buyers_nothing_is_read_ahead() {
    let project = |shop: &Shop| drop(Projection::new().batch(&shop.engine, 0, 10, Format::Json).unwrap());
    let snapshot = |shop: &Shop| {
        shop.engine.snapshot_now().unwrap();
    };
    for follow in [&project as &dyn Fn(&Shop), &snapshot] {
        let dir = tempfile::tempdir().unwrap();
        let disk = FaultyDisk::new();
        let shop = try_open_on(config(dir.path()), Arc::new(disk.clone())).unwrap().0.stocked(10);
        let sold = shop.execute(lock("order", 1));
        shop.engine.wait_durable(sold.seen).unwrap();
        let first = Layout::of(dir.path()).journal.join("segment-0000000001.lkj");
        assert!(!disk.reads_nothing_ahead(&first), "nobody has followed it yet");
        follow(&shop);
        assert!(disk.reads_nothing_ahead(&first));
    }
}

/// A shop that was closed behind its snapshot, on a disk of its own; where the snapshot lies.
fn closed_behind_its_snapshot(dir: &Path) -> (FaultyDisk, PathBuf) {
    let disk = FaultyDisk::new();
    let shop = try_open_on(config(dir), Arc::new(disk.clone())).unwrap().0.stocked(1_000);
    busy(&shop, 100);
    let info = shop.engine.snapshot_now().unwrap();
    shop.done(lock("later", 1));
    shop.engine.close().unwrap();
    (disk, snapshot::path(&Layout::of(dir).snapshots, info.sequence))
}

#[test]
fn after_a_start_the_snapshot_is_read_once_more_and_nothing_of_it_ahead_or_kept() {
    let dir = tempfile::tempdir().unwrap();
    let (disk, path) = closed_behind_its_snapshot(dir.path());
    let (shop, recovery) = try_open_on(config(dir.path()), Arc::new(disk.clone())).unwrap();
    assert!(recovery.snapshot_sequence > 0);
    let (written, held) = (disk.released(&path), disk.bytes(&path).unwrap().len() as u64);
    assert_eq!(disk.read(&path), held, "at the start it is read once");
    assert!(!disk.reads_nothing_ahead(&path), "whoever starts has the disk to himself");
    shop.engine.snapshot_now().unwrap();
    assert!(disk.reads_nothing_ahead(&path));
    let body = held - 64;
    assert_eq!(disk.released(&path) - written, body);
    assert_eq!(disk.read(&path), 2 * held);
}

#[test]
fn a_snapshot_that_is_damaged_after_the_start_costs_a_longer_replay() {
    let dir = tempfile::tempdir().unwrap();
    let (disk, path) = closed_behind_its_snapshot(dir.path());
    let (shop, _) = try_open_on(config(dir.path()), Arc::new(disk.clone())).unwrap();
    let middle = disk.bytes(&path).unwrap().len() as u64 / 2;
    assert!(disk.flip(&path, middle, 1));
    let info = shop.engine.snapshot_now().unwrap();
    let hash = shop.engine.status().state_hash;
    shop.engine.close().unwrap();
    drop(shop);
    let (shop, recovery) = try_open_on(config(dir.path()), Arc::new(disk)).unwrap();
    assert_eq!((recovery.snapshot_sequence, recovery.notes), (info.sequence, Vec::new()));
    assert_eq!(shop.engine.status().state_hash, hash);
}

#[test]
fn who_waits_for_a_snapshot_is_told_when_the_engine_closes() {
    let dir = tempfile::tempdir().unwrap();
    let (shop, memory, _) = over_memory(dir.path(), |_| {});
    let shop = shop.stocked(10);
    let _held = memory.hold();
    let begun = memory.begun();
    shop.execute(lock("order", 1));
    memory.wait_begun(begun + 1);
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| shop.engine.snapshot_now());
        let closer = scope.spawn(|| shop.engine.close());
        memory.release();
        closer.join().unwrap().ok();
        // Over this log there is nothing to replay: whichever comes first, it is an error and not a hang.
        assert!(waiter.join().unwrap().is_err());
    });
}

#[test]
fn restarts_do_not_put_the_next_snapshot_off() {
    let dir = tempfile::tempdir().unwrap();
    let mut seldom = config(dir.path());
    seldom.snapshot_every_bytes = 100_000;
    let mut restarts = 0;
    loop {
        let shop = try_open(seldom.clone()).unwrap().0;
        let shop = if restarts == 0 { shop.stocked(100_000) } else { shop };
        // Each life journals one small segment and a little: half of what a snapshot is due after.
        for at in 0..400 {
            shop.execute(lock(&format!("an-order-with-a-rather-long-name-{restarts}-{at}"), 1));
            shop.engine.wait_durable(shop.stands().0).unwrap();
        }
        shop.engine.close().unwrap();
        let snapshots = lockstock_journal::snapshot::list(&Layout::of(dir.path()).snapshots).unwrap();
        if !snapshots.is_empty() {
            break;
        }
        restarts += 1;
        assert!(restarts < 20, "no snapshot after {restarts} restarts");
    }
    assert!(restarts > 0);
}
