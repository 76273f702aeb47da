//! From paid to gone: `PushFulfilment`, `Recall`, `Ship`, `ShortPick`, and `Move`.

use super::draft::{Draft, Spot};
use super::find;
use super::source::{Ask, Routing, choose};
use super::verb::{NotHeld, PUSH, RECALL, SHIP, Verb, select};
use crate::command::Selection;
use crate::counters::AllocationCounter as A;
use crate::event::{Change, Exception, ExceptionKind};
use crate::ids::{LineNo, Units, WarehouseIx};
use crate::movement::Kind;
use crate::refusal::Refusal;
use crate::state::Reservation;

/// Hands paid units to the warehouse.
pub(super) fn push(draft: &mut Draft<'_>, selection: &Selection<'_>) -> Result<(), Refusal> {
    run(draft, &PUSH, selection)
}

/// Takes a fulfilment back.
pub(super) fn recall(draft: &mut Draft<'_>, selection: &Selection<'_>) -> Result<(), Refusal> {
    run(draft, &RECALL, selection)
}

/// Goods leave.
pub(super) fn ship(draft: &mut Draft<'_>, selection: &Selection<'_>) -> Result<(), Refusal> {
    run(draft, &SHIP, selection)?;
    draft.check_on_hand()
}

fn run(draft: &mut Draft<'_>, verb: &Verb, selection: &Selection<'_>) -> Result<(), Refusal> {
    verb.run(draft, find::reservation(draft.state, selection.reservation)?, selection)
}

/// Units cannot be found: they repair a negative `available`, the rest is lost; each line is routed again
/// to other warehouses, and what none can replace becomes a claim.
pub(super) fn short_pick(draft: &mut Draft<'_>, selection: &Selection<'_>) -> Result<(), Refusal> {
    let reservation = find::reservation(draft.state, selection.reservation)?;
    let warehouse = find::open_warehouse(draft.state, selection.warehouse)?;
    let short = NotHeld { state: RECALL.state, reservation, warehouse: selection.warehouse };
    let parts = select(reservation, &selection.parts, |line| RECALL.held(line, Some(warehouse)), &short)?;
    for (number, units) in &parts {
        let line = find::line(reservation, *number)?;
        let spot = Spot::line(line.sku, line.pool, reservation.no, *number).at(warehouse);
        let missing = -draft.available(line.sku, warehouse);
        let repaired = missing.clamp(0, *units);
        draft.post(Kind::ShortPickRepair, spot, repaired)?;
        draft.post(Kind::ShortPickLost, spot, units - repaired)?;
    }
    // Every line is short before any is routed again: what one repairs, another may get.
    for (number, units) in parts {
        route_again(draft, reservation, number, warehouse, units)?;
    }
    Ok(())
}

fn route_again(
    draft: &mut Draft<'_>,
    reservation: &Reservation,
    number: LineNo,
    short: WarehouseIx,
    units: Units,
) -> Result<(), Refusal> {
    let line = find::line(reservation, number)?;
    let spot = Spot::line(line.sku, line.pool, reservation.no, number);
    let routing = Routing { except: Some(short), ..Routing::new(&reservation.source, 0, true) };
    let ask = Ask { line: number, sku: line.sku, units };
    let takes = match choose(draft, &[ask], &routing) {
        Ok(granted) => {
            draft.split_exact &= granted.split_exact;
            granted.takes
        }
        Err(Refusal::InsufficientStock { .. } | Refusal::NotRoutable { .. }) => Vec::new(),
        Err(refusal) => return Err(refusal),
    };
    let mut rest = units;
    for take in takes {
        draft.post(Kind::Reroute, spot.at(take.warehouse), take.units)?;
        rest -= take.units;
    }
    if rest > 0 {
        draft.post(Kind::ClaimShortPick, spot, rest)?;
        draft.change(Change::Exception(Exception {
            kind: ExceptionKind::Claimed,
            sku: line.sku,
            warehouse: short,
            quantity: rest,
            reservation: Some(reservation.no),
        }));
    }
    Ok(())
}

/// A promise goes from one warehouse to another: locked units first, then allocated ones.
pub(super) fn relocate(
    draft: &mut Draft<'_>,
    id: &str,
    number: LineNo,
    from: &str,
    to: &str,
    quantity: Option<Units>,
) -> Result<(), Refusal> {
    let reservation = find::reservation(draft.state, id)?;
    let line = find::line(reservation, number)?;
    let source = find::open_warehouse(draft.state, from)?;
    let target = find::open_warehouse(draft.state, to)?;
    if source == target {
        return Err(Refusal::SameWarehouse { warehouse: from.to_owned() });
    }
    let at = line.allocation(source);
    let locked = at.map_or(0, |at| at.get(A::Locked));
    let held = locked + at.map_or(0, |at| at.get(A::Allocated));
    let asked = quantity.unwrap_or(held.max(1));
    if asked > held {
        let short = NotHeld { state: "locked or allocated", reservation, warehouse: from };
        return Err(short.refusal(Some(number), asked, held));
    }
    let available = draft.available(line.sku, target);
    if available < asked {
        let short = NotHeld { state: "available", reservation, warehouse: to };
        return Err(short.refusal(Some(number), asked, available));
    }
    // What counts is whether fewer units stand in ACTIVE warehouses afterwards.
    let free = draft.free(line.sku);
    if draft.is_active(target) && !draft.is_active(source) && free < asked {
        let sku = draft.state.sku(line.sku).id.to_string();
        return Err(Refusal::SurplusShort { sku, asked, surplus: free });
    }
    let spot = Spot::line(line.sku, line.pool, reservation.no, number);
    let first = asked.min(locked);
    for (out, into, units) in [
        (Kind::MoveLockedOut, Kind::MoveLockedIn, first),
        (Kind::MoveAllocatedOut, Kind::MoveAllocatedIn, asked - first),
    ] {
        draft.post(out, spot.at(source), units)?;
        draft.post(into, spot.at(target), units)?;
    }
    Ok(())
}
