//! Creating reservations, receipts and transfers, and changing what of them is not a counter.
//!
//! What hashes the number of an owner is never inlined into the walk over an event's changes: it would be hashed before
//! every walk, whatever the changes are.

use std::sync::Arc;

use super::reservation::Terms;
use super::work::{At, Touched, Undo, Work};
use super::{
    Line, Owner, Owners, Receipt, ReceiptLine, Reservation, State, Transfer, TransferLine, Violation, hash,
};
use crate::counters::{Counters, RECEIPT_COUNTERS, TRANSFER_COUNTERS};
use crate::event::{NewLine, NewReceipt, NewReservation, NewTransfer};
use crate::few::Few;
use crate::ids::{ChannelIx, LineNo, Micros, OwnerNo, PoolIx, RegionIx, SkuIx, WarehouseIx};

impl State {
    pub(super) fn know_sku(&self, at: At, sku: SkuIx) -> Result<(), Violation> {
        if sku.at() < self.skus.len() { Ok(()) } else { Err(at.unknown("SKU", sku.0.into())) }
    }

    pub(super) fn know_warehouse(&self, at: At, warehouse: WarehouseIx) -> Result<(), Violation> {
        if warehouse.at() < self.warehouses.len() {
            Ok(())
        } else {
            Err(at.unknown("warehouse", warehouse.0.into()))
        }
    }

    pub(super) fn know_pool(&self, at: At, pool: PoolIx) -> Result<(), Violation> {
        if pool.at() < self.pools.len() { Ok(()) } else { Err(at.unknown("pool", pool.0.into())) }
    }

    fn know_region(&self, at: At, region: RegionIx) -> Result<(), Violation> {
        if region.at() < self.regions.len() { Ok(()) } else { Err(at.unknown("region", region.0.into())) }
    }

    fn know_channel(&self, at: At, channel: ChannelIx) -> Result<(), Violation> {
        if channel.at() < self.channels.len() { Ok(()) } else { Err(at.unknown("channel", channel.0.into())) }
    }

    fn know_line(&self, at: At, line: NewLine) -> Result<(), Violation> {
        self.know_sku(at, line.sku)?;
        self.know_pool(at, line.pool)
    }

    #[inline(never)]
    pub(super) fn create_reservation(
        &mut self,
        at: At,
        now: Micros,
        new: &NewReservation,
        work: &mut Work,
    ) -> Result<(), Violation> {
        let no = new_owner(at, work)?;
        new.source.region().map_or(Ok(()), |region| self.know_region(at, region))?;
        new.source.listed().iter().try_for_each(|warehouse| self.know_warehouse(at, *warehouse))?;
        new.channel.map_or(Ok(()), |channel| self.know_channel(at, channel))?;
        new.lines.iter().try_for_each(|line| self.know_line(at, *line))?;
        let terms = (new.source.region().unwrap_or(RegionIx(0)), Terms::of(new));
        let lines = new.lines.map(|line| new_line(*line));
        let reservation = Reservation::new(no, &new.id, terms, now, new.deadline, lines);
        let entity = hash::owner(hash::Entity::Reservation, no);
        let mut hash = hash::reservation(entity, &reservation);
        hash = hash.wrapping_add(hash::number(entity, hash::of_reservation::DEADLINE, new.deadline));
        hash =
            hash.wrapping_add(hash::number(entity, hash::of_reservation::VERSION, at.sequence.cast_signed()));
        for (number, line) in (1..).zip(&reservation.lines) {
            hash = hash.wrapping_add(hash::line(hash::owner_line(hash::Entity::Line, no, number), line));
        }
        put(at, &mut self.reservations, reservation)?;
        self.hash = self.hash.wrapping_add(hash);
        work.undo.push(Undo::Reservation(no));
        work.reservations.push((no, None));
        Ok(())
    }

    /// A reservation that this event changes, with its new version.
    fn touched(&mut self, at: At, no: OwnerNo, work: &mut Work) -> Result<&mut Reservation, Violation> {
        let reservation = self.reservations.get_mut(no).ok_or_else(|| at.unknown("reservation", no.0))?;
        self.hash = self.hash.wrapping_add(Touched::note(reservation, at.sequence, work));
        Ok(reservation)
    }

    pub(super) fn add_reservation_line(
        &mut self,
        at: At,
        no: OwnerNo,
        new: NewLine,
        work: &mut Work,
    ) -> Result<(), Violation> {
        self.know_line(at, new)?;
        let line = new_line(new);
        let lines = &mut self.touched(at, no, work)?.lines;
        let number = next_line(at, lines.len())?;
        let contribution = hash::line(hash::owner_line(hash::Entity::Line, no, number), &line);
        lines.push(line);
        work.undo.push(Undo::ReservationLine(no));
        self.hash = self.hash.wrapping_add(contribution);
        Ok(())
    }

    pub(super) fn set_deadline(
        &mut self,
        at: At,
        no: OwnerNo,
        deadline: Micros,
        extensions: u32,
        work: &mut Work,
    ) -> Result<(), Violation> {
        let reservation = self.touched(at, no, work)?;
        let later = deadline.wrapping_sub(reservation.deadline);
        let more = i64::from(extensions) - i64::from(reservation.extensions);
        (reservation.deadline, reservation.extensions) = (deadline, extensions);
        let entity = hash::owner(hash::Entity::Reservation, no);
        self.hash = self.hash.wrapping_add(hash::number(entity, hash::of_reservation::DEADLINE, later));
        self.hash = self.hash.wrapping_add(hash::number(entity, hash::of_reservation::EXTENSIONS, more));
        Ok(())
    }

