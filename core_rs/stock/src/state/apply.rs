//! `apply`: the only thing that changes a state. An event is applied whole, or not at all.

use super::moving::nth;
use super::work::{At, Undo, Work};
use super::{KnownKey, State, Violation, hash};
use crate::counters::ReceiptCounter;
use crate::event::{Change, Event, Exception};
use crate::ids::{LineNo, OwnerNo, RequestKey, stamp_ms};

impl State {
    /// Applies an event and checks the identities of everything it touches.
    ///
    /// Events come from `decide` or from a disk: nothing in them is believed. On a [`Violation`] nothing has
    /// changed, the hash included.
    pub fn apply(&mut self, event: &Event) -> Result<(), Violation> {
        self.follows(event)?;
        self.remember(event)?;
        let mut work = self.work.take().unwrap_or_default();
        work.before = self.hash;
        let applied = self.change_all(event, &mut work).and_then(|()| self.identities_hold(event, &work));
        if applied.is_ok() {
            self.settle(event, &work);
        } else {
            self.undo(event, &mut work);
        }
        work.clear();
        self.work = Some(work);
        applied
    }

    /// Whether the event is the next one, by its sequence, its stamp and its request id.
    fn follows(&self, event: &Event) -> Result<(), Violation> {
        let sequence = event.sequence;
        let expected = self.sequence.saturating_add(1);
        if sequence != expected || sequence == self.sequence {
            return Err(Violation::Gap { sequence, expected });
        }
        if event.at < self.clock {
            return Err(Violation::ClockBack { sequence, at: event.at, clock: self.clock });
        }
        if event.key == 0 {
            return Ok(());
        }
        if stamp_ms(event.key) <= self.horizon_ms && self.horizon_ms > 0 {
            return Err(Violation::KeyForgotten { sequence, horizon_ms: self.horizon_ms });
        }
        Ok(())
    }

    /// Remembers the request id, which nobody has used: looked for and noted in one walk. Only its hash waits
    /// until the event holds.
    fn remember(&mut self, event: &Event) -> Result<(), Violation> {
        if event.key == 0 {
            return Ok(());
        }
        let noted = self.keys.insert(event.key, known_key(event));
        noted.map_err(|known| Violation::KeyKnown { sequence: event.sequence, first: known.sequence })
    }

    fn change_all(&mut self, event: &Event, work: &mut Work) -> Result<(), Violation> {
        let sequence = event.sequence;
        for (number, change) in event.changes.iter().enumerate() {
            let at = At { sequence, change: number };
            match change {
                Change::Movement(movement) => self.move_units(at, movement, work)?,
                Change::Reservation(new) => self.create_reservation(at, event.at, new, work)?,
                Change::ReservationLine { reservation, line } => {
                    self.add_reservation_line(at, *reservation, *line, work)?;
                }
                Change::Deadline { reservation, deadline, extensions } => {
                    self.set_deadline(at, *reservation, *deadline, *extensions, work)?;
                }
                Change::RefundDue { reservation } => self.set_refund_due(at, *reservation, work)?,
                Change::Step { reservation, .. } => self.note_step(at, *reservation, work)?,
                Change::Receipt(new) => self.open_receipt(at, new, work)?,
                Change::ReceiptLine { receipt, sku } => self.add_receipt_line(at, *receipt, *sku, work)?,
                Change::ReceiptExpectedAt { receipt, expected_at } => {
                    self.set_expected_at(at, *receipt, *expected_at, work)?;
                }
                Change::Transfer(new) => self.draft_transfer(at, new, work)?,
                Change::TransferClosed { transfer } => self.close_transfer(at, *transfer, work)?,
                Change::Document(document) => self.put_document(at, document, work)?,
                Change::Exception(exception) => self.know_exception(at, exception)?,
                Change::Horizon { stamp_ms } => {
                    if *stamp_ms < work.horizon.unwrap_or(self.horizon_ms) {
                        return Err(at.malformed("the horizon never goes back"));
                    }
                    if *stamp_ms >> 48 != 0 {
                        return Err(at.malformed("a stamp has 48 bits"));
                    }
                    work.horizon = Some(*stamp_ms);
                }
                Change::Checkpoint { state_hash } => {
                    if *state_hash != work.before {
                        return Err(Violation::Checkpoint {
                            sequence,
                            journalled: *state_hash,
                            kept: work.before,
                        });
                    }
                }
            }
        }
        Ok(())
    }

    /// An exception changes nothing here; it is read by answers and the projection, so its names must exist.
    fn know_exception(&self, at: At, exception: &Exception) -> Result<(), Violation> {
        self.know_sku(at, exception.sku)?;
        self.know_warehouse(at, exception.warehouse)?;
        match exception.reservation {
            Some(no) if self.reservations.get(no).is_none() => Err(at.unknown("reservation", no.0)),
            _ => Ok(()),
        }
    }

