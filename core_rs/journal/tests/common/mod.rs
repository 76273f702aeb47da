//! What the tests share: records that can be told from one another, and journals of them.

#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests may be blunt")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use lockstock_journal::disk::Disk;
use lockstock_journal::disk::faulty::FaultyDisk;
use lockstock_journal::{
    Durability, Log, OpenError, Options, Reader, Recovered, SEGMENT_BYTES_MIN, Segments, Sequence,
};

/// The directory on a disk in memory.
pub const DIR: &str = "/journal";
/// The first frame of a segment stands behind its header block.
pub const FIRST_FRAME: u64 = 4096;

pub fn dir() -> &'static Path {
    Path::new(DIR)
}

pub fn segment_path(index: u64) -> PathBuf {
    dir().join(format!("segment-{index:010}.lkj"))
}

/// The record of a sequence: its length and bytes tell it from all others.
pub fn record(sequence: Sequence) -> Vec<u8> {
    let length = 8 + (sequence * 37 % 200);
    let rest = (8..length).map(|at| u8::try_from((sequence * 131 + at * 7) % 251).unwrap());
    sequence.to_le_bytes().into_iter().chain(rest).collect()
}

pub fn encode(records: &[Vec<u8>]) -> Vec<u8> {
    let framed =
        |record: &Vec<u8>| [&u32::try_from(record.len()).unwrap().to_le_bytes(), &record[..]].concat();
    records.iter().flat_map(framed).collect()
}

pub fn batch(first: Sequence, last: Sequence) -> Vec<u8> {
    encode(&(first..=last).map(record).collect::<Vec<_>>())
}

/// The bytes a frame of these records takes.
pub fn frame_bytes(first: Sequence, last: Sequence) -> u64 {
    (40 + batch(first, last).len() as u64).next_multiple_of(8)
}

pub fn options(disk: &FaultyDisk) -> Options {
    Options {
        segment_bytes: SEGMENT_BYTES_MIN,
        prepare_ahead: false,
        disk: Arc::new(disk.clone()),
        ..Options::default()
    }
}

pub fn open(disk: &FaultyDisk) -> Result<(Segments, Recovered), OpenError> {
    Segments::open(dir(), options(disk))
}

pub fn open_proved(disk: &FaultyDisk, proved: Sequence) -> Result<(Segments, Recovered), OpenError> {
    Segments::open(dir(), Options { proved, ..options(disk) })
}

pub fn open_async(disk: &FaultyDisk) -> Result<(Segments, Recovered), OpenError> {
    Segments::open(dir(), Options { durability: Durability::Async, ..options(disk) })
}

pub fn append(log: &mut Segments, first: Sequence, last: Sequence) {
    log.append(first, last, &batch(first, last)).expect("the append succeeds");
}

/// A journal with records `1..=last`, each its own frame.
pub fn journal(last: Sequence) -> FaultyDisk {
    let disk = FaultyDisk::new();
    let (mut log, _) = open(&disk).unwrap();
    for sequence in 1..=last {
        append(&mut log, sequence, sequence);
    }
    disk
}

/// Where the frame of `sequence` begins in a journal made by [`journal`] that has one segment.
pub fn frame_at(sequence: Sequence) -> u64 {
    FIRST_FRAME + (1..sequence).map(|s| frame_bytes(s, s)).sum::<u64>()
}

pub fn reader(disk: &FaultyDisk, from: Sequence) -> Reader {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    Reader::open_on(disk, dir(), from).unwrap()
}

/// Reads `from..=until` and compares each record with what was appended.
pub fn assert_holds(disk: &FaultyDisk, from: Sequence, until: Sequence) {
    let mut reader = reader(disk, from);
    for sequence in from..=until {
        let (found, bytes) = reader.next(until).unwrap().expect("the record is there");
        assert_eq!((found, bytes), (sequence, &record(sequence)[..]));
    }
    assert!(reader.next(until).unwrap().is_none(), "nothing comes after {until}");
}

/// A directory on the real disk that goes away with the value.
pub struct TempDir(pub PathBuf);

impl TempDir {
    pub fn new(name: &str) -> TempDir {
        let path = std::env::temp_dir().join(format!("lockstock-journal-{name}-{}", std::process::id()));
        if path.exists() {
            std::fs::remove_dir_all(&path).unwrap();
        }
        std::fs::create_dir_all(&path).unwrap();
        TempDir(path)
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}
