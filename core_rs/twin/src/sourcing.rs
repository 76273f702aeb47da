//! Where an order's units come from, and what is said when there are not enough.

use std::collections::BTreeMap;

use lockstock_stock::command::{From, Wanted, WarehouseState};
use lockstock_stock::ids::{LineNo, Units};
use lockstock_stock::refusal::{Reason, ShortSku};

use super::Attempt;
use super::routing::{BySku, choose};
use super::world::{Held, Name, Reservation, Source};

/// Units that a line takes from a warehouse, in plan order within the line.
pub struct Take {
    pub line: usize,
    pub warehouse: Name,
    pub units: Units,
}

/// What an order wants of one SKU under one line number (from 0).
#[derive(Clone, Copy)]
pub struct Want {
    pub line: usize,
    pub sku: Name,
    pub units: Units,
}

/// How an order may be served.
pub struct Terms<'a> {
    /// Warehouses that ship a parcel of this order anyway: they give all they can, and their parcels count.
    pub shipping: &'a [Name],
    /// To be tried before the plan, in this order.
    pub first: &'a [Name],
    /// Gives nothing.
    pub except: Name,
    /// The reservation that asks, where it is there already: its locks are not others'.
    pub own: Name,
    pub source: &'a Source,
    pub max_parcels: u32,
    pub allow_partial: bool,
}

impl<'a> Terms<'a> {
    pub fn whole(source: &'a Source, max_parcels: u32) -> Self {
        Self { shipping: &[], first: &[], except: "", own: "", source, max_parcels, allow_partial: false }
    }
}

