//! The identities of `domain.md` section 2, each judged on one thing: a cell, a pool, a line.
//!
//! `apply` judges what an event touched, [`State::check`] judges everything; both ask here.

use std::sync::Arc;

use super::work::Work;
use super::{Identity, Place, Receipt, ReceiptLine, Reservation, State, Transfer, TransferLine, Violation};
use crate::command::{DocumentKind, WarehouseState};
use crate::counters::{
    Cell, Counter, LineCounter, PoolCounter, ReceiptCounter as R, SkuCounter, TransferCounter as T,
};
use crate::event::{Change, Event, LivePart};
use crate::ids::{LineNo, OwnerNo, PoolIx, Sequence, SkuIx, Units, WarehouseIx};
use crate::limits::COUNTER_MAX;
use crate::movement::{Kind, Movement, OwnerKind};

/// A broken identity, at a place.
pub(super) fn broken(sequence: Sequence, identity: Identity, place: Place) -> Violation {
    Violation::Broken { sequence, identity, place: Box::new(place) }
}

/// Below zero is far above the bound for who takes the sign for a number.
const fn in_range(units: Units) -> bool {
    units.cast_unsigned() <= COUNTER_MAX.cast_unsigned()
}

/// The place of the first counter out of its range; the one at `signed` may be as far below zero as above.
///
/// Nearly always there is none, and then mostly the bits of all of them together are a number in the range: each is no
/// larger than that.
fn out_of_range<const N: usize>(counters: &[Units; N], signed: Option<usize>) -> Option<usize> {
    if in_range(counters.iter().fold(0, |all, units| all | units)) {
        return None;
    }
    let holds =
        |at, units: Units| in_range(units) || (signed == Some(at) && in_range(units.saturating_neg()));
    counters.iter().enumerate().position(|(at, units)| !holds(at, *units))
}

impl State {
    /// Every identity of everything an event touched, once all its changes are applied.
    pub(super) fn identities_hold(&self, event: &Event, work: &Work) -> Result<(), Violation> {
        let sequence = event.sequence;
        let mut below_zero = false;
        let mut grew: Option<OwnerNo> = None;
        for change in &event.changes {
            match change {
                Change::Movement(movement) => below_zero |= self.movement_holds(sequence, movement)?,
                Change::Transfer(_) => self.goods_once(sequence, OwnerNo(sequence))?,
                // Once for all the lines that follow each other, not once for each.
                Change::ReceiptLine { receipt, .. } if grew != Some(*receipt) => {
                    grew.replace(*receipt).map_or(Ok(()), |no| self.goods_once(sequence, no))?;
                }
                Change::TransferClosed { transfer } => self.closed_transfer_holds(sequence, *transfer)?,
                Change::Document(document) if document.kind == DocumentKind::Warehouse => {
                    if matches!(document.live, LivePart::Warehouse { state: WarehouseState::Closed, .. }) {
                        self.closed_warehouse_holds(sequence, &document.id)?;
                    }
                }
                _ => {}
            }
        }
        grew.map_or(Ok(()), |no| self.goods_once(sequence, no))?;
        for (no, _) in &work.reservations {
            self.reservations.get(*no).map_or(Ok(()), |reservation| deadline_holds(sequence, reservation))?;
        }
        if below_zero { self.losses_hold(event) } else { Ok(()) }
    }

    /// Whether the movement's cell has `available` below zero, which a recorded loss may do.
    fn movement_holds(&self, sequence: Sequence, movement: &Movement) -> Result<bool, Violation> {
        let (kind, ix) = (movement.kind, movement.sku);
        let row = kind.row();
        let mut below_zero = false;
        if let Some(warehouse) = movement.warehouse {
            // What never was there is zero in everything, and holds.
            if let Some(cell) = self.sku(ix).cell(warehouse) {
                self.cell_holds(sequence, ix, warehouse, cell)?;
                below_zero = cell.get(Counter::Available) < 0;
            }
        }
        if !row.pool.is_empty() {
            self.pool_holds(sequence, ix, movement.pool)?;
        }
        if !row.sku.is_empty() {
            self.claims_hold(sequence, ix)?;
        }
        if let Some(no) = movement.owner {
            match kind.owner() {
                OwnerKind::Reservation => self.line_holds(sequence, no, movement.line)?,
                OwnerKind::Transfer => self.transfer_line_holds(sequence, no, movement.line)?,
                OwnerKind::Receipt => self.receipt_line_holds(sequence, no, movement.line)?,
                OwnerKind::None => {}
            }
        }
        Ok(below_zero)
    }

