//! What can go wrong, as values.

use std::io;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::Sequence;

/// The disk refused something.
#[derive(Debug, thiserror::Error)]
#[error("cannot {doing} {}: {source}", path.display())]
pub struct IoError {
    /// What was tried, as a verb: "write", "sync".
    pub doing: &'static str,
    /// The file or directory.
    pub path: PathBuf,
    /// What the disk said.
    pub source: io::Error,
}

impl IoError {
    /// For `map_err`: what was tried, and where.
    pub(crate) fn at(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> IoError {
        move |source| IoError { doing, path: path.to_path_buf(), source }
    }

    /// Whether the disk is full.
    pub fn is_full(&self) -> bool {
        matches!(self.source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
    }
}

/// Why bytes are not the frame or the header that must stand there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Neither a frame nor the beginning of one.
    #[error("no frame stands here")]
    Empty,
    /// A length that the segment cannot hold.
    #[error("the frame runs past the end of the segment")]
    Overrun,
    /// CRC-32C differs.
    #[error("the checksum does not match")]
    Checksum,
    /// The frame before this one is not the one it was written after.
    #[error("the chain is broken: it follows another frame")]
    Chain,
    /// Sequences do not go on by one.
    #[error("it begins at sequence {found} where {expected} must follow")]
    Order {
        /// What must follow.
        expected: Sequence,
        /// What stands there.
        found: Sequence,
    },
    /// The payload is not as many records as the header says.
    #[error("its bytes are not the records its header names")]
    Records,
    /// The header block of a segment is not one, or not whole.
    #[error("the header of the segment is not readable")]
    Header,
    /// The header names another segment than the file's name does.
    #[error("the header says segment {found}")]
    Misplaced {
        /// What the header says.
        found: u64,
    },
}

/// Why a fault is damage and not the torn end of a batch that nobody was told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Proof {
    /// Headers are durable before a segment is used.
    #[error("headers are synced before use")]
    HeaderFirst,
    /// A later segment exists, and this one was durable before that was begun.
    #[error("segment {segment} was begun after it was durable")]
    LaterSegment {
        /// The later segment.
        segment: u64,
    },
    /// A good frame stands behind it, written when this was durable.
    #[error("the frame at offset {offset} was written after it was durable")]
    LaterFrame {
        /// Where the good frame stands.
        offset: u64,
    },
    /// A snapshot or the database has seen it.
    #[error("sequence {sequence} is proved durable")]
    Proved {
        /// What is proved.
        sequence: Sequence,
    },
    /// A reader was told that it is durable.
    #[error("sequence {sequence} was said to be there")]
    Told {
        /// What the reader asked for.
        sequence: Sequence,
    },
}

/// Why a journal cannot be opened. Nothing was changed on the disk, except in the case of `Io`.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The disk refused something.
    #[error(transparent)]
    Io(#[from] IoError),
    /// Bytes that were durable are not there any more.
    #[error("segment {segment} is damaged at offset {offset}: {why} ({proof})")]
    Damaged {
        /// The index of the segment.
        segment: u64,
        /// Where in its file the first bad byte's frame begins.
        offset: u64,
        /// What is wrong there.
        why: Fault,
        /// Why it is not a torn tail.
        proof: Proof,
    },
    /// Written by a newer release.
    #[error("segment {segment} has format version {found}; this release reads up to {known}")]
    UnknownVersion {
        /// The index of the segment.
        segment: u64,
        /// Its version.
        found: u32,
        /// The newest version known here.
        known: u32,
    },
    /// A segment between two others is missing.
    #[error("segment {missing} is missing: the next one there is {found}")]
    Gap {
        /// The first index that is missing.
        missing: u64,
        /// The next one that is there.
        found: u64,
    },
    /// The segments that held the first records are missing, or all of them.
    #[error("the journal begins at sequence {first}, but records after {proved} are needed")]
    Beginning {
        /// The first sequence there; 0 where there is no segment at all.
        first: Sequence,
        /// Up to where a snapshot or the database knows the records.
        proved: Sequence,
    },
    /// A segment of another journal.
    #[error("segment {segment} belongs to journal {}, not to {}", Uuid::from_bytes(*found), Uuid::from_bytes(*expected))]
    Foreign {
        /// The index of the segment.
        segment: u64,
        /// The journal's own identity.
        expected: crate::JournalId,
        /// The one in the segment.
        found: crate::JournalId,
    },
    /// A setting that cannot be.
    #[error("segments of {asked} bytes are too small: at least {least}")]
    SegmentBytes {
        /// The setting.
        asked: u64,
        /// The least it may be.
        least: u64,
    },
}

/// Why an append failed. Each of them poisons the log: nothing may be appended after it.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The disk refused something. What was being appended may or may not be found after a restart.
    #[error(transparent)]
    Io(#[from] IoError),
    /// An earlier append failed.
    #[error("the journal takes no more records since it failed: {why}")]
    Poisoned {
        /// What failed then.
        why: String,
    },
    /// The batch does not follow the last one.
    #[error("a batch {first}..={last} cannot follow sequence {after}")]
    Order {
        /// First of the batch.
        first: Sequence,
        /// Last of the batch.
        last: Sequence,
        /// The last sequence in the journal.
        after: Sequence,
    },
    /// The bytes are not the records they are said to be.
    #[error("a batch of {bytes} bytes does not hold exactly {records} records")]
    Records {
        /// Length of the batch.
        bytes: usize,
        /// What it should hold.
        records: u64,
    },
    /// More than one frame can carry.
    #[error("a batch of {bytes} bytes is over the limit of {most}")]
    TooLarge {
        /// Length of the batch.
        bytes: usize,
        /// The limit.
        most: usize,
    },
}

/// Why a record cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// A segment cannot be read, or is damaged.
    #[error(transparent)]
    Journal(#[from] OpenError),
    /// The record stood in a segment that has been removed.
    #[error("sequence {sequence} is not in the journal any more: it begins at {oldest}")]
    Gone {
        /// What was asked for.
        sequence: Sequence,
        /// The first sequence that is there.
        oldest: Sequence,
    },
    /// The record has not been appended.
    #[error("sequence {sequence} is not in the journal yet")]
    Missing {
        /// What was asked for.
        sequence: Sequence,
    },
}

impl From<IoError> for ReadError {
    fn from(error: IoError) -> Self {
        Self::Journal(error.into())
    }
}

/// Why a snapshot cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The disk refused something, or the writer of the body did.
    #[error(transparent)]
    Io(#[from] IoError),
    /// The file is not a whole snapshot of this journal.
    #[error("the snapshot {} cannot be used: {why}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why not.
        why: crate::snapshot::Unusable,
    },
}
