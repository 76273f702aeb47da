//! Why bytes cannot be read.

use std::fmt;
use std::io;

/// Why bytes are not an event or a snapshot. Offsets count from the start of the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CodecError {
    /// The bytes end in the middle of something.
    Truncated {
        /// Where more was needed.
        at: usize,
    },
    /// More bytes follow than there should be.
    Trailing {
        /// Where the end should have been.
        at: usize,
    },
    /// A format version that this program does not know.
    UnknownVersion {
        /// The version.
        version: u8,
    },
    /// A number that stands for nothing this program knows.
    UnknownNumber {
        /// Of what.
        what: &'static str,
        /// The number.
        number: u64,
        /// Where.
        at: usize,
    },
    /// A number that does not fit, or is written longer than it must be.
    BadNumber {
        /// Where.
        at: usize,
    },
    /// A length beyond what follows.
    TooLong {
        /// The length.
        length: u64,
        /// Where.
        at: usize,
    },
    /// Text that is not UTF-8.
    NotUtf8 {
        /// Where.
        at: usize,
    },
    /// Written in another way than the one there is.
    NotCanonical {
        /// What.
        what: &'static str,
        /// Where.
        at: usize,
    },
    /// A snapshot's parts contradict each other.
    Inconsistent {
        /// What.
        what: &'static str,
        /// Which one, where they are numbered.
        number: u64,
    },
    /// The snapshot's state does not have the hash it says.
    HashMismatch {
        /// What the snapshot says.
        written: u64,
        /// What its state has.
        computed: u64,
    },
    /// The input could not be read.
    Io {
        /// What kind of failure.
        kind: io::ErrorKind,
        /// In words.
        words: String,
    },
}

impl fmt::Display for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { at } => write!(f, "the bytes end at {at}, in the middle of something"),
            Self::Trailing { at } => write!(f, "there are bytes after the end, at {at}"),
            Self::UnknownVersion { version } => write!(f, "format version {version} is not known"),
            Self::UnknownNumber { what, number, at } => write!(f, "there is no {what} {number} (at {at})"),
            Self::BadNumber { at } => write!(f, "the number at {at} does not fit or is written too long"),
            Self::TooLong { length, at } => write!(f, "the length {length} at {at} is beyond the end"),
            Self::NotUtf8 { at } => write!(f, "the text at {at} is not UTF-8"),
            Self::NotCanonical { what, at } => {
                write!(f, "{what} is written in another way than the one there is (at {at})")
            }
            Self::Inconsistent { what, number } => {
                write!(f, "the snapshot contradicts itself: {what} {number}")
            }
            Self::HashMismatch { written, computed } => {
                write!(f, "the snapshot says its state hash is {written:016x}, but it is {computed:016x}")
            }
            Self::Io { words, .. } => write!(f, "the input cannot be read: {words}"),
        }
    }
}

impl std::error::Error for CodecError {}

impl From<io::Error> for CodecError {
    fn from(error: io::Error) -> Self {
        Self::Io { kind: error.kind(), words: error.to_string() }
    }
}
