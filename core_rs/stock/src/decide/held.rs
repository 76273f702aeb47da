//! What happens to units that a reservation holds and that are not paid: `Unlock`, `Extend`, the expiry of a
//! lock; and what cancels: `Cancel`, `CancelOrder`.

use super::draft::Draft;
use super::find;
use super::order::deadline;
use super::verb::{CANCEL, DECREASE, NotHeld, UNLOCK};
use crate::command::Selection;
use crate::counters::{AllocationCounter as A, LineCounter};
use crate::event::Change;
use crate::ids::Micros;
use crate::limits::Limits;
use crate::movement::{Kind, Movement};
use crate::refusal::Refusal;
use crate::state::Reservation;

/// Gives locked units back.
pub(super) fn unlock(draft: &mut Draft<'_>, selection: &Selection<'_>) -> Result<(), Refusal> {
    let reservation = find::reservation(draft.state, selection.reservation)?;
    lock_stands(reservation)?;
    UNLOCK.run(draft, reservation, selection)
}

/// A lock that ended by its deadline is told from units that were never there.
fn lock_stands(reservation: &Reservation) -> Result<(), Refusal> {
    if !reservation.is_locked() && reservation.total(LineCounter::Expired) > 0 {
        return Err(Refusal::LockExpired {
            reservation: reservation.id.to_string(),
            deadline: reservation.deadline,
        });
    }
    Ok(())
}

/// Cancels paid units that have not shipped.
pub(super) fn cancel(draft: &mut Draft<'_>, selection: &Selection<'_>) -> Result<(), Refusal> {
    CANCEL.run(draft, find::reservation(draft.state, selection.reservation)?, selection)
}

/// Cancels what has not shipped, paid or not.
pub(super) fn cancel_order(draft: &mut Draft<'_>, selection: &Selection<'_>) -> Result<(), Refusal> {
    let reservation = find::reservation(draft.state, selection.reservation)?;
    if reservation.lines.iter().all(|line| DECREASE.held(line, None) == 0) {
        lock_stands(reservation)?;
    }
    DECREASE.run(draft, reservation, selection)
}

/// Moves the deadline.
pub(super) fn extend(draft: &mut Draft<'_>, limits: &Limits, id: &str, hold: Micros) -> Result<(), Refusal> {
    let reservation = find::reservation(draft.state, id)?;
    lock_stands(reservation)?;
    if !reservation.is_locked() {
        return Err(NotHeld { state: UNLOCK.state, reservation, warehouse: "" }.refusal(None, 1, 0));
    }
    let refuse = |limit: String| Refusal::ExtendLimit { reservation: id.to_owned(), limit };
    if reservation.extensions >= limits.extensions_max {
        return Err(refuse(format!("it was extended {} times already", reservation.extensions)));
    }
    let deadline = deadline(draft.now, limits, Some(hold))?;
    if deadline - reservation.created_at > limits.lock_lifetime_max {
        return Err(refuse(format!(
            "it would live longer than {} s in all",
            limits.lock_lifetime_max / 1_000_000
        )));
    }
    let extensions = reservation.extensions + 1;
    draft.change(Change::Deadline { reservation: reservation.no, deadline, extensions });
    Ok(())
}

/// What the end of a lock gives back: everything that is locked.
pub(super) fn expiry(reservation: &Reservation) -> impl Iterator<Item = Movement> + '_ {
    (1..).zip(&reservation.lines).flat_map(move |(number, line)| {
        let allocations = line.allocations.iter().filter(|at| at.get(A::Locked) > 0);
        allocations.map(move |at| Movement {
            kind: Kind::Expire,
            sku: line.sku,
            warehouse: Some(at.warehouse()),
            pool: line.pool,
            owner: Some(reservation.no),
            line: number,
            quantity: at.get(A::Locked),
        })
    })
}
