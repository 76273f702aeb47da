//! The questions that change nothing.

use lockstock_stock::check;
use lockstock_stock::command::Demand;

use super::form::{self, Checked};
use super::order::{Source, demand};
use crate::proto::lockstock::v1::{
    CheckAvailabilityRequest, GetReservationRequest, GetStockRequest, check_availability_request,
};

/// The SKU and the warehouses to show, each once.
pub(crate) fn stock(request: &GetStockRequest) -> Checked<(&str, &[String])> {
    let sku = check::id("sku", &request.sku)?;
    let list = request.warehouses.as_slice();
    if !list.is_empty() {
        check::warehouses_len("warehouses", list.len())?;
    }
    form::ids("warehouses", list)?;
    Ok((sku, list))
}

/// The reservation.
pub(crate) fn reservation_id(request: &GetReservationRequest) -> Checked<&str> {
    check::id("reservation_id", &request.reservation_id)
}

/// What a lock would want.
pub(crate) fn availability(request: &CheckAvailabilityRequest) -> Checked<Demand<'_>> {
    use check_availability_request::Source as S;
    let source = request.source.as_ref().map(|source| match source {
        S::Region(region) => Source::Region(region),
        S::Warehouses(list) => Source::Warehouses(list),
    });
    demand(&request.lines, source, request.split.as_ref())
}
