//! The questions that change nothing.

use lockstock_stock::check;
use lockstock_stock::command::Demand;

use super::form::{self, Checked};
use super::order::{Source, demand};
use crate::canonical::{CheckAvailabilityRequest, CheckAvailabilityRequestSource};
use crate::encode::levels_len;
use crate::proto::lockstock::v1::{
    GetDispatchStockRequest, GetReservationRequest, GetSalesStockRequest, GetStockRequest,
    GetWarehouseStockRequest, get_dispatch_stock_request,
};

/// The SKU and the warehouses to show, each once.
pub(crate) fn stock(request: &GetStockRequest) -> Checked<(&str, &[String])> {
    Ok((check::id("sku", &request.sku)?, warehouses(&request.warehouses)?))
}

/// The SKUs to show, each once.
pub(crate) fn skus(list: &[String]) -> Checked<&[String]> {
    check::lines_len("skus", list.len())?;
    form::ids("skus", list)?;
    Ok(list)
}

/// The warehouses to show, each once; none for all.
fn warehouses(list: &[String]) -> Checked<&[String]> {
    if !list.is_empty() {
        check::warehouses_len("warehouses", list.len())?;
    }
    form::ids("warehouses", list)?;
    Ok(list)
}

/// The SKUs, and the channel that would sell them.
pub(crate) fn sales(request: &GetSalesStockRequest) -> Checked<(&[String], &str)> {
    Ok((skus(&request.skus)?, check::optional_id("channel", &request.channel)?))
}

/// Where stock is looked for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place<'a> {
    Warehouse(&'a str),
    Region(&'a str),
}

/// The SKUs, and where; everywhere if no place is named.
pub(crate) fn dispatch(request: &GetDispatchStockRequest) -> Checked<(&[String], Option<Place<'_>>)> {
    use get_dispatch_stock_request::Place as P;
    let place = match &request.place {
        None => None,
        Some(P::Warehouse(id)) => Some(Place::Warehouse(check::id("warehouse", id)?)),
        Some(P::Region(id)) => Some(Place::Region(check::id("region", id)?)),
    };
    Ok((skus(&request.skus)?, place))
}

/// The SKUs and the warehouses to show.
pub(crate) fn warehouse_layer(request: &GetWarehouseStockRequest) -> Checked<(&[String], &[String])> {
    let (skus, warehouses) = (skus(&request.skus)?, warehouses(&request.warehouses)?);
    levels_len(skus.len() * warehouses.len())?;
    Ok((skus, warehouses))
}

/// The reservation.
pub(crate) fn reservation_id(request: &GetReservationRequest) -> Checked<&str> {
    check::id("reservation_id", &request.reservation_id)
}

/// What a lock would want.
pub(crate) fn availability<'a>(request: &'a CheckAvailabilityRequest<'a>) -> Checked<Demand<'a>> {
    use CheckAvailabilityRequestSource as S;
    let source = request.source.as_ref().map(|source| match source {
        S::Region(region) => Source::Region(region),
        S::Warehouses(list) => Source::Warehouses(list),
    });
    demand(&request.lines, source, request.split.as_ref())
}
