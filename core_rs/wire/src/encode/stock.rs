//! The counters of SKUs, by warehouse and by pool: copied under the engine's lock, made into messages after
//! it, so that a large read stalls no buyer.

use std::sync::Arc;

use lockstock_stock::counters::{Cell, Counter as C, PoolCounter as P};
use lockstock_stock::ids::{SHARED, Sequence, SkuIx, Units, WarehouseIx};
use lockstock_stock::limits::LEVELS_MAX;
use lockstock_stock::name::Name;
use lockstock_stock::refusal::Refusal;
use lockstock_stock::state::{PoolCell, State};

use super::number;
use crate::proto::lockstock::v1;

/// The counters of some SKUs, all at one sequence.
pub(crate) struct Counters {
    pub(super) sequence: Sequence,
    /// In the order asked.
    pub(super) skus: Vec<SkuCounters>,
}

/// The counters of one SKU.
pub(super) struct SkuCounters {
    pub(super) sku: Name,
    /// By warehouse, ordered by its id once they are shown.
    cells: Vec<(Arc<str>, Cell)>,
    /// Whether the pool has a cap stands beside its name.
    pools: Vec<(Arc<str>, bool, PoolCell)>,
    claimed: Units,
    free: Units,
}

/// Copies the counters of SKUs; `only` names the warehouses to show, none for all that ever held them.
pub(crate) fn counters<S: AsRef<str>>(
    state: &State,
    ids: &[S],
    only: &[String],
) -> Result<Counters, Refusal> {
    let skus = known_skus(state, ids)?;
    let only: Vec<WarehouseIx> =
        only.iter().map(|id| known_warehouse(state, id)).collect::<Result<_, _>>()?;
    let shown = |sku: &SkuIx| if only.is_empty() { state.sku(*sku).cells().len() } else { only.len() };
    levels_len(skus.iter().map(shown).sum())?;
    let skus = skus.into_iter().map(|sku| copied(state, sku, &only)).collect();
    Ok(Counters { sequence: state.sequence(), skus })
}

/// How many levels an answer has: at most 40,000, so that it stays below the longest message.
pub(crate) fn levels_len(levels: usize) -> Result<usize, Refusal> {
    if levels > LEVELS_MAX {
        return Err(Refusal::TooManyLines { field: "levels".to_owned(), limit: LEVELS_MAX });
    }
    Ok(levels)
}

pub(super) fn known_skus<S: AsRef<str>>(state: &State, ids: &[S]) -> Result<Vec<SkuIx>, Refusal> {
    ids.iter()
        .map(|id| {
            let id = id.as_ref();
            state.find_sku(id).ok_or_else(|| Refusal::SkuNotFound { sku: id.to_owned() })
        })
        .collect()
}

pub(super) fn known_warehouse(state: &State, id: &str) -> Result<WarehouseIx, Refusal> {
    state.find_warehouse(id).ok_or_else(|| Refusal::WarehouseNotFound { warehouse: id.to_owned() })
}

fn copied(state: &State, sku: SkuIx, only: &[WarehouseIx]) -> SkuCounters {
    let known = state.sku(sku);
    let name = |at: WarehouseIx| Arc::clone(&state.warehouse(at).id);
    SkuCounters {
        sku: known.id.clone(),
        cells: if only.is_empty() {
            known.cells().iter().map(|(at, cell)| (name(*at), *cell)).collect()
        } else {
            only.iter().map(|at| (name(*at), state.cell(sku, *at))).collect()
        },
        pools: known
            .pools()
            .iter()
            // The default pool has no cap; its counter holds changes only.
            .map(|(pool, cell)| (Arc::clone(state.pool(*pool)), *pool != SHARED, *cell))
            .collect(),
        claimed: known.claimed(),
        free: state.free(sku),
    }
}

impl SkuCounters {
    /// By warehouse, ordered by its id.
    pub(super) fn into_cells(mut self) -> Vec<(Arc<str>, Cell)> {
        self.cells.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        self.cells
    }

