//! Readers beside the writer, and single records again.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests may be blunt")]

mod common;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};

use common::{
    FIRST_FRAME, append, batch, dir, frame_at, journal, open, open_proved, options, reader, record,
    segment_path,
};
use lockstock_journal::disk::Disk;
use lockstock_journal::disk::faulty::FaultyDisk;
use lockstock_journal::{Fault, Index, Log, OpenError, Options, Proof, ReadError, Reader, Segments};

fn index(disk: &FaultyDisk) -> Index {
    Index::on(Arc::new(disk.clone()), dir())
}

#[test]
fn a_follower_sees_exactly_the_records_while_the_writer_appends_and_seals() {
    let disk = FaultyDisk::new();
    let (mut log, _) = open(&disk).unwrap();
    let durable = Arc::new(AtomicU64::new(0));
    let (wake, woken) = mpsc::channel::<()>();
    let follower = {
        let (mut reader, durable) = (reader(&disk, 1), Arc::clone(&durable));
        std::thread::spawn(move || {
            let mut next = 1;
            loop {
                let more = woken.recv().is_ok();
                let until = durable.load(Ordering::Acquire);
                while let Some((sequence, bytes)) = reader.next(until).unwrap() {
                    assert_eq!((sequence, bytes), (next, &record(next)[..]));
                    next += 1;
                }
                assert_eq!((next, reader.position()), (until + 1, until + 1));
                if !more {
                    return next - 1;
                }
            }
        })
    };
    let mut next = 1;
    for round in 0..600 {
        let last = next + round % 9;
        append(&mut log, next, last);
        durable.store(last, Ordering::Release);
        wake.send(()).unwrap();
        if round % 100 == 99 {
            log.seal().unwrap();
        }
        next = last + 1;
    }
    drop(wake);
    assert_eq!(follower.join().unwrap(), next - 1);
}

/// A disk with three sealed segments of ten records each.
fn three_segments() -> FaultyDisk {
    let disk = FaultyDisk::new();
    let (mut log, _) = open(&disk).unwrap();
    for first in [1, 11, 21] {
        append(&mut log, first, first + 9);
        log.seal().unwrap();
    }
    disk
}

fn read_into_the_third(mut reader: Reader) {
    while reader.next(21).unwrap().is_some() {}
}

#[test]
fn the_last_reader_releases_the_segments_that_are_behind_it_and_no_other_does() {
    let disk = three_segments();
    let released = || [1, 2, 3].map(|index| disk.released(&segment_path(index)) > 0);
    read_into_the_third(reader(&disk, 1));
    assert_eq!(released(), [false; 3]);
    read_into_the_third(reader(&disk, 1).releasing());
    assert_eq!(released(), [true, true, false], "it stands in the third");
}

#[test]
fn for_a_reader_aside_nothing_is_read_ahead_in_any_segment_and_for_others_is() {
    let disk = three_segments();
    let nothing_ahead = || [1, 2, 3].map(|index| disk.reads_nothing_ahead(&segment_path(index)));
    read_into_the_third(reader(&disk, 1));
    assert_eq!(nothing_ahead(), [false; 3]);
    read_into_the_third(reader(&disk, 11).aside());
    assert_eq!(nothing_ahead(), [false, true, true]);
}

#[test]
fn what_is_behind_the_last_reader_is_released_a_piece_at_a_time_and_once() {
    const PIECE: u64 = 1 << 20;
    let disk = FaultyDisk::new();
    let segment_bytes = 8 * PIECE;
    let (mut log, _) = Segments::open(dir(), Options { segment_bytes, ..options(&disk) }).unwrap();
    let last = 30_000;
    for first in (1..last).step_by(100) {
        append(&mut log, first, first + 99);
    }
    log.seal().unwrap();
    append(&mut log, last + 1, last + 1);
    let mut reader = reader(&disk, 1).releasing();
    let (mut pieces, mut before) = (0, 0);
    for _ in 1..=last {
        reader.next(last).unwrap().unwrap();
        let released = disk.released(&segment_path(1));
        pieces += u64::from(released > before);
        assert!(released - before < 2 * PIECE, "{released} after {before}");
        before = released;
    }
    assert!(pieces >= 2 && before < segment_bytes, "{pieces}, {before}");
    assert!(reader.next(last + 1).unwrap().is_some());
    assert_eq!(disk.released(&segment_path(1)), segment_bytes, "all of it, and nothing twice");
}

#[test]
fn a_follower_begins_at_any_record_also_within_a_batch_and_at_the_end() {
    let disk = FaultyDisk::new();
    let (mut log, _) = open(&disk).unwrap();
    for first in (1..=400).step_by(10) {
        append(&mut log, first, first + 9);
        if first % 100 == 91 {
            log.seal().unwrap();
        }
    }
    for from in 1..=400 {
        let mut reader = reader(&disk, from);
        assert_eq!(reader.next(400).unwrap(), Some((from, &record(from)[..])));
    }
    let mut at_the_end = reader(&disk, 401);
    assert!(at_the_end.next(400).unwrap().is_none());
    append(&mut log, 401, 402);
    assert_eq!(at_the_end.next(402).unwrap(), Some((401, &record(401)[..])));
}

#[test]
fn a_follower_gives_nothing_after_until_even_of_a_frame_it_has() {
    let disk = FaultyDisk::new();
    let (mut log, _) = open(&disk).unwrap();
    append(&mut log, 1, 5);
    let mut reader = reader(&disk, 1);
    assert_eq!(reader.next(2).unwrap().unwrap().0, 1);
    assert_eq!(reader.next(2).unwrap().unwrap().0, 2);
    assert!(reader.next(2).unwrap().is_none());
    assert_eq!(reader.next(3).unwrap().unwrap().0, 3);
}

