//! Names to records, or the refusal that says which name is unknown.

use crate::check::out_of_range;
use crate::command::WarehouseState;
use crate::ids::{LineNo, PoolIx, SkuIx, Units, WarehouseIx};
use crate::limits::QUANTITY_MAX;
use crate::refusal::Refusal;
use crate::state::{Line, Reservation, State, Transfer};

pub(super) fn sku(state: &State, id: &str) -> Result<SkuIx, Refusal> {
    state.find_sku(id).ok_or_else(|| Refusal::SkuNotFound { sku: id.to_owned() })
}

pub(super) fn warehouse(state: &State, id: &str) -> Result<WarehouseIx, Refusal> {
    state.find_warehouse(id).ok_or_else(|| Refusal::WarehouseNotFound { warehouse: id.to_owned() })
}

/// A warehouse that is not CLOSED.
pub(super) fn open_warehouse(state: &State, id: &str) -> Result<WarehouseIx, Refusal> {
    let warehouse = warehouse(state, id)?;
    open(state, warehouse)
}

/// The same warehouse, unless it is CLOSED.
pub(super) fn open(state: &State, warehouse: WarehouseIx) -> Result<WarehouseIx, Refusal> {
    let known = state.warehouse(warehouse);
    if known.state == WarehouseState::Closed {
        return Err(Refusal::WarehouseClosed { warehouse: known.id.to_string() });
    }
    Ok(warehouse)
}

pub(super) fn pool(state: &State, id: &str) -> Result<PoolIx, Refusal> {
    state.find_pool(id).ok_or_else(|| Refusal::PoolNotFound { pool: id.to_owned() })
}

pub(super) fn reservation<'s>(state: &'s State, id: &str) -> Result<&'s Reservation, Refusal> {
    state.find_reservation(id).ok_or_else(|| Refusal::ReservationNotFound { reservation: id.to_owned() })
}

pub(super) fn line(reservation: &Reservation, line: LineNo) -> Result<&Line, Refusal> {
    let at = (line as usize).wrapping_sub(1);
    let unknown = || Refusal::LineNotFound { reservation: reservation.id.to_string(), line };
    reservation.lines.get(at).ok_or_else(unknown)
}

/// A transfer that is not closed.
pub(super) fn transfer<'s>(state: &'s State, id: &str) -> Result<&'s Transfer, Refusal> {
    let unknown = || Refusal::TransferNotFound { transfer: id.to_owned(), sku: None };
    let transfer = state.find_transfer(id).ok_or_else(unknown)?;
    if transfer.closed {
        return Err(Refusal::TransferClosed { transfer: id.to_owned() });
    }
    Ok(transfer)
}

/// Sums demand, which may not pass what one operation may name of a SKU.
pub(super) fn summed(sum: &mut Units, quantity: Units) -> Result<(), Refusal> {
    *sum = sum.saturating_add(quantity);
    if *sum > QUANTITY_MAX { Err(out_of_range("lines", *sum)) } else { Ok(()) }
}
