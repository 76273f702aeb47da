//! Where the units of an order may come from: candidates, what is short, and who gives what.

use super::draft::Draft;
use super::find::summed;
use super::ledger::Ledger;
use super::shortage;
use crate::command::WarehouseState;
use crate::event::Source;
use crate::ids::{LineNo, SkuIx, Units, WarehouseIx};
use crate::refusal::Refusal;
use crate::route::{self, Need};
use crate::state::State;

/// Units of a SKU that a line asks for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ask {
    pub line: LineNo,
    pub sku: SkuIx,
    pub units: Units,
}

/// Units that a warehouse gives to a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Take {
    pub line: LineNo,
    pub sku: SkuIx,
    pub warehouse: WarehouseIx,
    pub units: Units,
}

/// Where units may come from, and within which limits.
#[derive(Clone, Debug)]
pub(super) struct Routing<'a> {
    pub source: &'a Source,
    /// Warehouses that are tried before the source's.
    pub first: &'a [WarehouseIx],
    /// Warehouses that ship a parcel of this order anyway: their units are taken before all others'.
    pub shipping: &'a [WarehouseIx],
    /// A warehouse that gives nothing.
    pub except: Option<WarehouseIx>,
    /// The most parcels, those of `shipping` included; 0 for no limit.
    pub max_parcels: u32,
    pub allow_partial: bool,
}

impl<'a> Routing<'a> {
    pub const fn new(source: &'a Source, max_parcels: u32, allow_partial: bool) -> Self {
        Self { source, first: &[], shipping: &[], except: None, max_parcels, allow_partial }
    }

    /// The candidates in order, each once, CLOSED and PAUSED ones included.
    fn candidates(&self, state: &State) -> Vec<WarehouseIx> {
        let plan = plan(state, self.source);
        let mut candidates: Vec<WarehouseIx> = Vec::with_capacity(plan.len());
        if self.first.is_empty() && self.shipping.is_empty() {
            candidates.extend(plan);
        } else {
            for warehouse in self.shipping.iter().chain(self.first).chain(plan) {
                if !candidates.contains(warehouse) {
                    candidates.push(*warehouse);
                }
            }
        }
        candidates.retain(|warehouse| self.except != Some(*warehouse));
        candidates
    }

    pub fn region<'s>(&self, state: &'s State) -> Option<&'s str> {
        self.source.region().map(|region| &*state.region(region).id)
    }
}

/// The warehouses of a source, in order.
pub(super) fn plan<'s>(state: &'s State, source: &'s Source) -> &'s [WarehouseIx] {
    match source {
        Source::Region(region) => &state.region(*region).plan,
        Source::Warehouses(warehouses) | Source::Planned { warehouses, .. } => warehouses,
    }
}

/// What was granted.
#[derive(Debug)]
pub(super) struct Granted {
    /// In the order of the lines, then of the plan.
    pub takes: Vec<Take>,
    /// What `ALLOW_PARTIAL` did not grant, by line.
    pub refused: Vec<(LineNo, Units)>,
    pub split_exact: bool,
}

/// The demand for one SKU.
#[derive(Debug)]
pub(super) struct Wanted {
    pub sku: SkuIx,
    pub lines: Vec<LineNo>,
    /// The sum of what its lines ask.
    pub asked: Units,
    /// What the candidates have.
    pub offered: Units,
    /// What they may give: never more than what is free.
    pub here: Units,
    /// (position, units above zero), by position.
    offers: Vec<(usize, Units)>,
}

/// Chooses who gives what, or says why nobody can.
///
/// Sums the demand by SKU first; no more of a SKU is taken than what is free, because claims come first.
pub(super) fn choose(draft: &Draft<'_>, asks: &[Ask], routing: &Routing<'_>) -> Result<Granted, Refusal> {
    let candidates = routing.candidates(draft.state);
    let (mut wanted, index) = sum(asks)?;
    if routing.shipping.is_empty()
        && let Some(warehouse) = alone(draft, &wanted, &candidates)
    {
        let take = |ask: &Ask| Take { line: ask.line, sku: ask.sku, warehouse, units: ask.units };
        let takes = asks.iter().map(take).collect();
        return Ok(Granted { takes, refused: Vec::new(), split_exact: true });
    }
    for want in &mut wanted {
        look(draft, want, &candidates, routing)?;
    }
    let enough = wanted.iter().all(|want| want.here >= want.asked);
    let nothing = wanted.iter().all(|want| want.here == 0);
    if !enough && (nothing || !routing.allow_partial) {
        let shortages = shortage::of(draft, &wanted, &candidates);
        return Err(Refusal::InsufficientStock { shortages });
    }
    let (granted, refused) = grant(asks, &wanted, &index);
    split(&granted, refused, wanted, &index, &candidates, routing)
}

/// Sums by SKU, in the order of the lines; the ledger knows each SKU's place.
fn sum(asks: &[Ask]) -> Result<(Vec<Wanted>, Ledger<SkuIx, 1>), Refusal> {
    let mut index: Ledger<SkuIx, 1> = Ledger::default();
    let mut wanted: Vec<Wanted> = Vec::new();
    for ask in asks {
        let at = index.touch(ask.sku, || [0]);
        if at == wanted.len() {
            let (lines, offers) = (Vec::new(), Vec::new());
            wanted.push(Wanted { sku: ask.sku, lines, asked: 0, offered: 0, here: 0, offers });
        }
        wanted[at].lines.push(ask.line);
        summed(&mut wanted[at].asked, ask.units)?;
    }
    Ok((wanted, index))
}

