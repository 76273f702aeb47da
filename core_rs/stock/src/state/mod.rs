//! Everything the state machine knows, and how to read it. Only [`State::apply`] changes it.

mod apply;
mod block;
mod cells;
mod check;
mod documents;
mod due;
pub(crate) mod hash;
mod identities;
mod moving;
mod names;
mod owners;
mod prefetch;
mod read;
mod reservation;
mod sorted;
mod stock;
mod table;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod violation;
mod walk;
mod work;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use crate::command::{DocumentKind, WarehouseState};
use crate::counters::{RECEIPT_COUNTERS, ReceiptCounter, TRANSFER_COUNTERS, TransferCounter};
use crate::event::DeductionPolicy;
use crate::ids::{
    ChannelIx, Micros, OwnerNo, RegionIx, RequestKey, SHARED_NAME, Sequence, SkuIx, Units, WarehouseIx,
};

pub use prefetch::TOGETHER;
pub(crate) use reservation::Terms;
pub use reservation::{Allocation, Line, Reservation, ReservationState};
pub use stock::{PoolCell, Sku};
pub use violation::{Identity, Place, Violation};

pub(crate) use cells::Cells;
use due::Due;
use hash::Texts;
use names::Names;
pub(crate) use sorted::Sorted;
pub(crate) use table::{Assembled, Owner, Owners, page_of};
pub(crate) use walk::{receipt_contribution, reservation_contribution, transfer_contribution};
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
            || self.skus.contains(&*sku.id)
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

/// Deadlines to a page: small, for who pays before others moves half of it.
const DEADLINES_PAGE: usize = block::room::<Due>(4 << 10);
/// Request ids to a page.
pub(crate) const KEYS_PAGE: usize = block::room::<(RequestKey, KnownKey)>(16 << 10);

/// Everything the state machine knows.
#[derive(Debug)]
pub struct State {
    pub(crate) sequence: Sequence,
    pub(crate) clock: Micros,
    pub(crate) hash: u64,
    pub(crate) skus: Vec<Sku>,
    /// Of SKUs there may be a million: their names lead to places, as those of owners do.
    sku_names: Names,
    pub(crate) warehouses: Vec<Warehouse>,
    pub(crate) warehouse_names: HashMap<Arc<str>, WarehouseIx, Texts>,
    /// Warehouses that are not ACTIVE, sorted.
    pub(crate) resting: Vec<WarehouseIx>,
    pub(crate) regions: Vec<Region>,
    pub(crate) region_names: HashMap<Arc<str>, RegionIx, Texts>,
    pub(crate) channels: Vec<Arc<str>>,
    pub(crate) channel_names: HashMap<Arc<str>, ChannelIx, Texts>,
    pub(crate) pools: Vec<Arc<str>>,
    /// When stock is taken where the SKU does not say, if the shop says so.
    pub(crate) shop_policy: Option<DeductionPolicy>,
    pub(crate) documents: BTreeMap<DocumentKind, BTreeMap<Arc<str>, Document>>,
    pub(crate) reservations: Owners<Reservation>,
    pub(crate) receipts: Owners<Receipt>,
    pub(crate) transfers: Owners<Transfer>,
    /// Deadlines of reservations with locked units.
    pub(crate) deadlines: Sorted<Due, (), DEADLINES_PAGE>,
    pub(crate) keys: Sorted<RequestKey, KnownKey, KEYS_PAGE>,
    pub(crate) horizon_ms: u64,
    /// Absent only while an event is applied.
    work: Option<Box<Work>>,
}

impl Default for State {
    fn default() -> Self {
        let mut state = Self {
            sequence: 0,
            clock: 0,
            hash: 0,
            skus: Vec::new(),
            sku_names: Names::default(),
            warehouses: Vec::new(),
            warehouse_names: HashMap::default(),
            resting: Vec::new(),
            regions: Vec::new(),
            region_names: HashMap::default(),
            channels: Vec::new(),
            channel_names: HashMap::default(),
            pools: vec![Arc::from(SHARED_NAME)],
            shop_policy: None,
            documents: BTreeMap::new(),
            reservations: Owners::default(),
            receipts: Owners::default(),
            transfers: Owners::default(),
            deadlines: Sorted::default(),
            keys: Sorted::default(),
            horizon_ms: 0,
            work: Some(Box::default()),
        };
        state.hash = state.hash_from_scratch();
        state
    }
}
