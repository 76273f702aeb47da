//! What applying an event remembers on the way: how to undo it, and what to settle when it holds.

use std::sync::Arc;

use super::{Assortment, Document, Reservation, Violation, hash};
use crate::command::{DocumentKind, WarehouseState};
use crate::event::DeductionPolicy;
use crate::ids::{LineNo, Micros, OwnerNo, PoolIx, RegionIx, Sequence, SkuIx, WarehouseIx};

/// Which change of which event.
#[derive(Clone, Copy)]
pub(super) struct At {
    pub(super) sequence: Sequence,
    pub(super) change: usize,
}

impl At {
    pub(super) const fn malformed(self, why: &'static str) -> Violation {
        Violation::Malformed { sequence: self.sequence, change: self.change, why }
    }

    pub(super) const fn unknown(self, what: &'static str, number: u64) -> Violation {
        Violation::Unknown { sequence: self.sequence, change: self.change, what, number }
    }
}

/// How to undo a step.
#[derive(Clone, Copy, Debug)]
pub(super) enum Undo {
    /// By the inverse of the movement that is this change of the event.
    Movement(usize),
    Cell(SkuIx, WarehouseIx),
    PoolCell(SkuIx, PoolIx),
    Allocation(OwnerNo, LineNo),
    Reservation(OwnerNo),
    ReservationLine(OwnerNo),
    Touched(Touched),
    Receipt(OwnerNo),
    ReceiptLine(OwnerNo),
    ReceiptExpectedAt(OwnerNo, Micros),
    Transfer(OwnerNo),
    TransferClosed(OwnerNo),
    /// The last step on master data.
    Master,
}

/// How to undo a step on master data. It owns what it needs, so it stands apart from the steps that are common.
#[derive(Debug)]
pub(super) enum Master {
    Document(Box<(DocumentKind, Arc<str>, Option<Document>)>),
    Sku,
    SkuLive(SkuIx, Arc<str>, Option<DeductionPolicy>),
    ShopLive(Option<DeductionPolicy>),
    Warehouse,
    WarehouseLive(Box<(WarehouseIx, WarehouseState, Assortment)>),
    Region,
    Plan(RegionIx, Box<[WarehouseIx]>),
    Channel,
}

/// What of a reservation stood before the event that touches it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Touched {
    pub(super) no: OwnerNo,
    pub(super) version: Sequence,
    pub(super) deadline: Micros,
    pub(super) extensions: u32,
    pub(super) refund_due: bool,
}

impl Touched {
    /// Before anything of a reservation changes: at an event's first touch notes how it stands and gives it
    /// its version. What that adds to the hash.
    pub(super) fn note(reservation: &mut Reservation, sequence: Sequence, work: &mut Work) -> u64 {
        if reservation.version == sequence {
            return 0;
        }
        work.undo.push(Undo::Touched(Self {
            no: reservation.no,
            version: reservation.version,
            deadline: reservation.deadline,
            extensions: reservation.extensions,
            refund_due: reservation.refund_due(),
        }));
        work.reservations.push((reservation.no, reservation.due()));
        let delta = sequence.wrapping_sub(reservation.version).cast_signed();
        reservation.version = sequence;
        let entity = hash::owner(hash::Entity::Reservation, reservation.no);
        hash::number(entity, hash::of_reservation::VERSION, delta)
    }
}

/// Kept by the state between events, so that applying one allocates nothing for it.
#[derive(Debug, Default)]
pub(super) struct Work {
    /// In the order of the steps.
    pub(super) undo: Vec<Undo>,
    /// In the order of theirs.
    pub(super) masters: Vec<Master>,
    /// Reservations that are created or changed, and where the index of deadlines has them.
    pub(super) reservations: Vec<(OwnerNo, Option<Micros>)>,
    /// Lines of receipts whose expectations changed.
    pub(super) arrivals: Vec<(OwnerNo, LineNo)>,
    /// Whether the event has created an owner.
    pub(super) created: bool,
    /// The horizon that the event sets.
    pub(super) horizon: Option<u64>,
    /// The state hash before the event.
    pub(super) before: u64,
}

impl Work {
    /// A step on master data was made.
    pub(super) fn made(&mut self, step: Master) {
        self.undo.push(Undo::Master);
        self.masters.push(step);
    }

    pub(super) fn clear(&mut self) {
        clear(&mut self.undo);
        clear(&mut self.masters);
        clear(&mut self.reservations);
        clear(&mut self.arrivals);
        self.created = false;
        self.horizon = None;
    }
}

/// A sweep of thousands of locks should not keep its memory for ever.
fn clear<T>(list: &mut Vec<T>) {
    const KEPT: usize = 4_096;
    list.clear();
    if list.capacity() > KEPT {
        list.shrink_to(KEPT);
    }
}
