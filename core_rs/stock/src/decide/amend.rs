//! `Amend`: an order is edited by delta, never by releasing and locking again.

use super::draft::{Draft, Spot};
use super::find;
use super::order::{deadline, new_line, take_line};
use super::source::{Ask, Routing, choose};
use super::verb::{DECREASE, NotHeld};
use crate::command::Wanted;
use crate::counters::{AllocationCounter as A, LineCounter as L};
use crate::event::{Change, DeductionPolicy, NewLine};
use crate::ids::{LineNo, Micros, Units, WarehouseIx};
use crate::limits::Limits;
use crate::movement::Kind;
use crate::refusal::Refusal;
use crate::state::Reservation;

/// What is to change.
pub(super) struct Amendment<'a> {
    pub reservation: &'a str,
    pub expected_version: Option<u64>,
    pub deltas: &'a [(LineNo, Units)],
    pub additions: &'a [Wanted<'a>],
    pub hold: Option<Micros>,
}

pub(super) fn amend(
    draft: &mut Draft<'_>,
    limits: &Limits,
    amendment: &Amendment<'_>,
) -> Result<(), Refusal> {
    let reservation = find::reservation(draft.state, amendment.reservation)?;
    if let Some(expected) = amendment.expected_version.filter(|expected| *expected != reservation.version) {
        let (id, current) = (reservation.id.to_string(), reservation.version);
        return Err(Refusal::StaleVersion { id, expected, current });
    }
    if reservation.is_locked() && amendment.hold.is_some() {
        return Err(Refusal::FieldsConflict { field: "hold".to_owned() });
    }
    for (number, delta) in amendment.deltas.iter().filter(|(_, delta)| *delta < 0) {
        let line = find::line(reservation, *number)?;
        let (asked, held) = (-delta, DECREASE.held(line, None));
        if asked > held {
            let reservation = reservation.id.to_string();
            return Err(Refusal::BelowShipped { reservation, line: *number, asked, held });
        }
        DECREASE.take(draft, reservation.no, *number, line, None, asked)?;
    }
    increase(draft, limits, reservation, amendment)
}

/// A reservation with nothing locked, nothing wanted and nothing paid that was not cancelled has ended: an
/// increase does not bring it back to life.
fn not_ended(reservation: &Reservation) -> Result<(), Refusal> {
    let paid = reservation.total(L::Deducted) - reservation.total(L::Cancelled);
    if reservation.is_locked() || reservation.total(L::Wanted) + paid > 0 {
        // What it would lock could never be paid.
        let refund_due = || Refusal::RefundDue { reservation: reservation.id.to_string() };
        return if reservation.refund_due() { Err(refund_due()) } else { Ok(()) };
    }
    if reservation.total(L::Expired) > 0 {
        let (reservation, deadline) = (reservation.id.to_string(), reservation.deadline);
        return Err(Refusal::LockExpired { reservation, deadline });
    }
    Err(NotHeld { state: "wanted, locked or deducted", reservation, warehouse: "" }.refusal(None, 1, 0))
}

/// An increase of a line that is taken on payment is wanted, any other is locked. It takes what it can from warehouses that ship a parcel of this order anyway, and routes the
/// rest; the parcels of the order are counted together, so that an edit cannot pass its limit.
fn increase(
    draft: &mut Draft<'_>,
    limits: &Limits,
    reservation: &Reservation,
    amendment: &Amendment<'_>,
) -> Result<(), Refusal> {
    let (mut asks, mut lines) = (Vec::new(), Vec::new());
    for (number, delta) in amendment.deltas.iter().filter(|(_, delta)| *delta > 0) {
        let line = find::line(reservation, *number)?;
        asks.push(Ask { line: *number, sku: line.sku, units: *delta });
        lines.push((line.policy(), Spot::line(line.sku, line.pool, reservation.no, *number)));
    }
    let mut added: Vec<NewLine> = Vec::with_capacity(amendment.additions.len());
    let next = (1..).nth(reservation.lines.len()).unwrap_or(LineNo::MAX);
    for (number, wanted) in (next..).zip(amendment.additions) {
        let line = new_line(draft.state, wanted, None)?;
        asks.push(Ask { line: number, sku: line.sku, units: wanted.quantity });
        lines.push((line.policy, Spot::line(line.sku, line.pool, reservation.no, number)));
        added.push(line);
    }
    if asks.is_empty() {
        return Ok(());
    }
    not_ended(reservation)?;
    let shipping = shipping(draft, reservation);
    let source = reservation.source();
    let owner = Some(reservation.no);
    let routing =
        Routing { shipping: &shipping, owner, ..Routing::new(&source, reservation.max_parcels(), false) };
    let granted = choose(draft, &asks, &routing)?;
    draft.split_exact = granted.split_exact;
    let locks = lines.iter().any(|(policy, _)| *policy == DeductionPolicy::OnOrder);
    if locks && !reservation.is_locked() {
        let deadline = deadline(draft.now, limits, amendment.hold)?;
        // Count and total time of extensions are bounded over the reservation's whole life.
        let (reservation, extensions) = (reservation.no, reservation.extensions);
        draft.change(Change::Deadline { reservation, deadline, extensions });
    }
    for line in added {
        draft.change(Change::ReservationLine { reservation: reservation.no, line });
    }
    for takes in granted.takes.chunk_by(|a, b| a.line == b.line) {
        if let Some((policy, spot)) = lines.iter().find(|(_, spot)| spot.line == takes[0].line) {
            take_line(draft, Kind::Lock, *policy, *spot, takes)?;
        }
    }
    Ok(())
}

/// The warehouses that have something to ship for this reservation once its decreases are made, in the
/// order of first use.
pub(super) fn shipping(draft: &Draft<'_>, reservation: &Reservation) -> Vec<WarehouseIx> {
    let mut shipping = Vec::new();
    for (number, line) in (1..).zip(&reservation.lines) {
        for at in &line.allocations {
            let held = |counter| draft.held(reservation.no, number, at.warehouse(), counter);
            let waiting = held(A::Locked) + held(A::Allocated) + held(A::Picking);
            if waiting > 0 && !shipping.contains(&at.warehouse()) {
                shipping.push(at.warehouse());
            }
        }
    }
    shipping
}
