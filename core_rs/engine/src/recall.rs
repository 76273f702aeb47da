//! The first answer again: a repeated key finds its event in the journal.

use std::sync::Arc;

use lockstock_journal::disk::Disk;
use lockstock_journal::{Index, ReadError};
use lockstock_stock::codec::CodecError;
use lockstock_stock::event::{Event, Fingerprint};
use lockstock_stock::ids::Sequence;

use crate::config::Layout;

/// Why a repeated key does not get the first answer.
#[derive(Debug, thiserror::Error)]
pub enum RecallError {
    /// The key came with another body.
    #[error("the request id was used for sequence {sequence}, which differs in field {field}")]
    Reused {
        /// The number of the first field that differs; 0 is the operation itself.
        field: u32,
        /// The sequence of the first use.
        sequence: Sequence,
    },
    /// Asked too early: wait until the sequence is durable.
    #[error("sequence {sequence} is not durable, {durable} is")]
    NotDurable {
        /// What was asked for.
        sequence: Sequence,
        /// How far the journal is.
        durable: Sequence,
    },
    /// The journal cannot be read.
    #[error("sequence {sequence} cannot be read again: {source}")]
    Read {
        /// What was asked for.
        sequence: Sequence,
        /// Why not.
        source: ReadError,
    },
    /// The record is no event.
    #[error("sequence {sequence} cannot be understood: {source}")]
    Decode {
        /// What was asked for.
        sequence: Sequence,
        /// Why not.
        source: CodecError,
    },
}

/// Single records of the journal, by sequence.
pub(crate) struct Records {
    index: Index,
}

impl Records {
    pub fn of(disk: Arc<dyn Disk>, layout: &Layout) -> Self {
        Self { index: Index::on(disk, &layout.journal) }
    }

    pub fn event(&self, sequence: Sequence) -> Result<Event, RecallError> {
        let bytes = self.index.record(sequence).map_err(|source| RecallError::Read { sequence, source })?;
        Event::decode(&bytes).map_err(|source| RecallError::Decode { sequence, source })
    }
}

/// The first field, by number, that stands in one and not in the other or with another hash.
pub(crate) fn first_difference(first: &Fingerprint, again: &Fingerprint) -> Option<u32> {
    if first == again {
        return None;
    }
    let mut left = first.fields.iter().peekable();
    let mut right = again.fields.iter().peekable();
    loop {
        match (left.peek(), right.peek()) {
            (Some(a), Some(b)) if a == b => {
                left.next();
                right.next();
            }
            (Some((a, _)), Some((b, _))) => return Some(*a.min(b)),
            (Some((field, _)), None) | (None, Some((field, _))) => return Some(*field),
            // All fields agree and the digests do not: what differs is none of the fields.
            (None, None) => return Some(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn print(digest: u64, fields: &[(u32, u32)]) -> Fingerprint {
        Fingerprint { digest, fields: fields.to_vec() }
    }

    #[test]
    fn the_first_field_that_differs_is_named() {
        let first = print(1, &[(0, 9), (2, 20), (5, 50)]);
        for (again, expected) in [
            (print(1, &[(0, 9), (2, 20), (5, 50)]), None),
            (print(2, &[(0, 8), (2, 21), (5, 50)]), Some(0)),
            (print(2, &[(0, 9), (2, 21), (5, 51)]), Some(2)),
            (print(2, &[(0, 9), (5, 50)]), Some(2)),
            (print(2, &[(0, 9), (1, 1), (2, 20), (5, 50)]), Some(1)),
            (print(2, &[(0, 9), (2, 20)]), Some(5)),
            (print(2, &[(0, 9), (2, 20), (5, 50), (6, 1)]), Some(6)),
            (print(2, &[(0, 9), (2, 20), (5, 50)]), Some(0)),
        ] {
            assert_eq!(first_difference(&first, &again), expected, "{again:?}");
        }
    }
}
