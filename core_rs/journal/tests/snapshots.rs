//! Snapshot files: whole or not there.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests may be blunt")]

mod common;

use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use common::TempDir;
use lockstock_journal::disk::Disk;
use lockstock_journal::disk::faulty::{FaultyDisk, Op};
use lockstock_journal::snapshot::{Body, Newest, Snapshot, Unusable, newest_on, write_on};
use lockstock_journal::{JournalId, SnapshotError, snapshot};

const JOURNAL: JournalId = [7; 16];

fn dir() -> &'static Path {
    Path::new("/snapshots")
}

/// About 2.5 MB for sequence 25: more than one piece.
fn body(sequence: u64) -> Vec<u8> {
    (0..sequence * 100_003).map(|at| u8::try_from((at * 31 + sequence) % 251).unwrap()).collect()
}

fn write(disk: &FaultyDisk, sequence: u64) -> Result<PathBuf, SnapshotError> {
    let body = body(sequence);
    write_on(disk, dir(), JOURNAL, sequence, sequence * 11, &mut |_| {}, |out| {
        body.chunks(7_001).try_for_each(|piece| out.write_all(piece))
    })
}

/// All of a body.
fn all(_: &Snapshot, body: &mut Body) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    body.read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    Ok(bytes)
}

fn newest(disk: &FaultyDisk) -> Newest<Vec<u8>> {
    newest_on(disk, dir(), JOURNAL, all).unwrap()
}

/// Its sequence, where there is one.
fn newest_sequence(disk: &FaultyDisk) -> Option<u64> {
    newest(disk).snapshot.map(|(found, _)| found.sequence)
}

fn assert_newest(disk: &FaultyDisk, sequence: u64) {
    let (found, bytes) = newest(disk).snapshot.unwrap();
    assert_eq!((found.sequence, found.state_hash, found.journal_id), (sequence, sequence * 11, JOURNAL));
    assert_eq!(bytes, body(sequence));
}

#[test]
fn a_snapshot_is_written_and_synced_in_pieces_so_that_no_sync_waits_behind_all_of_it() {
    let disk = FaultyDisk::new();
    write(&disk, 45).unwrap();
    assert!(disk.used() > 4 << 20);
    // A piece, and what was written beyond it at once.
    assert!(disk.synced_at_once_max() < (1 << 20) + 7_001, "{} bytes in one sync", disk.synced_at_once_max());
}

#[test]
fn an_old_snapshot_is_given_back_in_pieces_so_that_no_sync_waits_behind_all_of_it() {
    let disk = FaultyDisk::new();
    for sequence in 100..103 {
        write(&disk, sequence).unwrap();
    }
    assert_eq!(disk.list(dir()).unwrap().len(), 2);
    let most = disk.given_back_at_once_max();
    assert!((1..=4 << 20).contains(&most), "{most} of {} bytes at once", body(100).len());
}

#[test]
fn a_crash_while_an_old_snapshot_is_given_back_leaves_two_that_are_whole() {
    let before = FaultyDisk::new();
    for sequence in [50, 51] {
        write(&before, sequence).unwrap();
    }
    let whole = before.fork();
    write(&whole, 52).unwrap();
    // The rename, the sync of the name, a cut, its sync, the removal.
    for op in whole.ops() - 5..=whole.ops() {
        let disk = before.fork();
        disk.power_off_after(op);
        let _interrupted = write(&disk, 52);
        disk.crash(op);
        let sequence = newest_sequence(&disk).unwrap();
        assert_newest(&disk, sequence);
        assert!(disk.flip(&snapshot::path(dir(), sequence), 100, 1));
        assert_newest(&disk, sequence - 1);
    }
}

#[test]
fn a_snapshot_that_is_written_is_not_kept_in_memory() {
    let disk = FaultyDisk::new();
    let path = write(&disk, 25).unwrap();
    assert_eq!(disk.released(&path), body(25).len() as u64);
}

