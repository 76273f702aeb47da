//! What a read shows: views of the state at one sequence. They run under the engine's lock, so they copy
//! and do no more; serialising comes after it.

use lockstock_stock::command::DocumentKind;
use lockstock_stock::counters::{
    AllocationCounter as A, Cell, Counter as C, LineCounter as L, PoolCounter as P,
};
use lockstock_stock::decide::Availability;
use lockstock_stock::ids::{LineNo, SHARED, SkuIx, WarehouseIx};
use lockstock_stock::refusal::{Code, Refusal};
use lockstock_stock::state::{Allocation, Document, Line, PoolCell, Reservation, State};

use super::{number, timestamp};
use crate::proto::lockstock::{internal, v1};
use crate::status::short_sku;

/// A SKU's counters; `only` names the warehouses to show, none for all that ever held it.
pub(crate) fn stock(state: &State, id: &str, only: &[String]) -> Result<v1::GetStockResponse, Refusal> {
    let sku = state.find_sku(id).ok_or_else(|| Refusal::SkuNotFound { sku: id.to_owned() })?;
    let mut warehouses: Vec<WarehouseIx> = if only.is_empty() {
        state.sku(sku).cells().iter().map(|(at, _)| *at).collect()
    } else {
        only.iter()
            .map(|id| {
                state.find_warehouse(id).ok_or_else(|| Refusal::WarehouseNotFound { warehouse: id.clone() })
            })
            .collect::<Result<_, _>>()?
    };
    warehouses.sort_unstable_by(|a, b| state.warehouse(*a).id.cmp(&state.warehouse(*b).id));
    Ok(v1::GetStockResponse {
        sequence: number(state.sequence()),
        sku: id.to_owned(),
        levels: warehouses.into_iter().map(|at| level(state, sku, at)).collect(),
        pools: state
            .sku(sku)
            .pools()
            .iter()
            .map(|(pool, cell)| v1::PoolLevel {
                pool: (**state.pool(*pool)).to_owned(),
                // The default pool has no cap; its counter holds changes only.
                quota: (*pool != SHARED).then(|| PoolCell::get(cell, P::Quota)),
                locked: cell.get(P::Locked),
                sold: cell.get(P::Sold),
            })
            .collect(),
        claimed: state.sku(sku).claimed(),
        free: state.free(sku),
    })
}

