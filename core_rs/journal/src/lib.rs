//! The journal: batches of records with sequences, durable on a disk that may tear, lose and lie.
//!
//! It knows bytes, not stock. A [`Segments`] appends batches as frames and is opened with a scan that tells a
//! torn tail (repaired) from damage (refused); a [`Reader`] follows it; an [`Index`] finds one record again;
//! [`snapshot`] keeps files of states; [`DirLock`] keeps a second process out.

mod cursor;
mod dir_lock;
pub mod disk;
mod error;
mod frame;
mod index;
mod log;
mod pieces;
mod reader;
mod recover;
mod segment;
pub mod snapshot;
mod spare;

pub use dir_lock::{DirLock, LockError};
pub use error::{Fault, IoError, LogError, OpenError, Proof, ReadError, SnapshotError};
pub use index::Index;
pub use log::{Durability, Log, Options, Segments, inspect, inspect_on};
pub use reader::Reader;
pub use recover::Recovered;
pub use segment::{SegmentInfo, journal_id, segments};

use std::io;
use std::path::Path;

/// A position in the journal: 1, 2, 3, ... without a gap. 0 is "before everything".
pub type Sequence = u64;

/// The identity of a journal: a random UUID given to it when it is created.
pub type JournalId = [u8; 16];

/// The format of segments this crate writes, and the newest it reads.
pub const FORMAT_VERSION: u32 = 1;

/// The smallest segment: a header block and room for frames.
pub const SEGMENT_BYTES_MIN: u64 = 64 * 1024;

/// The size of a segment unless a setting says otherwise.
pub const SEGMENT_BYTES_DEFAULT: u64 = 64 * 1024 * 1024;

/// The most bytes of records one append may carry.
pub const BATCH_BYTES_MAX: usize = 256 * 1024 * 1024;

/// What a disk writes at once and what segments are aligned to.
pub(crate) const BLOCK: u64 = 4096;

/// The bytes an unprivileged process may still write on the file system of `dir`.
pub fn free_bytes(dir: &Path) -> io::Result<u64> {
    use disk::Disk;
    disk::RealDisk.free_bytes(dir)
}

const _: () = assert!(usize::BITS == 64, "offsets of files are used as sizes in memory");

/// An offset or length of a file as a size in memory.
#[expect(clippy::cast_possible_truncation, reason = "a size has 64 bits, see the assertion above")]
pub(crate) const fn size(bytes: u64) -> usize {
    bytes as usize
}

/// A size in memory as an offset or length of a file.
pub(crate) const fn offset(bytes: usize) -> u64 {
    bytes as u64
}

/// The start of the block that `offset` lies in.
pub(crate) const fn block_floor(offset: u64) -> u64 {
    offset - offset % BLOCK
}

/// The end of the block that ends at or after `offset`.
pub(crate) const fn block_ceil(offset: u64) -> u64 {
    offset.next_multiple_of(BLOCK)
}
