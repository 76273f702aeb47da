//! The verbs on a reservation's units: which state they take units from, and in which order.

use super::draft::{Draft, Spot};
use super::find;
use super::source::plan;
use crate::command::{Part, Selection};
use crate::counters::{AllocationCounter as A, LineCounter};
use crate::few::Few;
use crate::ids::{LineNo, OwnerNo, Units, WarehouseIx};
use crate::movement::Kind;
use crate::refusal::Refusal;
use crate::state::{Allocation, Line, Reservation};

/// What a verb takes, and how: one row each.
pub(super) struct Verb {
    /// The state it needs, in the words of a refusal.
    pub state: &'static str,
    /// Counters of the line whose units, which stand nowhere, it takes before all others, and as which kind.
    pub unplaced: &'static [(LineCounter, Kind)],
    /// The states it takes from, in turn, and as which kind.
    pub steps: &'static [(A, Kind)],
    /// Whether it begins with the last warehouse of the plan.
    pub last_first: bool,
    /// Whether it empties one warehouse before the next, instead of one state before the next.
    pub by_warehouse: bool,
}

const PLAIN: Verb = Verb { state: "", unplaced: &[], steps: &[], last_first: false, by_warehouse: false };

pub(super) const UNLOCK: Verb =
    Verb { state: "locked", steps: &[(A::Locked, Kind::Unlock)], last_first: true, ..PLAIN };
pub(super) const DEDUCT: Verb = Verb { state: "locked", steps: &[(A::Locked, Kind::Deduct)], ..PLAIN };
pub(super) const CANCEL: Verb = Verb {
    state: "claimed, allocated or picking",
    unplaced: &[(LineCounter::Claimed, Kind::CancelClaimed)],
    steps: &[(A::Allocated, Kind::CancelAllocated), (A::Picking, Kind::CancelPicking)],
    last_first: true,
    ..PLAIN
};
pub(super) const PUSH: Verb =
    Verb { state: "allocated", steps: &[(A::Allocated, Kind::PushFulfilment)], ..PLAIN };
pub(super) const RECALL: Verb = Verb { state: "picking", steps: &[(A::Picking, Kind::Recall)], ..PLAIN };
pub(super) const SHIP: Verb = Verb {
    state: "picking or allocated",
    steps: &[(A::Picking, Kind::ShipPicking), (A::Allocated, Kind::ShipAllocated)],
    by_warehouse: true,
    ..PLAIN
};
pub(super) const CANCEL_RETURN: Verb =
    Verb { state: "returning", steps: &[(A::Returning, Kind::CancelReturn)], ..PLAIN };
/// An amendment's decrease, and the cancelling of an order: whatever has not shipped.
pub(super) const DECREASE: Verb = Verb {
    state: "wanted, claimed, locked, allocated or picking",
    unplaced: &[(LineCounter::Wanted, Kind::Withdraw), (LineCounter::Claimed, Kind::CancelClaimed)],
    steps: &[
        (A::Locked, Kind::Unlock),
        (A::Allocated, Kind::CancelAllocated),
        (A::Picking, Kind::CancelPicking),
    ],
    last_first: true,
    ..PLAIN
};

impl Verb {
    /// How much of a line there is for this verb, everywhere or at one warehouse.
    pub fn held(&self, line: &Line, only: Option<WarehouseIx>) -> Units {
        let unplaced: Units = self.of_line(only).iter().map(|(counter, _)| line.get(*counter)).sum();
        let allocations = line.allocations.iter().filter(|at| only.is_none_or(|only| at.warehouse() == only));
        unplaced
            + allocations
                .map(|at| self.steps.iter().map(|(counter, _)| at.get(*counter)).sum::<Units>())
                .sum::<Units>()
    }