/// Whether a warehouse takes new promises of a SKU.
fn serves(draft: &Draft<'_>, sku: SkuIx, warehouse: WarehouseIx) -> bool {
    let known = draft.state.warehouse(warehouse);
    known.state == WarehouseState::Active && known.assortment.keeps(draft.state.sku(sku))
}

/// The first candidate that can serve everything alone: the way of nearly every order.
fn alone(draft: &Draft<'_>, wanted: &[Wanted], candidates: &[WarehouseIx]) -> Option<WarehouseIx> {
    if wanted.iter().any(|want| draft.free(want.sku) < want.asked) {
        return None;
    }
    let serves_all = |warehouse: &&WarehouseIx| {
        wanted.iter().all(|want| {
            draft.available(want.sku, **warehouse) >= want.asked && serves(draft, want.sku, **warehouse)
        })
    };
    candidates.iter().find(serves_all).copied()
}

/// Fills in who offers a SKU.
fn look(
    draft: &Draft<'_>,
    want: &mut Wanted,
    candidates: &[WarehouseIx],
    routing: &Routing<'_>,
) -> Result<(), Refusal> {
    let sku = draft.state.sku(want.sku);
    let mut kept = false;
    for (position, warehouse) in candidates.iter().enumerate() {
        let known = draft.state.warehouse(*warehouse);
        if known.state == WarehouseState::Closed || !known.assortment.keeps(sku) {
            continue;
        }
        kept = true;
        let units = draft.available(want.sku, *warehouse);
        if known.state == WarehouseState::Active && units > 0 {
            want.offers.push((position, units));
        }
    }
    if !kept {
        return Err(Refusal::NotRoutable {
            region: routing.region(draft.state).map(str::to_owned),
            sku: sku.id.to_string(),
        });
    }
    want.offered = want.offers.iter().map(|(_, units)| units).sum();
    want.here = want.offered.min(draft.free(want.sku)).max(0);
    Ok(())
}

/// What each line gets, in line order, and what it does not.
fn grant(asks: &[Ask], wanted: &[Wanted], index: &Ledger<SkuIx, 1>) -> (Vec<Ask>, Vec<(LineNo, Units)>) {
    let mut left: Vec<Units> = wanted.iter().map(|want| want.here.min(want.asked)).collect();
    let (mut granted, mut refused) = (Vec::with_capacity(asks.len()), Vec::new());
    for ask in asks {
        let Some(at) = index.find(ask.sku) else { continue };
        let units = ask.units.min(left[at]);
        left[at] -= units;
        if units > 0 {
            granted.push(Ask { units, ..*ask });
        }
        if units < ask.units {
            refused.push((ask.line, ask.units - units));
        }
    }
    (granted, refused)
}

/// Takes from those that ship anyway, then from the fewest others.
fn split(
    granted: &[Ask],
    refused: Vec<(LineNo, Units)>,
    wanted: Vec<Wanted>,
    index: &Ledger<SkuIx, 1>,
    candidates: &[WarehouseIx],
    routing: &Routing<'_>,
) -> Result<Granted, Refusal> {
    // Those that ship anyway stand first among the candidates.
    let shipping = candidates.iter().take_while(|at| routing.shipping.contains(at)).count();
    let mut left: Vec<Units> = wanted.iter().map(|want| want.here.min(want.asked)).collect();
    let mut offers: Vec<Vec<(usize, Units)>> = wanted.into_iter().map(|want| want.offers).collect();
    for (left, offers) in left.iter_mut().zip(&offers) {
        let given: Units = offers.iter().filter(|(at, _)| *at < shipping).map(|(_, units)| units).sum();
        *left -= given.min(*left);
    }
    let needs: Vec<Need> = left
        .iter()
        .zip(&offers)
        .filter(|(left, _)| **left > 0)
        .map(|(left, offers)| Need {
            units: *left,
            offers: offers.iter().filter(|(at, _)| *at >= shipping).copied().collect(),
        })
        .collect();
    let (mut positions, mut split_exact) = ((0..shipping).collect::<Vec<_>>(), true);
    if !needs.is_empty() {
        // The offers cover the needs: what is granted is never more than what is offered.
        let parcels = route::choose(&needs).ok_or_else(|| Refusal::InvariantViolated {
            violation: "offers cover what is granted".to_owned(),
        })?;
        let parcels_needed =
            u32::try_from(routing.shipping.len() + parcels.positions.len()).unwrap_or(u32::MAX);
        if routing.max_parcels > 0 && parcels_needed > routing.max_parcels {
            return Err(Refusal::ParcelLimit { max_parcels: routing.max_parcels, parcels_needed });
        }
        split_exact = parcels.exact;
        positions.extend(parcels.positions);
    }
    for offers in &mut offers {
        offers.retain(|(at, _)| positions.binary_search(at).is_ok());
    }
    let mut takes = Vec::with_capacity(granted.len());
    for ask in granted {
        let Some(at) = index.find(ask.sku) else { continue };
        let mut left = ask.units;
        for (position, offered) in &mut offers[at] {
            let units = left.min(*offered);
            if units > 0 {
                takes.push(Take { line: ask.line, sku: ask.sku, warehouse: candidates[*position], units });
                (*offered, left) = (*offered - units, left - units);
            }
        }
    }
    Ok(Granted { takes, refused, split_exact })
}
