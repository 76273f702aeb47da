//! What an operation is answered with: a view of its event with names for numbers. The first answer and
//! the answer to a repeated request are read from the event by the same functions.

use std::borrow::Cow;

use crate::event::{Change, Event, Exception, ExceptionKind, Operation, Outcome};
use crate::ids::{LineNo, Micros, OwnerNo, RequestKey, Sequence, Units};
use crate::movement::{Kind, Movement, OwnerKind};
use crate::state::State;

/// A movement with names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedMovement<'s> {
    /// Which row of the table of movements.
    pub kind: Kind,
    /// The SKU.
    pub sku: Cow<'s, str>,
    /// The warehouse, for kinds that touch a cell.
    pub warehouse: Option<Cow<'s, str>>,
    /// The reservation, transfer or receipt.
    pub owner: Option<Cow<'s, str>>,
    /// The owner's line; 0 without an owner.
    pub line: LineNo,
    /// Units.
    pub quantity: Units,
    /// The pool, for kinds with pool counters.
    pub pool: Option<Cow<'s, str>>,
}

impl NamedMovement<'_> {
    fn kept(self) -> NamedMovement<'static> {
        let Self { kind, sku, warehouse, owner, line, quantity, pool } = self;
        NamedMovement {
            kind,
            sku: kept(sku),
            warehouse: warehouse.map(kept),
            owner: owner.map(kept),
            line,
            quantity,
            pool: pool.map(kept),
        }
    }
}

/// An exception with names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedException<'s> {
    /// What kind.
    pub kind: ExceptionKind,
    /// The SKU.
    pub sku: Cow<'s, str>,
    /// Where it showed.
    pub warehouse: Cow<'s, str>,
    /// Units short.
    pub quantity: Units,
    /// The reservation concerned.
    pub reservation: Option<Cow<'s, str>>,
}

impl NamedException<'_> {
    fn kept(self) -> NamedException<'static> {
        let Self { kind, sku, warehouse, quantity, reservation } = self;
        let (sku, warehouse, reservation) = (kept(sku), kept(warehouse), reservation.map(kept));
        NamedException { kind, sku, warehouse, quantity, reservation }
    }
}

/// A name for whoever outlives the state.
fn kept(name: Cow<'_, str>) -> Cow<'static, str> {
    Cow::Owned(name.into_owned())
}

/// The answer to an operation, read from its event and the state: nothing of it is copied.
#[derive(Clone, Debug)]
pub struct View<'s> {
    state: &'s State,
    event: &'s Event,
    owner: Option<(OwnerKind, OwnerNo, Cow<'s, str>)>,
}

/// An answer that is kept: what a [`View`] shows.
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
    /// False where a split was found greedily.
    pub split_exact: bool,
    /// See [`View::owner`].
    pub owner: Option<String>,
    /// See [`View::deadline`].
    pub deadline: Option<Micros>,
    /// See [`View::movements`].
    pub movements: Vec<NamedMovement<'static>>,
    /// See [`View::refused`].
    pub refused: Vec<(LineNo, Units)>,
    /// See [`View::exceptions`].
    pub exceptions: Vec<NamedException<'static>>,
}

impl State {
    /// The answer to an event that this state has applied, now or long ago.
    ///
    /// An event that it has not applied may refer to what is not there; that is named by its number (`#7`).
    #[must_use]
    pub fn answer<'s>(&'s self, event: &'s Event) -> View<'s> {
        let owner = answers_for(event).and_then(|(kind, no)| {
            let name = match event.changes.first() {
                // Nearly every event that creates one says so first, and has its name at hand.
                Some(Change::Reservation(new)) if kind == OwnerKind::Reservation => {
                    Some(Cow::Borrowed(&*new.id))
                }
                _ => self.owner_name(kind, no),
            };
            name.map(|name| (kind, no, name))
        });
        View { state: self, event, owner }
    }

    fn owner_name(&self, kind: OwnerKind, no: OwnerNo) -> Option<Cow<'_, str>> {
        let name: Option<&str> = match kind {
            OwnerKind::None => return None,
            OwnerKind::Reservation => self.reservation(no).map(|owner| &*owner.id),
            OwnerKind::Transfer => self.transfer(no).map(|owner| &*owner.id),
            OwnerKind::Receipt => self.receipt(no).map(|owner| &*owner.id),
        };
        Some(named(name, no.0))
    }
}

