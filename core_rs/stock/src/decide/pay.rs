//! A payment: `Deduct`. Locked units are deducted, wanted ones are taken, and those whose deadline has passed are taken
//! again, whatever the others' is: all that is named or none. That the units are gone is an outcome, no refusal.

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
    let paid = select_waiting(reservation, selection)?;
    // Where nothing that has expired is named nothing is taken again.
    let is_late = paid.iter().any(|line| line.expired > 0);
    let (found, gone) = if is_late {
        (Outcome::Relocked, Outcome::ExpiredSoldOut)
    } else {
        (Outcome::Done, Outcome::SoldOut)
    };
    let asks: Few<Ask> = paid.iter().map(Paid::ask).filter(|ask| ask.units > 0).collect();
    let Some((takes, split_exact)) = taken(draft, reservation, &asks, is_late)? else {
        return sold_out(draft, reservation, gone);
    };
    draft.outcome = found;
    draft.split_exact = split_exact;
    for line in &paid {
        let at = find::line(reservation, line.number)?;
        DEDUCT.take(draft, reservation.no, line.number, at, None, line.locked)?;
    }
    let mut expired: HashMap<LineNo, Units> =
        paid.iter().filter(|line| line.expired > 0).map(|line| (line.number, line.expired)).collect();
    for take in takes {
        let (spot, left) = (spot(reservation, &take)?, expired.get_mut(&take.line));
        let relocked = left.map_or(0, |left| {
            let units = take.units.min(*left);
            *left -= units;
            units
        });
        draft.post(Kind::Relock, spot, relocked)?;
        draft.post(Kind::TakeOnPayment, spot, take.units - relocked)?;
    }
    Ok(())
}

fn spot(reservation: &Reservation, take: &Take) -> Result<Spot, Refusal> {
    let line = find::line(reservation, take.line)?;
    Ok(Spot::line(line.sku, line.pool, reservation.no, take.line).at(take.warehouse))
}

/// What is paid of one line.
struct Paid {
    number: LineNo,
    sku: SkuIx,
    /// Of what is locked, which is paid first.
    locked: Units,
    /// Of what was locked and has expired.
    expired: Units,
    /// Of what is wanted.
    wanted: Units,
}

impl Paid {
    /// What no lock holds.
    const fn ask(&self) -> Ask {
        Ask { line: self.number, sku: self.sku, units: self.expired + self.wanted }
    }
}

/// What waits for a payment, in the words of a refusal: where some of it has expired, and where some of that has a lock
/// younger than the others'; then where the reservation has lines that are taken on payment.
const WAITING: [[&str; 2]; 3] = [
    ["locked", "locked or wanted"],
    ["expired", "expired or wanted"],
    ["locked or expired", "locked, expired or wanted"],
];

fn select_waiting(reservation: &Reservation, selection: &Selection<'_>) -> Result<Few<Paid>, Refusal> {
    let on_payment = reservation.lines.iter().any(|line| line.policy() == DeductionPolicy::OnPayment);
    let words = match (reservation.total(L::Expired) > 0, reservation.is_locked()) {
        (false, _) => WAITING[0],
        (true, false) => WAITING[1],
        (true, true) => WAITING[2],
    };
    let short = NotHeld { state: words[usize::from(on_payment)], reservation, warehouse: "" };
    let held = |line: &Line| line.get(L::Locked) + line.get(L::Expired) + line.get(L::Wanted);
    let paid = select(reservation, &selection.parts, held, &short)?.into_iter().map(|(number, units)| {
        let line = find::line(reservation, number)?;
        let locked = units.min(line.get(L::Locked));
        let expired = (units - locked).min(line.get(L::Expired));
        Ok(Paid { number, sku: line.sku, locked, expired, wanted: units - locked - expired })
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

/// What the asks get and whether that is exact; `None` where they are sold out. The parcels that the order ships
/// anyway count, and where nothing is taken again their warehouses come first.
fn taken(
    draft: &Draft<'_>,
    reservation: &Reservation,
    asks: &[Ask],
    is_late: bool,
) -> Result<Option<(Few<Take>, bool)>, Refusal> {
    if asks.is_empty() {
        return Ok(Some((Few::new(), true)));
    }
    let shipping = shipping(draft, reservation);
    let mut old = Vec::new();
    if is_late {
        if let Some(takes) = from_old_warehouses(draft, reservation, asks, &shipping)? {
            return Ok(Some((takes, true)));
        }
        for at in reservation.lines.iter().flat_map(|line| &line.allocations) {
            if !old.contains(&at.warehouse()) {
                old.push(at.warehouse());
            }
        }
    }
    let source = reservation.source();
    let routing = Routing {
        first: &old,
        shipping: &shipping,
        ..Routing::new(&source, reservation.max_parcels(), false)
    };
    match choose(draft, asks, &routing) {
        Ok(granted) => Ok(Some((granted.takes, granted.split_exact))),
        Err(
            Refusal::InsufficientStock { .. } | Refusal::ParcelLimit { .. } | Refusal::NotRoutable { .. },
        ) => Ok(None),
        Err(refusal) => Err(refusal),
    }
}

/// Each line from the warehouses it had, in their order, as far as they are ACTIVE; all lines or none, and no more
/// parcels than the order may have.
fn from_old_warehouses(
    draft: &Draft<'_>,
    reservation: &Reservation,
    asks: &[Ask],
    shipping: &[WarehouseIx],
) -> Result<Option<Few<Take>>, Refusal> {
    let mut takes = Few::new();
    let mut parcels = shipping.to_vec();
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
                if !parcels.contains(&at.warehouse()) {
                    parcels.push(at.warehouse());
                }
            }
        }
        if wanted > 0 || *free < 0 {
            return Ok(None);
        }
    }
    let limit = usize::try_from(reservation.max_parcels()).unwrap_or(usize::MAX);
    Ok((limit == 0 || parcels.len() <= limit).then_some(takes))
}
