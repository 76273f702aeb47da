//! The snapshot's reader: the file around it, and the state in it.

use std::io::Read;
use std::path::Path;

use lockstock_journal::disk::faulty::FaultyDisk;
use lockstock_journal::disk::{Disk, DiskFile};
use lockstock_journal::snapshot::newest_on;
use lockstock_stock::state::State;

const FILE: &str = "/snapshots/snapshot-00000000000000000007.lks";
const HEADER: usize = 64;

/// The first byte says what the rest is: a state, or a file whose checksums are made to fit or are not.
pub fn snapshot(bytes: &[u8]) {
    match bytes.split_first() {
        None => {}
        Some((0, body)) => state(body),
        Some((mode, file)) => whole(file, *mode == 2),
    }
}

fn state(mut bytes: &[u8]) {
    let Ok(state) = State::read_snapshot(&mut bytes) else { return };
    assert_eq!(
        state.hash(),
        state.hash_from_scratch(),
        "the hash of what was read is the hash of what it holds"
    );
    let mut written = Vec::new();
    state.write_snapshot(&mut written).unwrap();
    let again = State::read_snapshot(&mut written.as_slice()).expect("what was written can be read");
    assert_eq!((again.hash(), again.sequence()), (state.hash(), state.sequence()));
    // It may hold nonsense that adds up in no way: that is said, not run into.
    let _said = state.check();
}

fn whole(bytes: &[u8], fitted: bool) {
    let mut bytes = bytes.to_vec();
    if fitted && bytes.len() >= HEADER {
        let length = (bytes.len() - HEADER) as u64;
        bytes[48..56].copy_from_slice(&length.to_le_bytes());
        let body = crc32c::crc32c(&bytes[HEADER..]);
        bytes[56..60].copy_from_slice(&body.to_le_bytes());
        let header = crc32c::crc32c(&bytes[..60]);
        bytes[60..64].copy_from_slice(&header.to_le_bytes());
    }
    let disk = FaultyDisk::new();
    disk.create(Path::new(FILE)).and_then(|file: Box<dyn DiskFile>| file.write_at(&bytes, 0)).unwrap();
    let newest = newest_on(&disk, Path::new("/snapshots"), [9; 16], |_, body| {
        let mut bytes = Vec::new();
        body.read_to_end(&mut bytes).map(|_| bytes).map_err(|error| error.to_string())
    });
    let newest = newest.unwrap();
    let Some((_, body)) = newest.snapshot else {
        assert_eq!(newest.skipped.len(), 1, "a file that cannot be used is said to be there");
        return;
    };
    assert_eq!(body, bytes[HEADER..], "what was checked is what is read");
    state(&body);
}