    /// What it takes that stands nowhere: nothing where only one warehouse is meant.
    const fn of_line(&self, only: Option<WarehouseIx>) -> &'static [(LineCounter, Kind)] {
        if only.is_none() { self.unplaced } else { &[] }
    }

    /// Takes units of one line, all of which are there (see [`Self::held`]).
    pub fn take(
        &self,
        draft: &mut Draft<'_>,
        owner: OwnerNo,
        number: LineNo,
        line: &Line,
        only: Option<WarehouseIx>,
        quantity: Units,
    ) -> Result<(), Refusal> {
        let spot = Spot::line(line.sku, line.pool, owner, number);
        let mut left = quantity;
        for (counter, kind) in self.of_line(only) {
            let units = left.min(line.get(*counter));
            draft.post(*kind, spot, units)?;
            left -= units;
        }
        let allocations = in_plan_order(draft, owner, line);
        let (steps, places) = (self.steps.len(), allocations.len());
        for turn in 0..steps * places {
            let (step, place) =
                if self.by_warehouse { (turn % steps, turn / steps) } else { (turn / places, turn % places) };
            let place = if self.last_first { places - 1 - place } else { place };
            let ((counter, kind), at) = (self.steps[step], allocations[place]);
            if only.is_some_and(|only| at.warehouse() != only) {
                continue;
            }
            let units = left.min(at.get(counter));
            draft.post(kind, spot.at(at.warehouse()), units)?;
            left -= units;
        }
        Ok(())
    }

    /// Runs the verb over a selection: named parts, or everything in the state it needs.
    pub fn run(
        &self,
        draft: &mut Draft<'_>,
        reservation: &Reservation,
        selection: &Selection<'_>,
    ) -> Result<(), Refusal> {
        let only = match selection.warehouse {
            "" => None,
            id => Some(find::open_warehouse(draft.state, id)?),
        };
        let held = |line: &Line| self.held(line, only);
        let short = NotHeld { state: self.state, reservation, warehouse: selection.warehouse };
        for (number, quantity) in select(reservation, &selection.parts, held, &short)? {
            let line = find::line(reservation, number)?;
            self.take(draft, reservation.no, number, line, only, quantity)?;
        }
        Ok(())
    }
}

/// A line's units by warehouse, in the order of its reservation's plan; those outside it come last, as they came.
///
/// They stand in the order in which they came to the line: a move or an increase may bring an earlier one after others.
fn in_plan_order<'l>(draft: &Draft<'_>, owner: OwnerNo, line: &'l Line) -> Few<&'l Allocation> {
    let mut allocations: Few<&Allocation> = line.allocations.iter().collect();
    if allocations.len() > 1
        && let Some(reservation) = draft.state.reservation(owner)
    {
        let source = reservation.source();
        let plan = plan(draft.state, &source);
        allocations.sort_by_key(|at| {
            plan.iter().position(|planned| *planned == at.warehouse()).unwrap_or(plan.len())
        });
    }
    allocations
}

/// What a refusal says where there is less than asked.
pub(super) struct NotHeld<'a> {
    pub state: &'static str,
    pub reservation: &'a Reservation,
    /// Only this warehouse; empty for all.
    pub warehouse: &'a str,
}

impl NotHeld<'_> {
    pub fn refusal(&self, line: Option<LineNo>, asked: Units, held: Units) -> Refusal {
        Refusal::QuantityNotHeld {
            state: self.state,
            asked,
            held,
            owner: Some(self.reservation.id.to_string()),
            line: line.map(|line| line.to_string()),
            sku: None,
            warehouse: (!self.warehouse.is_empty()).then(|| self.warehouse.to_owned()),
        }
    }
}

/// The lines and quantities of a selection, all of them held.
///
/// No parts are everything that is held, in the order of the lines. Where that is nothing, or a part
/// without a quantity finds nothing, the refusal says one unit was asked and none is held: an operation
/// takes at least one.
pub(super) fn select(
    reservation: &Reservation,
    parts: &[Part],
    held: impl Fn(&Line) -> Units,
    short: &NotHeld<'_>,
) -> Result<Few<(LineNo, Units)>, Refusal> {
    if parts.is_empty() {
        let lines = (1..).zip(&reservation.lines).map(|(number, line)| (number, held(line)));
        let all: Few<(LineNo, Units)> = lines.filter(|(_, units)| *units > 0).collect();
        return if all.is_empty() { Err(short.refusal(None, 1, 0)) } else { Ok(all) };
    }
    let part = |part: &Part| {
        let held = held(find::line(reservation, part.line)?);
        let asked = part.quantity.unwrap_or(held.max(1));
        if asked > held { Err(short.refusal(Some(part.line), asked, held)) } else { Ok((part.line, asked)) }
    };
    parts.iter().map(part).collect()
}
