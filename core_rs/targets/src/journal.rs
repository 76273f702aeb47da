//! The journal's reader: whatever stands in a segment, it is refused, or read to the end that was promised.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use lockstock_journal::disk::faulty::FaultyDisk;
use lockstock_journal::{Log, Options, Reader, SEGMENT_BYTES_MIN, Segments, inspect_on};

use crate::pieces;

const DIR: &str = "/journal";
const SEGMENT: &str = "/journal/segment-0000000001.lkj";
const BLOCK: usize = 4_096;
const FRAME_HEADER: usize = 40;

fn options(disk: &FaultyDisk) -> Options {
    Options {
        segment_bytes: SEGMENT_BYTES_MIN,
        prepare_ahead: false,
        begun_as: Some([9; 16]),
        disk: Arc::new(disk.clone()),
        ..Options::default()
    }
}

fn record(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap();
    [&length.to_le_bytes(), bytes].concat()
}

/// Six good frames in one segment.
fn good() -> FaultyDisk {
    static GOOD: OnceLock<FaultyDisk> = OnceLock::new();
    let disk = GOOD.get_or_init(|| {
        let disk = FaultyDisk::new();
        let (mut log, _) = Segments::open(Path::new(DIR), options(&disk)).unwrap();
        for sequence in 1..=6_u64 {
            let bytes = vec![u8::try_from(sequence).unwrap(); 30 * usize::try_from(sequence).unwrap()];
            log.append(sequence, sequence, &record(&bytes)).unwrap();
        }
        disk
    });
    disk.fork()
}

/// The first byte says what the rest is: the beginning of the segment as it is, or pieces that each begin with
/// where in the used part of a good segment they go (`u16`); and whether checksums are made to fit afterwards, so
/// that what stands behind them is reached.
pub fn journal(bytes: &[u8]) {
    let Some((mode, rest)) = bytes.split_first() else { return };
    let disk = good();
    let path = Path::new(SEGMENT);
    let mut segment = disk.bytes(path).unwrap();
    if mode & 1 == 0 {
        put(&mut segment, 0, rest);
    } else {
        for piece in pieces(rest) {
            let Some((at, with)) = piece.split_first_chunk::<2>() else { continue };
            put(&mut segment, usize::from(u16::from_le_bytes(*at)), with);
        }
    }
    if mode & 2 != 0 {
        fit(&mut segment);
    }
    assert!(disk.overwrite(path, 0, &segment));
    read(&disk);
}

fn put(segment: &mut [u8], at: usize, with: &[u8]) {
    let end = segment.len().min(at + with.len());
    segment[at..end].copy_from_slice(&with[..end - at]);
}

/// Makes the checksums of the header and of the frames that can be found fit what they stand for.
fn fit(segment: &mut [u8]) {
    // A length that the header says and a disk cannot have is the disk's to refuse.
    segment[48..56].copy_from_slice(&SEGMENT_BYTES_MIN.to_le_bytes());
    let crc = crc32c::crc32c(&segment[..BLOCK - 4]);
    segment[BLOCK - 4..BLOCK].copy_from_slice(&crc.to_le_bytes());
    let mut at = BLOCK;
    while let Some(length) = segment.get(at + 4..at + 8) {
        let length = u32::from_le_bytes(length.try_into().unwrap()) as usize;
        let end = at + (FRAME_HEADER + length).next_multiple_of(8);
        if length == 0 || end > segment.len() {
            return;
        }
        let crc = crc32c::crc32c(&segment[16..40]);
        let crc = crc32c::crc32c_append(crc, &(at as u64).to_le_bytes());
        let crc = crc32c::crc32c_append(crc, &segment[at..at + FRAME_HEADER - 4]);
        let crc = crc32c::crc32c_append(crc, &segment[at + FRAME_HEADER..end]);
        segment[at + FRAME_HEADER - 4..at + FRAME_HEADER].copy_from_slice(&crc.to_le_bytes());
        at = end;
    }
}

fn read(disk: &FaultyDisk) {
    let dir = Path::new(DIR);
    let before = disk.bytes(Path::new(SEGMENT));
    let inspected = inspect_on(disk, dir, 0);
    let opened = Segments::open(dir, options(disk));
    let (Ok(Some(found)), Ok((mut log, recovered))) = (&inspected, opened) else {
        assert!(inspected.is_err(), "what can be inspected can be opened");
        assert_eq!(disk.bytes(Path::new(SEGMENT)), before, "a refusal changes nothing");
        return;
    };
    assert_eq!(*found, recovered, "an inspection finds what opening finds");
    if found.last >= found.first {
        let mut reader = Reader::open_on(Arc::new(disk.clone()), dir, found.first).unwrap();
        for sequence in found.first..=found.last {
            let next = reader.next(found.last).expect("what was accepted can be read");
            assert_eq!(next.map(|(at, _)| at), Some(sequence));
        }
    }
    let next = found.last + 1;
    if log.append(next, next, &record(b"more")).is_ok() {
        drop(log);
        let (_, again) = Segments::open(dir, options(disk)).expect("what was written can be opened");
        assert_eq!((again.last, again.torn_bytes), (next, 0));
    }
}
