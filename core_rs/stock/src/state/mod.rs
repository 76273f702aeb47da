//! Everything the state machine knows, and how to read it. Only [`State::apply`] changes it.

mod apply;
mod check;
mod documents;
mod hash;
mod identities;
mod moving;
mod owners;
mod reservation;
mod stock;
mod table;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod violation;
mod walk;
mod work;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use crate::command::{DocumentKind, WarehouseState};
use crate::counters::{Cell, Counter, RECEIPT_COUNTERS, ReceiptCounter, TRANSFER_COUNTERS, TransferCounter};
use crate::ids::{
    ChannelIx, LineNo, Micros, OwnerNo, PoolIx, RegionIx, RequestKey, SHARED_NAME, Sequence, SkuIx, Units,
    WarehouseIx,
};

pub use reservation::{Allocation, Line, Reservation, ReservationState};
pub use stock::{PoolCell, Sku};
pub use violation::{Identity, Place, Violation};

pub(crate) use table::{Names, Owners};
use work::Work;

/// What a warehouse keeps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assortment {
    /// SKUs by name (they need not exist yet).
    pub skus: HashSet<Arc<str>>,
    /// Categories by name.
    pub categories: HashSet<Arc<str>>,
}

impl Assortment {
    /// Whether a SKU is kept: an empty assortment keeps everything.
    #[must_use]
    pub fn keeps(&self, sku: &Sku) -> bool {
        (self.skus.is_empty() && self.categories.is_empty())
            || self.skus.contains(&sku.id)
            || self.categories.contains(&sku.category)
    }
}

/// A warehouse, as far as the engine knows it.
#[derive(Clone, Debug)]
pub struct Warehouse {
    /// Its id.
    pub id: Arc<str>,
    /// Whether it works.
    pub state: WarehouseState,
    /// What it keeps.
    pub assortment: Assortment,
}

/// A region, as far as the engine knows it.
#[derive(Clone, Debug)]
pub struct Region {
    /// Its code.
    pub id: Arc<str>,
    /// The installed plan: warehouses in order; empty until one is installed.
    pub plan: Box<[WarehouseIx]>,
}

/// A document as the planners keep it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// The sequence of its last change.
    pub version: Sequence,
    /// Opaque.
    pub body: Box<[u8]>,
}

/// One line of a receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceiptLine {
    /// The SKU.
    pub sku: SkuIx,
    /// Its counters, by [`ReceiptCounter`].
    pub counters: [Units; RECEIPT_COUNTERS],
}

impl ReceiptLine {
    /// One counter.
    #[must_use]
    pub const fn get(&self, counter: ReceiptCounter) -> Units {
        self.counters[counter.at()]
    }
}

/// Goods on their way in.
#[derive(Clone, Debug)]
pub struct Receipt {
    /// The sequence of the event that opened it.
    pub no: OwnerNo,
    /// Its id.
    pub id: Arc<str>,
    /// Where they arrive.
    pub warehouse: WarehouseIx,
    /// When; 0 if not known.
    pub expected_at: Micros,
    /// Lines, numbered from 1; each SKU once.
    pub lines: Vec<ReceiptLine>,
}

/// One line of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransferLine {
    /// The SKU.
    pub sku: SkuIx,
    /// Its counters, by [`TransferCounter`].
    pub counters: [Units; TRANSFER_COUNTERS],
}

impl TransferLine {
    /// One counter.
    #[must_use]
    pub const fn get(&self, counter: TransferCounter) -> Units {
        self.counters[counter.at()]
    }
}

/// Goods between two warehouses.
#[derive(Clone, Debug)]
pub struct Transfer {
    /// The sequence of the event that drafted it.
    pub no: OwnerNo,
    /// Its id.
    pub id: Arc<str>,
    /// The source.
    pub from: WarehouseIx,
    /// The destination.
    pub to: WarehouseIx,
    /// Whether it is closed.
    pub closed: bool,
    /// Lines, numbered from 1; each SKU once.
    pub lines: Vec<TransferLine>,
}

/// What is remembered of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownKey {
    /// The sequence of its event.
    pub sequence: Sequence,
    /// The digest of its body.
    pub digest: u64,
}

/// Everything the state machine knows.
#[derive(Debug)]
pub struct State {
    pub(crate) sequence: Sequence,
    pub(crate) clock: Micros,
    pub(crate) hash: u64,
    pub(crate) skus: Vec<Sku>,
    pub(crate) sku_names: HashMap<Arc<str>, SkuIx>,
    pub(crate) warehouses: Vec<Warehouse>,
    pub(crate) warehouse_names: HashMap<Arc<str>, WarehouseIx>,
    pub(crate) regions: Vec<Region>,
    pub(crate) region_names: HashMap<Arc<str>, RegionIx>,
    pub(crate) channels: Vec<Arc<str>>,
    pub(crate) channel_names: HashMap<Arc<str>, ChannelIx>,
    pub(crate) pools: Vec<Arc<str>>,
    pub(crate) documents: BTreeMap<DocumentKind, BTreeMap<Arc<str>, Document>>,
    pub(crate) reservations: Owners<Reservation>,
    pub(crate) reservation_names: Names,
    pub(crate) receipts: Owners<Receipt>,
    pub(crate) receipt_names: Names,
    pub(crate) transfers: Owners<Transfer>,
    pub(crate) transfer_names: Names,
    /// Deadlines of reservations with locked units.
    pub(crate) deadlines: BTreeSet<(Micros, OwnerNo)>,
    pub(crate) keys: BTreeMap<RequestKey, KnownKey>,
    pub(crate) horizon_ms: u64,
    work: Work,
}

