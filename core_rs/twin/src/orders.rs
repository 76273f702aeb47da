//! Locks and orders, and what becomes of them: unlock, deduct, cancel, extend, amend.

use std::collections::BTreeSet;
use std::rc::Rc;

use lockstock_stock::command::WarehouseState::Active;
use lockstock_stock::command::{Order, Part, Selection, Wanted};
use lockstock_stock::event::{DeductionPolicy, Outcome};
use lockstock_stock::ids::{LineNo, Micros, Units};
use lockstock_stock::refusal::Reason;

use super::Attempt;
use super::sourcing::{Take, Terms, Want};
use super::world::{Held, Line, Name, Reservation, World};

/// (line from 0, units).
pub type Parts = Vec<(usize, Units)>;

impl Attempt<'_> {
    pub fn lock(&mut self, order: &Order<'static>, hold: Option<Micros>) {
        self.promise(order, hold, false, |_, _| false);
    }

    pub fn place(&mut self, order: &Order<'static>, hold: Option<Micros>, policy: Option<DeductionPolicy>) {
        self.promise(order, hold, false, |world, sku| match policy {
            Some(policy) => policy == DeductionPolicy::OnPayment,
            None => world.on_payment(sku),
        });
    }

    pub fn lock_and_deduct(&mut self, order: &Order<'static>) {
        self.promise(order, None, true, |_, _| false);
    }

    fn promise(
        &mut self,
        order: &Order<'static>,
        hold: Option<Micros>,
        paid: bool,
        on_payment: impl Fn(&World, Name) -> bool,
    ) {
        let taken = self.world.reservations.contains_key(order.reservation);
        self.unless(!taken, Reason::ReservationExists);
        let channel = order.channel.is_empty() || self.world.channels.contains(order.channel);
        self.unless(channel, Reason::ChannelNotFound);
        let wants = self.wants(&order.demand.lines, 0);
        let Some(source) = self.source(&order.demand.from) else { return };
        let allow_partial = order.demand.allow_partial;
        let terms = Terms { allow_partial, ..Terms::whole(&source, order.demand.max_parcels) };
        let chosen = self.route(&wants, &terms);
        if !self.clean() {
            return;
        }
        let line = |sku| Line { sku, on_payment: on_payment(&self.world, sku), ..Line::default() };
        let lines = order.demand.lines.iter().map(|wanted| line(wanted.sku)).collect();
        self.world.reservations.insert(
            order.reservation,
            Rc::new(Reservation {
                source,
                max_parcels: order.demand.max_parcels,
                created_at: self.now,
                deadline: self.now + hold.unwrap_or(self.limits.hold_default),
                extensions: 0,
                version: Some(self.sequence),
                refund_due: false,
                lines,
            }),
        );
        for (line, units) in self.done.refused.clone() {
            self.world.line(order.reservation, line as usize - 1).refused += units;
            self.done.outcome = Outcome::Partial;
        }
        for take in chosen {
            self.grant(order.reservation, &take, paid);
        }
    }

    /// A line gets units that it had not asked for before; one that waits for the payment notes them only.
    fn grant(&mut self, id: Name, take: &Take, paid: bool) {
        let line = self.world.line(id, take.line);
        if line.on_payment && !paid {
            line.wanted += take.units;
            return;
        }
        line.requested += take.units;
        let held = line.entry(take.warehouse);
        if paid {
            held.allocated += take.units;
            line.deducted += take.units;
        } else {
            held.locked += take.units;
            line.locked += take.units;
        }
        let sku = line.sku;
        let cell = self.world.cell(sku, take.warehouse);
        cell.available -= take.units;
        if paid {
            cell.allocated += take.units;
            self.world.sku(sku).pool_sold += take.units;
        } else {
            cell.locked += take.units;
            self.world.sku(sku).pool_locked += take.units;
        }
    }

    /// The reservation, if it is known; it is touched now.
    pub fn touch(&mut self, id: Name) -> Option<Reservation> {
        let known = self.world.reservations.contains_key(id);
        if !self.unless(known, Reason::ReservationNotFound) {
            return None;
        }
        self.world.reservation(id).version = Some(self.sequence);
        Some((*self.world.reservations[id]).clone())
    }

    /// The units that are named of each line, all of `holds` where none are.
    pub fn parts(&mut self, order: &Reservation, parts: &[Part], holds: impl Fn(&Line) -> Units) -> Parts {
        let mut chosen = Parts::new();
        if parts.is_empty() {
            let all = order.lines.iter().map(&holds).enumerate();
            chosen.extend(all.filter(|(_, units)| *units > 0));
            self.unless(!chosen.is_empty(), Reason::QuantityNotHeld);
        }
        for part in parts {
            let at = part.line as usize;
            let Some(line) = order.lines.get(at.wrapping_sub(1)) else {
                self.rule(Reason::LineNotFound);
                continue;
            };
            let there = holds(line);
            let units = part.quantity.unwrap_or(there);
            if self.unless(units > 0 && units <= there, Reason::QuantityNotHeld) {
                chosen.push((at - 1, units));
            }
        }
        chosen
    }

    pub fn unlock(&mut self, what: &Selection<'static>) {
        let Some(order) = self.touch(what.reservation) else { return };
        if self.lock_is_over(&order) {
            return;
        }
        for (line, units) in self.parts(&order, &what.parts, |line| line.locked) {
            self.unlock_last(what.reservation, line, units);
        }
    }

    /// Nothing of it is locked any more because its deadline has passed.
    fn lock_is_over(&mut self, order: &Reservation) -> bool {
        let over = order.sum(|line| line.locked) == 0 && order.sum(|line| line.expired) > 0;
        !self.unless(!over, Reason::LockExpired)
    }

    fn unlock_last(&mut self, id: Name, line: usize, units: Units) {
        let sku = self.world.line(id, line).sku;
        for (warehouse, taken) in self.take_last(id, line, units, |held| &mut held.locked) {
            let cell = self.world.cell(sku, warehouse);
            cell.locked -= taken;
            cell.available += taken;
        }
        self.world.sku(sku).pool_locked -= units;
        let line = self.world.line(id, line);
        line.locked -= units;
        line.unlocked += units;
    }

    /// Takes units out of what the warehouses hold, the last warehouse first.
    fn take_last(
        &mut self,
        id: Name,
        line: usize,
        units: Units,
        what: fn(&mut Held) -> &mut Units,
    ) -> Vec<(Name, Units)> {
        let mut rest = units;
        let mut taken = Vec::new();
        for held in self.in_plan_order(id, line).iter().rev() {
            let there = what(self.world.line(id, line).entry(held.warehouse));
            let some = rest.min(*there);
            *there -= some;
            rest -= some;
            taken.push((held.warehouse, some));
        }
        assert_eq!(rest, 0, "twin: more taken than held");
        taken.retain(|(_, some)| *some > 0);
        taken
    }

    pub fn deduct(&mut self, what: &Selection<'static>) {
        let Some(order) = self.touch(what.reservation) else { return };
        if !self.unless(!order.refund_due, Reason::RefundDue) {
            return;
        }
        let waiting = |line: &Line| line.locked + line.expired + line.wanted;
        let parts = self.parts(&order, &what.parts, waiting);
        if !self.clean() {
            return;
        }
        // What is paid is taken from what is locked, then from what has expired, then from what is wanted.
        let unlocked: Parts = parts
            .iter()
            .map(|(at, units)| (*at, units - units.min(&order.lines[*at].locked)))
            .filter(|(_, units)| *units > 0)
            .collect();
        let mut expired: Vec<Units> = vec![0; order.lines.len()];
        for (at, units) in &unlocked {
            expired[*at] = *units.min(&order.lines[*at].expired);
        }
        let again = expired.iter().any(|units| *units > 0);
        let Some(takes) = self.find(&order, &unlocked, again) else {
            let outcome = if again { Outcome::ExpiredSoldOut } else { Outcome::SoldOut };
            return self.sold_out(what.reservation, outcome);
        };
        self.done.outcome = if again { Outcome::Relocked } else { Outcome::Done };
        for (at, units) in parts {
            let units = units.min(order.lines[at].locked);
            let mut rest = units;
            let sku = order.lines[at].sku;
            for held in &self.in_plan_order(what.reservation, at) {
                let some = rest.min(held.locked);
                rest -= some;
                if some == 0 {
                    continue;
                }
                let entry = self.world.line(what.reservation, at).entry(held.warehouse);
                entry.locked -= some;
                entry.allocated += some;
                let cell = self.world.cell(sku, held.warehouse);
                cell.locked -= some;
                cell.allocated += some;
            }
            let line = self.world.line(what.reservation, at);
            line.locked -= units;
            line.deducted += units;
            let pool = self.world.sku(sku);
            pool.pool_locked -= units;
            pool.pool_sold += units;
        }
        for take in takes {
            self.grant(what.reservation, &take, true);
            let relocked = take.units.min(expired[take.line]);
            expired[take.line] -= relocked;
            let line = self.world.line(what.reservation, take.line);
            line.requested -= relocked;
            line.expired -= relocked;
            line.wanted -= take.units - relocked;
        }
    }

    /// What is locked is given back, nothing is wanted any more, and the buyer is to be paid back.
    fn sold_out(&mut self, id: Name, outcome: Outcome) {
        for at in 0..self.world.reservations[id].lines.len() {
            let locked = self.world.line(id, at).locked;
            self.unlock_last(id, at, locked);
            self.world.line(id, at).wanted = 0;
        }
        self.world.reservation(id).refund_due = true;
        self.done.outcome = outcome;
    }

    /// Where the parts come from, if they can be had.
    fn try_route(&mut self, order: &Reservation, parts: &Parts, terms: &Terms<'_>) -> Option<Vec<Take>> {
        if parts.is_empty() {
            return Some(Vec::new());
        }
        let want =
            |(line, units): &(usize, Units)| Want { line: *line, sku: order.lines[*line].sku, units: *units };
        let wants: Vec<Want> = parts.iter().map(want).collect();
        let takes = self.route(&wants, terms);
        let found = self.clean();
        self.broken = super::Broken::default();
        found.then_some(takes)
    }

    /// Where what no lock holds comes from. What has expired is sought in the warehouses that each line had, else
    /// routed, they first.
    fn find(&mut self, order: &Reservation, parts: &Parts, again: bool) -> Option<Vec<Take>> {
        let shipping = used(order, |held| held.locked + held.allocated + held.picking > 0);
        let old = if again { used(order, |_| true) } else { Vec::new() };
        if again && let Some(takes) = self.old_places_have_it(order, parts) {
            let mut parcels: BTreeSet<Name> = shipping.iter().copied().collect();
            parcels.extend(takes.iter().map(|take| take.warehouse));
            if order.max_parcels == 0 || parcels.len() <= usize::try_from(order.max_parcels).unwrap() {
                return Some(takes);
            }
        }
        let terms =
            Terms { first: &old, shipping: &shipping, ..Terms::whole(&order.source, order.max_parcels) };
        self.try_route(order, parts, &terms)
    }

    fn old_places_have_it(&self, order: &Reservation, parts: &Parts) -> Option<Vec<Take>> {
        let mut world = self.world.clone();
        let mut takes = Vec::new();
        for (line, units) in parts {
            let sku = order.lines[*line].sku;
            let mut missing = *units;
            for held in order.lines[*line]
                .held
                .iter()
                .filter(|held| world.is(held.warehouse, Active))
                .copied()
                .collect::<Vec<_>>()
            {
                let cell = world.cell(sku, held.warehouse);
                let some = missing.min(cell.available.max(0));
                missing -= some;
                cell.available -= some;
                if some > 0 {
                    takes.push(Take { line: *line, warehouse: held.warehouse, units: some });
                }
            }
            if missing > 0 || world.free(sku) < 0 {
                return None;
            }
        }
        Some(takes)
    }

    pub fn cancel(&mut self, what: &Selection<'static>) {
        let Some(order) = self.touch(what.reservation) else { return };
        for (line, units) in self.parts(&order, &what.parts, paid) {
            self.cut(what.reservation, line, units, false);
        }
    }

    /// Whatever has not shipped.
    pub fn cancel_order(&mut self, what: &Selection<'static>) {
        let Some(order) = self.touch(what.reservation) else { return };
        let nothing = order.sum(|line| unpaid(line) + paid(line)) == 0;
        if nothing && self.lock_is_over(&order) {
            return;
        }
        for (line, units) in self.parts(&order, &what.parts, |line| unpaid(line) + paid(line)) {
            self.cut(what.reservation, line, units, true);
        }
    }

    /// Takes units off a line: wanted (if what is unpaid may be taken), then claimed, then locked (likewise),
    /// then allocated, then picking.
    fn cut(&mut self, id: Name, at: usize, units: Units, unpaid_too: bool) {
        let line = self.world.line(id, at).clone();
        let mut rest = units;
        let mut some = |there: Units| {
            let some = rest.min(there);
            rest -= some;
            some
        };
        let wanted = if unpaid_too { some(line.wanted) } else { 0 };
        let claimed = some(line.claimed);
        let locked = if unpaid_too { some(line.locked) } else { 0 };
        let allocated = some(line.sum(|held| held.allocated));
        let picking = some(line.sum(|held| held.picking));
        assert_eq!(rest, 0, "twin: more cut than held");

        self.unlock_last(id, at, locked);
        for (warehouse, taken) in self.take_last(id, at, allocated, |held| &mut held.allocated) {
            let cell = self.world.cell(line.sku, warehouse);
            cell.allocated -= taken;
            cell.available += taken;
        }
        for (warehouse, taken) in self.take_last(id, at, picking, |held| &mut held.picking) {
            let cell = self.world.cell(line.sku, warehouse);
            cell.picking -= taken;
            cell.available += taken;
        }
        let sku = self.world.sku(line.sku);
        sku.claimed -= claimed;
        sku.pool_sold -= claimed + allocated + picking;
        let line = self.world.line(id, at);
        line.wanted -= wanted;
        line.claimed -= claimed;
        line.cancelled += claimed + allocated + picking;
    }

    pub fn extend(&mut self, id: Name, hold: Micros) {
        let Some(order) = self.touch(id) else { return };
        if self.lock_is_over(&order) {
            return;
        }
        let locked = order.sum(|line| line.locked) > 0;
        self.unless(locked, Reason::QuantityNotHeld);
        let deadline = self.now + hold;
        let often = order.extensions >= self.limits.extensions_max;
        let long = deadline - order.created_at > self.limits.lock_lifetime_max;
        self.unless(!often && !long, Reason::ExtendLimit);
        let reservation = self.world.reservation(id);
        reservation.deadline = deadline;
        reservation.extensions += 1;
    }

    pub fn amend(
        &mut self,
        id: Name,
        expected_version: Option<u64>,
        deltas: &[(LineNo, Units)],
        additions: &[Wanted<'static>],
        hold: Option<Micros>,
    ) {
        let seen = self.world.reservations.get(id).map(|order| order.version);
        let Some(order) = self.touch(id) else { return };
        let stale = expected_version.is_some() && seen != Some(expected_version);
        self.unless(!stale, Reason::StaleVersion);
        let locked = order.sum(|line| line.locked) > 0;
        self.unless(!locked || hold.is_none(), Reason::FieldsConflict);

        let mut wants = Vec::new();
        for (line, delta) in deltas {
            let at = (*line as usize).wrapping_sub(1);
            let Some(old) = order.lines.get(at) else {
                self.rule(Reason::LineNotFound);
                continue;
            };
            if *delta > 0 {
                wants.push(Want { line: at, sku: old.sku, units: *delta });
            } else if self.unless(-delta <= unpaid(old) + paid(old), Reason::BelowShipped) {
                self.cut(id, at, -delta, true);
            }
        }
        wants.extend(self.wants(additions, order.lines.len()));
        if wants.is_empty() {
            return;
        }
        self.unless(!order.refund_due, Reason::RefundDue);
        if order.sum(|line| unpaid(line) + line.deducted - line.cancelled) == 0 {
            // Nothing is locked or wanted and nothing is paid: there is no order to edit.
            let expired = order.sum(|line| line.expired) > 0;
            self.rule(if expired { Reason::LockExpired } else { Reason::QuantityNotHeld });
            return;
        }
        // What the decreases have emptied ships nothing any more.
        let waiting = |held: &Held| held.locked + held.allocated + held.picking > 0;
        let shipping = used(&self.world.reservations[id], waiting);
        let terms = Terms { shipping: &shipping, own: id, ..Terms::whole(&order.source, order.max_parcels) };
        let takes = self.route(&wants, &terms);
        if !self.clean() {
            return;
        }
        for line in additions {
            let on_payment = self.world.on_payment(line.sku);
            self.world.reservation(id).lines.push(Line { sku: line.sku, on_payment, ..Line::default() });
        }
        for take in takes {
            self.grant(id, &take, false);
        }
        if !locked && self.world.reservations[id].sum(|line| line.locked) > 0 {
            let hold = hold.unwrap_or(self.limits.hold_default);
            self.world.reservation(id).deadline = self.now + hold;
        }
    }
}

/// To be paid.
const fn unpaid(line: &Line) -> Units {
    line.wanted + line.locked
}

/// Paid and not shipped.
fn paid(line: &Line) -> Units {
    line.claimed + line.sum(|held| held.allocated + held.picking)
}

/// The warehouses that a reservation uses, in the order of its lines.
fn used(order: &Reservation, how: impl Fn(&Held) -> bool) -> Vec<Name> {
    let mut names: Vec<Name> = Vec::new();
    for held in order.lines.iter().flat_map(|line| &line.held) {
        if how(held) && !names.contains(&held.warehouse) {
            names.push(held.warehouse);
        }
    }
    names
}
