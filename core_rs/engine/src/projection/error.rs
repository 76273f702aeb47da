//! Why rows cannot be made.

use lockstock_journal::{OpenError, ReadError};
use lockstock_stock::codec::CodecError;
use lockstock_stock::ids::Sequence;

/// Why rows cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ProjectionError {
    /// The journal cannot be read.
    #[error("the journal cannot be read: {0}")]
    Journal(#[from] ReadError),
    /// A record is not an event.
    #[error("record {sequence} of the journal is not an event: {source}")]
    Record {
        /// Which.
        sequence: Sequence,
        /// Why.
        source: CodecError,
    },
    /// Events were read that do not follow one another.
    #[error("event {found} was read where {expected} must stand")]
    Gap {
        /// The next sequence.
        expected: Sequence,
        /// What stood there.
        found: Sequence,
    },
    /// The database has seen events that the journal does not have.
    #[error(
        "the database stands at sequence {database}, but the journal ends at {journal}: it belongs to another copy of the journal"
    )]
    Ahead {
        /// What the database says.
        database: Sequence,
        /// The last durable sequence.
        journal: Sequence,
    },
    /// An event names what the state does not know.
    #[error("an event up to {sequence} names {what} {number}, which the state does not know")]
    Unknown {
        /// The last event of the batch.
        sequence: Sequence,
        /// Of which kind.
        what: &'static str,
        /// Its number.
        number: u64,
    },
    /// So much moved that a sum does not fit 64 bits.
    #[error("what the events up to {sequence} move does not fit 64 bits: take fewer of them at once")]
    Overflow {
        /// The last event of the batch.
        sequence: Sequence,
    },
    /// No such table.
    #[error("there is no table {0:?}")]
    Table(String),
    /// History that is to be formatted cannot be read.
    #[error("the journal cannot be read: {0}")]
    History(String),
}

impl ProjectionError {
    /// Whether it may be over when the same is asked again: the disk refused something, as it does where a process
    /// has too many files open. All else is so for good.
    pub const fn may_pass(&self) -> bool {
        matches!(self, Self::Journal(ReadError::Journal(OpenError::Io(_))))
    }
}
