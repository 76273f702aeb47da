//! A payment: `Deduct`. Locked units are deducted and wanted ones are taken, all that is named or none; after
//! the deadline what has expired is taken again. That the units are gone is an outcome, no refusal.

use std::collections::HashMap;

use super::amend::shipping;
use super::draft::{Draft, Spot};
use super::find;
use super::source::{Ask, Routing, Take, choose};
use super::verb::{DEDUCT, NotHeld, UNLOCK, select};
use crate::command::Selection;
use crate::counters::LineCounter as L;
use crate::event::{Change, DeductionPolicy, Outcome};
use crate::ids::{LineNo, Units, WarehouseIx};
use crate::movement::Kind;
use crate::refusal::Refusal;
use crate::state::{Line, Reservation};

pub(super) fn deduct(draft: &mut Draft<'_>, selection: &Selection<'_>) -> Result<(), Refusal> {
    let reservation = find::reservation(draft.state, selection.reservation)?;
    if reservation.refund_due {
        return Err(Refusal::RefundDue { reservation: reservation.id.to_string() });
    }
    if reservation.locked() == 0 && reservation.total(L::Expired) > 0 {
        late(draft, reservation, selection)
    } else {
        in_time(draft, reservation, selection)
    }
}

fn in_time(
    draft: &mut Draft<'_>,
    reservation: &Reservation,
    selection: &Selection<'_>,
) -> Result<(), Refusal> {
    let waiting = Waiting { counter: L::Locked, state: DEDUCT.state, or_wanted: "locked or wanted" };
    let (locked, wanted) = waiting.select(reservation, selection)?;
    let shipping = shipping(draft, reservation);
    let routing =
        Routing { shipping: &shipping, ..Routing::new(&reservation.source, reservation.max_parcels, false) };
    let Some((takes, split_exact)) = routed(draft, &wanted, &routing)? else {
        return sold_out(draft, reservation, Outcome::SoldOut);
    };
    draft.split_exact = split_exact;
    for ask in locked {
        let line = find::line(reservation, ask.line)?;
        DEDUCT.take(draft, reservation.no, ask.line, line, None, ask.units)?;
    }
    post(draft, reservation, &takes, &mut HashMap::new())
}

/// Nothing is locked any more: the same quantities again, and what is wanted with them.
fn late(draft: &mut Draft<'_>, reservation: &Reservation, selection: &Selection<'_>) -> Result<(), Refusal> {
    let waiting = Waiting { counter: L::Expired, state: "expired", or_wanted: "expired or wanted" };
    let (expired, wanted) = waiting.select(reservation, selection)?;
    // Where only wanted units are named nothing is taken again.
    let (found, gone) = if expired.is_empty() {
        (Outcome::Done, Outcome::SoldOut)
    } else {
        (Outcome::Relocked, Outcome::ExpiredSoldOut)
    };
    let mut again: HashMap<LineNo, Units> = expired.iter().map(|ask| (ask.line, ask.units)).collect();
    let Some((takes, split_exact)) = take_again(draft, reservation, &[expired, wanted].concat())? else {
        return sold_out(draft, reservation, gone);
    };
    draft.outcome = found;
    draft.split_exact = split_exact;
    post(draft, reservation, &takes, &mut again)
}

/// What waits for a payment: units in this state, and wanted ones.
struct Waiting {
    counter: L,
    /// In the words of a refusal.
    state: &'static str,
    /// The same of a reservation that has lines that are taken on payment.
    or_wanted: &'static str,
}

impl Waiting {
    /// What of each line is paid: units in the state first, then wanted ones.
    fn select(
        &self,
        reservation: &Reservation,
        selection: &Selection<'_>,
    ) -> Result<(Vec<Ask>, Vec<Ask>), Refusal> {
        let on_payment = reservation.lines.iter().any(|line| line.policy == DeductionPolicy::OnPayment);
        let state = if on_payment { self.or_wanted } else { self.state };
        let short = NotHeld { state, reservation, warehouse: "" };
        let held = |line: &Line| line.get(self.counter) + line.get(L::Wanted);
        let (mut first, mut wanted) = (Vec::new(), Vec::new());
        for (number, units) in select(reservation, &selection.parts, held, &short)? {
            let line = find::line(reservation, number)?;
            let there = units.min(line.get(self.counter));
            for (asks, units) in [(&mut first, there), (&mut wanted, units - there)] {
                if units > 0 {
                    asks.push(Ask { line: number, sku: line.sku, units });
                }
            }
        }
        Ok((first, wanted))
    }
}

