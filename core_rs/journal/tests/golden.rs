//! Journals of released formats open and give the same records for ever.
//!
//! `golden/format-1` was made once by `cargo run -p lockstock-journal --example make_golden -- DIR` and is never
//! made again. A new format gets a directory and a test beside this one.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests may be blunt")]

mod common;

use std::io::Read;
use std::path::{Path, PathBuf};

use common::TempDir;
use lockstock_journal::{Index, Log, OpenError, Options, Reader, Recovered, Segments, inspect, snapshot};

const JOURNAL: [u8; 16] =
    [0xf6, 0xc7, 0xa0, 0xee, 0xe6, 0x18, 0x4b, 0xde, 0x8f, 0x13, 0xda, 0x4d, 0x53, 0x8f, 0xba, 0x2b];

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/format-1")
}

/// A copy, because opening writes the tail again.
fn copied(name: &str) -> TempDir {
    let temp = TempDir::new(name);
    for entry in std::fs::read_dir(golden()).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), temp.0.join(entry.file_name())).unwrap();
    }
    temp
}

fn expected() -> Recovered {
    Recovered { journal_id: JOURNAL, first: 1, last: 100, torn_bytes: 0, segments: 2 }
}

#[test]
fn the_golden_journal_of_format_1_gives_its_records() {
    assert_eq!(inspect(&golden(), 100).unwrap(), Some(expected()));
    let mut reader = Reader::open(&golden(), 1).unwrap();
    let index = Index::new(&golden());
    for sequence in 1..=100_u8 {
        let record = vec![sequence; usize::from(sequence)];
        assert_eq!(reader.next(100).unwrap(), Some((u64::from(sequence), &record[..])));
        assert_eq!(index.record(u64::from(sequence)).unwrap(), record);
    }
    assert!(reader.next(100).unwrap().is_none());
}

#[test]
fn opening_the_golden_journal_changes_no_byte_and_it_goes_on() {
    let temp = copied("golden");
    let (log, found) = Segments::open(&temp.0, Options { proved: 100, ..Options::default() }).unwrap();
    assert_eq!(found, expected());
    drop(log);
    for name in ["segment-0000000001.lkj", "segment-0000000002.lkj"] {
        assert_eq!(std::fs::read(temp.0.join(name)).unwrap(), std::fs::read(golden().join(name)).unwrap());
    }
    let (mut log, _) = Segments::open(&temp.0, Options::default()).unwrap();
    log.append(101, 101, &common::encode(&[vec![1, 2, 3]])).unwrap();
    assert_eq!(Index::new(&temp.0).record(101).unwrap(), [1, 2, 3]);
    assert_eq!(inspect(&temp.0, 101).unwrap().unwrap().last, 101);
}

#[test]
fn the_golden_journal_with_one_bit_changed_is_refused() {
    let temp = copied("golden-damaged");
    let path = temp.0.join("segment-0000000001.lkj");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[4096 + 48 + 41] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let error = inspect(&temp.0, 0).unwrap_err();
    assert!(matches!(error, OpenError::Damaged { segment: 1, offset: 4144, .. }), "{error}");
}

#[test]
fn the_golden_snapshot_of_format_1_gives_its_body() {
    let found = snapshot::newest(&golden(), JOURNAL, |_, body| {
        let mut text = String::new();
        body.read_to_string(&mut text).map(|_| text).map_err(|error| error.to_string())
    });
    let (snapshot, body) = found.unwrap().snapshot.unwrap();
    assert_eq!(
        (snapshot.sequence, snapshot.state_hash, &body[..]),
        (60, 0x0123_4567_89AB_CDEF, "a golden body")
    );
}
