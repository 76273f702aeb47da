//! `check`: every invariant over the whole state, and the hash from scratch. For verification, not for selling.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::identities::{broken, deadline_holds};
use super::{Identity, Owner, Owners, Place, State, Violation};
use crate::counters::{
    AllocationCounter as A, Counter, LineCounter as L, PoolCounter, ReceiptCounter as R, TransferCounter as T,
};
use crate::ids::{ChannelIx, Micros, OwnerNo, PoolIx, RegionIx, SkuIx, WarehouseIx, stamp_ms};

/// What reservations, transfers and receipts say that cells, pools and SKUs must hold. In 128 bits: nobody
/// has judged these numbers before.
#[derive(Default)]
struct Held {
    cells: BTreeMap<(SkuIx, WarehouseIx), [i128; HELD]>,
    pools: BTreeMap<(SkuIx, PoolIx), [i128; 2]>,
    claimed: BTreeMap<SkuIx, i128>,
}

/// The counters of a cell that others hold, and the identity each belongs to.
const OF_CELL: [(Counter, Identity); HELD] = [
    (Counter::Locked, Identity::Promises),
    (Counter::Allocated, Identity::Promises),
    (Counter::Picking, Identity::Promises),
    (Counter::Returning, Identity::Returning),
    (Counter::InTransit, Identity::InTransit),
];
const HELD: usize = 5;

impl State {
    /// Every invariant over the whole state, and the hash from scratch; the first that does not hold.
    pub fn check(&self) -> Result<(), Violation> {
        self.check_reservations()?;
        self.check_goods()?;
        self.check_stock(&self.held())?;
        self.check_names()?;
        self.check_indexes()?;
        let computed = self.hash_from_scratch();
        if computed == self.hash {
            Ok(())
        } else {
            Err(Violation::Hash { sequence: self.sequence, kept: self.hash, computed })
        }
    }

    fn check_reservations(&self) -> Result<(), Violation> {
        for reservation in self.reservations.values() {
            for number in (1..).take(reservation.lines.len()) {
                self.reservation_line_holds(self.sequence, reservation, number)?;
            }
            deadline_holds(self.sequence, reservation)?;
            if reservation.version > self.sequence || reservation.version < reservation.no.0 {
                return self.index_fails("version", Some(&reservation.id));
            }
        }
        Ok(())
    }

    fn check_goods(&self) -> Result<(), Violation> {
        for receipt in self.receipts.values() {
            for (number, line) in (1..).zip(&receipt.lines) {
                self.receipt_holds(self.sequence, receipt, number, line)?;
            }
            self.goods_once(self.sequence, receipt.no)?;
        }
        for transfer in self.transfers.values() {
            for (number, line) in (1..).zip(&transfer.lines) {
                self.transfer_holds(self.sequence, transfer, number, line)?;
            }
            self.goods_once(self.sequence, transfer.no)?;
        }
        Ok(())
    }

    /// What cells, pools and SKUs must hold, summed over everybody who holds it.
    fn held(&self) -> Held {
        let mut held = Held::default();
        let mut cell = |sku, warehouse, units: [i64; HELD]| {
            if units != [0; HELD] {
                let sums: &mut [i128; HELD] = held.cells.entry((sku, warehouse)).or_default();
                sums.iter_mut().zip(units).for_each(|(sum, units)| *sum += i128::from(units));
            }
        };
        for line in self.reservations.values().flat_map(|reservation| &reservation.lines) {
            for at in &line.allocations {
                let promises =
                    [at.get(A::Locked), at.get(A::Allocated), at.get(A::Picking), at.get(A::Returning), 0];
                cell(line.sku, at.warehouse(), promises);
            }
            *held.claimed.entry(line.sku).or_default() += i128::from(line.get(L::Claimed));
            let sold = i128::from(line.get(L::Deducted))
                - i128::from(line.get(L::Cancelled))
                - i128::from(line.get(L::Returned));
            let sums = held.pools.entry((line.sku, line.pool)).or_default();
            sums[0] += i128::from(line.get(L::Locked));
            sums[1] += sold;
        }
        for transfer in self.transfers.values() {
            for line in &transfer.lines {
                cell(line.sku, transfer.from, [0, line.get(T::Allocated), line.get(T::Picking), 0, 0]);
                cell(line.sku, transfer.to, [0, 0, 0, 0, line.get(T::InTransit)]);
            }
        }
        for receipt in self.receipts.values() {
            for line in &receipt.lines {
                cell(line.sku, receipt.warehouse, [0, 0, 0, 0, line.get(R::Expected)]);
            }
        }
        held
    }