impl View<'_> {
    /// The event itself, for all that needs no names.
    #[must_use]
    pub const fn event(&self) -> &Event {
        self.event
    }

    /// The reservation, transfer or receipt it created or changed; of an exchange the replacement.
    #[must_use]
    pub fn owner(&self) -> Option<&str> {
        self.owner.as_ref().map(|(_, _, name)| &**name)
    }

    /// The deadline that this operation set, if it set one.
    #[must_use]
    pub fn deadline(&self) -> Option<Micros> {
        let mut set = None;
        for change in &self.event.changes {
            match change {
                Change::Reservation(new) if new.deadline != 0 => set = Some(new.deadline),
                Change::Deadline { reservation, deadline, .. }
                    if self.owns(OwnerKind::Reservation, *reservation).is_some() =>
                {
                    set = Some(*deadline).filter(|deadline| *deadline != 0);
                }
                _ => {}
            }
        }
        set
    }

    /// What moved (`REFUSE` rows apart).
    pub fn movements(&self) -> impl Iterator<Item = NamedMovement<'_>> {
        self.rows()
            .filter(|movement| movement.kind != Kind::Refuse)
            .map(|movement| self.name_movement(movement))
    }

    /// What `ALLOW_PARTIAL` did not grant.
    pub fn refused(&self) -> impl Iterator<Item = (LineNo, Units)> {
        let refused = self.rows().filter(|movement| movement.kind == Kind::Refuse);
        refused.map(|movement| (movement.line, movement.quantity))
    }

    fn rows(&self) -> impl Iterator<Item = &Movement> {
        self.event.changes.iter().filter_map(|change| match change {
            Change::Movement(movement) => Some(movement),
            _ => None,
        })
    }

    /// What was put on record for a person.
    pub fn exceptions(&self) -> impl Iterator<Item = NamedException<'_>> {
        self.event.changes.iter().filter_map(|change| match change {
            Change::Exception(exception) => Some(self.name_exception(exception)),
            _ => None,
        })
    }

    /// The whole of it, for whoever outlives the state.
    #[must_use]
    pub fn kept(&self) -> Answer {
        let Event { sequence, at, key, outcome, split_exact, .. } = *self.event;
        Answer {
            sequence,
            at,
            key,
            outcome,
            split_exact,
            owner: self.owner().map(str::to_owned),
            deadline: self.deadline(),
            movements: self.movements().map(NamedMovement::kept).collect(),
            refused: self.refused().collect(),
            exceptions: self.exceptions().map(NamedException::kept).collect(),
        }
    }

    /// The name of the answer's owner, if it is this one.
    fn owns(&self, kind: OwnerKind, no: OwnerNo) -> Option<&str> {
        let (of, number, name) = self.owner.as_ref()?;
        ((*of, *number) == (kind, no)).then_some(&**name)
    }

    fn name_movement(&self, movement: &Movement) -> NamedMovement<'_> {
        let Movement { kind, sku, warehouse, pool, owner, line, quantity } = *movement;
        let state = self.state;
        NamedMovement {
            kind,
            sku: named(state.skus().get(sku.at()).map(|sku| &*sku.id), sku.0),
            warehouse: warehouse.map(|at| named(state.warehouses().get(at.at()).map(|at| &*at.id), at.0)),
            // Nearly all movements are of the answer's owner, which is named once.
            owner: owner.and_then(|no| match self.owns(kind.owner(), no) {
                Some(name) => Some(Cow::Borrowed(name)),
                None => state.owner_name(kind.owner(), no),
            }),
            line,
            quantity,
            pool: (!kind.row().pool.is_empty())
                .then(|| named(state.pools.get(pool.at()).map(|pool| &**pool), pool.0)),
        }
    }

    fn name_exception(&self, exception: &Exception) -> NamedException<'_> {
        let Exception { kind, sku, warehouse, quantity, reservation } = *exception;
        let state = self.state;
        NamedException {
            kind,
            sku: named(state.skus().get(sku.at()).map(|sku| &*sku.id), sku.0),
            warehouse: named(state.warehouses().get(warehouse.at()).map(|at| &*at.id), warehouse.0),
            quantity,
            reservation: reservation.and_then(|no| state.owner_name(OwnerKind::Reservation, no)),
        }
    }
}

fn named(name: Option<&str>, number: impl Into<u64>) -> Cow<'_, str> {
    name.map_or_else(|| Cow::Owned(format!("#{}", number.into())), Cow::Borrowed)
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