    /// What follows from an event that holds: indexes, keys, clock. Nothing here can fail.
    fn settle(&mut self, event: &Event, work: &Work) {
        for (no, due) in &work.reservations {
            self.index_deadline(*no, *due);
        }
        for (no, line) in &work.arrivals {
            self.index_arrival(*no, *line);
        }
        if event.key != 0 {
            self.hash = self.hash.wrapping_add(hash::key(event.key, known_key(event)));
        }
        if let Some(stamp_ms) = work.horizon {
            self.forget_until(stamp_ms);
        }
        let step = event.sequence.wrapping_sub(self.sequence).cast_signed();
        self.hash = self.hash.wrapping_add(hash::number(hash::STATE, hash::of_state::SEQUENCE, step));
        let tick = event.at.wrapping_sub(self.clock);
        self.hash = self.hash.wrapping_add(hash::number(hash::STATE, hash::of_state::CLOCK, tick));
        (self.sequence, self.clock) = (event.sequence, event.at);
    }

    /// Whether a receipt stands among the arrivals of its line's SKU: by what it still expects.
    fn index_arrival(&mut self, no: OwnerNo, line: LineNo) {
        let Some(line) = self.receipts.get_mut(no).and_then(|receipt| nth(&mut receipt.lines, line)) else {
            return;
        };
        let inbound = &mut self.skus[line.sku.at()].inbound;
        match (inbound.binary_search(&no), line.get(ReceiptCounter::Expected) > 0) {
            (Err(at), true) => inbound.insert(at, no),
            (Ok(at), false) => {
                inbound.remove(at);
            }
            _ => {}
        }
    }

    fn forget_until(&mut self, horizon_ms: u64) {
        let step = horizon_ms.wrapping_sub(self.horizon_ms).cast_signed();
        self.hash = self.hash.wrapping_add(hash::number(hash::STATE, hash::of_state::HORIZON, step));
        self.horizon_ms = horizon_ms;
        let newest: RequestKey = (RequestKey::from(horizon_ms) << 80) | ((1 << 80) - 1);
        while self.keys.first().is_some_and(|(key, _)| key <= newest)
            && let Some((key, known)) = self.keys.pop_first()
        {
            self.hash = self.hash.wrapping_sub(hash::key(key, known));
        }
    }

    /// Undoes every step, the last first.
    fn undo(&mut self, event: &Event, work: &mut Work) {
        if event.key != 0 {
            self.keys.remove(event.key);
        }
        let mut undo = std::mem::take(&mut work.undo);
        while let Some(step) = undo.pop() {
            self.undo_step(step, event, work);
        }
        self.hash = work.before;
        work.undo = undo;
    }

    fn undo_step(&mut self, step: Undo, event: &Event, work: &mut Work) {
        match step {
            Undo::Movement(change) => {
                if let Some(Change::Movement(movement)) = event.changes.get(change) {
                    self.unmove_units(At { sequence: event.sequence, change }, movement, work);
                }
            }
            Undo::Cell(sku, warehouse) => self.skus[sku.at()].cells.remove(warehouse),
            Undo::PoolCell(sku, pool) => {
                let pools = &mut self.skus[sku.at()].pools;
                if let Ok(at) = pools.binary_search_by_key(&pool, |(at, _)| *at) {
                    pools.remove(at);
                }
            }
            Undo::Allocation(no, line) => {
                let lines = self.reservations.get_mut(no).map(|reservation| &mut reservation.lines);
                if let Some(line) = lines.and_then(|lines| nth(lines, line)) {
                    line.allocations.pop();
                }
            }
            Undo::Reservation(no) => {
                self.reservations.pop(no);
            }
            Undo::ReservationLine(no) => {
                self.reservations.get_mut(no).map(|reservation| reservation.lines.pop());
            }
            Undo::Touched(before) => {
                if let Some(reservation) = self.reservations.get_mut(before.no) {
                    reservation.version = before.version;
                    reservation.deadline = before.deadline;
                    reservation.extensions = before.extensions;
                    if reservation.refund_due() != before.refund_due {
                        reservation.terms_mut().refund_due = before.refund_due;
                    }
                }
            }
            Undo::Receipt(no) => {
                self.receipts.pop(no);
            }
            Undo::ReceiptLine(no) => {
                self.receipts.get_mut(no).map(|receipt| receipt.lines.pop());
            }
            Undo::ReceiptExpectedAt(no, expected_at) => {
                if let Some(receipt) = self.receipts.get_mut(no) {
                    receipt.expected_at = expected_at;
                }
            }
            Undo::Transfer(no) => {
                self.transfers.pop(no);
            }
            Undo::TransferClosed(no) => {
                if let Some(transfer) = self.transfers.get_mut(no) {
                    transfer.closed = false;
                }
            }
            Undo::Master => {
                if let Some(master) = work.masters.pop() {
                    self.undo_document(master);
                }
            }
        }
    }
}

const fn known_key(event: &Event) -> KnownKey {
    KnownKey { sequence: event.sequence, digest: event.fingerprint.digest }
}
