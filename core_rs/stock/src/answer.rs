//! What an operation is answered with: a view of its event with names for numbers. The first answer and
//! the answer to a repeated request come from the same function over the same event.

use std::sync::Arc;

use crate::event::{ExceptionKind, Outcome};
use crate::ids::{LineNo, Micros, RequestKey, Sequence, Units};
use crate::movement::Kind;

/// A movement with names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedMovement {
    /// Which row of the table of movements.
    pub kind: Kind,
    /// The SKU.
    pub sku: Arc<str>,
    /// The warehouse, for kinds that touch a cell.
    pub warehouse: Option<Arc<str>>,
    /// The reservation, transfer or receipt.
    pub owner: Option<Arc<str>>,
    /// The owner's line; 0 without an owner.
    pub line: LineNo,
    /// Units.
    pub quantity: Units,
    /// The pool, for kinds with pool counters.
    pub pool: Option<Arc<str>>,
}

/// An exception with names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedException {
    /// What kind.
    pub kind: ExceptionKind,
    /// The SKU.
    pub sku: Arc<str>,
    /// Where it showed.
    pub warehouse: Arc<str>,
    /// Units short.
    pub quantity: Units,
    /// The reservation concerned.
    pub reservation: Option<Arc<str>>,
}

/// The answer to an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The journal record's sequence.
    pub sequence: Sequence,
    /// When it was applied.
    pub at: Micros,
    /// The idempotency key.
    pub key: RequestKey,
    /// What came of it.
    pub outcome: Outcome,
    /// The reservation, transfer or receipt it created or changed; of an exchange the replacement.
    pub owner: Option<Arc<str>>,
    /// The deadline that this operation set, if it set one.
    pub deadline: Option<Micros>,
    /// What moved (`REFUSE` rows apart).
    pub movements: Vec<NamedMovement>,
    /// What `ALLOW_PARTIAL` did not grant.
    pub refused: Vec<(LineNo, Units)>,
    /// False where a split was found greedily.
    pub split_exact: bool,
    /// What was put on record for a person.
    pub exceptions: Vec<NamedException>,
}
