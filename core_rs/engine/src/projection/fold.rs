//! What a run of events does to the tables, folded: movements become sums by the table of movements, of
//! everything else the last value stands.

use std::collections::{BTreeMap, BTreeSet};

use lockstock_stock::command::{DocumentKind, WarehouseState};
use lockstock_stock::counters::{
    ALLOCATION_COUNTERS, COUNTERS, LINE_COUNTERS, POOL_COUNTERS, RECEIPT_COUNTERS, SKU_COUNTERS,
    TRANSFER_COUNTERS,
};
use lockstock_stock::event::{
    Change, DocumentChange, Event, Exception, LivePart, NewReceipt, NewReservation, NewTransfer,
};
use lockstock_stock::ids::{LineNo, Micros, OwnerNo, PoolIx, Sequence, SkuIx, Units, WarehouseIx};
use lockstock_stock::movement::{Movement, OwnerKind, Sign};

use super::names::{Ask, Needs};
use crate::rests::resting;

/// Sums of counters by key.
pub(super) struct Sums<K, const N: usize>(pub(super) BTreeMap<K, [Units; N]>);

impl<K, const N: usize> Default for Sums<K, N> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord, const N: usize> Sums<K, N> {
    /// The row is there, whatever is added to it.
    fn touch(&mut self, key: K) -> &mut [Units; N] {
        self.0.entry(key).or_insert([0; N])
    }

    fn add(&mut self, key: K, moves: impl Iterator<Item = (usize, Sign)>, quantity: Units) -> Option<()> {
        let counters = self.touch(key);
        for (at, sign) in moves {
            counters[at] = counters[at].checked_add(sign.checked_mul(quantity)?)?;
        }
        Some(())
    }
}

/// What becomes of a reservation.
#[derive(Default)]
pub(super) struct ReservationPatch<'e> {
    /// With the time of its creation.
    pub(super) created: Option<(Micros, &'e NewReservation)>,
    pub(super) version: Sequence,
    pub(super) deadline: Option<Micros>,
    pub(super) extensions: Option<u32>,
    pub(super) refund_due: Option<bool>,
}

/// What becomes of a receipt.
#[derive(Default)]
pub(super) struct ReceiptPatch<'e> {
    pub(super) created: Option<&'e NewReceipt>,
    pub(super) expected_at: Option<Micros>,
    /// New lines, by SKU: which number each has the state tells.
    pub(super) added: BTreeSet<SkuIx>,
}

/// What becomes of a transfer.
#[derive(Default)]
pub(super) struct TransferPatch<'e> {
    pub(super) created: Option<&'e NewTransfer>,
    pub(super) closed: Option<bool>,
}

/// What a run of events does to the tables that are not history.
#[derive(Default)]
pub(super) struct Fold<'e> {
    pub(super) documents: BTreeMap<(DocumentKind, &'e str), (Sequence, &'e [u8])>,
    pub(super) categories: BTreeMap<&'e str, &'e str>,
    pub(super) warehouses: BTreeMap<&'e str, WarehouseState>,
    pub(super) skus: Sums<SkuIx, SKU_COUNTERS>,
    pub(super) stock: Sums<(SkuIx, WarehouseIx), COUNTERS>,
    pub(super) pool_stock: Sums<(SkuIx, PoolIx), POOL_COUNTERS>,
    pub(super) reservations: BTreeMap<OwnerNo, ReservationPatch<'e>>,
    pub(super) reservation_lines: Sums<(OwnerNo, LineNo), LINE_COUNTERS>,
    pub(super) allocations: Sums<(OwnerNo, LineNo, WarehouseIx), ALLOCATION_COUNTERS>,
    pub(super) receipts: BTreeMap<OwnerNo, ReceiptPatch<'e>>,
    pub(super) receipt_lines: Sums<(OwnerNo, LineNo), RECEIPT_COUNTERS>,
    pub(super) transfers: BTreeMap<OwnerNo, TransferPatch<'e>>,
    pub(super) transfer_lines: Sums<(OwnerNo, LineNo), TRANSFER_COUNTERS>,
    /// Every number that stands in a row, of these tables or of history.
    pub(super) needs: Needs<'e>,
}

impl<'e> Fold<'e> {
    /// `None` where a sum does not fit.
    pub(super) fn of(events: &'e [Event]) -> Option<Self> {
        let mut fold = Self::default();
        for event in resting(events) {
            for change in &event.changes {
                fold.change(event, change)?;
            }
        }
        Some(fold)
    }

    fn change(&mut self, event: &'e Event, change: &'e Change) -> Option<()> {
        match change {
            Change::Movement(movement) => self.movement(event.sequence, movement)?,
            Change::Reservation(new) => self.reservation(event, new),
            Change::ReservationLine { reservation, line } => {
                // Its row comes with the units it is added for: their movements name its number.
                self.touch(event.sequence, *reservation);
                self.needs.line(*reservation, *line);
            }
            Change::Deadline { reservation, deadline, extensions } => {
                let patch = self.touch(event.sequence, *reservation);
                patch.deadline = Some(*deadline);
                patch.extensions = Some(*extensions);
            }
            Change::RefundDue { reservation } => {
                self.touch(event.sequence, *reservation).refund_due = Some(true);
            }
            Change::Step { reservation, .. } => {
                self.touch(event.sequence, *reservation);
            }
            Change::Receipt(new) => {
                let no = OwnerNo(event.sequence);
                let patch = self.receipt(no);
                patch.created = Some(new);
                self.needs.ask(Ask::Warehouse(new.warehouse));
            }
            Change::ReceiptLine { receipt, sku } => {
                self.receipt(*receipt).added.insert(*sku);
                self.needs.ask(Ask::Sku(*sku));
            }
            Change::ReceiptExpectedAt { receipt, expected_at } => {
                self.receipt(*receipt).expected_at = Some(*expected_at);
            }
            Change::Transfer(new) => self.transfer(OwnerNo(event.sequence), new),
            Change::TransferClosed { transfer } => {
                self.transfers.entry(*transfer).or_default().closed = Some(true);
                self.needs.ask(Ask::Transfer(*transfer));
            }
            Change::Document(document) => self.document(event.sequence, document),
            Change::Exception(exception) => self.exception(exception),
            Change::Horizon { .. } | Change::Checkpoint { .. } => {}
        }
        Some(())
    }

