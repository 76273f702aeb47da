//! What an operation is answered with: a view of its event with names for numbers. The first answer and
//! the answer to a repeated request come from the same function over the same event.

use std::sync::Arc;

use crate::event::{Change, Event, Exception, ExceptionKind, Operation, Outcome};
use crate::few::Few;
use crate::ids::{LineNo, Micros, OwnerNo, RequestKey, Sequence, Units};
use crate::movement::{Kind, Movement, OwnerKind};
use crate::state::State;

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
    pub movements: Few<NamedMovement>,
    /// What `ALLOW_PARTIAL` did not grant.
    pub refused: Vec<(LineNo, Units)>,
    /// False where a split was found greedily.
    pub split_exact: bool,
    /// What was put on record for a person.
    pub exceptions: Vec<NamedException>,
}

impl State {
    /// The answer to an event that this state has applied, now or long ago.
    ///
    /// An event that it has not applied may refer to what is not there; that is named by its number (`#7`).
    #[must_use]
    pub fn answer(&self, event: &Event) -> Answer {
        let owner = answers_for(event);
        let mut answer = Answer {
            sequence: event.sequence,
            at: event.at,
            key: event.key,
            outcome: event.outcome,
            owner: owner.and_then(|(kind, no)| match event.changes.first() {
                // Nearly every event that creates one says so first, and has its name at hand.
                Some(Change::Reservation(new)) if kind == OwnerKind::Reservation => Some(Arc::from(&*new.id)),
                _ => self.owner_name(kind, no),
            }),
            deadline: None,
            movements: Few::new(),
            refused: Vec::new(),
            split_exact: event.split_exact,
            exceptions: Vec::new(),
        };
        for change in &event.changes {
            match change {
                Change::Movement(movement) if movement.kind == Kind::Refuse => {
                    answer.refused.push((movement.line, movement.quantity));
                }
                Change::Movement(movement) => {
                    answer.movements.push(self.name_movement(movement, owner.zip(answer.owner.as_ref())));
                }
                Change::Reservation(new) if new.deadline != 0 => answer.deadline = Some(new.deadline),
                Change::Deadline { reservation, deadline, .. }
                    if owner == Some((OwnerKind::Reservation, *reservation)) =>
                {
                    answer.deadline = Some(*deadline).filter(|deadline| *deadline != 0);
                }
                Change::Exception(exception) => answer.exceptions.push(self.name_exception(exception)),
                _ => {}
            }
        }
        answer
    }

    fn owner_name(&self, kind: OwnerKind, no: OwnerNo) -> Option<Arc<str>> {
        let name = match kind {
            OwnerKind::None => return None,
            OwnerKind::Reservation => self.reservation(no).map(|owner| Arc::from(&*owner.id)),
            OwnerKind::Transfer => self.transfer(no).map(|owner| Arc::clone(&owner.id)),
            OwnerKind::Receipt => self.receipt(no).map(|owner| Arc::clone(&owner.id)),
        };
        Some(name.unwrap_or_else(|| numbered(no.0)))
    }

    /// The answer's owner is named once: nearly all movements are its own.
    fn name_movement(
        &self,
        movement: &Movement,
        known: Option<((OwnerKind, OwnerNo), &Arc<str>)>,
    ) -> NamedMovement {
        let Movement { kind, sku, warehouse, pool, owner, line, quantity } = *movement;
        NamedMovement {
            kind,
            sku: named(self.skus().get(sku.at()).map(|sku| &sku.id), sku.0),
            warehouse: warehouse.map(|at| named(self.warehouses().get(at.at()).map(|at| &at.id), at.0)),
            owner: owner.and_then(|no| match known {
                Some((owner, name)) if owner == (kind.owner(), no) => Some(Arc::clone(name)),
                _ => self.owner_name(kind.owner(), no),
            }),
            line,
            quantity,
            pool: (!kind.row().pool.is_empty()).then(|| named(self.pools.get(pool.at()), pool.0)),
        }
    }

    fn name_exception(&self, exception: &Exception) -> NamedException {
        let Exception { kind, sku, warehouse, quantity, reservation } = *exception;
        NamedException {
            kind,
            sku: named(self.skus().get(sku.at()).map(|sku| &sku.id), sku.0),
            warehouse: named(self.warehouses().get(warehouse.at()).map(|at| &at.id), warehouse.0),
            quantity,
            reservation: reservation.and_then(|no| self.owner_name(OwnerKind::Reservation, no)),
        }
    }
}

fn named(name: Option<&Arc<str>>, index: u32) -> Arc<str> {
    name.map_or_else(|| numbered(index.into()), Arc::clone)
}

fn numbered(number: u64) -> Arc<str> {
    Arc::from(format!("#{number}"))
}

/// Whom an event answers for: what it created, else what it changed first. A sweep answers for nobody.
#[must_use]
pub fn answers_for(event: &Event) -> Option<(OwnerKind, OwnerNo)> {
    if event.operation == Operation::Sweep {
        return None;
    }
    let created = event.changes.iter().find_map(|change| match change {
        Change::Reservation(_) => Some((OwnerKind::Reservation, OwnerNo(event.sequence))),
        Change::Receipt(_) => Some((OwnerKind::Receipt, OwnerNo(event.sequence))),
        Change::Transfer(_) => Some((OwnerKind::Transfer, OwnerNo(event.sequence))),
        _ => None,
    });
    created.or_else(|| event.changes.iter().find_map(owner_of))
}

fn owner_of(change: &Change) -> Option<(OwnerKind, OwnerNo)> {
    match change {
        Change::Movement(movement) => movement.owner.map(|no| (movement.kind.owner(), no)),
        Change::ReservationLine { reservation: no, .. }
        | Change::Deadline { reservation: no, .. }
        | Change::RefundDue { reservation: no }
        | Change::Step { reservation: no, .. } => Some((OwnerKind::Reservation, *no)),
        Change::ReceiptLine { receipt: no, .. } | Change::ReceiptExpectedAt { receipt: no, .. } => {
            Some((OwnerKind::Receipt, *no))
        }
        Change::TransferClosed { transfer: no } => Some((OwnerKind::Transfer, *no)),
        _ => None,
    }
}
