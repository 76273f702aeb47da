//! Why an event, or a whole state, cannot be: which identity is broken, and where.

use std::fmt;
use std::sync::Arc;

use crate::ids::{LineNo, Micros, Sequence};

/// The identities of `domain.md` section 2, and those of the indexes that make reading them fast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    /// A counter is within 0 and `COUNTER_MAX` (`available` and a pool's `quota` may be below zero).
    Range,
    /// `available` goes below zero only by a recorded loss.
    Available,
    /// `on_hand` is what the lifetime totals say.
    Conservation,
    /// The good units on hand are not below zero.
    GoodOnHand,
    /// What a line requested is what became of it.
    Line,
    /// A lock has a deadline.
    Deadline,
    /// What a transfer shipped is on its way or accounted for.
    Transfer,
    /// A closed transfer has nothing left to do.
    TransferClosed,
    /// What a receipt announced is expected or accounted for.
    Receipt,
    /// A closed warehouse is empty.
    Closed,
    /// A document of goods names each SKU once.
    Once,
    /// What a cell promises is what lines and transfers hold there.
    Promises,
    /// What a cell expects back is what lines expect back there.
    Returning,
    /// What is on its way to a cell is what receipts and transfers say.
    InTransit,
    /// What a SKU has claimed is what its lines have claimed.
    Claims,
    /// What a pool has locked and sold is what its lines have.
    Pool,
    /// An index (names, deadlines, arrivals) is what it indexes.
    Index,
}

impl Identity {
    /// The identity in words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Range => "a counter is within 0 and 10^15",
            Self::Available => "available goes below zero only by a recorded loss",
            Self::Conservation => {
                "available + locked + allocated + picking + defective = \
                 received + returned + found - shipped - lost - written_off"
            }
            Self::GoodOnHand => "on_hand - defective >= 0",
            Self::Line => {
                "requested = locked + deducted + unlocked + expired, \
                 deducted = allocated + picking + shipped + cancelled + claimed, returned + returning <= shipped"
            }
            Self::Deadline => "locked units have a deadline",
            Self::Transfer => "shipped - in_transit <= received + restored + damaged + lost",
            Self::TransferClosed => "a closed transfer has nothing allocated, picking or in_transit",
            Self::Receipt => "announced - expected <= received + missing",
            Self::Closed => "a CLOSED warehouse has nothing on hand, in transit or returning",
            Self::Once => "each SKU stands on one line only",
            Self::Promises => "locked, allocated and picking = what reservations and transfers hold",
            Self::Returning => "returning = what reservations expect back",
            Self::InTransit => "in_transit = what receipts expect + what transfers have on their way",
            Self::Claims => "claimed = what lines have claimed",
            Self::Pool => "the pool's locked and sold = those of its lines",
            Self::Index => "an index is what it indexes",
        }
    }
}

/// Where an identity is broken: what does not apply is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The SKU.
    pub sku: Option<Arc<str>>,
    /// The warehouse.
    pub warehouse: Option<Arc<str>>,
    /// The pool.
    pub pool: Option<Arc<str>>,
    /// The reservation, transfer or receipt.
    pub owner: Option<Arc<str>>,
    /// Its line; 0 for none.
    pub line: LineNo,
    /// The counter or index.
    pub counter: Option<&'static str>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts = [
            ("SKU", &self.sku),
            ("warehouse", &self.warehouse),
            ("pool", &self.pool),
            ("owner", &self.owner),
        ];
        let mut before = "";
        for (name, text) in texts {
            if let Some(text) = text {
                write!(f, "{before}{name} {text}")?;
                before = ", ";
            }
        }
        if self.line > 0 {
            write!(f, "{before}line {}", self.line)?;
            before = ", ";
        }
        self.counter.map_or(Ok(()), |counter| write!(f, "{before}{counter}"))
    }
}

/// Why an event cannot be applied, or a state cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Violation {
    /// The event is not the next one.
    Gap {
        /// The event's sequence.
        sequence: Sequence,
        /// What comes next.
        expected: Sequence,
    },
    /// The event is stamped before its predecessor.
    ClockBack {
        /// The event's sequence.
        sequence: Sequence,
        /// Its stamp.
        at: Micros,
        /// Its predecessor's.
        clock: Micros,
    },
    /// The event carries a request id that is known.
    KeyKnown {
        /// The event's sequence.
        sequence: Sequence,
        /// The sequence that carries it already.
        first: Sequence,
    },
    /// The event carries a request id from before the horizon.
    KeyForgotten {
        /// The event's sequence.
        sequence: Sequence,
        /// The horizon.
        horizon_ms: u64,
    },
    /// A checkpoint's hash is not the one of this state.
    Checkpoint {
        /// The event's sequence.
        sequence: Sequence,
        /// What the checkpoint says.
        journalled: u64,
        /// What this state has.
        kept: u64,
    },
    /// A change refers to something that is not there.
    Unknown {
        /// The event's sequence.
        sequence: Sequence,
        /// Which change, from 0.
        change: usize,
        /// What it refers to.
        what: &'static str,
        /// By which number.
        number: u64,
    },
    /// A change cannot be, whatever the state.
    Malformed {
        /// The event's sequence.
        sequence: Sequence,
        /// Which change, from 0.
        change: usize,
        /// Why not.
        why: &'static str,
    },
    /// An identity would not hold, or does not hold.
    Broken {
        /// The event's sequence; of a whole state its own.
        sequence: Sequence,
        /// Which identity.
        identity: Identity,
        /// Where.
        place: Box<Place>,
    },
    /// The hash that was kept is not the hash of what the state holds.
    Hash {
        /// The state's sequence.
        sequence: Sequence,
        /// The hash that was kept.
        kept: u64,
        /// The hash from scratch.
        computed: u64,
    },
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gap { sequence, expected } => write!(f, "sequence {sequence}: {expected} comes next"),
            Self::ClockBack { sequence, at, clock } => {
                write!(f, "sequence {sequence}: stamped {at}, before its predecessor's {clock}")
            }
            Self::KeyKnown { sequence, first } => {
                write!(f, "sequence {sequence}: its request id is that of sequence {first}")
            }
            Self::KeyForgotten { sequence, horizon_ms } => {
                write!(f, "sequence {sequence}: its request id is from before the horizon, {horizon_ms} ms")
            }
            Self::Checkpoint { sequence, journalled, kept } => {
                write!(
                    f,
                    "sequence {sequence}: the journalled state hash is {journalled:016x}, this state's {kept:016x}"
                )
            }
            Self::Unknown { sequence, change, what, number } => {
                write!(f, "sequence {sequence}, change {change}: there is no {what} {number}")
            }
            Self::Malformed { sequence, change, why } => {
                write!(f, "sequence {sequence}, change {change}: {why}")
            }
            Self::Broken { sequence, identity, place } => {
                write!(f, "sequence {sequence}: does not hold: {} ({place})", identity.words())
            }
            Self::Hash { sequence, kept, computed } => {
                write!(
                    f,
                    "sequence {sequence}: the state hash is kept as {kept:016x} and computes to {computed:016x}"
                )
            }
        }
    }
}

impl std::error::Error for Violation {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_violation_names_sequence_identity_and_place() {
        let place =
            Place { sku: Some("book".into()), warehouse: Some("SH".into()), line: 2, ..Place::default() };
        let violation =
            Violation::Broken { sequence: 7, identity: Identity::GoodOnHand, place: Box::new(place) };
        assert_eq!(
            violation.to_string(),
            "sequence 7: does not hold: on_hand - defective >= 0 (SKU book, warehouse SH, line 2)"
        );
    }
}
