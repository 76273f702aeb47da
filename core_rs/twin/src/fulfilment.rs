//! Paid units on their way to the buyer, and back: push, recall, pick, ship, short pick, move, returns.

use std::collections::{BTreeMap, BTreeSet};

use lockstock_stock::command::{Disposition, Picked, Returned, Selection};
use lockstock_stock::event::ExceptionKind;
use lockstock_stock::ids::{LineNo, Units};
use lockstock_stock::refusal::Reason;

use super::orders::Parts;
use super::sourcing::{Terms, Want};
use super::world::{Held, Line, Name, Reservation};
use super::{Attempt, Broken};

impl Attempt<'_> {
    /// The order and the parts named of it, at the warehouse named or at all of them.
    fn chosen(
        &mut self,
        what: &Selection<'static>,
        holds: impl Fn(&Held) -> Units,
    ) -> Option<(Reservation, Parts)> {
        let order = self.touch(what.reservation);
        if !what.warehouse.is_empty() {
            self.works_at(what.warehouse);
        }
        let order = order?;
        let here = |held: &Held| what.warehouse.is_empty() || held.warehouse == what.warehouse;
        let there = |line: &Line| line.sum(|held| if here(held) { holds(held) } else { 0 });
        let parts = self.parts(&order, &what.parts, there);
        Some((order, parts))
    }

    /// Walks the warehouses of a line in plan order and takes from each what it holds.
    fn walk(
        &self,
        what: &Selection<'static>,
        at: usize,
        units: Units,
        holds: fn(&Held) -> Units,
    ) -> Vec<(Name, Units)> {
        let mut rest = units;
        let mut taken = Vec::new();
        for held in &self.in_plan_order(what.reservation, at) {
            if what.warehouse.is_empty() || held.warehouse == what.warehouse {
                let some = rest.min(holds(held));
                rest -= some;
                taken.push((held.warehouse, some));
            }
        }
        taken.retain(|(_, some)| *some > 0);
        taken
    }

    pub fn push_fulfilment(&mut self, what: &Selection<'static>) {
        let Some((order, parts)) = self.chosen(what, |held| held.allocated) else { return };
        for (at, units) in parts {
            for (warehouse, some) in self.walk(what, at, units, |held| held.allocated) {
                let held = self.world.line(what.reservation, at).entry(warehouse);
                held.allocated -= some;
                held.picking += some;
                let cell = self.world.cell(order.lines[at].sku, warehouse);
                cell.allocated -= some;
                cell.picking += some;
            }
        }
    }

    pub fn recall(&mut self, what: &Selection<'static>) {
        let Some((order, parts)) = self.chosen(what, |held| held.picking) else { return };
        for (at, units) in parts {
            for (warehouse, some) in self.walk(what, at, units, |held| held.picking) {
                let held = self.world.line(what.reservation, at).entry(warehouse);
                held.picking -= some;
                held.allocated += some;
                let cell = self.world.cell(order.lines[at].sku, warehouse);
                cell.picking -= some;
                cell.allocated += some;
            }
        }
    }

    pub fn ship(&mut self, what: &Selection<'static>) {
        let Some((order, parts)) = self.chosen(what, |held| held.picking + held.allocated) else { return };
        for (at, units) in parts {
            for (warehouse, some) in self.walk(what, at, units, |held| held.picking + held.allocated) {
                let held = self.world.line(what.reservation, at).entry(warehouse);
                let picked = some.min(held.picking);
                held.picking -= picked;
                held.allocated -= some - picked;
                held.shipped += some;
                let cell = self.world.cell(order.lines[at].sku, warehouse);
                cell.picking -= picked;
                cell.allocated -= some - picked;
                cell.shipped += some;
            }
        }
        self.good_units_stand();
    }

    /// `on_hand - defective` is never below zero.
    pub fn good_units_stand(&mut self) {
        let stand = self.world.cells.values().all(|cell| cell.good() >= 0);
        self.unless(stand, Reason::OnHandShort);
    }

    pub fn short_pick(&mut self, what: &Selection<'static>) {
        let Some((order, parts)) = self.chosen(what, |held| held.picking) else { return };
        self.go_short(what.reservation, what.warehouse, &order, parts);
    }

    pub fn confirm_picking(&mut self, id: Name, warehouse: Name, lines: &[Picked]) {
        let order = self.touch(id);
        self.works_at(warehouse);
        let Some(order) = order else { return };
        let mut short = Parts::new();
        for found in lines {
            let at = (found.line as usize).wrapping_sub(1);
            let Some(line) = order.lines.get(at) else {
                self.rule(Reason::LineNotFound);
                continue;
            };
            self.unless(found.picked + found.short <= line.at(warehouse).picking, Reason::QuantityNotHeld);
            if found.short > 0 {
                short.push((at, found.short));
            }
        }
        self.go_short(id, warehouse, &order, short);
    }

    /// A parcel leaves one place: where it is not said, there must be only one.
    pub fn ship_order(&mut self, parcel: &Selection<'static>) {
        if let Some(order) = self.world.reservations.get(parcel.reservation)
            && parcel.warehouse.is_empty()
        {
            let named = |number: LineNo| {
                parcel.parts.is_empty() || parcel.parts.iter().any(|part| part.line == number)
            };
            let lines = (1..).zip(&order.lines).filter(|(number, _)| named(*number));
            let places: BTreeSet<Name> = lines
                .flat_map(|(_, line)| &line.held)
                .filter(|held| held.allocated + held.picking > 0)
                .map(|held| held.warehouse)
                .collect();
            self.unless(places.len() < 2, Reason::FieldRequired);
        }
        self.ship(parcel);
    }

    fn go_short(&mut self, id: Name, warehouse: Name, order: &Reservation, parts: Parts) {
        if !self.clean() {
            return;
        }
        for (at, units) in &parts {
            self.world.line(id, *at).entry(warehouse).picking -= units;
            let cell = self.world.cell(order.lines[*at].sku, warehouse);
            cell.picking -= units;
            let repair = (-cell.available).clamp(0, *units);
            cell.available += repair;
            cell.lost += units - repair;
        }
        for (at, units) in parts {
            self.route_again(id, warehouse, order, at, units);
        }
    }

    /// Other warehouses give what they have; what none can replace is claimed.
    fn route_again(&mut self, id: Name, short: Name, order: &Reservation, at: usize, units: Units) {
        let sku = order.lines[at].sku;
        let want = Want { line: at, sku, units };
        let terms = Terms { except: short, allow_partial: true, ..Terms::whole(&order.source, 0) };
        let takes = self.route(&[want], &terms);
        // Nobody has any: no refusal, but a claim.
        self.broken = Broken::default();
        self.done.refused.clear();
        let mut rest = units;
        for take in takes {
            rest -= take.units;
            self.world.line(id, at).entry(take.warehouse).allocated += take.units;
            let cell = self.world.cell(sku, take.warehouse);
            cell.available -= take.units;
            cell.allocated += take.units;
        }
        if rest > 0 {
            self.world.line(id, at).claimed += rest;
            self.world.sku(sku).claimed += rest;
            let exception = (ExceptionKind::Claimed, sku, short, rest, Some(id));
            self.done.exceptions.push(exception);
        }
    }

    pub fn move_units(&mut self, id: Name, line: LineNo, from: Name, to: Name, quantity: Option<Units>) {
        let before = self.world.clone();
        let order = self.touch(id);
        self.unless(from != to, Reason::SameWarehouse);
        let works = self.works_at(from) & self.works_at(to);
        let Some(order) = order else { return };
        let at = (line as usize).wrapping_sub(1);
        let Some(old) = order.lines.get(at) else { return self.rule(Reason::LineNotFound) };
        let held = old.at(from);
        let there = held.locked + held.allocated;
        let units = quantity.unwrap_or(there);
        if !self.unless(units > 0 && units <= there, Reason::QuantityNotHeld) || !works || from == to {
            return;
        }
        let locked = units.min(held.locked);
        let allocated = units - locked;
        for (warehouse, sign) in [(from, -1), (to, 1)] {
            let entry = self.world.line(id, at).entry(warehouse);
            entry.locked += sign * locked;
            entry.allocated += sign * allocated;
            let cell = self.world.cell(old.sku, warehouse);
            cell.locked += sign * locked;
            cell.allocated += sign * allocated;
            cell.available -= sign * units;
        }
        let enough = self.world.peek(old.sku, to).available >= 0;
        self.unless(enough, Reason::QuantityNotHeld);
        self.surplus_covers(&before);
    }

    pub fn expect_return(&mut self, what: &Selection<'static>) {
        let order = self.touch(what.reservation);
        let works = self.works_at(what.warehouse);
        let Some(order) = order else { return };
        for part in &what.parts {
            let at = (part.line as usize).wrapping_sub(1);
            let Some(line) = order.lines.get(at) else {
                self.rule(Reason::LineNotFound);
                continue;
            };
            let units = part.quantity.unwrap();
            let out = line.sum(|held| held.shipped - held.returning) - line.returned;
            if self.unless(units <= out, Reason::ReturnExceedsShipped) && works {
                self.world.line(what.reservation, at).entry(what.warehouse).returning += units;
                self.world.cell(line.sku, what.warehouse).returning += units;
            }
        }
    }

    pub fn cancel_return(&mut self, what: &Selection<'static>) {
        let Some((order, parts)) = self.chosen(what, |held| held.returning) else { return };
        for (at, units) in parts {
            self.world.line(what.reservation, at).entry(what.warehouse).returning -= units;
            self.world.cell(order.lines[at].sku, what.warehouse).returning -= units;
        }
    }

    /// `Return`.
    pub fn take_back(&mut self, id: Name, warehouse: Name, lines: &[Returned]) {
        let order = self.touch(id);
        let works = self.works_at(warehouse);
        let Some(order) = order else { return };
        let mut sums: BTreeMap<usize, Units> = BTreeMap::new();
        for returned in lines {
            let at = (returned.line as usize).wrapping_sub(1);
            if self.unless(at < order.lines.len(), Reason::LineNotFound) {
                *sums.entry(at).or_default() += returned.quantity;
            }
        }
        for (at, units) in &sums {
            let line = &order.lines[*at];
            let arrived = line.at(warehouse).returning.min(*units);
            let out = line.sum(|held| held.shipped - held.returning) - line.returned + arrived;
            if self.unless(*units <= out, Reason::ReturnExceedsShipped) && arrived > 0 && works {
                self.world.line(id, *at).entry(warehouse).returning -= arrived;
                self.world.cell(line.sku, warehouse).returning -= arrived;
            }
        }
        if !self.clean() {
            return;
        }
        for returned in lines {
            let line = self.world.line(id, returned.line as usize - 1);
            line.returned += returned.quantity;
            let sku = line.sku;
            let cell = self.world.cell(sku, warehouse);
            cell.returned += returned.quantity;
            *match returned.disposition {
                Disposition::Sellable => &mut cell.available,
                Disposition::Defective => &mut cell.defective,
                Disposition::Lost => &mut cell.lost,
            } += returned.quantity;
            let pool = self.world.sku(sku);
            pool.pool_sold -= returned.quantity;
            pool.pool_quota -= returned.quantity;
        }
    }
}