impl Attempt<'_> {
    /// The known SKUs and pools of what is wanted.
    pub fn wants(&mut self, lines: &[Wanted<'static>], first_line: usize) -> Vec<Want> {
        let mut wants = Vec::new();
        for (at, line) in lines.iter().enumerate() {
            self.unless(matches!(line.pool, "" | "SHARED"), Reason::PoolNotFound);
            if self.knows_sku(line.sku) {
                wants.push(Want { line: first_line + at, sku: line.sku, units: line.quantity });
            }
        }
        wants
    }

    /// The known source.
    pub fn source(&mut self, from: &From<'static>) -> Option<Source> {
        match from {
            From::Region(region) => {
                let known = self.world.regions.contains_key(region);
                let source = Source { region: Some(region), list: Vec::new(), destination: "" };
                self.unless(known, Reason::RegionNotFound).then_some(source)
            }
            From::Warehouses(list) => {
                let known = list.iter().all(|at| self.world.warehouses.contains_key(at));
                let source = Source { region: None, list: list.clone(), destination: "" };
                self.unless(known, Reason::WarehouseNotFound).then_some(source)
            }
            From::Planned { region, warehouses, destination } => {
                let known = region.is_none_or(|region| self.world.regions.contains_key(region));
                let listed = self.source(&From::Warehouses(warehouses.clone()));
                let known = self.unless(known, Reason::RegionNotFound);
                listed.filter(|_| known).map(|source| Source { region: *region, destination, ..source })
            }
        }
    }

    pub fn plan(&self, source: &Source) -> Vec<Name> {
        match source.region {
            Some(region) if source.list.is_empty() => self.world.regions[region].clone(),
            _ => source.list.clone(),
        }
    }

    /// What a line holds, by warehouse: those of its order's plan in its order, then the others as they came.
    pub fn in_plan_order(&self, id: Name, line: usize) -> Vec<Held> {
        let order = &self.world.reservations[id];
        let plan = self.plan(&order.source);
        let (mut planned, others): (Vec<Held>, Vec<Held>) =
            order.lines[line].held.iter().partition(|held| plan.contains(&held.warehouse));
        planned.sort_by_key(|held| plan.iter().position(|at| *at == held.warehouse));
        planned.into_iter().chain(others).collect()
    }

    /// What the candidates could give of a SKU, by their position.
    fn shelf(&self, warehouse: Name, sku: Name) -> Units {
        let open = self.world.is(warehouse, WarehouseState::Active) && self.world.keeps(warehouse, sku);
        if open { self.world.peek(sku, warehouse).available.max(0) } else { 0 }
    }

    /// Chooses warehouses for everything wanted and notes why it cannot. Takes nothing.
    pub fn route(&mut self, wants: &[Want], terms: &Terms<'_>) -> Vec<Take> {
        let plan = self.plan(terms.source);
        let mut candidates: Vec<Name> = Vec::new();
        for at in terms.shipping.iter().chain(terms.first).chain(&plan) {
            if !candidates.contains(at) && *at != terms.except {
                candidates.push(at);
            }
        }

        let mut asked: BySku<Name> = BTreeMap::new();
        for want in wants {
            *asked.entry(want.sku).or_default() += want.units;
        }
        self.sums_in_range(asked.iter().map(|(sku, units)| (*sku, *units)));
        for sku in asked.keys() {
            let routable = candidates
                .iter()
                .any(|at| !self.world.is(at, WarehouseState::Closed) && self.world.keeps(at, sku));
            self.unless(routable, Reason::NotRoutable);
        }

        // What there is of each SKU: on the candidates' shelves, and not promised otherwise.
        let mut there: BySku<Name> = BTreeMap::new();
        for sku in asked.keys() {
            let shelves: Units = candidates.iter().map(|at| self.shelf(at, sku)).sum();
            there.insert(*sku, shelves.min(self.world.free(sku)).max(0));
        }
        let short: Vec<Name> =
            asked.iter().filter(|(sku, units)| there[*sku] < **units).map(|(sku, _)| *sku).collect();
        let nothing = asked.keys().all(|sku| there[sku] == 0);
        if !short.is_empty() && (!terms.allow_partial || nothing) {
            self.rule(Reason::InsufficientStock);
            self.broken.shortages = self.shortages(wants, &short, &there, &candidates, terms.own);
            return Vec::new();
        }

        // Granted in line order.
        let mut granted = Vec::new();
        let mut rest = there;
        for want in wants {
            let left = rest.get_mut(want.sku).unwrap();
            let units = want.units.min(*left);
            *left -= units;
            granted.push(Want { units, ..*want });
            if units < want.units {
                let line = LineNo::try_from(want.line + 1).unwrap();
                self.done.refused.push((line, want.units - units));
            }
        }
        let mut demand: BySku<Name> = BTreeMap::new();
        for want in granted.iter().filter(|want| want.units > 0) {
            *demand.entry(want.sku).or_default() += want.units;
        }

        let mut shelves: Vec<BySku<Name>> = candidates
            .iter()
            .map(|at| demand.keys().map(|sku| (*sku, self.shelf(at, sku))).collect())
            .collect();
        // What ships anyway stands first and gives all it can; the fewest others give the rest.
        let mut positions: Vec<usize> = (0..terms.shipping.len()).collect();
        let others = &shelves[positions.len()..];
        let mut rest = demand.clone();
        for (sku, missing) in &mut rest {
            let given: Units = positions.iter().filter_map(|at| shelves[*at].get(sku)).sum();
            *missing -= given.min(*missing);
        }
        rest.retain(|_, missing| *missing > 0);
        if !rest.is_empty() {
            let limit = if terms.max_parcels == 0 { u32::MAX } else { terms.max_parcels };
            let most = usize::try_from(limit).unwrap().saturating_sub(positions.len());
            let choice = choose(&rest, others, most).expect("there is enough");
            let parcels = u32::try_from(positions.len() + choice.positions.len()).unwrap();
            if parcels > limit {
                self.rule(Reason::ParcelLimit);
                self.broken.parcels_needed = Some(parcels);
                return Vec::new();
            }
            self.done.split_exact &= choice.exact;
            positions.extend(choice.positions.iter().map(|at| at + terms.shipping.len()));
        }

        // Each line takes all it can from the earlier.
        let mut takes = Vec::new();
        for want in granted {
            let mut missing = want.units;
            for at in &positions {
                let Some(left) = shelves[*at].get_mut(want.sku) else { continue };
                let units = missing.min(*left);
                *left -= units;
                missing -= units;
                if units > 0 {
                    takes.push(Take { line: want.line, warehouse: candidates[*at], units });
                }
            }
        }
        takes
    }

    /// Every short SKU, in the order of the lines.
    fn shortages(
        &self,
        wants: &[Want],
        short: &[Name],
        there: &BySku<Name>,
        candidates: &[Name],
        own: Name,
    ) -> Vec<ShortSku> {
        let mut list: Vec<ShortSku> = Vec::new();
        for want in wants.iter().filter(|want| short.contains(&want.sku)) {
            let line = LineNo::try_from(want.line + 1).unwrap();
            if let Some(entry) = list.iter_mut().find(|entry| entry.sku == want.sku) {
                entry.lines.push(line);
                entry.asked += want.units;
                continue;
            }
            let cells = || self.world.cells.iter().filter(|((sku, _), _)| *sku == want.sku);
            let stands = |state: WarehouseState, candidate: bool| -> Units {
                cells()
                    .filter(|((_, at), _)| {
                        self.world.is(at, state) && (!candidate || !candidates.contains(at))
                    })
                    .map(|(_, cell)| cell.available.max(0))
                    .sum()
            };
            let locked = |r: &Reservation| -> Units {
                r.lines.iter().filter(|line| line.sku == want.sku).map(|line| line.locked).sum()
            };
            let others = || self.world.reservations.iter().filter(|(id, _)| **id != own).map(|(_, r)| r);
            let locks = others().filter(|r| locked(r) > 0);
            let arrivals = self.world.receipts.values().filter(|receipt| {
                receipt.expected_at > 0
                    && receipt.lines.iter().any(|line| line.sku == want.sku && line.expected > 0)
            });
            let own_locked = self.world.reservations.get(own).map_or(0, |reservation| locked(reservation));
            list.push(ShortSku {
                sku: want.sku.to_owned(),
                lines: vec![line],
                asked: want.units,
                available_here: there[want.sku],
                available_elsewhere: stands(WarehouseState::Active, true),
                available_paused: stands(WarehouseState::Paused, false),
                locked: cells().map(|(_, cell)| cell.locked).sum::<Units>() - own_locked,
                claimed: self.world.skus[want.sku].claimed,
                next_unlock_at: locks.map(|r| r.deadline).min(),
                in_transit: cells().map(|(_, cell)| cell.in_transit).sum(),
                next_arrival_at: arrivals.map(|receipt| receipt.expected_at).min(),
            });
        }
        list
    }
}
