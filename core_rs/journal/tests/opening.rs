//! What is torn, what is damage, and what opening leaves behind.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests may be blunt")]

mod common;

use common::{
    FIRST_FRAME, append, assert_holds, dir, encode, frame_at, frame_bytes, journal, open, open_proved,
    options, record, segment_path,
};
use lockstock_journal::disk::Disk;
use lockstock_journal::disk::faulty::FaultyDisk;
use lockstock_journal::{Fault, Log, OpenError, Options, Proof, Segments, inspect_on};

/// Records 1..=9 in three segments: 1 to 3, 4 to 6, 7 to 9.
fn three_segments() -> FaultyDisk {
    let disk = FaultyDisk::new();
    let (mut log, _) = open(&disk).unwrap();
    for sequence in 1..=9 {
        append(&mut log, sequence, sequence);
        if sequence % 3 == 0 {
            log.seal().unwrap();
        }
    }
    disk
}

fn refused(disk: &FaultyDisk) -> OpenError {
    let before: Vec<_> = (1..=3).map(|index| disk.bytes(&segment_path(index))).collect();
    let error = open(disk).err().expect("the journal is refused");
    let after: Vec<_> = (1..=3).map(|index| disk.bytes(&segment_path(index))).collect();
    assert_eq!(before, after, "a refusal changes nothing");
    error
}

#[test]
fn an_empty_directory_becomes_an_empty_journal_and_keeps_its_identity() {
    let disk = FaultyDisk::new();
    let (log, first) = open(&disk).unwrap();
    assert_eq!((first.first, first.last, first.torn_bytes, first.segments), (1, 0, 0, 1));
    assert_eq!(log.journal_id(), first.journal_id);
    assert_ne!(first.journal_id, open(&FaultyDisk::new()).unwrap().1.journal_id);
    let (_, again) = open(&disk).unwrap();
    assert_eq!(again, first);
}

#[test]
fn a_tail_frame_cut_at_any_byte_is_torn_and_the_rest_stands() {
    let whole = journal(4);
    let (start, end) = (frame_at(4), frame_at(4) + frame_bytes(4, 4));
    for cut in start..end {
        let disk = whole.fork();
        assert!(disk.truncate(&segment_path(1), cut));
        let (mut log, found) = open(&disk).unwrap();
        assert_eq!(found.last, 3, "cut at {cut}");
        append(&mut log, 4, 4);
        append(&mut log, 5, 6);
        assert_holds(&disk, 1, 6);
        let length = disk.bytes(&segment_path(1)).unwrap().len();
        assert_eq!(length, 64 * 1024, "the segment has its length again");
    }
}

#[test]
fn a_tail_frame_flipped_at_any_byte_is_torn_and_the_rest_stands() {
    let whole = journal(4);
    for at in frame_at(4)..frame_at(4) + frame_bytes(4, 4) {
        let disk = whole.fork();
        assert!(disk.flip(&segment_path(1), at, 0x10));
        let (mut log, found) = open(&disk).unwrap();
        assert_eq!(found.last, 3, "flipped at {at}");
        assert!(found.torn_bytes > 0);
        assert_holds(&disk, 1, 3);
        append(&mut log, 4, 4);
        assert_holds(&disk, 1, 4);
    }
}

#[test]
fn a_tail_frame_that_is_proved_durable_is_never_torn() {
    let whole = journal(4);
    let start = frame_at(4);
    for at in start..start + frame_bytes(4, 4) {
        let (flipped, cut) = (whole.fork(), whole.fork());
        assert!(flipped.flip(&segment_path(1), at, 1) && cut.truncate(&segment_path(1), at));
        for disk in [flipped, cut] {
            assert!(open_proved(&disk, 3).is_ok(), "the torn frame is after what is proved");
        }
        let (flipped, cut) = (whole.fork(), whole.fork());
        assert!(flipped.flip(&segment_path(1), at, 1) && cut.truncate(&segment_path(1), at));
        for disk in [flipped, cut] {
            let error = open_proved(&disk, 4).err().expect("refused");
            let OpenError::Damaged { segment: 1, offset, proof: Proof::Proved { sequence: 4 }, .. } = error
            else {
                panic!("{error}");
            };
            assert_eq!(offset, start);
        }
    }
}