#[test]
fn half_a_frame_after_until_does_not_disturb_a_follower() {
    let disk = journal(3);
    let mut reader = reader(&disk, 1);
    // The beginning of the frame that is being written.
    assert!(disk.overwrite(&segment_path(1), frame_at(4), b"LKF1\x99\x00\x00\x00half"));
    for sequence in 1..=3 {
        assert_eq!(reader.next(3).unwrap(), Some((sequence, &record(sequence)[..])));
    }
    assert!(reader.next(3).unwrap().is_none());
    let (mut log, found) = open(&disk).unwrap();
    assert_eq!(found.last, 3);
    append(&mut log, 4, 4);
    assert_eq!(reader.next(4).unwrap(), Some((4, &record(4)[..])));
}

#[test]
fn a_follower_names_the_damage_it_meets() {
    let disk = journal(5);
    assert!(disk.flip(&segment_path(1), frame_at(3) + 50, 2));
    let mut reader = reader(&disk, 1);
    assert_eq!(reader.next(5).unwrap().unwrap().0, 1);
    assert_eq!(reader.next(5).unwrap().unwrap().0, 2);
    let error = reader.next(5).unwrap_err();
    let ReadError::Journal(OpenError::Damaged { segment: 1, offset, why: Fault::Checksum, proof }) = error
    else {
        panic!("{error}");
    };
    assert_eq!((offset, proof), (frame_at(3), Proof::Told { sequence: 3 }));
}

#[test]
fn records_whose_segments_were_removed_are_gone() {
    let disk = FaultyDisk::new();
    let (mut log, _) = open(&disk).unwrap();
    append(&mut log, 1, 5);
    log.seal().unwrap();
    append(&mut log, 6, 9);
    disk.remove(&segment_path(1)).unwrap();
    let on: Arc<dyn Disk> = Arc::new(disk.clone());
    let error = Reader::open_on(on, dir(), 5).err().unwrap();
    assert!(matches!(error, ReadError::Gone { sequence: 5, oldest: 6 }), "{error}");
    let error = index(&disk).record(5).unwrap_err();
    assert!(matches!(error, ReadError::Gone { sequence: 5, oldest: 6 }), "{error}");
    assert_eq!(index(&disk).record(6).unwrap(), record(6));
    assert!(open_proved(&disk, 5).is_ok());
}

#[test]
fn an_index_finds_any_record_in_any_order_while_the_journal_grows() {
    let disk = FaultyDisk::new();
    let (mut log, _) = open(&disk).unwrap();
    let index = index(&disk);
    let mut last = 0;
    for round in 1..=60 {
        append(&mut log, last + 1, last + 1 + round);
        last += 1 + round;
        if round % 20 == 0 {
            log.seal().unwrap();
        }
        for step in [1, 7, 97] {
            for sequence in (1..=last).rev().step_by(step * 13) {
                assert_eq!(index.record(sequence).unwrap(), record(sequence));
            }
        }
    }
    for sequence in 1..=last {
        assert_eq!(index.record(sequence).unwrap(), record(sequence));
    }
    let error = index.record(last + 1).unwrap_err();
    assert!(matches!(error, ReadError::Missing { sequence } if sequence == last + 1), "{error}");
}

#[test]
fn an_index_finds_records_deep_in_a_long_segment_and_reads_little_the_second_time() {
    let disk = FaultyDisk::new();
    let roomy = Options { segment_bytes: 1 << 20, ..options(&disk) };
    let (mut log, _) = Segments::open(dir(), roomy).unwrap();
    for sequence in 1..=5000 {
        append(&mut log, sequence, sequence);
    }
    assert_eq!(disk.bytes(&segment_path(2)), None, "all of it is one segment");
    let index = index(&disk);
    for sequence in [5000, 2, 4999, 2500, 2501, 3] {
        assert_eq!(index.record(sequence).unwrap(), record(sequence));
    }
    // From a place it remembers, it does not come by the damage at the beginning; a new one does.
    assert!(disk.flip(&segment_path(1), frame_at(10) + 44, 1));
    assert_eq!(index.record(4998).unwrap(), record(4998));
    assert!(self::index(&disk).record(4998).is_err());
}

#[test]
fn an_index_never_answers_with_damaged_bytes() {
    let disk = journal(20);
    let index = index(&disk);
    assert_eq!(index.record(10).unwrap(), record(10));
    assert!(disk.flip(&segment_path(1), frame_at(10) + 44, 1));
    let error = index.record(10).unwrap_err();
    assert!(matches!(error, ReadError::Journal(OpenError::Damaged { segment: 1, .. })), "{error}");
    assert_eq!(index.record(9).unwrap(), record(9));
}

#[test]
fn a_journal_without_records_gives_none() {
    let disk = journal(0);
    assert!(reader(&disk, 1).next(0).unwrap().is_none());
    assert!(matches!(index(&disk).record(1).unwrap_err(), ReadError::Missing { sequence: 1 }));
    let error = reader(&disk, 1).next(1).unwrap_err();
    assert!(
        matches!(
            error,
            ReadError::Journal(OpenError::Damaged { offset: FIRST_FRAME, why: Fault::Empty, .. })
        ),
        "{error}"
    );
    assert_eq!(batch(1, 0), Vec::<u8>::new());
}