    fn message(self, sequence: Sequence) -> v1::GetStockResponse {
        v1::GetStockResponse {
            sequence: number(sequence),
            sku: (*self.sku).to_owned(),
            pools: self.pools.iter().map(pool).collect(),
            claimed: self.claimed,
            free: self.free,
            levels: self.into_cells().iter().map(level).collect(),
        }
    }
}

impl Counters {
    /// Of many SKUs.
    pub(crate) fn stocks(self) -> v1::BatchGetStockResponse {
        let sequence = self.sequence;
        v1::BatchGetStockResponse {
            sequence: number(sequence),
            stocks: self.skus.into_iter().map(|sku| sku.message(sequence)).collect(),
        }
    }

    /// Of the one SKU that was asked.
    pub(crate) fn stock(self) -> v1::GetStockResponse {
        let sequence = self.sequence;
        self.skus.into_iter().next().map(|sku| sku.message(sequence)).unwrap_or_default()
    }
}

fn pool((pool, capped, cell): &(Arc<str>, bool, PoolCell)) -> v1::PoolLevel {
    v1::PoolLevel {
        pool: (**pool).to_owned(),
        quota: capped.then(|| cell.get(P::Quota)),
        locked: cell.get(P::Locked),
        sold: cell.get(P::Sold),
    }
}

fn level((warehouse, cell): &(Arc<str>, Cell)) -> v1::StockLevel {
    v1::StockLevel {
        warehouse: (**warehouse).to_owned(),
        available: cell.get(C::Available),
        locked: cell.get(C::Locked),
        allocated: cell.get(C::Allocated),
        picking: cell.get(C::Picking),
        defective: cell.get(C::Defective),
        in_transit: cell.get(C::InTransit),
        returning: cell.get(C::Returning),
        shipped: cell.get(C::Shipped),
        returned: cell.get(C::Returned),
        received: cell.get(C::Received),
        lost: cell.get(C::Lost),
        found: cell.get(C::Found),
        written_off: cell.get(C::WrittenOff),
        on_hand: cell.on_hand(),
    }
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;
    use crate::door::MESSAGE_BYTES_MAX;
    use lockstock_stock::counters::{COUNTERS, POOL_COUNTERS};
    use lockstock_stock::limits::{COUNTER_MAX, ID_BYTES_MAX, LINES_MAX};

    fn longest(letter: char) -> Arc<str> {
        Arc::from(letter.to_string().repeat(ID_BYTES_MAX))
    }

    #[test]
    fn the_longest_answer_that_is_given_fits_a_message() {
        let mut cell = Cell([COUNTER_MAX; COUNTERS]);
        cell.0[C::Available.at()] = -COUNTER_MAX;
        let sku = |levels: usize| SkuCounters {
            sku: Name::from(&*longest('s')),
            cells: vec![(longest('w'), cell); levels],
            pools: vec![(Arc::from("SHARED"), false, PoolCell([COUNTER_MAX; POOL_COUNTERS]))],
            claimed: COUNTER_MAX,
            free: -COUNTER_MAX,
        };
        let most = || Counters {
            sequence: Sequence::MAX,
            skus: (0..LINES_MAX).map(|_| sku(LEVELS_MAX / LINES_MAX)).collect(),
        };
        assert!(most().stocks().encoded_len() <= MESSAGE_BYTES_MAX);
        assert!(most().warehouse_layer().encoded_len() <= MESSAGE_BYTES_MAX);
        assert!(levels_len(LEVELS_MAX).is_ok() && levels_len(LEVELS_MAX + 1).is_err());
    }

    #[test]
    fn an_unknown_sku_or_warehouse_is_not_found() {
        let state = State::default();
        let refused = counters(&state, &["BOOK"], &[]).err();
        assert_eq!(refused, Some(Refusal::SkuNotFound { sku: "BOOK".to_owned() }));
        let refused = counters(&state, &[""; 0], &["SH".to_owned()]).err();
        assert_eq!(refused, Some(Refusal::WarehouseNotFound { warehouse: "SH".to_owned() }));
    }
}
