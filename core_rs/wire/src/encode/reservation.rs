//! A reservation with its lines and allocations, as it stands.

use lockstock_stock::counters::{AllocationCounter as A, LineCounter as L};
use lockstock_stock::ids::LineNo;
use lockstock_stock::refusal::Refusal;
use lockstock_stock::state::{Allocation, Line, Reservation, State};

use super::{number, timestamp};
use crate::proto::lockstock::v1;

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
            .source()
            .region()
            .map_or_else(String::new, |region| (*state.region(region).id).to_owned()),
        warehouses: found.source().listed().iter().map(|at| (*state.warehouse(*at).id).to_owned()).collect(),
        channel: found.channel().map_or_else(String::new, |at| (**state.channel(at)).to_owned()),
        attributes: bytes::Bytes::copy_from_slice(found.attributes()),
        destination: found.destination().to_owned(),
        max_parcels: found.max_parcels(),
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
        deduction_policy: i32::from(line.policy() as u8),
        allocations: line.allocations.iter().map(|at| allocation(state, at)).collect(),
    }
}

fn allocation(state: &State, allocation: &Allocation) -> v1::Allocation {
    v1::Allocation {
        warehouse: (*state.warehouse(allocation.warehouse()).id).to_owned(),
        locked: allocation.get(A::Locked),
        allocated: allocation.get(A::Allocated),
        picking: allocation.get(A::Picking),
        shipped: allocation.get(A::Shipped),
        returning: allocation.get(A::Returning),
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
    fn an_unknown_reservation_is_not_found() {
        assert_eq!(
            reservation(&State::default(), "order"),
            Err(Refusal::ReservationNotFound { reservation: "order".to_owned() })
        );
    }
}