fn level(state: &State, sku: SkuIx, at: WarehouseIx) -> v1::StockLevel {
    let cell: Cell = state.cell(sku, at);
    v1::StockLevel {
        warehouse: (*state.warehouse(at).id).to_owned(),
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

/// A reservation with its lines and allocations.
pub(crate) fn reservation(state: &State, id: &str) -> Result<v1::Reservation, Refusal> {
    let found: &Reservation = state
        .find_reservation(id)
        .ok_or_else(|| Refusal::ReservationNotFound { reservation: id.to_owned() })?;
    Ok(v1::Reservation {
        sequence: number(state.sequence()),
        reservation_id: id.to_owned(),
        state: i32::from(found.state() as u8),
        version: number(found.version),
        created_at: Some(timestamp(found.created_at)),
        deadline: (found.total(L::Locked) > 0).then(|| timestamp(found.deadline)),
        extensions: found.extensions,
        lines: (1..).zip(&found.lines).map(|(no, at)| line(state, no, at)).collect(),
        region: found
            .source
            .region()
            .map_or_else(String::new, |region| (*state.region(region).id).to_owned()),
        warehouses: found.source.listed().iter().map(|at| (*state.warehouse(*at).id).to_owned()).collect(),
        channel: found.channel.map_or_else(String::new, |at| (**state.channel(at)).to_owned()),
        attributes: bytes::Bytes::copy_from_slice(&found.attributes),
        destination: (*found.destination).to_owned(),
        max_parcels: found.max_parcels,
    })
}

fn line(state: &State, no: LineNo, line: &Line) -> v1::ReservationLine {
    v1::ReservationLine {
        line: no,
        sku: (*state.sku(line.sku).id).to_owned(),
        pool: (**state.pool(line.pool)).to_owned(),
        refused: line.get(L::Refused),
        requested: line.get(L::Requested),
        locked: line.get(L::Locked),
        deducted: line.get(L::Deducted),
        unlocked: line.get(L::Unlocked),
        expired: line.get(L::Expired),
        cancelled: line.get(L::Cancelled),
        claimed: line.get(L::Claimed),
        returned: line.get(L::Returned),
        wanted: line.get(L::Wanted),
        deduction_policy: i32::from(line.policy as u8),
        allocations: line.allocations.iter().map(|at| allocation(state, at)).collect(),
    }
}

fn allocation(state: &State, allocation: &Allocation) -> v1::Allocation {
    v1::Allocation {
        warehouse: (*state.warehouse(allocation.warehouse).id).to_owned(),
        locked: allocation.get(A::Locked),
        allocated: allocation.get(A::Allocated),
        picking: allocation.get(A::Picking),
        shipped: allocation.get(A::Shipped),
        returning: allocation.get(A::Returning),
    }
}

/// A dry run of a lock. What stock, route or parcels refuse is the answer; what is unknown is a failure of
/// the question.
pub(crate) fn availability(
    state: &State,
    dry_run: Result<Availability, Refusal>,
) -> Result<v1::CheckAvailabilityResponse, Refusal> {
    let mut response =
        v1::CheckAvailabilityResponse { sequence: number(state.sequence()), ..Default::default() };
    match dry_run {
        Ok(found) => {
            response.lockable = true;
            response.plan = found
                .plan
                .into_iter()
                .map(|(line, at, quantity)| v1::PlannedUnits {
                    line,
                    warehouse: (*state.warehouse(at).id).to_owned(),
                    quantity,
                })
                .collect();
            response.refused = found
                .refused
                .into_iter()
                .map(|(line, quantity)| v1::RefusedLine { line, quantity })
                .collect();
        }
        Err(refusal) if refusal.reason().code() == Code::FailedPrecondition => {
            response.reason = refusal.reason() as i32;
            match refusal {
                Refusal::InsufficientStock { shortages } => {
                    response.shortages = shortages.iter().map(short_sku).collect();
                }
                Refusal::ParcelLimit { parcels_needed, .. } => response.parcels_needed = parcels_needed,
                _ => {}
            }
        }
        Err(refusal) => return Err(refusal),
    }
    Ok(response)
}

/// A run of documents of a kind, ordered by id: those after `after`, or the one that is named.
pub(crate) fn documents(
    state: &State,
    kind: DocumentKind,
    after: &str,
    limit: usize,
    only: &str,
) -> internal::v1::ListDocumentsResponse {
    let documents = if only.is_empty() {
        state.documents(kind, after).take(limit).map(|(id, found)| document(kind, id, found)).collect()
    } else {
        state.document(kind, only).into_iter().map(|found| document(kind, only, found)).collect()
    };
    internal::v1::ListDocumentsResponse { sequence: number(state.sequence()), documents }
}

/// The documents of a kind that there are of these ids, in their order.
pub(crate) fn named_documents(
    state: &State,
    kind: DocumentKind,
    ids: &[String],
) -> internal::v1::GetDocumentsResponse {
    let found = ids.iter().filter_map(|id| Some(document(kind, id, state.document(kind, id)?)));
    internal::v1::GetDocumentsResponse { sequence: number(state.sequence()), documents: found.collect() }
}

fn document(kind: DocumentKind, id: &str, document: &Document) -> internal::v1::Document {
    internal::v1::Document {
        id: id.to_owned(),
        version: number(document.version),
        body: bytes::Bytes::copy_from_slice(&document.body),
        kind: i32::from(kind as u8),
    }
}

#[cfg(test)]
mod tests {
    use lockstock_stock::state::ReservationState;

    use super::*;

    #[test]
    fn the_states_of_a_reservation_are_one_list_in_core_and_contract() {
        for (core, contract) in [
            (ReservationState::Locked, v1::ReservationState::Locked),
            (ReservationState::Deducted, v1::ReservationState::Deducted),
            (ReservationState::Shipped, v1::ReservationState::Shipped),
            (ReservationState::Unlocked, v1::ReservationState::Unlocked),
            (ReservationState::Expired, v1::ReservationState::Expired),
            (ReservationState::Cancelled, v1::ReservationState::Cancelled),
            (ReservationState::RefundDue, v1::ReservationState::RefundDue),
            (ReservationState::Placed, v1::ReservationState::Placed),
        ] {
            assert_eq!(i32::from(core as u8), contract as i32);
        }
    }

    #[test]
    fn an_unknown_sku_or_reservation_is_not_found() {
        let state = State::default();
        assert_eq!(stock(&state, "BOOK", &[]), Err(Refusal::SkuNotFound { sku: "BOOK".to_owned() }));
        assert_eq!(
            reservation(&state, "order"),
            Err(Refusal::ReservationNotFound { reservation: "order".to_owned() })
        );
    }
}