    fn check_stock(&self, held: &Held) -> Result<(), Violation> {
        for (ix, sku) in (0..).map(SkuIx).zip(&self.skus) {
            for (warehouse, cell) in sku.cells() {
                self.cell_holds(self.sequence, ix, *warehouse, cell)?;
                let sums = held.cells.get(&(ix, *warehouse)).copied().unwrap_or_default();
                for ((counter, identity), sum) in OF_CELL.iter().zip(sums) {
                    if i128::from(cell.get(*counter)) != sum {
                        let place = Place { counter: Some(counter.name()), ..self.at_cell(ix, *warehouse) };
                        return Err(broken(self.sequence, *identity, place));
                    }
                }
            }
            for (pool, cell) in &sku.pools {
                self.pool_holds(self.sequence, ix, *pool)?;
                let [locked, sold] = held.pools.get(&(ix, *pool)).copied().unwrap_or_default();
                for (counter, sum) in [(PoolCounter::Locked, locked), (PoolCounter::Sold, sold)] {
                    if i128::from(cell.get(counter)) != sum {
                        let place = Place { counter: Some(counter.name()), ..self.at_pool(ix, *pool) };
                        return Err(broken(self.sequence, Identity::Pool, place));
                    }
                }
            }
            self.claims_hold(self.sequence, ix)?;
            if i128::from(sku.claimed()) != held.claimed.get(&ix).copied().unwrap_or_default() {
                let place = Place { sku: Some(Arc::from(&*sku.id)), ..Place::default() };
                return Err(broken(self.sequence, Identity::Claims, place));
            }
        }
        self.check_held_exists(held)
    }

    /// What somebody holds stands in a cell or pool at all.
    fn check_held_exists(&self, held: &Held) -> Result<(), Violation> {
        let sku = |ix: SkuIx| self.skus.get(ix.at());
        for (ix, warehouse) in held.cells.keys() {
            if sku(*ix).and_then(|sku| sku.cell(*warehouse)).is_none() {
                return Err(broken(self.sequence, Identity::Promises, self.at_cell(*ix, *warehouse)));
            }
        }
        for ((ix, pool), sums) in &held.pools {
            if *sums != [0; 2] && sku(*ix).and_then(|sku| sku.pool(*pool)).is_none() {
                return Err(broken(self.sequence, Identity::Pool, self.at_pool(*ix, *pool)));
            }
        }
        Ok(())
    }

    fn check_names(&self) -> Result<(), Violation> {
        let skus = self.skus.iter().map(|sku| &*sku.id);
        let warehouses = self.warehouses.iter().map(|warehouse| &*warehouse.id);
        let regions = self.regions.iter().map(|region| &*region.id);
        let tables = [
            ("names of SKUs", index_is(skus, self.sku_names.len(), |id| self.find_sku(id).map(SkuIx::at))),
            (
                "names of warehouses",
                index_is(warehouses, self.warehouse_names.len(), |id| {
                    self.find_warehouse(id).map(WarehouseIx::at)
                }),
            ),
            (
                "names of regions",
                index_is(regions, self.region_names.len(), |id| self.find_region(id).map(RegionIx::at)),
            ),
            (
                "names of channels",
                index_is(self.channels.iter().map(|channel| &**channel), self.channel_names.len(), |id| {
                    self.find_channel(id).map(ChannelIx::at)
                }),
            ),
        ];
        for (what, exact) in tables {
            if !exact {
                return self.index_fails(what, None);
            }
        }
        self.owners_are_found(&self.reservations)?;
        self.owners_are_found(&self.receipts)?;
        self.owners_are_found(&self.transfers)
    }

    /// Each by its id and by its number, and nobody else.
    fn owners_are_found<V: Owner>(&self, owners: &Owners<V>) -> Result<(), Violation> {
        let lost = owners.lost();
        if lost.is_some() || owners.len() != owners.names() {
            return self.index_fails("names of owners", lost.map(Owner::id));
        }
        Ok(())
    }

    fn check_indexes(&self) -> Result<(), Violation> {
        let deadlines: BTreeSet<(Micros, OwnerNo)> =
            self.reservations.values().filter_map(|owner| Some((owner.due()?, owner.no))).collect();
        if deadlines.len() != self.open_locks() || !self.deadlines().eq(deadlines.iter().copied()) {
            return self.index_fails("deadlines", None);
        }
        let mut inbound: BTreeMap<SkuIx, Vec<OwnerNo>> = BTreeMap::new();
        for receipt in self.receipts.values() {
            for line in receipt.lines.iter().filter(|line| line.get(R::Expected) > 0) {
                inbound.entry(line.sku).or_default().push(receipt.no);
            }
        }
        for receipts in inbound.values_mut() {
            receipts.sort_unstable();
        }
        if self.resting != self.find_resting() {
            return self.index_fails("warehouses that are not ACTIVE", None);
        }
        for (ix, sku) in (0..).map(SkuIx).zip(&self.skus) {
            if !sku.cells.is_indexed() {
                return self.index_fails("available by warehouse", Some(&sku.id));
            }
            if sku.inbound != inbound.remove(&ix).unwrap_or_default() {
                return self.index_fails("arrivals", Some(&sku.id));
            }
        }
        let forgotten =
            self.keys.first().is_some_and(|(key, _)| self.horizon_ms > 0 && stamp_ms(key) <= self.horizon_ms);
        if forgotten { self.index_fails("request ids from before the horizon", None) } else { Ok(()) }
    }

    fn index_fails(&self, what: &'static str, owner: Option<&str>) -> Result<(), Violation> {
        let place = Place { owner: owner.map(Arc::from), counter: Some(what), ..Place::default() };
        Err(broken(self.sequence, Identity::Index, place))
    }
}

/// Whether an index of names is exactly the places of the names in their table.
fn index_is<'a>(
    names: impl Iterator<Item = &'a str>,
    entries: usize,
    find: impl Fn(&str) -> Option<usize>,
) -> bool {
    let mut count = 0;
    let found = names.enumerate().all(|(at, name)| {
        count = at + 1;
        find(name) == Some(at)
    });
    found && count == entries
}
