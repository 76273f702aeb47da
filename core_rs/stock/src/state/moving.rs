//! Moving units: one row of the table of movements, times a quantity, on every counter it names.

use super::work::{At, Touched, Undo, Work};
use super::{Allocation, State, Violation, hash};
use crate::counters::{Cell, Counters, ReceiptCounter, TransferCounter};
use crate::ids::{LineNo, OwnerNo, Units};
use crate::limits::COUNTER_MAX;
use crate::movement::{Movement, OwnerKind, Row, Sign};
use crate::state::PoolCell;

/// The sums that a movement changes besides the counters themselves.
struct Tally {
    quantity: Units,
    hash: u64,
    overflow: bool,
}

impl Tally {
    /// Wraps, so that the inverse restores the counter exactly even after an overflow, which is noted.
    fn shift(&mut self, counter: &mut Units, entity: u64, field: usize, sign: Sign) {
        let delta = sign.wrapping_mul(self.quantity);
        let (sum, overflow) = counter.overflowing_add(delta);
        *counter = sum;
        self.overflow |= overflow;
        self.hash = self.hash.wrapping_add(hash::number(entity, field, delta));
    }

    /// The same, of counters that may be narrow.
    fn shift_of<const N: usize, Of: Copy>(
        &mut self,
        counters: &mut Counters<N, Of>,
        entity: u64,
        field: usize,
        sign: Sign,
    ) {
        let mut units = counters.get(field);
        self.shift(&mut units, entity, field, sign);
        counters.set(field, units);
    }

    fn exists(&mut self, contribution: u64) {
        self.hash = self.hash.wrapping_add(contribution);
    }
}

impl State {
    /// Moves units. Fails before anything is written, or after everything is (an overflow).
    pub(super) fn move_units(
        &mut self,
        at: At,
        movement: &Movement,
        work: &mut Work,
    ) -> Result<(), Violation> {
        let row = movement.kind.row();
        if !(1..=COUNTER_MAX).contains(&movement.quantity) {
            return Err(at.malformed("a quantity is 1 to 10^15"));
        }
        if row.cell.is_empty() != movement.warehouse.is_none() {
            return Err(at.malformed("a warehouse stands exactly where a kind touches a cell"));
        }
        if movement.sku.at() >= self.skus.len() {
            return Err(at.unknown("SKU", movement.sku.0.into()));
        }
        if let Some(warehouse) =
            movement.warehouse.filter(|warehouse| warehouse.at() >= self.warehouses.len())
        {
            return Err(at.unknown("warehouse", warehouse.0.into()));
        }
        if !row.pool.is_empty() && movement.pool.at() >= self.pools.len() {
            return Err(at.unknown("pool", movement.pool.0.into()));
        }
        let mut tally = Tally { quantity: movement.quantity, hash: self.hash, overflow: false };
        self.shift_all(at, movement, &mut tally, work)?;
        self.hash = tally.hash;
        work.undo.push(Undo::Movement(at.change));
        if tally.overflow { Err(at.malformed("a counter would overflow")) } else { Ok(()) }
    }

    /// Undoes a movement that was written: the same row, the other way. The hash is restored as a whole.
    pub(super) fn unmove_units(&mut self, at: At, movement: &Movement, work: &mut Work) {
        let mut tally = Tally { quantity: movement.quantity.wrapping_neg(), hash: 0, overflow: false };
        let written = self.shift_all(at, movement, &mut tally, work);
        debug_assert!(written.is_ok(), "what was written can be found again");
    }

    fn shift_all(
        &mut self,
        at: At,
        movement: &Movement,
        tally: &mut Tally,
        work: &mut Work,
    ) -> Result<(), Violation> {
        let row = movement.kind.row();
        match (movement.kind.owner(), movement.owner) {
            (OwnerKind::None, None) if movement.line == 0 => {}
            (OwnerKind::Reservation, Some(no)) => self.shift_line(at, movement, no, tally, work)?,
            (OwnerKind::Transfer, Some(no)) => self.shift_transfer(at, movement, no, tally)?,
            (OwnerKind::Receipt, Some(no)) => self.shift_receipt(at, movement, no, tally, work)?,
            _ => return Err(at.malformed("an owner and its line stand exactly where a kind has an owner")),
        }
        self.shift_sku(row, movement, tally, work);
        Ok(())
    }

    fn shift_sku(&mut self, row: &Row, movement: &Movement, tally: &mut Tally, work: &mut Work) {
        let (ix, pool) = (movement.sku, movement.pool);
        let sku = &mut self.skus[ix.at()];
        if let Some(warehouse) = movement.warehouse {
            let entity = hash::cell(ix, warehouse);
            let (place, made) = sku.cells.entry(warehouse);
            if made {
                tally.exists(entity);
                work.undo.push(Undo::Cell(ix, warehouse));
            }
            sku.cells.change(place, |Cell(counters)| {
                for (counter, sign) in row.cell {
                    tally.shift(&mut counters[counter.at()], entity, counter.at(), *sign);
                }
            });
        }
        if !row.pool.is_empty() {
            let entity = hash::pool_cell(ix, pool);
            let found = sku.pools.binary_search_by_key(&pool, |(at, _)| *at);
            let place = found.unwrap_or_else(|at| {
                sku.pools.insert(at, (pool, PoolCell::default()));
                tally.exists(entity);
                work.undo.push(Undo::PoolCell(ix, pool));
                at
            });
            let (_, PoolCell(counters)) = &mut sku.pools[place];
            for (counter, sign) in row.pool {
                tally.shift(&mut counters[counter.at()], entity, counter.at(), *sign);
            }
        }
        for (counter, sign) in row.sku {
            let entity = hash::entry(hash::Entity::Sku, ix.0);
            tally.shift(&mut sku.counters[counter.at()], entity, counter.at(), *sign);
        }
    }

