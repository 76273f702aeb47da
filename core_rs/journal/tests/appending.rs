//! Appending: order, segments, failures.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests may be blunt")]

mod common;

use std::io::ErrorKind;
use std::sync::Arc;

use common::{
    TempDir, append, assert_holds, batch, dir, frame_at, journal, open, open_async, options, record,
    segment_path,
};
use lockstock_journal::disk::Disk;
use lockstock_journal::disk::faulty::{FaultyDisk, Op};
use lockstock_journal::{Log, LogError, Options, Reader, SEGMENT_BYTES_MIN, Segments, free_bytes, segments};

#[test]
fn a_failed_sync_poisons_the_log() {
    let disk = journal(2);
    let (mut log, _) = open(&disk).unwrap();
    disk.fail(Op::Sync, 1, ErrorKind::Other);
    let error = log.append(3, 3, &batch(3, 3)).unwrap_err();
    assert!(matches!(&error, LogError::Io(io) if io.doing == "sync"), "{error}");
    for _ in 0..2 {
        let again = log.append(3, 3, &batch(3, 3)).unwrap_err();
        assert!(matches!(&again, LogError::Poisoned { why } if *why == error.to_string()), "{again}");
    }
    assert!(matches!(log.seal().unwrap_err(), LogError::Poisoned { .. }));
    assert!(matches!(log.sync().unwrap_err(), LogError::Poisoned { .. }));
}

#[test]
fn a_failed_write_poisons_the_log_and_half_of_it_is_torn() {
    let disk = journal(2);
    let (mut log, _) = open(&disk).unwrap();
    disk.fail(Op::Write, 1, ErrorKind::Other);
    assert!(matches!(log.append(3, 3, &batch(3, 3)).unwrap_err(), LogError::Io(io) if io.doing == "write"));
    assert!(matches!(log.append(3, 3, &batch(3, 3)).unwrap_err(), LogError::Poisoned { .. }));
    drop(log);
    let (_, found) = open(&disk).unwrap();
    assert!(found.last == 2 || found.last == 3, "{found:?}");
    assert_holds(&disk, 1, found.last);
}

#[test]
fn what_stands_in_the_page_cache_only_is_written_again_before_it_is_served() {
    let disk = journal(2);
    let (mut log, _) = open(&disk).unwrap();
    disk.fail(Op::Sync, 1, ErrorKind::Other);
    assert!(log.append(3, 40, &batch(3, 40)).is_err());
    drop(log);
    // The machine stays up: a second process sees the frame, which the disk does not hold.
    let (mut log, found) = open(&disk).unwrap();
    assert_eq!(found.last, 40);
    append(&mut log, 41, 41);
    drop(log);
    for seed in 0..20 {
        let machine = disk.fork();
        machine.crash(seed);
        assert_eq!(open(&machine).unwrap().1.last, 41);
        assert_holds(&machine, 1, 41);
    }
}

#[test]
fn all_frames_of_a_failed_sync_are_written_again_not_only_the_last() {
    let disk = FaultyDisk::new();
    let (mut log, _) = open_async(&disk).unwrap();
    for first in (1..=400).step_by(40) {
        append(&mut log, first, first + 39);
    }
    disk.fail(Op::Sync, 1, ErrorKind::Other);
    assert!(log.sync().is_err());
    drop(log);
    assert_eq!(open_async(&disk).unwrap().1.last, 400);
    disk.crash(1);
    assert_eq!(open_async(&disk).unwrap().1.last, 400);
    assert_holds(&disk, 1, 400);
}

#[test]
fn the_name_of_a_segment_is_durable_before_it_is_served_though_its_sync_had_failed() {
    for seed in 0..20 {
        let disk = journal(3);
        let (mut log, _) = open(&disk).unwrap();
        log.seal().unwrap();
        disk.fail(Op::SyncDir, 1, ErrorKind::Other);
        assert!(matches!(log.append(4, 4, &batch(4, 4)).unwrap_err(), LogError::Io(io) if io.path == dir()));
        drop(log);
        let (mut log, found) = open(&disk).unwrap();
        assert_eq!((found.last, found.segments), (3, 2));
        append(&mut log, 4, 4);
        drop(log);
        disk.crash(seed);
        assert_eq!(open(&disk).unwrap().1.last, 4, "seed {seed}");
        assert_holds(&disk, 1, 4);
    }
}

