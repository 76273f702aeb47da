//! Units on their way in: receipts and transfers.

use std::rc::Rc;

use lockstock_stock::command::{Arrival, Rest, SkuPart};
use lockstock_stock::ids::{Micros, Units};
use lockstock_stock::refusal::Reason;

use super::Attempt;
use super::world::{Name, Receipt, Transfer, TransferLine};

impl Attempt<'_> {
    /// The receipt is there afterwards, at this warehouse, or a rule is broken.
    fn receipt(&mut self, id: Name, warehouse: Name) -> bool {
        let works = self.works_at(warehouse);
        let elsewhere = self.world.receipts.get(id).is_some_and(|receipt| receipt.warehouse != warehouse);
        self.unless(!elsewhere, Reason::ReceiptExists);
        if !works || elsewhere {
            return false;
        }
        let new = || Rc::new(Receipt { warehouse, expected_at: 0, lines: Vec::new() });
        self.world.receipts.entry(id).or_insert_with(new);
        true
    }

    pub fn expect_receipt(
        &mut self,
        id: Name,
        warehouse: Name,
        expected_at: Micros,
        lines: &[SkuPart<'static>],
    ) {
        let there = self.receipt(id, warehouse);
        self.sums_in_range(lines.iter().map(|line| (line.sku, line.quantity.unwrap())));
        for line in lines {
            if !(self.knows_sku(line.sku) & there) {
                continue;
            }
            let units = line.quantity.unwrap();
            let receipt = Rc::make_mut(self.world.receipts.get_mut(id).unwrap());
            if expected_at > 0 {
                receipt.expected_at = expected_at;
            }
            let entry = receipt.entry(line.sku);
            entry.announced += units;
            entry.expected += units;
            self.world.cell(line.sku, warehouse).in_transit += units;
        }
        self.counters_fit();
    }

    pub fn receive(&mut self, id: Name, warehouse: Name, lines: &[Arrival<'static>]) {
        let known = self.world.receipts.contains_key(id);
        self.unless(known || !self.reason.is_empty(), Reason::ReceiptExceedsExpected);
        let there = self.receipt(id, warehouse);
        for line in lines {
            if !(self.knows_sku(line.sku) & there) {
                continue;
            }
            let receipt = Rc::make_mut(self.world.receipts.get_mut(id).unwrap());
            let entry = receipt.entry(line.sku);
            let all = line.good + line.defective + line.missing;
            let arrived = all.min(entry.expected);
            let more = all > entry.expected;
            entry.expected -= arrived;
            entry.received += line.good + line.defective;
            entry.defective += line.defective;
            entry.missing += line.missing;
            let cell = self.world.cell(line.sku, warehouse);
            cell.in_transit -= arrived;
            cell.available += line.good;
            cell.defective += line.defective;
            cell.received += line.good + line.defective;
            self.unless(!more || !self.reason.is_empty(), Reason::ReceiptExceedsExpected);
        }
        self.counters_fit();
    }

    pub fn draft(&mut self, id: Name, from: Name, to: Name, lines: &[SkuPart<'static>]) {
        let before = self.world.clone();
        let new = !self.world.transfers.contains_key(id);
        self.unless(new, Reason::TransferExists);
        self.unless(from != to, Reason::SameWarehouse);
        let works = self.works_at(from) & self.works_at(to);
        self.sums_in_range(lines.iter().map(|line| (line.sku, line.quantity.unwrap())));
        let mut transfer = Transfer { from, to, closed: false, lines: Vec::new() };
        for line in lines {
            if !(self.knows_sku(line.sku) & works) {
                continue;
            }
            let units = line.quantity.unwrap();
            let cell = self.world.cell(line.sku, from);
            cell.available -= units;
            cell.allocated += units;
            match transfer.lines.iter_mut().find(|entry| entry.sku == line.sku) {
                Some(entry) => entry.allocated += units,
                None => transfer.lines.push(TransferLine {
                    sku: line.sku,
                    allocated: units,
                    ..TransferLine::default()
                }),
            }
        }
        self.nothing_below_zero(&before);
        self.surplus_covers(&before);
        self.world.transfers.insert(id, Rc::new(transfer));
    }

    /// The transfer, if it is known and open.
    fn transfer(&mut self, id: Name) -> Option<Transfer> {
        let transfer = self.world.transfers.get(id).map(|transfer| (**transfer).clone());
        self.unless(transfer.is_some(), Reason::TransferNotFound);
        let transfer = transfer?;
        self.unless(!transfer.closed, Reason::TransferClosed).then_some(transfer)
    }

    fn transfer_line(&mut self, id: Name, at: usize) -> &mut TransferLine {
        &mut Rc::make_mut(self.world.transfers.get_mut(id).unwrap()).lines[at]
    }

    /// The line of a SKU that must stand on the transfer.
    fn line_of(&mut self, transfer: &Transfer, sku: Name) -> Option<usize> {
        if !self.knows_sku(sku) {
            return None;
        }
        let at = transfer.lines.iter().position(|line| line.sku == sku);
        self.unless(at.is_some(), Reason::TransferNotFound);
        at
    }

    fn transfer_parts(
        &mut self,
        transfer: &Transfer,
        parts: &[SkuPart<'static>],
        holds: impl Fn(&TransferLine) -> Units,
    ) -> Vec<(usize, Units)> {
        let mut chosen = Vec::new();
        if parts.is_empty() {
            let all = transfer.lines.iter().map(&holds).enumerate();
            chosen.extend(all.filter(|(_, units)| *units > 0));
            self.unless(!chosen.is_empty(), Reason::QuantityNotHeld);
        }
        for part in parts {
            if let Some(at) = self.line_of(transfer, part.sku) {
                let there = holds(&transfer.lines[at]);
                let units = part.quantity.unwrap_or(there);
                if self.unless(units > 0 && units <= there, Reason::QuantityNotHeld) {
                    chosen.push((at, units));
                }
            }
        }
        chosen
    }

    pub fn cancel_transfer(&mut self, id: Name, parts: &[SkuPart<'static>]) {
        let Some(transfer) = self.transfer(id) else { return };
        self.works_at(transfer.from);
        for (at, units) in self.transfer_parts(&transfer, parts, |line| line.allocated + line.picking) {
            let line = self.transfer_line(id, at);
            let allocated = units.min(line.allocated);
            line.allocated -= allocated;
            line.picking -= units - allocated;
            let cell = self.world.cell(transfer.lines[at].sku, transfer.from);
            cell.allocated -= allocated;
            cell.picking -= units - allocated;
            cell.available += units;
        }
    }

    pub fn push_transfer(&mut self, id: Name, parts: &[SkuPart<'static>]) {
        let Some(transfer) = self.transfer(id) else { return };
        self.works_at(transfer.from);
        for (at, units) in self.transfer_parts(&transfer, parts, |line| line.allocated) {
            let line = self.transfer_line(id, at);
            line.allocated -= units;
            line.picking += units;
            let cell = self.world.cell(transfer.lines[at].sku, transfer.from);
            cell.allocated -= units;
            cell.picking += units;
        }
    }

    pub fn recall_transfer(&mut self, id: Name, parts: &[SkuPart<'static>]) {
        let Some(transfer) = self.transfer(id) else { return };
        self.works_at(transfer.from);
        for (at, units) in self.transfer_parts(&transfer, parts, |line| line.picking) {
            let line = self.transfer_line(id, at);
            line.picking -= units;
            line.allocated += units;
            let cell = self.world.cell(transfer.lines[at].sku, transfer.from);
            cell.picking -= units;
            cell.allocated += units;
        }
    }

    pub fn ship_transfer(&mut self, id: Name, parts: &[SkuPart<'static>]) {
        let Some(transfer) = self.transfer(id) else { return };
        let _both = self.works_at(transfer.from) & self.works_at(transfer.to);
        for (at, units) in self.transfer_parts(&transfer, parts, |line| line.allocated + line.picking) {
            let line = self.transfer_line(id, at);
            let picked = units.min(line.picking);
            line.picking -= picked;
            line.allocated -= units - picked;
            line.shipped += units;
            line.in_transit += units;
            let sku = transfer.lines[at].sku;
            let cell = self.world.cell(sku, transfer.from);
            cell.picking -= picked;
            cell.allocated -= units - picked;
            cell.shipped += units;
            self.world.cell(sku, transfer.to).in_transit += units;
        }
        self.good_units_stand();
    }

    pub fn receive_transfer(&mut self, id: Name, lines: &[Arrival<'static>]) {
        let Some(transfer) = self.transfer(id) else { return };
        self.works_at(transfer.to);
        for arrival in lines {
            let Some(at) = self.line_of(&transfer, arrival.sku) else { continue };
            let all = arrival.good + arrival.defective;
            let line = self.transfer_line(id, at);
            let arrived = all.min(line.in_transit);
            let more = all > line.in_transit;
            line.in_transit -= arrived;
            line.received += all;
            let cell = self.world.cell(arrival.sku, transfer.to);
            cell.in_transit -= arrived;
            cell.available += arrival.good;
            cell.defective += arrival.defective;
            cell.received += all;
            self.unless(!more || !self.reason.is_empty(), Reason::ReceiptExceedsExpected);
        }
        self.counters_fit();
    }

    pub fn close_transfer(&mut self, id: Name, lines: &[Rest<'static>]) {
        let Some(transfer) = self.transfer(id) else { return };
        let drafted: Units = transfer.lines.iter().map(|line| line.allocated + line.picking).sum();
        self.unless(drafted == 0, Reason::TransferNotBalanced);
        let mut open: Vec<Units> = transfer.lines.iter().map(|line| line.in_transit).collect();
        for rest in lines {
            let Some(at) = self.line_of(&transfer, rest.sku) else { continue };
            let all = rest.restored + rest.damaged + rest.lost;
            open[at] -= all;
            if rest.restored > 0 {
                self.works_at(transfer.from);
            }
            let line = self.transfer_line(id, at);
            line.in_transit -= all;
            line.restored += rest.restored;
            line.damaged += rest.damaged;
            line.lost += rest.lost;
            let source = self.world.cell(rest.sku, transfer.from);
            source.received += rest.restored;
            source.available += rest.restored;
            let cell = self.world.cell(rest.sku, transfer.to);
            cell.in_transit -= all;
            cell.received += rest.damaged + rest.lost;
            cell.defective += rest.damaged;
            cell.lost += rest.lost;
        }
        self.unless(open.iter().all(|units| *units == 0), Reason::TransferNotBalanced);
        Rc::make_mut(self.world.transfers.get_mut(id).unwrap()).closed = true;
    }
}