    fn movement(&mut self, sequence: Sequence, movement: &Movement) -> Option<()> {
        let Movement { kind, sku, warehouse, pool, owner, line, quantity } = *movement;
        let row = kind.row();
        self.needs.ask(Ask::Sku(sku));
        if let Some(warehouse) = warehouse {
            self.needs.ask(Ask::Warehouse(warehouse));
            self.stock.add((sku, warehouse), row.cell.iter().map(|(c, sign)| (c.at(), *sign)), quantity)?;
        }
        if !row.pool.is_empty() {
            self.needs.ask(Ask::Pool(pool));
            self.pool_stock.add((sku, pool), row.pool.iter().map(|(c, sign)| (c.at(), *sign)), quantity)?;
        }
        if !row.sku.is_empty() {
            self.skus.add(sku, row.sku.iter().map(|(c, sign)| (c.at(), *sign)), quantity)?;
        }
        let Some(no) = owner else { return Some(()) };
        let at = (no, line);
        match kind.owner() {
            OwnerKind::None => {}
            OwnerKind::Reservation => {
                self.touch(sequence, no);
                self.needs.ask(Ask::Pool(pool));
                let moves = row.line.iter().map(|(c, sign)| (c.at(), *sign));
                self.reservation_lines.add(at, moves, quantity)?;
                if let Some(warehouse) = warehouse.filter(|_| !row.allocation.is_empty()) {
                    let moves = row.allocation.iter().map(|(c, sign)| (c.at(), *sign));
                    self.needs.allocated(no, line, warehouse);
                    self.allocations.add((no, line, warehouse), moves, quantity)?;
                }
            }
            OwnerKind::Receipt => {
                self.needs.ask(Ask::Receipt(no));
                let moves = row.receipt.iter().map(|(c, sign)| (c.at(), *sign));
                self.receipt_lines.add(at, moves, quantity)?;
            }
            OwnerKind::Transfer => {
                self.needs.ask(Ask::Transfer(no));
                let moves = row.transfer.iter().map(|(c, sign)| (c.at(), *sign));
                self.transfer_lines.add(at, moves, quantity)?;
            }
        }
        Some(())
    }

    /// An event on a reservation gives it its version.
    fn touch(&mut self, sequence: Sequence, no: OwnerNo) -> &mut ReservationPatch<'e> {
        self.needs.ask(Ask::Reservation(no));
        let patch = self.reservations.entry(no).or_default();
        patch.version = sequence;
        patch
    }

    fn reservation(&mut self, event: &Event, new: &'e NewReservation) {
        let no = OwnerNo(event.sequence);
        self.needs.created(no, new);
        let patch = self.touch(event.sequence, no);
        patch.created = Some((event.at, new));
        self.needs.ask_all(new.source.region().map(Ask::Region));
        self.needs.ask_all(new.source.listed().iter().map(|at| Ask::Warehouse(*at)));
        self.needs.ask_all(new.channel.map(Ask::Channel));
        for (number, _) in (1..).zip(&new.lines) {
            self.reservation_lines.touch((no, number));
        }
    }

    fn receipt(&mut self, no: OwnerNo) -> &mut ReceiptPatch<'e> {
        self.needs.ask(Ask::Receipt(no));
        self.receipts.entry(no).or_default()
    }

    fn transfer(&mut self, no: OwnerNo, new: &'e NewTransfer) {
        let patch = self.transfers.entry(no).or_default();
        patch.created = Some(new);
        self.needs.ask_all([Ask::Transfer(no), Ask::Warehouse(new.from), Ask::Warehouse(new.to)]);
        for (sku, number) in new.lines.iter().zip(1..) {
            self.transfer_lines.touch((no, number));
            self.needs.ask(Ask::Sku(*sku));
        }
    }

    fn document(&mut self, sequence: Sequence, document: &'e DocumentChange) {
        let DocumentChange { kind, id, live, body } = document;
        self.documents.insert((*kind, id), (sequence, body));
        match live {
            LivePart::Sku { category, .. } => {
                self.categories.insert(id, category);
            }
            LivePart::Warehouse { state, .. } => {
                self.warehouses.insert(id, *state);
            }
            LivePart::Nothing | LivePart::RoutePlan { .. } | LivePart::Shop { .. } => {}
        }
    }

    fn exception(&mut self, exception: &Exception) {
        self.needs.ask_all([Ask::Sku(exception.sku), Ask::Warehouse(exception.warehouse)]);
        self.needs.ask_all(exception.reservation.map(Ask::Reservation));
    }
}
