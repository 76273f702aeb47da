//! Where the units of an order may come from: candidates, what is short, and who gives what.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::draft::Draft;
use super::find;
use super::shortage;
use crate::command::WarehouseState;
use crate::event::Source;
use crate::few::Few;
use crate::ids::{LineNo, OwnerNo, SkuIx, Units, WarehouseIx};
use crate::limits::QUANTITY_MAX;
use crate::refusal::Refusal;
use crate::route::{self, Bounds, Item, NoRoute};
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
    /// Whose units they will be, where it is there already: its locks are not others'.
    pub owner: Option<OwnerNo>,
    /// The most parcels, those of `shipping` included; 0 for no limit.
    pub max_parcels: u32,
    pub allow_partial: bool,
}

impl<'a> Routing<'a> {
    pub const fn new(source: &'a Source, max_parcels: u32, allow_partial: bool) -> Self {
        Self { source, first: &[], shipping: &[], except: None, owner: None, max_parcels, allow_partial }
    }

    /// The candidates in order, each once, CLOSED and PAUSED ones included.
    fn candidates<'s>(&'s self, state: &'s State) -> Cow<'s, [WarehouseIx]> {
        let plan = plan(state, self.source);
        if self.first.is_empty() && self.shipping.is_empty() && self.except.is_none() {
            return Cow::Borrowed(plan);
        }
        let mut candidates: Vec<WarehouseIx> = Vec::with_capacity(plan.len());
        for warehouse in self.shipping.iter().chain(self.first).chain(plan) {
            if self.except != Some(*warehouse) && !candidates.contains(warehouse) {
                candidates.push(*warehouse);
            }
        }
        Cow::Owned(candidates)
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
    pub takes: Few<Take>,
    /// What `ALLOW_PARTIAL` did not grant, by line.
    pub refused: Vec<(LineNo, Units)>,
    pub split_exact: bool,
}

/// The demand for one SKU.
#[derive(Debug)]
pub(super) struct Wanted {
    pub sku: SkuIx,
    pub lines: Vec<LineNo>,
}

/// Chooses who gives what, or says why nobody can.
///
/// Sums the demand by SKU first; no more of a SKU is taken than what is free, because claims come first.
pub(super) fn choose(draft: &Draft<'_>, asks: &[Ask], routing: &Routing<'_>) -> Result<Granted, Refusal> {
    let candidates = routing.candidates(draft.state);
    let alone = |needs: &[(SkuIx, Units)]| alone(draft, routing, asks, needs, &candidates);
    // Nearly every order has one line: there is nothing to sum.
    if let [ask] = asks
        && ask.units <= QUANTITY_MAX
        && let Some(granted) = alone(&[(ask.sku, ask.units)])
    {
        return Ok(granted);
    }
    let Summed { places, wanted, mut items } = sum(draft, asks)?;
    if asks.len() > 1 {
        let needs: Vec<(SkuIx, Units)> =
            wanted.iter().zip(&items).map(|(want, item)| (want.sku, item.asked)).collect();
        if let Some(granted) = alone(&needs) {
            return Ok(granted);
        }
    }
    for (want, item) in wanted.iter().zip(&mut items) {
        item.offers = offers(draft, want.sku, &candidates, routing)?;
    }
    // Those that ship anyway stand first among the candidates.
    let shipping = candidates.iter().take_while(|at| routing.shipping.contains(at)).count();
    let Routing { max_parcels, allow_partial, .. } = *routing;
    match route::route(&places, &items, &Bounds { shipping, max_parcels, allow_partial }) {
        Ok(route) => Ok(Granted {
            takes: route
                .takes
                .into_iter()
                .map(|take| {
                    let Ask { line, sku, .. } = asks[take.ask];
                    Take { line, sku, warehouse: candidates[take.position], units: take.units }
                })
                .collect(),
            refused: route.refused.into_iter().map(|(at, units)| (asks[at].line, units)).collect(),
            split_exact: route.exact,
        }),
        Err(NoRoute::Short(short)) => {
            let short: Vec<_> = short.into_iter().map(|at| (&wanted[at], &items[at])).collect();
            Err(Refusal::InsufficientStock {
                shortages: shortage::of(draft, &short, &candidates, routing.owner),
            })
        }
        Err(NoRoute::Parcels { needed: parcels_needed }) => {
            Err(Refusal::ParcelLimit { max_parcels, parcels_needed })
        }
        Err(NoRoute::Uncovered) => {
            Err(Refusal::InvariantViolated { violation: "offers cover what is granted".to_owned() })
        }
    }
}

/// A demand summed by SKU, in the order of the lines.
struct Summed {
    /// What each line asks, and of which of the SKUs.
    places: Vec<route::Ask>,
    wanted: Vec<Wanted>,
    /// The same SKUs in numbers; who offers them is not known yet.
    items: Vec<Item>,
}

fn sum(draft: &Draft<'_>, asks: &[Ask]) -> Result<Summed, Refusal> {
    let mut index: BTreeMap<SkuIx, usize> = BTreeMap::new();
    let mut summed = Summed { places: Vec::with_capacity(asks.len()), wanted: Vec::new(), items: Vec::new() };
    for ask in asks {
        let item = *index.entry(ask.sku).or_insert(summed.wanted.len());
        if item == summed.wanted.len() {
            summed.wanted.push(Wanted { sku: ask.sku, lines: Vec::new() });
            summed.items.push(Item { free: draft.free(ask.sku), ..Item::default() });
        }
        summed.places.push(route::Ask { item, units: ask.units });
        summed.wanted[item].lines.push(ask.line);
        find::summed(&mut summed.items[item].asked, ask.units)?;
    }
    Ok(summed)
}

/// Whether a warehouse takes new promises of a SKU.
fn serves(draft: &Draft<'_>, sku: SkuIx, warehouse: WarehouseIx) -> bool {
    let known = draft.state.warehouse(warehouse);
    known.state == WarehouseState::Active && known.assortment.keeps(draft.state.sku(sku))
}

/// Everything from the first candidate that can serve all needs, which are the asks summed by SKU: the way
/// of nearly every order, without a look at all the others' offers.
fn alone(
    draft: &Draft<'_>,
    routing: &Routing<'_>,
    asks: &[Ask],
    needs: &[(SkuIx, Units)],
    candidates: &[WarehouseIx],
) -> Option<Granted> {
    if !routing.shipping.is_empty() || needs.iter().any(|(sku, asked)| draft.free(*sku) < *asked) {
        return None;
    }
    let gives = |&(sku, asked): &(SkuIx, Units), position: usize| {
        let warehouse = candidates[position];
        draft.available(sku, warehouse) >= asked && serves(draft, sku, warehouse)
    };
    let warehouse = candidates[route::alone(0..candidates.len(), needs, gives)?];
    let take = |ask: &Ask| Take { line: ask.line, sku: ask.sku, warehouse, units: ask.units };
    Some(Granted { takes: asks.iter().map(take).collect(), refused: Vec::new(), split_exact: true })
}

/// Who offers a SKU: (position, units above zero), by position.
fn offers(
    draft: &Draft<'_>,
    sku: SkuIx,
    candidates: &[WarehouseIx],
    routing: &Routing<'_>,
) -> Result<Vec<(usize, Units)>, Refusal> {
    let known_sku = draft.state.sku(sku);
    let mut kept = false;
    let mut offers = Vec::new();
    for (position, warehouse) in candidates.iter().enumerate() {
        let known = draft.state.warehouse(*warehouse);
        if known.state == WarehouseState::Closed || !known.assortment.keeps(known_sku) {
            continue;
        }
        kept = true;
        let units = draft.available(sku, *warehouse);
        if known.state == WarehouseState::Active && units > 0 {
            offers.push((position, units));
        }
    }
    if !kept {
        return Err(Refusal::NotRoutable {
            region: routing.region(draft.state).map(str::to_owned),
            sku: known_sku.id.to_string(),
        });
    }
    Ok(offers)
}