impl Default for State {
    fn default() -> Self {
        let mut state = Self {
            sequence: 0,
            clock: 0,
            hash: 0,
            skus: Vec::new(),
            sku_names: HashMap::new(),
            warehouses: Vec::new(),
            warehouse_names: HashMap::new(),
            regions: Vec::new(),
            region_names: HashMap::new(),
            channels: Vec::new(),
            channel_names: HashMap::new(),
            pools: vec![Arc::from(SHARED_NAME)],
            documents: BTreeMap::new(),
            reservations: Owners::default(),
            reservation_names: Names::default(),
            receipts: Owners::default(),
            receipt_names: Names::default(),
            transfers: Owners::default(),
            transfer_names: Names::default(),
            deadlines: BTreeSet::new(),
            keys: BTreeMap::new(),
            horizon_ms: 0,
            work: Work::default(),
        };
        state.hash = state.hash_from_scratch();
        state
    }
}

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
        self.keys.get(&key).copied()
    }

    /// How many request ids are remembered.
    #[must_use]
    pub fn known_keys(&self) -> usize {
        self.keys.len()
    }

    /// A SKU by name.
    #[must_use]
    pub fn find_sku(&self, id: &str) -> Option<SkuIx> {
        self.sku_names.get(id).copied()
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
        let id = if id.is_empty() { SHARED_NAME } else { id };
        let at = self.pools.iter().position(|pool| &**pool == id)?;
        u32::try_from(at).ok().map(PoolIx)
    }

    /// A pool's id.
    #[must_use]
    pub fn pool(&self, pool: PoolIx) -> &Arc<str> {
        &self.pools[pool.at()]
    }

    /// The counters of a SKU in a warehouse; zero where it never was.
    #[must_use]
    pub fn cell(&self, sku: SkuIx, warehouse: WarehouseIx) -> Cell {
        self.sku(sku).cell(warehouse).copied().unwrap_or_default()
    }

    /// The sum of `available` over ACTIVE warehouses less what is claimed: what the default pool may sell,
    /// and what may be taken outside of pools. Below zero is a shortage.
    #[must_use]
    pub fn free(&self, sku: SkuIx) -> Units {
        let sku = self.sku(sku);
        let on_shelf: Units = sku
            .cells()
            .iter()
            .filter(|(at, _)| self.warehouse(*at).state == WarehouseState::Active)
            .map(|(_, cell)| cell.get(Counter::Available))
            .sum();
        on_shelf - sku.claimed()
    }

    /// A reservation by its id.
    #[must_use]
    pub fn find_reservation(&self, id: &str) -> Option<&Reservation> {
        self.reservation_names.get(id).and_then(|no| self.reservations.get(no))
    }

    /// A reservation by its number.
    #[must_use]
    pub fn reservation(&self, no: OwnerNo) -> Option<&Reservation> {
        self.reservations.get(&no)
    }

    /// How many reservations are known.
    #[must_use]
    pub fn reservation_count(&self) -> usize {
        self.reservations.len()
    }

    /// A receipt by its id.
    #[must_use]
    pub fn find_receipt(&self, id: &str) -> Option<&Receipt> {
        self.receipt_names.get(id).and_then(|no| self.receipts.get(no))
    }

    /// A receipt by its number.
    #[must_use]
    pub fn receipt(&self, no: OwnerNo) -> Option<&Receipt> {
        self.receipts.get(&no)
    }

    /// A transfer by its id.
    #[must_use]
    pub fn find_transfer(&self, id: &str) -> Option<&Transfer> {
        self.transfer_names.get(id).and_then(|no| self.transfers.get(no))
    }

    /// A transfer by its number.
    #[must_use]
    pub fn transfer(&self, no: OwnerNo) -> Option<&Transfer> {
        self.transfers.get(&no)
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

    /// The deadlines of locks, earliest first.
    pub fn deadlines(&self) -> impl Iterator<Item = (Micros, OwnerNo)> + '_ {
        self.deadlines.iter().copied()
    }

    /// The line number of a SKU on a receipt or transfer.
    #[must_use]
    pub fn line_of(lines: impl IntoIterator<Item = SkuIx>, sku: SkuIx) -> Option<LineNo> {
        let at = lines.into_iter().position(|at| at == sku)?;
        LineNo::try_from(at + 1).ok()
    }
}