#[test]
fn a_journal_that_ends_before_what_is_proved_is_refused() {
    let error = open_proved(&journal(4), 5).err().unwrap();
    assert!(
        matches!(
            error,
            OpenError::Damaged { segment: 1, why: Fault::Empty, proof: Proof::Proved { sequence: 5 }, .. }
        ),
        "{error}"
    );
    let error = open_proved(&FaultyDisk::new(), 5).err().unwrap();
    assert!(matches!(error, OpenError::Beginning { first: 0, proved: 5 }), "{error}");
}

#[test]
fn a_flip_at_rest_in_the_middle_is_refused_with_segment_and_offset() {
    let whole = journal(4);
    for at in FIRST_FRAME..frame_at(4) {
        let disk = whole.fork();
        assert!(disk.flip(&segment_path(1), at, 0x80));
        let bad = (1..=3).rev().find(|s| frame_at(*s) <= at).unwrap();
        let error = refused(&disk);
        let OpenError::Damaged { segment, offset, proof: Proof::LaterFrame { offset: witness }, .. } = error
        else {
            panic!("flipped at {at}: {error}");
        };
        assert_eq!((segment, offset, witness), (1, frame_at(bad), frame_at(bad + 1)));
    }
}

#[test]
fn a_bad_frame_in_a_segment_that_is_not_the_last_is_damage_even_at_its_end() {
    let disk = three_segments();
    let last_of_two = FIRST_FRAME + frame_bytes(4, 4) + frame_bytes(5, 5);
    assert!(disk.flip(&segment_path(2), last_of_two + 50, 1));
    let error = refused(&disk);
    let OpenError::Damaged { segment: 2, offset, why: Fault::Checksum, proof } = error else {
        panic!("{error}");
    };
    assert_eq!((offset, proof), (last_of_two, Proof::LaterSegment { segment: 3 }));
    assert_eq!(
        error.to_string(),
        format!(
            "segment 2 is damaged at offset {offset}: the checksum does not match (segment 3 was begun after it was durable)"
        )
    );
}

#[test]
fn a_header_flipped_at_any_byte_is_refused() {
    let whole = three_segments();
    for index in 1..=3 {
        for at in 0..FIRST_FRAME {
            let disk = whole.fork();
            assert!(disk.flip(&segment_path(index), at, 4));
            let error = open(&disk).err().expect("refused");
            let OpenError::Damaged { segment, offset: 0, why: Fault::Header, .. } = error else {
                panic!("segment {index}, byte {at}: {error}");
            };
            assert_eq!(segment, index);
        }
    }
}

#[test]
fn a_missing_segment_is_a_gap() {
    let disk = three_segments();
    disk.remove(&segment_path(2)).unwrap();
    let error = refused(&disk);
    assert!(matches!(error, OpenError::Gap { missing: 2, found: 3 }), "{error}");
    assert_eq!(error.to_string(), "segment 2 is missing: the next one there is 3");
}

#[test]
fn missing_first_segments_are_refused_unless_a_snapshot_holds_their_effects() {
    let disk = three_segments();
    disk.remove(&segment_path(1)).unwrap();
    let error = refused(&disk);
    assert!(matches!(error, OpenError::Beginning { first: 4, proved: 0 }), "{error}");
    let (_, found) = open_proved(&disk, 3).unwrap();
    assert_eq!((found.first, found.last, found.segments), (4, 9, 2));
}

#[test]
fn the_last_segment_missing_is_refused_when_its_records_are_proved() {
    let disk = three_segments();
    disk.remove(&segment_path(3)).unwrap();
    let error = open_proved(&disk, 9).err().unwrap();
    assert!(
        matches!(error, OpenError::Damaged { segment: 2, proof: Proof::Proved { sequence: 9 }, .. }),
        "{error}"
    );
}