#[test]
fn the_newest_snapshot_is_found_and_two_are_kept() {
    let disk = FaultyDisk::new();
    assert_eq!(newest_sequence(&disk), None);
    for sequence in [3, 9, 25] {
        write(&disk, sequence).unwrap();
        assert_newest(&disk, sequence);
    }
    let mut names = disk.list(dir()).unwrap();
    names.sort();
    assert_eq!(names, ["snapshot-00000000000000000009.lks", "snapshot-00000000000000000025.lks"]);
}

#[test]
fn an_empty_body_is_a_snapshot() {
    let disk = FaultyDisk::new();
    write_on(&disk, dir(), JOURNAL, 1, 11, &mut |_| {}, |_| Ok(())).unwrap();
    let (found, bytes) = newest(&disk).snapshot.unwrap();
    assert_eq!((found.length, found.state_hash, bytes), (0, 11, Vec::new()));
}

#[test]
fn a_damaged_newest_snapshot_is_skipped_with_a_note_and_the_older_one_used() {
    let disk = FaultyDisk::new();
    write(&disk, 1).unwrap();
    let path = write(&disk, 2).unwrap();
    let length = disk.bytes(&path).unwrap().len() as u64;
    for at in (0..64).chain([64, 1000, 1 << 17, length - 1]) {
        let damaged = disk.fork();
        assert!(damaged.flip(&path, at, 8));
        let found = newest(&damaged);
        let why = if at < 64 { Unusable::Header } else { Unusable::Checksum };
        assert_eq!(found.skipped, [snapshot::Skipped { path: path.clone(), why }], "flipped at {at}");
        assert_newest(&damaged, 1);
    }
}

#[test]
fn the_checksum_is_of_the_whole_body_whatever_of_it_is_read() {
    let disk = FaultyDisk::new();
    let path = write(&disk, 9).unwrap();
    let begin = |_: &Snapshot, body: &mut Body| {
        let mut first = [0; 10];
        body.read_exact(&mut first).map(|()| first).map_err(|error| error.to_string())
    };
    assert_eq!(snapshot::read_on(&disk, dir(), JOURNAL, 9, begin).unwrap(), body(9)[..10]);
    assert!(disk.flip(&path, 9 * 100_000, 1));
    let error = snapshot::read_on(&disk, dir(), JOURNAL, 9, begin).unwrap_err();
    assert!(matches!(error, SnapshotError::Unusable { why: Unusable::Checksum, .. }), "{error}");
}

#[test]
fn a_snapshot_of_whose_body_nothing_can_be_made_is_skipped_and_says_why() {
    let disk = FaultyDisk::new();
    write(&disk, 1).unwrap();
    let path = write(&disk, 2).unwrap();
    let found = newest_on(&disk, dir(), JOURNAL, |snapshot, body| {
        if snapshot.sequence == 2 { Err("no state".to_owned()) } else { all(snapshot, body) }
    })
    .unwrap();
    assert_eq!(found.skipped, [snapshot::Skipped { path, why: Unusable::Body("no state".to_owned()) }]);
    assert_eq!(found.snapshot.unwrap().1, body(1));
}

#[test]
fn a_snapshot_that_is_cut_or_goes_on_is_skipped() {
    let disk = FaultyDisk::new();
    write(&disk, 1).unwrap();
    let path = write(&disk, 2).unwrap();
    let length = disk.bytes(&path).unwrap().len() as u64;
    for cut in [0, 10, 63, 64, 65, length - 1] {
        let damaged = disk.fork();
        assert!(damaged.truncate(&path, cut));
        assert_eq!(newest(&damaged).skipped.len(), 1, "cut at {cut}");
        assert_newest(&damaged, 1);
    }
    disk.open(&path, lockstock_journal::disk::Access::Write).unwrap().write_at(b"x", length).unwrap();
    let expected = length - 64;
    assert_eq!(newest(&disk).skipped[0].why, Unusable::Length { expected, found: expected + 1 });
}

