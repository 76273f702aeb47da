//! Units that come back: `ExpectReturn`, `CancelReturn`, `Return`. All returns of a line together never
//! exceed what it shipped.

use super::draft::{Draft, Spot};
use super::find;
use super::ledger::Ledger;
use super::verb::CANCEL_RETURN;
use crate::command::{Disposition, Returned, Selection};
use crate::counters::{AllocationCounter as A, LineCounter as L};
use crate::ids::{LineNo, Units, WarehouseIx};
use crate::movement::Kind;
use crate::refusal::Refusal;
use crate::state::{Line, Reservation};

const KINDS: [(Disposition, Kind); 3] = [
    (Disposition::Sellable, Kind::ReturnSellable),
    (Disposition::Defective, Kind::ReturnDefective),
    (Disposition::Lost, Kind::ReturnLost),
];

/// What a line shipped that has neither come back nor is expected.
fn out(line: &Line) -> Units {
    line.held(A::Shipped) - line.get(L::Returned) - line.held(A::Returning)
}

fn exceeds(reservation: &Reservation, line: LineNo, asked: Units, held: Units) -> Refusal {
    Refusal::ReturnExceedsShipped { reservation: reservation.id.to_string(), line, asked, held }
}

/// Units are on their way back. A part without a quantity is everything that is still out.
pub(super) fn expect(draft: &mut Draft<'_>, selection: &Selection<'_>) -> Result<(), Refusal> {
    let reservation = find::reservation(draft.state, selection.reservation)?;
    let warehouse = find::open_warehouse(draft.state, selection.warehouse)?;
    for part in &selection.parts {
        let line = find::line(reservation, part.line)?;
        let held = out(line);
        let asked = part.quantity.unwrap_or(held.max(1));
        if asked > held {
            return Err(exceeds(reservation, part.line, asked, held));
        }
        let spot = Spot::line(line.sku, line.pool, reservation.no, part.line).at(warehouse);
        draft.post(Kind::ExpectReturn, spot, asked)?;
    }
    Ok(())
}

/// Units will not come back.
pub(super) fn cancel(draft: &mut Draft<'_>, selection: &Selection<'_>) -> Result<(), Refusal> {
    CANCEL_RETURN.run(draft, find::reservation(draft.state, selection.reservation)?, selection)
}

/// Units have come back.
pub(super) fn come_back(
    draft: &mut Draft<'_>,
    id: &str,
    warehouse: &str,
    lines: &[Returned],
) -> Result<(), Refusal> {
    let reservation = find::reservation(draft.state, id)?;
    let warehouse = find::open_warehouse(draft.state, warehouse)?;
    shipped_enough(reservation, warehouse, lines)?;
    for returned in lines {
        let line = find::line(reservation, returned.line)?;
        let spot = Spot::line(line.sku, line.pool, reservation.no, returned.line).at(warehouse);
        let expected = draft.held(reservation.no, returned.line, warehouse, A::Returning);
        draft.post(Kind::ReturnArrived, spot, returned.quantity.min(expected))?;
        for (disposition, kind) in KINDS {
            if disposition == returned.disposition {
                draft.post(kind, spot, returned.quantity)?;
            }
        }
    }
    Ok(())
}

/// A line may come back several times with different dispositions: summed before the check. What is
/// expected at this warehouse may be among it; what is expected elsewhere is not.
fn shipped_enough(
    reservation: &Reservation,
    warehouse: WarehouseIx,
    lines: &[Returned],
) -> Result<(), Refusal> {
    let mut sums: Ledger<LineNo, 1> = Ledger::default();
    for returned in lines {
        find::line(reservation, returned.line)?;
        find::summed(&mut sums.touch(returned.line, || [0])[0], returned.quantity)?;
    }
    for (number, [asked]) in sums.entries() {
        let line = find::line(reservation, number)?;
        let held = out(line) + line.allocation(warehouse).map_or(0, |at| at.get(A::Returning));
        if *asked > held {
            return Err(exceeds(reservation, number, *asked, held));
        }
    }
    Ok(())
}
