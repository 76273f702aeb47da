//! How to read a state.

use std::sync::Arc;

use super::stock::has_id;
use super::{Document, KnownKey, Receipt, Region, Reservation, Sku, State, Transfer, Warehouse};
use crate::command::DocumentKind;
use crate::counters::Cell;
use crate::event::DeductionPolicy;
use crate::ids::{
    ChannelIx, LineNo, Micros, OwnerNo, PoolIx, RegionIx, RequestKey, SHARED, Sequence, SkuIx, Units,
    WarehouseIx,
};

impl State {
    /// The sequence of the last event applied.
    #[must_use]
    pub const fn sequence(&self) -> Sequence {
        self.sequence
    }

    /// The stamp of the last event applied: time does not go below it.
    #[must_use]
    pub const fn clock(&self) -> Micros {
        self.clock
    }

    /// The state hash, kept incrementally.
    #[must_use]
    pub const fn hash(&self) -> u64 {
        self.hash
    }

    /// The largest stamp of a request id that was forgotten, in milliseconds.
    #[must_use]
    pub const fn horizon_ms(&self) -> u64 {
        self.horizon_ms
    }

    /// What is remembered of a request id.
    #[must_use]
    pub fn known_key(&self, key: RequestKey) -> Option<KnownKey> {
        self.keys.get(key)
    }

    /// How many request ids are remembered.
    #[must_use]
    pub fn known_keys(&self) -> usize {
        self.keys.len()
    }

    /// A SKU by name.
    #[must_use]
    pub fn find_sku(&self, id: &str) -> Option<SkuIx> {
        let place = self.sku_names.get(self.sku_names.key(id.as_bytes()), has_id(&self.skus, id))?;
        u32::try_from(place).ok().map(SkuIx)
    }

    /// A SKU.
    #[must_use]
    pub fn sku(&self, sku: SkuIx) -> &Sku {
        &self.skus[sku.at()]
    }

    /// All SKUs, in the order of their creation.
    #[must_use]
    pub fn skus(&self) -> &[Sku] {
        &self.skus
    }

    /// A warehouse by name.
    #[must_use]
    pub fn find_warehouse(&self, id: &str) -> Option<WarehouseIx> {
        self.warehouse_names.get(id).copied()
    }

    /// A warehouse.
    #[must_use]
    pub fn warehouse(&self, warehouse: WarehouseIx) -> &Warehouse {
        &self.warehouses[warehouse.at()]
    }

    /// All warehouses, in the order of their creation.
    #[must_use]
    pub fn warehouses(&self) -> &[Warehouse] {
        &self.warehouses
    }

    /// A region by name.
    #[must_use]
    pub fn find_region(&self, id: &str) -> Option<RegionIx> {
        self.region_names.get(id).copied()
    }

    /// A region.
    #[must_use]
    pub fn region(&self, region: RegionIx) -> &Region {
        &self.regions[region.at()]
    }

    /// A channel by name.
    #[must_use]
    pub fn find_channel(&self, id: &str) -> Option<ChannelIx> {
        self.channel_names.get(id).copied()
    }

    /// A channel's id.
    #[must_use]
    pub fn channel(&self, channel: ChannelIx) -> &Arc<str> {
        &self.channels[channel.at()]
    }

    /// A pool by name; the empty name is the default pool.
    #[must_use]
    pub fn find_pool(&self, id: &str) -> Option<PoolIx> {
        if id.is_empty() {
            return Some(SHARED);
        }
        let at = self.pools.iter().position(|pool| &**pool == id)?;
        u32::try_from(at).ok().map(PoolIx)
    }

    /// A pool's id.
    #[must_use]
    pub fn pool(&self, pool: PoolIx) -> &Arc<str> {
        &self.pools[pool.at()]
    }

    /// When the stock of a SKU is taken where an order does not say: its own rule, else the shop's, else
    /// on order.
    #[must_use]
    pub fn deduction_policy(&self, sku: SkuIx) -> DeductionPolicy {
        self.sku(sku).policy.or(self.shop_policy).unwrap_or(DeductionPolicy::OnOrder)
    }

    /// The counters of a SKU in a warehouse; zero where it never was.
    #[must_use]
    pub fn cell(&self, sku: SkuIx, warehouse: WarehouseIx) -> Cell {
        self.sku(sku).cell(warehouse).copied().unwrap_or_default()
    }

    /// `available` of a SKU in a warehouse; zero where it never was.
    pub(crate) fn available(&self, sku: SkuIx, warehouse: WarehouseIx) -> Units {
        self.sku(sku).cells.available(warehouse)
    }

    /// The sum of `available` over ACTIVE warehouses less what is claimed: what the default pool may sell,
    /// and what may be taken outside of pools. Below zero is a shortage.
    #[must_use]
    pub fn free(&self, sku: SkuIx) -> Units {
        let sku = self.sku(sku);
        sku.cells.available_outside(&self.resting) - sku.claimed()
    }

    /// A reservation by its id.
    #[must_use]
    pub fn find_reservation(&self, id: &str) -> Option<&Reservation> {
        self.reservations.find(id)
    }

    /// A reservation by its number.
    #[must_use]
    pub fn reservation(&self, no: OwnerNo) -> Option<&Reservation> {
        self.reservations.get(no)
    }

    /// How many reservations are known.
    #[must_use]
    pub fn reservation_count(&self) -> usize {
        self.reservations.len()
    }

    /// A receipt by its id.
    #[must_use]
    pub fn find_receipt(&self, id: &str) -> Option<&Receipt> {
        self.receipts.find(id)
    }

    /// A receipt by its number.
    #[must_use]
    pub fn receipt(&self, no: OwnerNo) -> Option<&Receipt> {
        self.receipts.get(no)
    }

    /// A transfer by its id.
    #[must_use]
    pub fn find_transfer(&self, id: &str) -> Option<&Transfer> {
        self.transfers.find(id)
    }

    /// A transfer by its number.
    #[must_use]
    pub fn transfer(&self, no: OwnerNo) -> Option<&Transfer> {
        self.transfers.get(no)
    }

    /// A document.
    #[must_use]
    pub fn document(&self, kind: DocumentKind, id: &str) -> Option<&Document> {
        self.documents.get(&kind).and_then(|documents| documents.get(id))
    }

    /// Documents of a kind whose ids come after `after`, ordered by id.
    pub fn documents<'a>(
        &'a self,
        kind: DocumentKind,
        after: &str,
    ) -> impl Iterator<Item = (&'a Arc<str>, &'a Document)> + use<'a> {
        use std::ops::Bound::{Excluded, Unbounded};
        let after: Arc<str> = Arc::from(after);
        let range = (if after.is_empty() { Unbounded } else { Excluded(after) }, Unbounded);
        self.documents
            .get(&kind)
            .into_iter()
            .flat_map(move |documents| documents.range::<Arc<str>, _>(range.clone()))
    }

    /// The line number of a SKU on a receipt or transfer.
    #[must_use]
    pub fn line_of(lines: impl IntoIterator<Item = SkuIx>, sku: SkuIx) -> Option<LineNo> {
        let at = lines.into_iter().position(|at| at == sku)?;
        LineNo::try_from(at + 1).ok()
    }
}