    /// `available` below zero: only where this event recorded a loss or did not lower it.
    fn losses_hold(&self, event: &Event) -> Result<(), Violation> {
        let mut moves: Vec<(SkuIx, WarehouseIx, i128, bool)> = Vec::new();
        for change in &event.changes {
            if let Change::Movement(movement) = change
                && let Some(warehouse) = movement.warehouse
            {
                let net: i64 = movement
                    .kind
                    .row()
                    .cell
                    .iter()
                    .filter(|(counter, _)| *counter == Counter::Available)
                    .map(|(_, sign)| sign)
                    .sum();
                let loss = movement.kind == Kind::RecordLoss;
                moves.push((movement.sku, warehouse, i128::from(net) * i128::from(movement.quantity), loss));
            }
        }
        moves.sort_unstable_by_key(|(sku, warehouse, ..)| (*sku, *warehouse));
        for of_cell in moves.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
            let Some((sku, warehouse, ..)) = of_cell.first() else { continue };
            let lowered = of_cell.iter().map(|(_, _, delta, _)| delta).sum::<i128>() < 0;
            let recorded = of_cell.iter().any(|(.., loss)| *loss);
            if lowered && !recorded && self.cell(*sku, *warehouse).get(Counter::Available) < 0 {
                return Err(broken(event.sequence, Identity::Available, self.at_cell(*sku, *warehouse)));
            }
        }
        Ok(())
    }

    pub(super) fn at_cell(&self, sku: SkuIx, warehouse: WarehouseIx) -> Place {
        Place {
            sku: self.skus.get(sku.at()).map(|sku| Arc::from(&*sku.id)),
            warehouse: self.warehouses.get(warehouse.at()).map(|warehouse| Arc::clone(&warehouse.id)),
            ..Place::default()
        }
    }

    pub(super) fn at_pool(&self, sku: SkuIx, pool: PoolIx) -> Place {
        Place {
            sku: self.skus.get(sku.at()).map(|sku| Arc::from(&*sku.id)),
            pool: self.pools.get(pool.at()).cloned(),
            ..Place::default()
        }
    }

    pub(super) fn at_line(&self, owner: &str, line: LineNo, sku: SkuIx) -> Place {
        let sku = self.skus.get(sku.at()).map(|sku| Arc::from(&*sku.id));
        Place { owner: Some(owner.into()), line, sku, ..Place::default() }
    }

    pub(super) fn cell_holds(
        &self,
        sequence: Sequence,
        sku: SkuIx,
        warehouse: WarehouseIx,
        cell: &Cell,
    ) -> Result<(), Violation> {
        let fail = |identity| Err(broken(sequence, identity, self.at_cell(sku, warehouse)));
        if let Some(at) = out_of_range(&cell.0, Some(Counter::Available.at())) {
            let place = Place { counter: Some(Counter::ALL[at].name()), ..self.at_cell(sku, warehouse) };
            return Err(broken(sequence, Identity::Range, place));
        }
        let on_hand = cell.on_hand();
        if on_hand != cell.conserved() {
            return fail(Identity::Conservation);
        }
        if on_hand - cell.get(Counter::Defective) < 0 {
            return fail(Identity::GoodOnHand);
        }
        let closed = self.warehouses.get(warehouse.at()).is_some_and(|at| at.state == WarehouseState::Closed);
        let empty = on_hand == 0 && cell.get(Counter::InTransit) == 0 && cell.get(Counter::Returning) == 0;
        if closed && !empty { fail(Identity::Closed) } else { Ok(()) }
    }

    fn closed_warehouse_holds(&self, sequence: Sequence, id: &str) -> Result<(), Violation> {
        let Some(warehouse) = self.find_warehouse(id) else { return Ok(()) };
        (0..).zip(&self.skus).try_for_each(|(ix, sku)| {
            sku.cell(warehouse).map_or(Ok(()), |cell| self.cell_holds(sequence, SkuIx(ix), warehouse, cell))
        })
    }

    pub(super) fn pool_holds(&self, sequence: Sequence, ix: SkuIx, pool: PoolIx) -> Result<(), Violation> {
        let Some(cell) = self.skus.get(ix.at()).and_then(|sku| sku.pool(pool)) else { return Ok(()) };
        let Some(at) = out_of_range(&cell.0, Some(PoolCounter::Quota.at())) else { return Ok(()) };
        let place = Place { counter: Some(PoolCounter::ALL[at].name()), ..self.at_pool(ix, pool) };
        Err(broken(sequence, Identity::Range, place))
    }

    pub(super) fn claims_hold(&self, sequence: Sequence, ix: SkuIx) -> Result<(), Violation> {
        let Some(sku) = self.skus.get(ix.at()) else { return Ok(()) };
        let Some(at) = out_of_range(&sku.counters, None) else { return Ok(()) };
        let counter = Some(SkuCounter::ALL[at].name());
        let place = Place { sku: Some(Arc::from(&*sku.id)), counter, ..Place::default() };
        Err(broken(sequence, Identity::Range, place))
    }

    fn line_holds(&self, sequence: Sequence, no: OwnerNo, number: LineNo) -> Result<(), Violation> {
        self.reservations
            .get(no)
            .map_or(Ok(()), |reservation| self.reservation_line_holds(sequence, reservation, number))
    }

    pub(super) fn reservation_line_holds(
        &self,
        sequence: Sequence,
        reservation: &Reservation,
        number: LineNo,
    ) -> Result<(), Violation> {
        let Some(line) = line_at(&reservation.lines, number) else { return Ok(()) };
        let place = || self.at_line(&reservation.id, number, line.sku);
        let counters = line.counters.all();
        if let Some(at) = out_of_range(&counters, None) {
            let place = Place { counter: Some(LineCounter::ALL[at].name()), ..place() };
            return Err(broken(sequence, Identity::Range, place));
        }
        if line.balances_with(&counters) { Ok(()) } else { Err(broken(sequence, Identity::Line, place())) }
    }

    fn transfer_line_holds(&self, sequence: Sequence, no: OwnerNo, number: LineNo) -> Result<(), Violation> {
        let Some(transfer) = self.transfers.get(no) else { return Ok(()) };
        let Some(line) = line_at(&transfer.lines, number) else { return Ok(()) };
        self.transfer_holds(sequence, transfer, number, line)
    }

    pub(super) fn transfer_holds(
        &self,
        sequence: Sequence,
        transfer: &Transfer,
        number: LineNo,
        line: &TransferLine,
    ) -> Result<(), Violation> {
        let fail = |identity, counter| {
            let place = Place { counter, ..self.at_line(&transfer.id, number, line.sku) };
            Err(broken(sequence, identity, place))
        };
        if let Some(at) = out_of_range(&line.counters, None) {
            return fail(Identity::Range, Some(T::ALL[at].name()));
        }
        let accounted =
            line.get(T::Received) + line.get(T::Restored) + line.get(T::Damaged) + line.get(T::Lost);
        // More may be received than was on its way: then the sum exceeds what left the road.
        let off_the_road = line.get(T::Shipped) - line.get(T::InTransit);
        if !(0..=accounted).contains(&off_the_road) {
            return fail(Identity::Transfer, None);
        }
        let open = line.get(T::Allocated) + line.get(T::Picking) + line.get(T::InTransit);
        if transfer.closed && open > 0 { fail(Identity::TransferClosed, None) } else { Ok(()) }
    }

    fn closed_transfer_holds(&self, sequence: Sequence, no: OwnerNo) -> Result<(), Violation> {
        let Some(transfer) = self.transfers.get(no) else { return Ok(()) };
        (1..)
            .zip(&transfer.lines)
            .try_for_each(|(number, line)| self.transfer_holds(sequence, transfer, number, line))
    }

    fn receipt_line_holds(&self, sequence: Sequence, no: OwnerNo, number: LineNo) -> Result<(), Violation> {
        let Some(receipt) = self.receipts.get(no) else { return Ok(()) };
        let Some(line) = line_at(&receipt.lines, number) else { return Ok(()) };
        self.receipt_holds(sequence, receipt, number, line)
    }

    pub(super) fn receipt_holds(
        &self,
        sequence: Sequence,
        receipt: &Receipt,
        number: LineNo,
        line: &ReceiptLine,
    ) -> Result<(), Violation> {
        let fail = |identity, counter| {
            let place = Place { counter, ..self.at_line(&receipt.id, number, line.sku) };
            Err(broken(sequence, identity, place))
        };
        if let Some(at) = out_of_range(&line.counters, None) {
            return fail(Identity::Range, Some(R::ALL[at].name()));
        }
        let arrived = line.get(R::Announced) - line.get(R::Expected);
        let accounted = line.get(R::Received) + line.get(R::Missing);
        let balances = (0..=accounted).contains(&arrived) && line.get(R::Defective) <= line.get(R::Received);
        if balances { Ok(()) } else { fail(Identity::Receipt, None) }
    }

    /// Each SKU stands on one line of a receipt or transfer.
    pub(super) fn goods_once(&self, sequence: Sequence, no: OwnerNo) -> Result<(), Violation> {
        let receipt = self.receipts.get(no).map(|receipt| {
            let skus: Vec<SkuIx> = receipt.lines.iter().map(|line| line.sku).collect();
            (&receipt.id, skus)
        });
        let transfer = self.transfers.get(no).map(|transfer| {
            let skus: Vec<SkuIx> = transfer.lines.iter().map(|line| line.sku).collect();
            (&transfer.id, skus)
        });
        for (id, mut skus) in receipt.into_iter().chain(transfer) {
            skus.sort_unstable();
            if let Some(twice) = skus.windows(2).find(|pair| pair[0] == pair[1]) {
                return Err(broken(sequence, Identity::Once, self.at_line(id, 0, twice[0])));
            }
        }
        Ok(())
    }
}

/// A lock has a deadline, or it would never end.
pub(super) fn deadline_holds(sequence: Sequence, reservation: &Reservation) -> Result<(), Violation> {
    let deadline = reservation.deadline;
    let holds = deadline > 0 || (deadline == 0 && !reservation.is_locked());
    let place = || Place { owner: Some(Arc::from(&*reservation.id)), ..Place::default() };
    if holds { Ok(()) } else { Err(broken(sequence, Identity::Deadline, place())) }
}

fn line_at<T>(lines: &[T], number: LineNo) -> Option<&T> {
    lines.get(usize::try_from(number).ok()?.checked_sub(1)?)
}
