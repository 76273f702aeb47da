//! The counters of a SKU: by warehouse, by pool, and its own.

use std::sync::Arc;

use super::Cells;
use crate::counters::{Cell, POOL_COUNTERS, PoolCounter, SKU_COUNTERS, SkuCounter};
use crate::event::DeductionPolicy;
use crate::few::Few;
use crate::ids::{OwnerNo, PoolIx, Units, WarehouseIx};
use crate::name::Name;

/// The counters of one SKU in one pool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolCell(pub [Units; POOL_COUNTERS]);

impl PoolCell {
    /// One counter.
    #[must_use]
    pub const fn get(&self, counter: PoolCounter) -> Units {
        self.0[counter.at()]
    }
}

/// A SKU.
#[derive(Clone, Debug)]
pub struct Sku {
    /// Its id.
    pub id: Name,
    /// What assortments name it by; may be empty.
    pub category: Arc<str>,
    /// When its stock is taken, if it says so.
    pub policy: Option<DeductionPolicy>,
    /// By warehouse; only where it ever was.
    pub(crate) cells: Cells,
    /// By pool, sorted by pool; only those that ever sold it, mostly one.
    pub(crate) pools: Few<(PoolIx, PoolCell)>,
    /// Its own, by [`SkuCounter`].
    pub(crate) counters: [Units; SKU_COUNTERS],
    /// Receipts that still expect some of it, in the order of their numbers.
    pub(crate) inbound: Vec<OwnerNo>,
}

impl Sku {
    pub(crate) fn new(id: Name, category: Arc<str>, policy: Option<DeductionPolicy>) -> Self {
        Self {
            id,
            category,
            policy,
            cells: Cells::default(),
            pools: Few::new(),
            counters: [0; SKU_COUNTERS],
            inbound: Vec::new(),
        }
    }

    /// By warehouse, sorted by warehouse; only where it ever was.
    #[must_use]
    pub fn cells(&self) -> &[(WarehouseIx, Cell)] {
        self.cells.list()
    }

    /// The counters in one warehouse, if it ever was there.
    #[must_use]
    pub fn cell(&self, warehouse: WarehouseIx) -> Option<&Cell> {
        self.cells.get(warehouse)
    }

    /// By pool, sorted by pool; only those that ever sold it.
    #[must_use]
    pub fn pools(&self) -> &[(PoolIx, PoolCell)] {
        &self.pools
    }

    /// The counters in one pool, if it ever sold it.
    #[must_use]
    pub fn pool(&self, pool: PoolIx) -> Option<&PoolCell> {
        self.pools.binary_search_by_key(&pool, |(at, _)| *at).ok().map(|at| &self.pools[at].1)
    }

    /// Units promised without units.
    #[must_use]
    pub const fn claimed(&self) -> Units {
        self.counters[SkuCounter::Claimed.at()]
    }

    /// Receipts that still expect some of it, in the order of their numbers.
    #[must_use]
    pub fn inbound(&self) -> &[OwnerNo] {
        &self.inbound
    }
}

/// Whether the SKU at a place has this id.
pub(super) fn has_id(skus: &[Sku], id: &str) -> impl Fn(usize) -> bool {
    move |place| skus.get(place).is_some_and(|sku| sku.id.as_bytes() == id.as_bytes())
}
