//! From paid to gone: `PushFulfilment`, `Recall`, `ConfirmPicking`, `ShortPick`, `Ship`, `ShipOrder`, and `Move`.

use std::collections::BTreeSet;

use super::draft::{Draft, Spot};
use super::find;
use super::source::{Ask, Routing, choose};
use super::verb::{NotHeld, PUSH, RECALL, SHIP, Verb, select};
use crate::command::{Picked, Selection};
use crate::counters::AllocationCounter as A;
use crate::event::{Change, Exception, ExceptionKind};
use crate::few::Few;
use crate::ids::{LineNo, Units, WarehouseIx};
use crate::movement::Kind;
use crate::refusal::Refusal;
use crate::state::{Allocation, Line, Reservation};

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

/// A parcel leaves one warehouse, and may say something of itself.
pub(super) fn ship_order(
    draft: &mut Draft<'_>,
    parcel: &Selection<'_>,
    attributes: &[u8],
) -> Result<(), Refusal> {
    let reservation = find::reservation(draft.state, parcel.reservation)?;
    if parcel.warehouse.is_empty() && places(reservation, parcel)?.len() > 1 {
        return Err(Refusal::FieldRequired { field: "warehouse".to_owned() });
    }
    ship(draft, parcel)?;
    if !attributes.is_empty() {
        draft.change(Change::Step { reservation: reservation.no, attributes: attributes.into() });
    }
    Ok(())
}

/// Where the named lines, or all, have units that can be shipped.
fn places(reservation: &Reservation, parcel: &Selection<'_>) -> Result<BTreeSet<WarehouseIx>, Refusal> {
    let named: Vec<&Line> = if parcel.parts.is_empty() {
        reservation.lines.iter().collect()
    } else {
        parcel.parts.iter().map(|part| find::line(reservation, part.line)).collect::<Result<_, _>>()?
    };
    let allocations = named.into_iter().flat_map(|line| &line.allocations);
    let waiting = allocations.filter(|at| at.get(A::Allocated) + at.get(A::Picking) > 0);
    Ok(waiting.map(Allocation::warehouse).collect())
}

/// A warehouse has picked: what lies ready stays in picking, what is short is routed again. It is a step of
/// the order also where nothing moves.
pub(super) fn confirm_picking(
    draft: &mut Draft<'_>,
    id: &str,
    warehouse: &str,
    lines: &[Picked],
) -> Result<(), Refusal> {
    let reservation = find::reservation(draft.state, id)?;
    let at = find::open_warehouse(draft.state, warehouse)?;
    let short = NotHeld { state: RECALL.state, reservation, warehouse };
    for found in lines {
        let held = RECALL.held(find::line(reservation, found.line)?, Some(at));
        let asked = found.picked + found.short;
        if asked > held {
            return Err(short.refusal(Some(found.line), asked, held));
        }
    }
    let missing = lines.iter().map(|found| (found.line, found.short)).filter(|(_, units)| *units > 0);
    go_short(draft, reservation, at, &missing.collect::<Vec<_>>())?;
    draft.change(Change::Step { reservation: reservation.no, attributes: Box::default() });
    Ok(())
}

/// Units cannot be found.
pub(super) fn short_pick(draft: &mut Draft<'_>, selection: &Selection<'_>) -> Result<(), Refusal> {
    let reservation = find::reservation(draft.state, selection.reservation)?;
    let warehouse = find::open_warehouse(draft.state, selection.warehouse)?;
    let short = NotHeld { state: RECALL.state, reservation, warehouse: selection.warehouse };
    let parts = select(reservation, &selection.parts, |line| RECALL.held(line, Some(warehouse)), &short)?;
    go_short(draft, reservation, warehouse, &parts)
}

/// Units that cannot be found repair a negative `available`, the rest is lost; each line is routed again to
/// other warehouses, and what none can replace becomes a claim.
fn go_short(
    draft: &mut Draft<'_>,
    reservation: &Reservation,
    warehouse: WarehouseIx,
    parts: &[(LineNo, Units)],
) -> Result<(), Refusal> {
    for (number, units) in parts {
        let line = find::line(reservation, *number)?;
        let spot = Spot::line(line.sku, line.pool, reservation.no, *number).at(warehouse);
        let missing = -draft.available(line.sku, warehouse);
        let repaired = missing.clamp(0, *units);
        draft.post(Kind::ShortPickRepair, spot, repaired)?;
        draft.post(Kind::ShortPickLost, spot, units - repaired)?;
    }
    // Every line is short before any is routed again: what one repairs, another may get.
    for (number, units) in parts {
        route_again(draft, reservation, *number, warehouse, *units)?;
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
    let source = reservation.source();
    let routing = Routing { except: Some(short), ..Routing::new(&source, 0, true) };
    let ask = Ask { line: number, sku: line.sku, units };
    let takes = match choose(draft, &[ask], &routing) {
        Ok(granted) => {
            draft.split_exact &= granted.split_exact;
            granted.takes
        }
        Err(Refusal::InsufficientStock { .. } | Refusal::NotRoutable { .. }) => Few::new(),
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