#[test]
fn a_segment_of_another_journal_is_refused() {
    let (disk, other) = (three_segments(), three_segments());
    let foreign = other.bytes(&segment_path(2)).unwrap();
    assert!(disk.overwrite(&segment_path(2), 0, &foreign));
    let error = refused(&disk);
    assert!(matches!(error, OpenError::Foreign { segment: 2, .. }), "{error}");
}

#[test]
fn a_segment_under_anothers_name_is_refused() {
    let disk = three_segments();
    let third = disk.bytes(&segment_path(3)).unwrap();
    assert!(disk.overwrite(&segment_path(2), 0, &third));
    let error = refused(&disk);
    assert!(
        matches!(error, OpenError::Damaged { segment: 2, offset: 0, why: Fault::Misplaced { found: 3 }, .. }),
        "{error}"
    );
}

#[test]
fn an_unknown_format_version_is_refused_by_its_number() {
    let disk = three_segments();
    let mut header = disk.bytes(&segment_path(3)).unwrap()[..4096].to_vec();
    header[8..12].copy_from_slice(&7_u32.to_le_bytes());
    let crc = crc32c::crc32c(&header[..4092]);
    header[4092..].copy_from_slice(&crc.to_le_bytes());
    assert!(disk.overwrite(&segment_path(3), 0, &header));
    let error = refused(&disk);
    assert!(matches!(error, OpenError::UnknownVersion { segment: 3, found: 7, known: 1 }), "{error}");
}

#[test]
fn a_frame_copied_to_another_place_is_not_a_frame_there() {
    // The bytes of a good frame within a record of a user, behind a torn frame, do not make that damage.
    let disk = journal(3);
    let good = disk.bytes(&segment_path(1)).unwrap();
    let (from, to) = (usize::try_from(frame_at(3)).unwrap(), usize::try_from(frame_at(4)).unwrap());
    let (mut log, _) = open(&disk).unwrap();
    let disguised = vec![[vec![0; 4], good[from..to].to_vec()].concat()];
    log.append(4, 4, &encode(&disguised)).unwrap();
    drop(log);
    assert!(disk.flip(&segment_path(1), frame_at(4) + 8, 0x40));
    let (_, found) = open(&disk).unwrap();
    assert_eq!(found.last, 3);
}

/// A journal that begins with the records 1 and, of another history than `record`, what `second` appends; then,
/// from the history of `record`, the frame of 3 where it stood.
fn two_histories(second: impl FnOnce(&mut Segments)) -> FaultyDisk {
    let disk = journal(1);
    let (one, other) = (disk.fork(), disk.fork());
    let (mut log, _) = open(&one).unwrap();
    append(&mut log, 2, 2);
    append(&mut log, 3, 3);
    second(&mut open(&other).unwrap().0);
    let (from, to) = (usize::try_from(frame_at(3)).unwrap(), usize::try_from(frame_at(4)).unwrap());
    let third = &one.bytes(&segment_path(1)).unwrap()[from..to];
    assert!(other.overwrite(&segment_path(1), frame_at(3), third));
    other
}

#[test]
fn a_frame_that_was_written_after_another_one_breaks_the_chain() {
    let disk = two_histories(|log| log.append(2, 2, &encode(&[vec![9; record(2).len()]])).unwrap());
    let error = open_proved(&disk, 3).err().unwrap();
    assert!(matches!(error, OpenError::Damaged { segment: 1, why: Fault::Chain, .. }), "{error}");
    assert_eq!(open(&disk).unwrap().1.last, 2);
}

