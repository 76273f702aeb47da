//! What happens to units that a reservation holds: `Unlock`, `Deduct` (also the late one), `Cancel`,
//! `Extend`, and the expiry of a lock.

use super::draft::{Draft, Spot};
use super::find;
use super::order::deadline;
use super::source::{Ask, Routing, Take, choose};
use super::verb::{CANCEL, DEDUCT, NotHeld, UNLOCK, select};
use crate::command::Selection;
use crate::counters::{AllocationCounter as A, LineCounter};
use crate::event::{Change, Outcome};
use crate::ids::{Micros, Units, WarehouseIx};
use crate::limits::Limits;
use crate::movement::{Kind, Movement};
use crate::refusal::Refusal;
use crate::state::Reservation;

/// Gives locked units back.
pub(super) fn unlock(draft: &mut Draft<'_>, selection: &Selection<'_>) -> Result<(), Refusal> {
    let reservation = find::reservation(draft.state, selection.reservation)?;
    lock_stands(reservation)?;
    UNLOCK.run(draft, reservation, selection)
}

/// A lock that ended by its deadline is told from units that were never there.
fn lock_stands(reservation: &Reservation) -> Result<(), Refusal> {
    if reservation.locked() == 0 && reservation.total(LineCounter::Expired) > 0 {
        return Err(Refusal::LockExpired {
            reservation: reservation.id.to_string(),
            deadline: reservation.deadline,
        });
    }
    Ok(())
}

/// Cancels paid units that have not shipped.
pub(super) fn cancel(draft: &mut Draft<'_>, selection: &Selection<'_>) -> Result<(), Refusal> {
    CANCEL.run(draft, find::reservation(draft.state, selection.reservation)?, selection)
}

/// Moves the deadline.
pub(super) fn extend(draft: &mut Draft<'_>, limits: &Limits, id: &str, hold: Micros) -> Result<(), Refusal> {
    let reservation = find::reservation(draft.state, id)?;
    lock_stands(reservation)?;
    if reservation.locked() == 0 {
        return Err(NotHeld { state: UNLOCK.state, reservation, warehouse: "" }.refusal(None, 1, 0));
    }
    let refuse = |limit: String| Refusal::ExtendLimit { reservation: id.to_owned(), limit };
    if reservation.extensions >= limits.extensions_max {
        return Err(refuse(format!("it was extended {} times already", reservation.extensions)));
    }
    let deadline = deadline(draft.now, limits, Some(hold))?;
    if deadline - reservation.created_at > limits.lock_lifetime_max {
        return Err(refuse(format!(
            "it would live longer than {} s in all",
            limits.lock_lifetime_max / 1_000_000
        )));
    }
    let extensions = reservation.extensions + 1;
    draft.change(Change::Deadline { reservation: reservation.no, deadline, extensions });
    Ok(())
}

/// Locked units are paid; after the deadline the same quantities are taken again.
pub(super) fn deduct(draft: &mut Draft<'_>, selection: &Selection<'_>) -> Result<(), Refusal> {
    let reservation = find::reservation(draft.state, selection.reservation)?;
    if reservation.refund_due {
        return Err(Refusal::RefundDue { reservation: reservation.id.to_string() });
    }
    if reservation.locked() == 0 && reservation.total(LineCounter::Expired) > 0 {
        return deduct_late(draft, reservation, selection);
    }
    DEDUCT.run(draft, reservation, selection)
}

fn deduct_late(
    draft: &mut Draft<'_>,
    reservation: &Reservation,
    selection: &Selection<'_>,
) -> Result<(), Refusal> {
    let short = NotHeld { state: "expired", reservation, warehouse: "" };
    let expired = |line: &crate::state::Line| line.get(LineCounter::Expired);
    let parts = select(reservation, &selection.parts, expired, &short)?;
    let mut asks = Vec::with_capacity(parts.len());
    for (line, units) in parts {
        asks.push(Ask { line, sku: find::line(reservation, line)?.sku, units });
    }
    let Some((takes, split_exact)) = again(draft, reservation, &asks)? else {
        draft.outcome = Outcome::ExpiredSoldOut;
        draft.change(Change::RefundDue { reservation: reservation.no });
        return Ok(());
    };
    draft.outcome = Outcome::Relocked;
    draft.split_exact = split_exact;
    for take in takes {
        let line = find::line(reservation, take.line)?;
        let spot = Spot::line(line.sku, line.pool, reservation.no, take.line).at(take.warehouse);
        draft.post(Kind::Relock, spot, take.units)?;
    }
    Ok(())
}

/// The same quantities again: from the old warehouses, else routed; `None` where they are sold out.
fn again(
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
    match choose(draft, asks, &routing) {
        Ok(granted) => Ok(Some((granted.takes, granted.split_exact))),
        Err(
            Refusal::InsufficientStock { .. } | Refusal::ParcelLimit { .. } | Refusal::NotRoutable { .. },
        ) => Ok(None),
        Err(refusal) => Err(refusal),
    }
}

/// Each line from the warehouses it had, in their order, as far as they are ACTIVE; all lines or none.
fn from_old_warehouses(
    draft: &Draft<'_>,
    reservation: &Reservation,
    asks: &[Ask],
) -> Result<Option<Vec<Take>>, Refusal> {
    let mut takes: Vec<Take> = Vec::with_capacity(asks.len());
    let mut left: std::collections::HashMap<_, Units> = std::collections::HashMap::new();
    let mut free: std::collections::HashMap<_, Units> = std::collections::HashMap::new();
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

/// What the end of a lock gives back: everything that is locked.
pub(super) fn expiry(reservation: &Reservation) -> impl Iterator<Item = Movement> + '_ {
    (1..).zip(&reservation.lines).flat_map(move |(number, line)| {
        let allocations = line.allocations.iter().filter(|at| at.get(A::Locked) > 0);
        allocations.map(move |at| Movement {
            kind: Kind::Expire,
            sku: line.sku,
            warehouse: Some(at.warehouse),
            pool: line.pool,
            owner: Some(reservation.no),
            line: number,
            quantity: at.get(A::Locked),
        })
    })
}