#[test]
fn a_snapshot_of_another_journal_another_version_or_under_another_name_is_skipped() {
    let disk = FaultyDisk::new();
    write_on(&disk, dir(), [8; 16], 5, 1, &mut |_| {}, |out| out.write_all(b"foreign")).unwrap();
    assert_eq!(newest(&disk).skipped[0].why, Unusable::Foreign);

    let disk = FaultyDisk::new();
    let path = write(&disk, 1).unwrap();
    disk.rename(&path, &dir().join("snapshot-00000000000000000004.lks")).unwrap();
    assert_eq!(newest(&disk).skipped[0].why, Unusable::Misplaced(1));

    let disk = FaultyDisk::new();
    let path = write(&disk, 1).unwrap();
    let mut header = disk.bytes(&path).unwrap()[..64].to_vec();
    header[8..12].copy_from_slice(&2_u32.to_le_bytes());
    let crc = crc32c::crc32c(&header[..60]);
    header[60..].copy_from_slice(&crc.to_le_bytes());
    assert!(disk.overwrite(&path, 0, &header));
    assert_eq!(newest(&disk).skipped[0].why, Unusable::Version(2));
}

#[test]
fn whatever_fails_the_snapshots_that_were_there_still_are_and_leftovers_go_with_the_next() {
    for op in [Op::Create, Op::Write, Op::Sync, Op::Rename] {
        let disk = FaultyDisk::new();
        write(&disk, 1).unwrap();
        disk.fail(op, 1, ErrorKind::StorageFull);
        let error = write(&disk, 2).unwrap_err();
        assert!(matches!(&error, SnapshotError::Io(io) if io.is_full()), "{op:?}: {error}");
        assert_newest(&disk, 1);
        assert!(disk.list(dir()).unwrap().iter().any(|name| name.ends_with("tmp")), "{op:?}");
        write(&disk, 3).unwrap();
        assert_newest(&disk, 3);
        assert!(disk.list(dir()).unwrap().iter().all(|name| name.ends_with("lks")), "{op:?}");
    }
}

#[test]
fn a_body_that_cannot_be_written_makes_no_snapshot() {
    let disk = FaultyDisk::new();
    let failed = write_on(&disk, dir(), JOURNAL, 1, 1, &mut |_| {}, |out| {
        out.write_all(b"half")?;
        Err(std::io::Error::other("the state cannot be written"))
    });
    assert!(failed.unwrap_err().to_string().contains("the state cannot be written"));
    assert_eq!(newest_sequence(&disk), None);
}

#[test]
fn a_crash_at_any_operation_leaves_a_whole_newest_snapshot() {
    let count = {
        let disk = FaultyDisk::new();
        write(&disk, 1).unwrap();
        let before = disk.ops();
        write(&disk, 2).unwrap();
        disk.ops() - before
    };
    for op in 0..=count {
        for seed in 0..10 {
            let disk = FaultyDisk::new();
            write(&disk, 1).unwrap();
            disk.power_off_after(op);
            let written = write(&disk, 2).is_ok();
            disk.crash(seed);
            let found = newest(&disk);
            assert!(found.skipped.is_empty(), "op {op}, seed {seed}: {:?}", found.skipped);
            let sequence = found.snapshot.unwrap().0.sequence;
            assert!(sequence == 2 || (sequence == 1 && !written), "op {op}, seed {seed}");
            assert_newest(&disk, sequence);
        }
    }
}

#[test]
fn on_the_real_disk_snapshots_are_written_listed_and_read() {
    let temp = TempDir::new("snapshots");
    assert_eq!(snapshot::newest_sequence(&temp.0.join("none")).unwrap(), 0);
    for sequence in [4, 12] {
        snapshot::write(&temp.0, JOURNAL, sequence, 99, |out| out.write_all(&body(sequence))).unwrap();
    }
    assert_eq!(snapshot::list(&temp.0).unwrap(), [4, 12]);
    assert_eq!(snapshot::newest_sequence(&temp.0).unwrap(), 12);
    let (newest, bytes) = snapshot::newest(&temp.0, JOURNAL, all).unwrap().snapshot.unwrap();
    assert_eq!((newest.sequence, newest.state_hash, bytes), (12, 99, body(12)));
    assert_eq!(snapshot::read(&temp.0, JOURNAL, 4, all).unwrap(), body(4));
    let error = snapshot::read(&temp.0, [1; 16], 4, all).unwrap_err();
    assert!(matches!(error, SnapshotError::Unusable { why: Unusable::Foreign, .. }), "{error}");
}