#[test]
fn a_frame_whose_sequence_does_not_follow_is_not_accepted() {
    // Two records in the room of one: the next must be 4, and it is 3.
    let disk =
        two_histories(|log| log.append(2, 3, &encode(&[vec![], vec![9; record(2).len() - 4]])).unwrap());
    let error = open_proved(&disk, 4).err().unwrap();
    let why = Fault::Order { expected: 4, found: 3 };
    assert!(matches!(error, OpenError::Damaged { segment: 1, why: found, .. } if found == why), "{error}");
    assert_eq!(open(&disk).unwrap().1.last, 3);
}

#[test]
fn a_segment_that_was_begun_after_another_one_breaks_the_chain() {
    let disk = journal(0);
    let (one, other) = (disk.fork(), disk.fork());
    for (machine, value) in [(&one, 1), (&other, 2)] {
        let (mut log, _) = open(machine).unwrap();
        log.append(1, 1, &encode(&[vec![value; 10]])).unwrap();
        log.seal().unwrap();
        append(&mut log, 2, 2);
    }
    assert!(one.overwrite(&segment_path(1), 0, &other.bytes(&segment_path(1)).unwrap()));
    let error = refused(&one);
    assert!(matches!(error, OpenError::Damaged { segment: 2, offset: 0, why: Fault::Chain, .. }), "{error}");
}

#[test]
fn opening_twice_in_a_row_is_the_same_as_once() {
    let disk = journal(4);
    assert!(disk.flip(&segment_path(1), frame_at(4) + 45, 1));
    let (_, first) = open(&disk).unwrap();
    let bytes = disk.bytes(&segment_path(1));
    let (_, second) = open(&disk).unwrap();
    assert!(first.torn_bytes > 0);
    assert_eq!((second.last, second.torn_bytes), (first.last, 0));
    assert_eq!(disk.bytes(&segment_path(1)), bytes);
    assert_eq!(
        bytes.unwrap()[usize::try_from(frame_at(4)).unwrap()..].iter().max(),
        Some(&0),
        "zeros behind"
    );
}

#[test]
fn an_inspection_finds_the_same_and_changes_nothing() {
    let disk = journal(4);
    assert!(disk.flip(&segment_path(1), frame_at(4) + 45, 1));
    let (before, ops) = (disk.bytes(&segment_path(1)), disk.ops());
    let inspected = inspect_on(&disk, dir(), 0).unwrap().unwrap();
    assert_eq!((disk.bytes(&segment_path(1)), disk.ops()), (before, ops));
    assert_eq!(inspected, open(&disk).unwrap().1);
    assert_eq!(inspect_on(&FaultyDisk::new(), dir(), 0).unwrap(), None);
}

#[test]
fn segments_whose_effects_a_snapshot_holds_are_not_read_but_later_ones_are() {
    let disk = three_segments();
    assert!(disk.flip(&segment_path(1), FIRST_FRAME + 60, 1));
    let trusting = |trusted| Segments::open(dir(), Options { trusted, proved: 3, ..options(&disk) });
    assert!(matches!(trusting(2).err().unwrap(), OpenError::Damaged { segment: 1, .. }));
    assert_eq!(trusting(3).unwrap().1.last, 9);
    assert!(disk.flip(&segment_path(2), FIRST_FRAME + 60, 1));
    assert!(matches!(trusting(3).err().unwrap(), OpenError::Damaged { segment: 2, .. }));
}

#[test]
fn a_segment_that_was_never_finished_is_removed() {
    let disk = journal(2);
    let spare = dir().join("segment-0000000002.lkj.tmp");
    disk.create(&spare).unwrap().write_at(b"half", 0).unwrap();
    assert_eq!(open(&disk).unwrap().1.segments, 1);
    assert_eq!(disk.bytes(&spare), None);
    assert_eq!(disk.list(dir()).unwrap(), ["segment-0000000001.lkj"]);
}

#[test]
fn a_segment_size_below_the_least_is_refused() {
    let error =
        Segments::open(dir(), Options { segment_bytes: 4096, ..options(&FaultyDisk::new()) }).err().unwrap();
    assert!(matches!(error, OpenError::SegmentBytes { asked: 4096, least: 65_536 }), "{error}");
}
