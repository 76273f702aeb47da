//! What a refused order is told of every SKU that is short: `domain.md` section 4, rule 5.

use super::draft::Draft;
use super::source::Wanted;
use crate::command::WarehouseState;
use crate::counters::{AllocationCounter as A, Counter, LineCounter, ReceiptCounter};
use crate::ids::{Micros, OwnerNo, SkuIx, Units, WarehouseIx};
use crate::limits::NEXT_UNLOCK_SCAN_MAX;
use crate::refusal::ShortSku;
use crate::route::Item;
use crate::state::State;

/// One entry a short SKU, in the order given. Locks of `owner`, who asks, are not others'.
pub(super) fn of(
    draft: &Draft<'_>,
    short: &[(&Wanted, &Item)],
    candidates: &[WarehouseIx],
    owner: Option<OwnerNo>,
) -> Vec<ShortSku> {
    let skus: Vec<SkuIx> = short.iter().map(|(want, _)| want.sku).collect();
    let unlocks = next_unlocks(draft, &skus, owner);
    let entry = |(short, at): (&(&Wanted, &Item), _)| {
        let mut entry = entry(draft, *short, candidates, at);
        entry.locked -= owner.map_or(0, |owner| locked_by(draft, owner, short.0.sku));
        entry
    };
    short.iter().zip(unlocks).map(entry).collect()
}

/// What a reservation has locked of a SKU, as the draft has it: an amendment may give up some of it.
fn locked_by(draft: &Draft<'_>, owner: OwnerNo, sku: SkuIx) -> Units {
    let lines = draft.state.reservation(owner).map_or(&[][..], |reservation| &reservation.lines);
    let lines = (1..).zip(lines).filter(|(_, line)| line.sku == sku);
    lines
        .flat_map(|(number, line)| line.allocations.iter().map(move |at| (number, at.warehouse())))
        .map(|(number, warehouse)| draft.held(owner, number, warehouse, A::Locked))
        .sum()
}

fn entry(
    draft: &Draft<'_>,
    (want, item): (&Wanted, &Item),
    candidates: &[WarehouseIx],
    next_unlock_at: Option<Micros>,
) -> ShortSku {
    let state = draft.state;
    let sku = state.sku(want.sku);
    let mut short = ShortSku {
        sku: sku.id.to_string(),
        lines: want.lines.clone(),
        asked: item.asked,
        available_here: item.here(),
        claimed: draft.claimed(want.sku),
        next_unlock_at,
        next_arrival_at: next_arrival(state, want.sku),
        ..ShortSku::default()
    };
    for (warehouse, _) in sku.cells() {
        let cell = draft.cell(want.sku, *warehouse);
        short.locked += cell.get(Counter::Locked);
        short.in_transit += cell.get(Counter::InTransit);
        let known = state.warehouse(*warehouse);
        let units: Units = cell.get(Counter::Available).max(0);
        match known.state {
            WarehouseState::Active if !candidates.contains(warehouse) => short.available_elsewhere += units,
            WarehouseState::Paused => short.available_paused += units,
            WarehouseState::Active | WarehouseState::Closed => {}
        }
    }
    short
}

/// When the next lock of another on each SKU ends, as far as it is among the next locks to end.
fn next_unlocks(draft: &Draft<'_>, skus: &[SkuIx], owner: Option<OwnerNo>) -> Vec<Option<Micros>> {
    let mut found: Vec<Option<Micros>> = vec![None; skus.len()];
    let mut missing: Vec<(SkuIx, usize)> = skus.iter().copied().zip(0..).collect();
    missing.sort_unstable();
    for (deadline, no) in draft.state.deadlines().take(NEXT_UNLOCK_SCAN_MAX) {
        if missing.is_empty() {
            break;
        }
        let others = draft.state.reservation(no).filter(|_| owner != Some(no));
        for line in others.iter().flat_map(|reservation| &reservation.lines) {
            let Ok(at) = missing.binary_search_by_key(&line.sku, |(sku, _)| *sku) else { continue };
            if line.get(LineCounter::Locked) > 0 {
                let (_, place) = missing.remove(at);
                found[place] = Some(deadline);
            }
        }
    }
    found
}

/// The earliest dated receipt that still expects some.
fn next_arrival(state: &State, sku: SkuIx) -> Option<Micros> {
    let receipts = state.sku(sku).inbound().iter().filter_map(|no| state.receipt(*no));
    let expects = |lines: &[crate::state::ReceiptLine]| {
        lines.iter().any(|line| line.sku == sku && line.get(ReceiptCounter::Expected) > 0)
    };
    receipts.filter(|it| it.expected_at > 0 && expects(&it.lines)).map(|it| it.expected_at).min()
}