#[test]
fn a_full_disk_is_an_error_when_a_segment_is_begun_and_nothing_before_it_is_lost() {
    let disk = journal(3);
    let (mut log, _) = open(&disk).unwrap();
    disk.set_capacity(Some(SEGMENT_BYTES_MIN + 4096));
    assert_eq!(disk.free_bytes(dir()).unwrap(), 4096);
    append(&mut log, 4, 4);
    log.seal().unwrap();
    let error = log.append(5, 5, &batch(5, 5)).unwrap_err();
    assert!(matches!(&error, LogError::Io(io) if io.is_full()), "{error}");
    assert!(matches!(log.append(5, 5, &batch(5, 5)).unwrap_err(), LogError::Poisoned { .. }));
    drop(log);
    disk.set_capacity(None);
    let (mut log, found) = open(&disk).unwrap();
    assert_eq!((found.last, found.segments, found.torn_bytes), (4, 1, 0));
    append(&mut log, 5, 5);
    assert_holds(&disk, 1, 5);
}

#[test]
fn within_a_segment_a_full_disk_does_not_matter_because_room_was_taken_before() {
    let disk = journal(1);
    let (mut log, _) = open(&disk).unwrap();
    disk.set_capacity(Some(SEGMENT_BYTES_MIN));
    for sequence in 2..=100 {
        append(&mut log, sequence, sequence);
    }
    assert_holds(&disk, 1, 100);
}

#[test]
fn batches_go_over_segments_and_are_found_in_order() {
    let disk = FaultyDisk::new();
    let (mut log, _) = open(&disk).unwrap();
    let mut next = 1;
    while next <= 3000 {
        let last = next + next % 23;
        append(&mut log, next, last);
        next = last + 1;
    }
    drop(log);
    let (_, found) = open(&disk).unwrap();
    assert_eq!((found.last, found.torn_bytes), (next - 1, 0));
    assert!(found.segments > 4, "{found:?}");
    assert_holds(&disk, 1, next - 1);
}

#[test]
fn a_full_segment_says_so_once_and_the_next_append_begins_another() {
    let disk = FaultyDisk::new();
    let (mut log, _) = open(&disk).unwrap();
    let mut sequence = 0;
    while !log.segment_is_full() {
        sequence += 1;
        append(&mut log, sequence, sequence);
    }
    assert_eq!(disk.bytes(&segment_path(2)), None);
    append(&mut log, sequence + 1, sequence + 1);
    assert!(!log.segment_is_full());
    assert!(disk.bytes(&segment_path(2)).is_some());
    assert_holds(&disk, 1, sequence + 1);
}

#[test]
fn a_sealed_segment_is_followed_by_another_and_an_empty_one_is_not_sealed() {
    let disk = FaultyDisk::new();
    let (mut log, _) = open(&disk).unwrap();
    log.seal().unwrap();
    assert!(!log.segment_is_full());
    append(&mut log, 1, 1);
    assert!(!log.segment_is_full());
    log.seal().unwrap();
    assert!(log.segment_is_full());
    append(&mut log, 2, 2);
    assert!(!log.segment_is_full());
    assert_eq!(open(&disk).unwrap().1.segments, 2);
}

#[test]
fn a_batch_larger_than_a_segment_gets_one_that_holds_it() {
    let disk = journal(1);
    let (mut log, _) = open(&disk).unwrap();
    append(&mut log, 2, 2000);
    append(&mut log, 2001, 2001);
    drop(log);
    assert!(disk.bytes(&segment_path(2)).unwrap().len() > 200_000);
    assert_eq!(open(&disk).unwrap().1.last, 2001);
    assert_holds(&disk, 1, 2001);
}

#[test]
fn empty_records_are_records() {
    let disk = FaultyDisk::new();
    let (mut log, _) = open(&disk).unwrap();
    log.append(1, 3, &common::encode(&[vec![], vec![], vec![9]])).unwrap();
    let mut reader = common::reader(&disk, 2);
    assert_eq!(reader.next(3).unwrap(), Some((2, &[][..])));
    assert_eq!(reader.next(3).unwrap(), Some((3, &[9][..])));
}