    pub(super) fn set_refund_due(&mut self, at: At, no: OwnerNo, work: &mut Work) -> Result<(), Violation> {
        let reservation = self.touched(at, no, work)?;
        if reservation.refund_due() {
            return Err(at.malformed("a refund is due already"));
        }
        reservation.terms_mut().refund_due = true;
        let entity = hash::owner(hash::Entity::Reservation, no);
        self.hash = self.hash.wrapping_add(hash::number(entity, hash::of_reservation::REFUND_DUE, 1));
        Ok(())
    }

    /// A step that changes nothing but the version.
    pub(super) fn note_step(&mut self, at: At, no: OwnerNo, work: &mut Work) -> Result<(), Violation> {
        self.touched(at, no, work).map(|_| ())
    }

    #[inline(never)]
    pub(super) fn open_receipt(
        &mut self,
        at: At,
        new: &NewReceipt,
        work: &mut Work,
    ) -> Result<(), Violation> {
        let no = new_owner(at, work)?;
        self.know_warehouse(at, new.warehouse)?;
        let id = Arc::from(&*new.id);
        let receipt = Receipt { no, id, warehouse: new.warehouse, expected_at: 0, lines: Vec::new() };
        self.hash = self.hash.wrapping_add(hash::receipt(&receipt));
        put(at, &mut self.receipts, receipt)?;
        work.undo.push(Undo::Receipt(no));
        Ok(())
    }

    #[inline(never)]
    pub(super) fn add_receipt_line(
        &mut self,
        at: At,
        no: OwnerNo,
        sku: SkuIx,
        work: &mut Work,
    ) -> Result<(), Violation> {
        self.know_sku(at, sku)?;
        let lines = &mut self.receipts.get_mut(no).ok_or_else(|| at.unknown("receipt", no.0))?.lines;
        let entity = hash::owner_line(hash::Entity::ReceiptLine, no, next_line(at, lines.len())?);
        lines.push(ReceiptLine { sku, counters: [0; RECEIPT_COUNTERS] });
        self.hash = self.hash.wrapping_add(hash::goods_line(entity, sku));
        work.undo.push(Undo::ReceiptLine(no));
        Ok(())
    }

    #[inline(never)]
    pub(super) fn set_expected_at(
        &mut self,
        at: At,
        no: OwnerNo,
        expected_at: Micros,
        work: &mut Work,
    ) -> Result<(), Violation> {
        let receipt = self.receipts.get_mut(no).ok_or_else(|| at.unknown("receipt", no.0))?;
        work.undo.push(Undo::ReceiptExpectedAt(no, receipt.expected_at));
        let later = expected_at.wrapping_sub(receipt.expected_at);
        receipt.expected_at = expected_at;
        let entity = hash::owner(hash::Entity::Receipt, no);
        self.hash = self.hash.wrapping_add(hash::number(entity, hash::ONLY, later));
        Ok(())
    }

    #[inline(never)]
    pub(super) fn draft_transfer(
        &mut self,
        at: At,
        new: &NewTransfer,
        work: &mut Work,
    ) -> Result<(), Violation> {
        let no = new_owner(at, work)?;
        self.know_warehouse(at, new.from)?;
        self.know_warehouse(at, new.to)?;
        if new.from == new.to {
            return Err(at.malformed("a transfer has two ends"));
        }
        new.lines.iter().try_for_each(|sku| self.know_sku(at, *sku))?;
        let lines = new.lines.iter().map(|sku| TransferLine { sku: *sku, counters: [0; TRANSFER_COUNTERS] });
        let transfer = Transfer {
            no,
            id: Arc::from(&*new.id),
            from: new.from,
            to: new.to,
            closed: false,
            lines: lines.collect(),
        };
        self.hash = self.hash.wrapping_add(hash::transfer(&transfer));
        for (number, sku) in (1..).zip(&new.lines) {
            let entity = hash::owner_line(hash::Entity::TransferLine, no, number);
            self.hash = self.hash.wrapping_add(hash::goods_line(entity, *sku));
        }
        put(at, &mut self.transfers, transfer)?;
        work.undo.push(Undo::Transfer(no));
        Ok(())
    }

    #[inline(never)]
    pub(super) fn close_transfer(&mut self, at: At, no: OwnerNo, work: &mut Work) -> Result<(), Violation> {
        let transfer = self.transfers.get_mut(no).ok_or_else(|| at.unknown("transfer", no.0))?;
        if transfer.closed {
            return Err(at.malformed("the transfer is closed already"));
        }
        transfer.closed = true;
        let entity = hash::owner(hash::Entity::Transfer, no);
        self.hash = self.hash.wrapping_add(hash::number(entity, hash::ONLY, 1));
        work.undo.push(Undo::TransferClosed(no));
        Ok(())
    }
}

/// The number of an owner that this event creates: an event creates one at most.
fn new_owner(at: At, work: &mut Work) -> Result<OwnerNo, Violation> {
    if std::mem::replace(&mut work.created, true) {
        return Err(at.malformed("an event creates one reservation, receipt or transfer at most"));
    }
    Ok(OwnerNo(at.sequence))
}

fn new_line(NewLine { sku, pool, policy }: NewLine) -> Line {
    Line { sku, pool, counters: Counters::zero(policy), allocations: Few::new() }
}

fn put<V: Owner>(at: At, owners: &mut Owners<V>, new: V) -> Result<(), Violation> {
    if owners.push(new) { Ok(()) } else { Err(at.malformed("the id of a new owner is not taken")) }
}

/// The number of the line that comes after so many.
fn next_line(at: At, lines: usize) -> Result<LineNo, Violation> {
    LineNo::try_from(lines + 1).map_err(|_| at.malformed("there are too many lines"))
}
