//! The three layers: views of the same counters (`domain.md` section 2). Sums are made under the engine's
//! lock, all at one sequence.

use lockstock_stock::counters::{Cell, Counter as C, PoolCounter as P};
use lockstock_stock::ids::WarehouseIx;
use lockstock_stock::refusal::Refusal;
use lockstock_stock::state::{Sku, State};

use super::number;
use super::stock::{Counters, known_skus, known_warehouse};
use crate::decode::Place;
use crate::proto::lockstock::v1;

/// What a channel may sell; the empty name is the default pool.
pub(crate) fn sales(
    state: &State,
    ids: &[String],
    channel: &str,
) -> Result<v1::GetSalesStockResponse, Refusal> {
    if !channel.is_empty() && state.find_channel(channel).is_none() {
        return Err(Refusal::ChannelNotFound { channel: channel.to_owned() });
    }
    let stocks = known_skus(state, ids)?
        .into_iter()
        .map(|ix| {
            let sku = state.sku(ix);
            // Every channel sells from the default pool as long as there is no other.
            let free = state.free(ix);
            let available = free.max(0);
            let locked = sku.cells().iter().map(|(_, cell)| cell.get(C::Locked)).sum();
            v1::SalesStock {
                sku: (*sku.id).to_owned(),
                available,
                locked,
                sellable: available + locked,
                sold: sku.pools().iter().map(|(_, cell)| cell.get(P::Sold)).sum(),
                shortage: (-free).max(0),
            }
        })
        .collect();
    Ok(v1::GetSalesStockResponse { sequence: number(state.sequence()), stocks })
}

/// What there is everywhere, in one warehouse, or in the warehouses on a region's plan.
pub(crate) fn dispatch(
    state: &State,
    ids: &[String],
    place: Option<Place<'_>>,
) -> Result<v1::GetDispatchStockResponse, Refusal> {
    let warehouses: Option<Vec<WarehouseIx>> = match place {
        None => None,
        Some(Place::Warehouse(id)) => Some(vec![known_warehouse(state, id)?]),
        Some(Place::Region(id)) => {
            let unknown = || Refusal::RegionNotFound { region: id.to_owned() };
            Some(state.region(state.find_region(id).ok_or_else(unknown)?).plan.to_vec())
        }
    };
    let stocks = known_skus(state, ids)?
        .into_iter()
        .map(|ix| {
            let sku = state.sku(ix);
            match &warehouses {
                None => sum(sku, sku.cells().iter().map(|(_, cell)| cell)),
                Some(there) => sum(sku, there.iter().filter_map(|at| sku.cell(*at))),
            }
        })
        .collect();
    Ok(v1::GetDispatchStockResponse { sequence: number(state.sequence()), stocks })
}

fn sum<'a>(sku: &Sku, cells: impl Iterator<Item = &'a Cell>) -> v1::DispatchStock {
    let mut stock = v1::DispatchStock { sku: (*sku.id).to_owned(), ..Default::default() };
    for cell in cells {
        stock.book += cell.on_hand();
        stock.available += cell.get(C::Available);
        stock.in_transit += cell.get(C::InTransit);
        stock.returning += cell.get(C::Returning);
        stock.unsellable += cell.get(C::Defective);
    }
    stock
}

impl Counters {
    /// What each warehouse knows of each SKU: not of the promises that were not handed over.
    pub(crate) fn warehouse_layer(self) -> v1::GetWarehouseStockResponse {
        let mut stocks = Vec::new();
        for counters in self.skus {
            let sku = counters.sku.clone();
            stocks.extend(counters.into_cells().into_iter().map(|(warehouse, cell)| v1::WarehouseStock {
                sku: (*sku).to_owned(),
                warehouse: (*warehouse).to_owned(),
                available: cell.get(C::Available) + cell.get(C::Locked) + cell.get(C::Allocated),
                locked: cell.get(C::Picking),
                shipped: cell.get(C::Shipped),
                returned: cell.get(C::Returned),
                defective: cell.get(C::Defective),
            }));
        }
        v1::GetWarehouseStockResponse { sequence: number(self.sequence), stocks }
    }
}
