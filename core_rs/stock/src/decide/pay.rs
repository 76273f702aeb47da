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
use crate::few::Few;
use crate::ids::{LineNo, SkuIx, Units, WarehouseIx};
use crate::movement::Kind;
use crate::refusal::Refusal;
use crate::state::{Line, Reservation};

pub(super) fn deduct(draft: &mut Draft<'_>, selection: &Selection<'_>) -> Result<(), Refusal> {
    let reservation = find::reservation(draft.state, selection.reservation)?;
    if reservation.refund_due() {
        return Err(Refusal::RefundDue { reservation: reservation.id.to_string() });
    }
    if !reservation.is_locked() && reservation.total(L::Expired) > 0 {
        late(draft, reservation, selection)
    } else {
        in_time(draft, reservation, selection)
    }
}

/// Locked units are deducted, wanted ones are taken: where the order ships anyway, else routed.
fn in_time(
    draft: &mut Draft<'_>,
    reservation: &Reservation,
    selection: &Selection<'_>,
) -> Result<(), Refusal> {
    let paid = select_waiting(reservation, selection, &LOCKED)?;
    let wanted: Few<Ask> =
        paid.iter().map(|line| line.ask(line.wanted)).filter(|ask| ask.units > 0).collect();
    let shipping = if wanted.is_empty() { Vec::new() } else { shipping(draft, reservation) };
    let source = reservation.source();
    let routing = Routing { shipping: &shipping, ..Routing::new(&source, reservation.max_parcels(), false) };
    let Some((takes, split_exact)) = routed(draft, &wanted, &routing)? else {
        return sold_out(draft, reservation, Outcome::SoldOut);
    };
    draft.split_exact = split_exact;
    for line in paid {
        let at = find::line(reservation, line.number)?;
        DEDUCT.take(draft, reservation.no, line.number, at, None, line.promised)?;
    }
    for take in takes {
        draft.post(Kind::TakeOnPayment, spot(reservation, &take)?, take.units)?;
    }
    Ok(())
}

/// Nothing is locked any more: the same quantities again, and what is wanted with them.
fn late(draft: &mut Draft<'_>, reservation: &Reservation, selection: &Selection<'_>) -> Result<(), Refusal> {
    let paid = select_waiting(reservation, selection, &EXPIRED)?;
    // Where only wanted units are named nothing is taken again.
    let (found, gone) = if paid.iter().any(|line| line.promised > 0) {
        (Outcome::Relocked, Outcome::ExpiredSoldOut)
    } else {
        (Outcome::Done, Outcome::SoldOut)
    };
    let asks: Vec<Ask> = paid.iter().map(|line| line.ask(line.promised + line.wanted)).collect();
    let Some((takes, split_exact)) = again(draft, reservation, &asks)? else {
        return sold_out(draft, reservation, gone);
    };
    draft.outcome = found;
    draft.split_exact = split_exact;
    let mut expired: HashMap<LineNo, Units> = paid.iter().map(|line| (line.number, line.promised)).collect();
    for take in takes {
        let (spot, left) = (spot(reservation, &take)?, expired.entry(take.line).or_default());
        let relocked = take.units.min(*left);
        *left -= relocked;
        draft.post(Kind::Relock, spot, relocked)?;
        draft.post(Kind::TakeOnPayment, spot, take.units - relocked)?;
    }
    Ok(())
}

fn spot(reservation: &Reservation, take: &Take) -> Result<Spot, Refusal> {
    let line = find::line(reservation, take.line)?;
    Ok(Spot::line(line.sku, line.pool, reservation.no, take.line).at(take.warehouse))
}

/// The state in which promised units wait for a payment.
struct Waiting {
    counter: L,
    /// In the words of a refusal; and of a reservation that has lines that are taken on payment.
    words: [&'static str; 2],
}

const LOCKED: Waiting = Waiting { counter: L::Locked, words: ["locked", "locked or wanted"] };
const EXPIRED: Waiting = Waiting { counter: L::Expired, words: ["expired", "expired or wanted"] };

/// What is paid of one line.
struct Paid {
    number: LineNo,
    sku: SkuIx,
    /// Of what was promised, which is paid first.
    promised: Units,
    /// Of what is wanted.
    wanted: Units,
}

impl Paid {
    const fn ask(&self, units: Units) -> Ask {
        Ask { line: self.number, sku: self.sku, units }
    }
}

fn select_waiting(
    reservation: &Reservation,
    selection: &Selection<'_>,
    waiting: &Waiting,
) -> Result<Few<Paid>, Refusal> {
    let on_payment = reservation.lines.iter().any(|line| line.policy() == DeductionPolicy::OnPayment);
    let short = NotHeld { state: waiting.words[usize::from(on_payment)], reservation, warehouse: "" };
    let held = |line: &Line| line.get(waiting.counter) + line.get(L::Wanted);
    let paid = select(reservation, &selection.parts, held, &short)?.into_iter().map(|(number, units)| {
        let line = find::line(reservation, number)?;
        let promised = units.min(line.get(waiting.counter));
        Ok(Paid { number, sku: line.sku, promised, wanted: units - promised })
    });
    paid.collect()
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
) -> Result<Option<(Few<Take>, bool)>, Refusal> {
    if asks.is_empty() {
        return Ok(Some((Few::new(), true)));
    }
    match choose(draft, asks, routing) {
        Ok(granted) => Ok(Some((granted.takes, granted.split_exact))),
        Err(
            Refusal::InsufficientStock { .. } | Refusal::ParcelLimit { .. } | Refusal::NotRoutable { .. },
        ) => Ok(None),
        Err(refusal) => Err(refusal),
    }
}

/// The same quantities again: from the old warehouses, else routed; `None` where they are sold out.
fn again(
    draft: &Draft<'_>,
    reservation: &Reservation,
    asks: &[Ask],
) -> Result<Option<(Few<Take>, bool)>, Refusal> {
    if let Some(takes) = from_old_warehouses(draft, reservation, asks)? {
        return Ok(Some((takes, true)));
    }
    let mut old: Vec<WarehouseIx> = Vec::new();
    for at in reservation.lines.iter().flat_map(|line| &line.allocations) {
        if !old.contains(&at.warehouse()) {
            old.push(at.warehouse());
        }
    }
    let source = reservation.source();
    let routing = Routing { first: &old, ..Routing::new(&source, reservation.max_parcels(), false) };
    routed(draft, asks, &routing)
}

/// Each line from the warehouses it had, in their order, as far as they are ACTIVE; all lines or none.
fn from_old_warehouses(
    draft: &Draft<'_>,
    reservation: &Reservation,
    asks: &[Ask],
) -> Result<Option<Few<Take>>, Refusal> {
    let mut takes = Few::new();
    let mut left: HashMap<_, Units> = HashMap::new();
    let mut free: HashMap<_, Units> = HashMap::new();
    for ask in asks {
        let free = free.entry(ask.sku).or_insert_with(|| draft.free(ask.sku));
        *free -= ask.units;
        let mut wanted = ask.units;
        for at in &find::line(reservation, ask.line)?.allocations {
            if !draft.is_active(at.warehouse()) {
                continue;
            }
            let there = left
                .entry((ask.sku, at.warehouse()))
                .or_insert_with(|| draft.available(ask.sku, at.warehouse()));
            let units = wanted.min(*there).max(0);
            if units > 0 {
                takes.push(Take { line: ask.line, sku: ask.sku, warehouse: at.warehouse(), units });
                (*there, wanted) = (*there - units, wanted - units);
            }
        }
        if wanted > 0 || *free < 0 {
            return Ok(None);
        }
    }
    Ok(Some(takes))
}