    fn shift_line(
        &mut self,
        at: At,
        movement: &Movement,
        no: OwnerNo,
        tally: &mut Tally,
        work: &mut Work,
    ) -> Result<(), Violation> {
        let row = movement.kind.row();
        let Some(reservation) = self.reservations.get_mut(no) else {
            return Err(at.unknown("reservation", no.0));
        };
        tally.exists(Touched::note(reservation, at.sequence, work));
        let Some(line) = nth(&mut reservation.lines, movement.line) else {
            return Err(at.unknown("line", movement.line.into()));
        };
        if line.sku != movement.sku || (!row.pool.is_empty() && line.pool != movement.pool) {
            return Err(at.malformed("a movement has the SKU and the pool of its line"));
        }
        let entity = hash::owner_line(hash::Entity::Line, no, movement.line);
        for (counter, sign) in row.line {
            tally.shift_of(&mut line.counters, entity, counter.at(), *sign);
        }
        if let Some(warehouse) = movement.warehouse.filter(|_| !row.allocation.is_empty()) {
            let held = line.allocations.iter().position(|held| held.warehouse() == warehouse);
            let position = held.unwrap_or(line.allocations.len());
            let entity = hash::allocation(no, movement.line, position);
            if held.is_none() {
                tally.exists(hash::allocated_at(entity, warehouse));
                line.allocations.push(Allocation::at(warehouse));
                work.undo.push(Undo::Allocation(no, movement.line));
            }
            let counters = &mut line.allocations[position].counters;
            for (counter, sign) in row.allocation {
                tally.shift_of(counters, entity, counter.at(), *sign);
            }
        }
        Ok(())
    }

    fn shift_transfer(
        &mut self,
        at: At,
        movement: &Movement,
        no: OwnerNo,
        tally: &mut Tally,
    ) -> Result<(), Violation> {
        let row = movement.kind.row();
        let Some(transfer) = self.transfers.get_mut(no) else {
            return Err(at.unknown("transfer", no.0));
        };
        let end = if row.transfer.iter().any(|(counter, _)| at_destination(*counter)) {
            transfer.to
        } else {
            transfer.from
        };
        if movement.warehouse != Some(end) {
            return Err(at.malformed("a transfer's movement stands at its source or its destination"));
        }
        if transfer.closed {
            return Err(at.malformed("a closed transfer moves nothing"));
        }
        let Some(line) = nth(&mut transfer.lines, movement.line) else {
            return Err(at.unknown("line", movement.line.into()));
        };
        if line.sku != movement.sku {
            return Err(at.malformed("a movement has the SKU of its line"));
        }
        let entity = hash::owner_line(hash::Entity::TransferLine, no, movement.line);
        for (counter, sign) in row.transfer {
            tally.shift(&mut line.counters[TransferCounter::at(*counter)], entity, counter.at(), *sign);
        }
        Ok(())
    }

    fn shift_receipt(
        &mut self,
        at: At,
        movement: &Movement,
        no: OwnerNo,
        tally: &mut Tally,
        work: &mut Work,
    ) -> Result<(), Violation> {
        let row = movement.kind.row();
        let Some(receipt) = self.receipts.get_mut(no) else {
            return Err(at.unknown("receipt", no.0));
        };
        if movement.warehouse.is_some_and(|warehouse| warehouse != receipt.warehouse) {
            return Err(at.malformed("a receipt's movement stands at its warehouse"));
        }
        let Some(line) = nth(&mut receipt.lines, movement.line) else {
            return Err(at.unknown("line", movement.line.into()));
        };
        if line.sku != movement.sku {
            return Err(at.malformed("a movement has the SKU of its line"));
        }
        let entity = hash::owner_line(hash::Entity::ReceiptLine, no, movement.line);
        for (counter, sign) in row.receipt {
            tally.shift(&mut line.counters[ReceiptCounter::at(*counter)], entity, counter.at(), *sign);
            if *counter == ReceiptCounter::Expected {
                work.arrivals.push((no, movement.line));
            }
        }
        Ok(())
    }
}

/// The line of a number; lines are counted from 1.
pub(super) fn nth<T>(lines: &mut [T], line: LineNo) -> Option<&mut T> {
    lines.get_mut(usize::try_from(line).ok()?.checked_sub(1)?)
}

/// Which end of a transfer a counter of its lines belongs to.
const fn at_destination(counter: TransferCounter) -> bool {
    match counter {
        TransferCounter::InTransit
        | TransferCounter::Received
        | TransferCounter::Damaged
        | TransferCounter::Lost => true,
        TransferCounter::Allocated
        | TransferCounter::Picking
        | TransferCounter::Shipped
        | TransferCounter::Restored => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::movement::Kind;

    #[test]
    fn what_touches_an_allocation_touches_its_cell() {
        for kind in Kind::ALL {
            assert!(kind.row().allocation.is_empty() || !kind.row().cell.is_empty(), "{}", kind.name());
        }
    }

    #[test]
    fn a_movement_of_a_transfer_stands_at_one_end() {
        for kind in Kind::ALL.iter().filter(|kind| kind.owner() == OwnerKind::Transfer) {
            let ends: Vec<bool> =
                kind.row().transfer.iter().map(|(counter, _)| at_destination(*counter)).collect();
            assert!(!ends.is_empty() && ends.windows(2).all(|pair| pair[0] == pair[1]), "{}", kind.name());
        }
    }
}