/// Posts what was taken: of a line first what is taken again, the rest is what it wanted.
fn post(
    draft: &mut Draft<'_>,
    reservation: &Reservation,
    takes: &[Take],
    again: &mut HashMap<LineNo, Units>,
) -> Result<(), Refusal> {
    for take in takes {
        let line = find::line(reservation, take.line)?;
        let spot = Spot::line(line.sku, line.pool, reservation.no, take.line).at(take.warehouse);
        let expired = again.entry(take.line).or_default();
        let relocked = take.units.min(*expired);
        *expired -= relocked;
        draft.post(Kind::Relock, spot, relocked)?;
        draft.post(Kind::TakeOnPayment, spot, take.units - relocked)?;
    }
    Ok(())
}

/// The units are gone: what the reservation still has locked is given back, nothing is wanted any more, and
/// the buyer is to be paid back. What was paid before stays.
fn sold_out(draft: &mut Draft<'_>, reservation: &Reservation, outcome: Outcome) -> Result<(), Refusal> {
    for (number, line) in (1..).zip(&reservation.lines) {
        UNLOCK.take(draft, reservation.no, number, line, None, line.get(L::Locked))?;
        let spot = Spot::line(line.sku, line.pool, reservation.no, number);
        draft.post(Kind::Withdraw, spot, line.get(L::Wanted))?;
    }
    draft.outcome = outcome;
    draft.change(Change::RefundDue { reservation: reservation.no });
    Ok(())
}

/// What the asks get and whether that is exact; `None` where they are sold out.
fn routed(
    draft: &Draft<'_>,
    asks: &[Ask],
    routing: &Routing<'_>,
) -> Result<Option<(Vec<Take>, bool)>, Refusal> {
    if asks.is_empty() {
        return Ok(Some((Vec::new(), true)));
    }
    match choose(draft, asks, routing) {
        Ok(granted) => Ok(Some((granted.takes, granted.split_exact))),
        Err(
            Refusal::InsufficientStock { .. } | Refusal::ParcelLimit { .. } | Refusal::NotRoutable { .. },
        ) => Ok(None),
        Err(refusal) => Err(refusal),
    }
}

/// From the old warehouses, else routed; `None` where they are sold out.
fn take_again(
    draft: &Draft<'_>,
    reservation: &Reservation,
    asks: &[Ask],
) -> Result<Option<(Vec<Take>, bool)>, Refusal> {
    if let Some(takes) = from_old_warehouses(draft, reservation, asks)? {
        return Ok(Some((takes, true)));
    }
    let mut old: Vec<WarehouseIx> = Vec::new();
    for at in reservation.lines.iter().flat_map(|line| &line.allocations) {
        if !old.contains(&at.warehouse) {
            old.push(at.warehouse);
        }
    }
    let routing =
        Routing { first: &old, ..Routing::new(&reservation.source, reservation.max_parcels, false) };
    routed(draft, asks, &routing)
}

/// Each line from the warehouses it had, in their order, as far as they are ACTIVE; all lines or none.
fn from_old_warehouses(
    draft: &Draft<'_>,
    reservation: &Reservation,
    asks: &[Ask],
) -> Result<Option<Vec<Take>>, Refusal> {
    let mut takes: Vec<Take> = Vec::with_capacity(asks.len());
    let mut left: HashMap<_, Units> = HashMap::new();
    let mut free: HashMap<_, Units> = HashMap::new();
    for ask in asks {
        let free = free.entry(ask.sku).or_insert_with(|| draft.free(ask.sku));
        *free -= ask.units;
        let mut wanted = ask.units;
        for at in &find::line(reservation, ask.line)?.allocations {
            if !draft.is_active(at.warehouse) {
                continue;
            }
            let there =
                left.entry((ask.sku, at.warehouse)).or_insert_with(|| draft.available(ask.sku, at.warehouse));
            let units = wanted.min(*there).max(0);
            if units > 0 {
                takes.push(Take { line: ask.line, sku: ask.sku, warehouse: at.warehouse, units });
                (*there, wanted) = (*there - units, wanted - units);
            }
        }
        if wanted > 0 || *free < 0 {
            return Ok(None);
        }
    }
    Ok(Some(takes))
}