#[test]
fn a_batch_that_does_not_follow_or_is_not_its_records_is_refused_and_poisons() {
    let cases: [(u64, u64, Vec<u8>); 6] = [
        (4, 4, batch(4, 4)),
        (2, 2, batch(2, 2)),
        (3, 2, Vec::new()),
        (3, 4, batch(3, 3)),
        (3, 3, batch(3, 4)),
        (3, 3, batch(3, 3)[..9].to_vec()),
    ];
    for (first, last, records) in cases {
        let disk = journal(2);
        let (mut log, _) = open(&disk).unwrap();
        let before = disk.bytes(&segment_path(1));
        let error = log.append(first, last, &records).unwrap_err();
        assert!(
            matches!(error, LogError::Order { .. } | LogError::Records { .. }),
            "{first}..={last}: {error}"
        );
        assert_eq!(disk.bytes(&segment_path(1)), before, "nothing is written");
        assert!(matches!(log.append(3, 3, &batch(3, 3)).unwrap_err(), LogError::Poisoned { .. }));
    }
}

#[test]
fn a_record_that_stood_there_is_never_changed_by_later_appends() {
    let disk = FaultyDisk::new();
    let (mut log, _) = open(&disk).unwrap();
    let mut written = 4096;
    let mut before = disk.bytes(&segment_path(1)).unwrap();
    for sequence in 1..=200 {
        append(&mut log, sequence, sequence);
        let after = disk.bytes(&segment_path(1)).unwrap();
        assert_eq!(after[..written], before[..written]);
        (written, before) = (usize::try_from(frame_at(sequence + 1)).unwrap(), after);
    }
}

#[test]
fn a_segment_is_filled_and_synced_in_pieces_so_that_no_sync_waits_behind_all_of_it() {
    let disk = FaultyDisk::new();
    let large = Options { segment_bytes: 5 << 20, ..options(&disk) };
    drop(Segments::open(dir(), large).unwrap());
    assert!(disk.used() > 4 << 20);
    assert!(disk.synced_at_once_max() <= 1 << 20, "{} bytes in one sync", disk.synced_at_once_max());
}

#[test]
fn on_the_real_disk_segments_are_prepared_ahead_and_all_is_found_again() {
    let temp = TempDir::new("appending");
    let dir = temp.0.join("data/journal");
    let small = || Options { segment_bytes: SEGMENT_BYTES_MIN, ..Options::default() };
    let (mut log, found) = Segments::open(&dir, small()).unwrap();
    assert_eq!(lockstock_journal::journal_id(&dir).unwrap(), Some(found.journal_id));
    for first in (1..=2000).step_by(10) {
        append(&mut log, first, first + 9);
    }
    drop(log);
    let listed = segments(&dir).unwrap();
    assert!(listed.len() > 3);
    assert!(
        listed.windows(2).all(|pair| pair[0].index + 1 == pair[1].index && pair[0].first < pair[1].first)
    );
    let (_, found) = Segments::open(&dir, small()).unwrap();
    assert_eq!((found.last, found.segments, found.torn_bytes), (2000, listed.len(), 0));
    let mut reader = Reader::open(&dir, 1).unwrap();
    for sequence in 1..=2000 {
        assert_eq!(reader.next(2000).unwrap(), Some((sequence, &record(sequence)[..])));
    }
    assert!(free_bytes(&dir).unwrap() > 0);
}

#[test]
fn a_spare_segment_that_cannot_be_prepared_is_tried_again_at_the_switch() {
    let disk = FaultyDisk::new();
    let ahead = Options { prepare_ahead: true, disk: Arc::new(disk.clone()), ..options(&disk) };
    let (mut log, _) = Segments::open(dir(), ahead).unwrap();
    disk.fail(Op::Create, 1, ErrorKind::StorageFull);
    for sequence in 1..=1500 {
        append(&mut log, sequence, sequence);
    }
    drop(log);
    let (_, found) = open(&disk).unwrap();
    assert_eq!(found.last, 1500);
    assert!(found.segments > 2);
    assert_holds(&disk, 1, 1500);
}
