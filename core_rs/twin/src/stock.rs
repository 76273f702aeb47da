//! Units that come and go beside orders: adjustments and compare-and-set.

use lockstock_stock::command::{Adjustment, SetLine, SetTarget, StockLine, WarehouseState};
use lockstock_stock::event::ExceptionKind;
use lockstock_stock::limits::COUNTER_MAX;
use lockstock_stock::refusal::Reason;

use super::Attempt;
use super::world::{Name, World};

impl Attempt<'_> {
    pub fn adjust(&mut self, adjustment: Adjustment, lines: &[StockLine<'static>]) {
        let before = self.world.clone();
        self.sums_in_range(lines.iter().map(|line| (line.sku, line.quantity)));
        for line in lines {
            // Both, so that whichever is said is on the list.
            if !(self.knows_sku(line.sku) & self.works_at(line.warehouse)) {
                continue;
            }
            let cell = self.world.cell(line.sku, line.warehouse);
            let q = line.quantity;
            match adjustment {
                Adjustment::Increase => (cell.available, cell.found) = (cell.available + q, cell.found + q),
                Adjustment::Decrease | Adjustment::RecordLoss => {
                    (cell.available, cell.lost) = (cell.available - q, cell.lost + q);
                }
                Adjustment::OtherReceipt => {
                    (cell.available, cell.received) = (cell.available + q, cell.received + q);
                }
                Adjustment::Issue => (cell.available, cell.shipped) = (cell.available - q, cell.shipped + q),
                Adjustment::MarkDefective => {
                    (cell.available, cell.defective) = (cell.available - q, cell.defective + q);
                }
                Adjustment::Restore => {
                    (cell.available, cell.defective) = (cell.available + q, cell.defective - q);
                }
                Adjustment::WriteOff => {
                    (cell.defective, cell.written_off) = (cell.defective - q, cell.written_off + q);
                }
            }
        }
        self.counters_fit();
        if adjustment == Adjustment::RecordLoss {
            self.good_units_stand();
            self.note_losses(&before);
        } else {
            self.nothing_below_zero(&before);
            self.surplus_covers(&before);
        }
    }

    pub fn set(&mut self, lines: &[SetLine<'static>]) {
        let before = self.world.clone();
        for line in lines {
            if !(self.knows_sku(line.sku) & self.works_at(line.warehouse)) {
                continue;
            }
            let cell = self.world.cell(line.sku, line.warehouse);
            let current = match line.target {
                SetTarget::Available => cell.available,
                SetTarget::OnHand => cell.on_hand(),
            };
            let stale = current != line.expected;
            let delta = line.value - current;
            cell.available += delta;
            *(if delta > 0 { &mut cell.found } else { &mut cell.lost }) += delta.abs();
            self.unless(!stale, Reason::StaleValue);
        }
        self.counters_fit();
        self.nothing_below_zero(&before);
        self.surplus_covers(&before);
    }

    /// Nobody takes more than there is: no counter falls below zero, or further below it.
    pub fn nothing_below_zero(&mut self, before: &World) {
        let kept = self.world.cells.iter().all(|((sku, warehouse), cell)| {
            let was = before.peek(sku, warehouse);
            let falls = |is: i64, was: i64| is < 0 && is < was;
            !falls(cell.available, was.available) && !falls(cell.defective, was.defective)
        });
        self.unless(kept, Reason::QuantityNotHeld);
    }

    /// No counter passes 10^15.
    pub fn counters_fit(&mut self) {
        let fit = self.world.cells.values().all(|cell| {
            [
                cell.available,
                cell.defective,
                cell.in_transit,
                cell.received,
                cell.found,
                cell.lost,
                cell.shipped,
            ]
            .iter()
            .all(|units| *units <= COUNTER_MAX)
        });
        self.unless(fit, Reason::CounterOverflow);
    }

    /// Losses go through; what they drive below zero is put on record.
    fn note_losses(&mut self, before: &World) {
        for ((sku, warehouse), cell) in &self.world.cells {
            let was = before.peek(sku, warehouse).available;
            if cell.available < 0 && cell.available < was {
                self.done.exceptions.push((ExceptionKind::Oversold, *sku, *warehouse, -cell.available, None));
            }
        }
        self.note_pool_short(before);
    }

    /// What is promised has lost its units. One exception a SKU; every warehouse where it showed is on the
    /// list, because the contract does not say which of them is named.
    pub fn note_pool_short(&mut self, before: &World) {
        let skus: Vec<Name> = before.skus.keys().copied().collect();
        for sku in skus {
            let (was, is) = (before.free(sku), self.world.free(sku));
            if is >= was || is >= 0 {
                continue;
            }
            let gives = |world: &World, at: Name| {
                if world.is(at, WarehouseState::Active) { world.peek(sku, at).available } else { 0 }
            };
            let touched = self
                .world
                .cells
                .iter()
                .filter(|((of, at), _)| *of == sku && gives(&self.world, at) < gives(before, at));
            let places: Vec<Name> = touched.map(|((_, at), _)| *at).collect();
            for warehouse in places {
                self.done.exceptions.push((ExceptionKind::PoolShort, sku, warehouse, -is, None));
            }
        }
    }
}
