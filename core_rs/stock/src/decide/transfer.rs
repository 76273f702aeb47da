//! Goods from one warehouse to another: drafted, pushed, shipped, received, closed.

use super::adjust::{holds, surplus_covers};
use super::draft::{Draft, Spot};
use super::find;
use super::goods::{arrived, explained, summed};
use crate::command::{Arrival, Rest, SkuPart};
use crate::counters::{Counter, TransferCounter as T};
use crate::event::{Change, NewTransfer};
use crate::ids::{LineNo, SkuIx, Units};
use crate::movement::Kind;
use crate::refusal::Refusal;
use crate::state::{State, Transfer};

/// A verb on what a transfer has at its source: its state in words, and what it takes from, in turn.
pub(super) struct Verb {
    state: &'static str,
    steps: &'static [(T, Kind)],
    /// What leaves the source is on its way to the destination.
    departs: bool,
}

pub(super) const CANCEL: Verb = Verb {
    state: "allocated or picking",
    steps: &[(T::Allocated, Kind::CancelTransferAllocated), (T::Picking, Kind::CancelTransferPicking)],
    departs: false,
};
pub(super) const PUSH: Verb =
    Verb { state: "allocated", steps: &[(T::Allocated, Kind::PushTransfer)], departs: false };
pub(super) const RECALL: Verb =
    Verb { state: "picking", steps: &[(T::Picking, Kind::RecallTransfer)], departs: false };
pub(super) const SHIP: Verb = Verb {
    state: "picking or allocated",
    steps: &[(T::Picking, Kind::ShipTransferPicking), (T::Allocated, Kind::ShipTransferAllocated)],
    departs: true,
};

/// Plans a transfer: firm at the source.
pub(super) fn draft_transfer(
    draft: &mut Draft<'_>,
    id: &str,
    from: &str,
    to: &str,
    lines: &[SkuPart<'_>],
) -> Result<(), Refusal> {
    if draft.state.find_transfer(id).is_some() {
        return Err(Refusal::TransferExists { transfer: id.to_owned() });
    }
    let source = find::open_warehouse(draft.state, from)?;
    let target = find::open_warehouse(draft.state, to)?;
    if source == target {
        return Err(Refusal::SameWarehouse { warehouse: from.to_owned() });
    }
    let wanted = summed(draft.state, lines)?;
    for (sku, units) in &wanted {
        holds(draft, Counter::Available, *sku, source, *units)?;
    }
    surplus_covers(draft, wanted.iter().map(|(sku, units)| (*sku, source, *units)))?;
    draft.change(Change::Transfer(Box::new(NewTransfer {
        id: id.into(),
        from: source,
        to: target,
        lines: wanted.iter().map(|(sku, _)| *sku).collect(),
    })));
    for (line, (sku, units)) in (1..).zip(wanted) {
        draft.post(Kind::DraftTransfer, Spot::goods(sku, source, draft.own, line), units)?;
    }
    Ok(())
}

/// The line of a SKU that stands on a transfer.
fn line_of(draft: &Draft<'_>, transfer: &Transfer, id: &str) -> Result<(LineNo, SkuIx), Refusal> {
    let sku = find::sku(draft.state, id)?;
    let lines = transfer.lines.iter().map(|line| line.sku);
    let unknown =
        || Refusal::TransferNotFound { transfer: transfer.id.to_string(), sku: Some(id.to_owned()) };
    State::line_of(lines, sku).map(|line| (line, sku)).ok_or_else(unknown)
}

/// Runs a verb over parts of a transfer, or over everything in the state it needs. Nothing there is
/// refused as one unit asked and none held.
pub(super) fn run(
    draft: &mut Draft<'_>,
    verb: &Verb,
    id: &str,
    parts: &[SkuPart<'_>],
) -> Result<(), Refusal> {
    let transfer = find::transfer(draft.state, id)?;
    find::open(draft.state, transfer.from)?;
    if verb.departs {
        find::open(draft.state, transfer.to)?;
    }
    let mut taken: Units = 0;
    if parts.is_empty() {
        for (line, known) in (1..).zip(&transfer.lines) {
            let units = verb.held(draft, transfer, line);
            verb.take(draft, transfer, (line, known.sku), units)?;
            taken += units;
        }
    }
    for part in parts {
        let at = line_of(draft, transfer, part.sku)?;
        let held = verb.held(draft, transfer, at.0);
        let asked = part.quantity.unwrap_or(held.max(1));
        if asked > held {
            return Err(verb.not_held(draft, transfer, Some(at), asked, held));
        }
        verb.take(draft, transfer, at, asked)?;
        taken += asked;
    }
    if taken == 0 {
        return Err(verb.not_held(draft, transfer, None, 1, 0));
    }
    if verb.departs { draft.check_on_hand() } else { Ok(()) }
}

impl Verb {
    fn held(&self, draft: &Draft<'_>, transfer: &Transfer, line: LineNo) -> Units {
        self.steps.iter().map(|(counter, _)| draft.of_transfer(transfer.no, line, *counter)).sum()
    }

    fn take(
        &self,
        draft: &mut Draft<'_>,
        transfer: &Transfer,
        (line, sku): (LineNo, SkuIx),
        quantity: Units,
    ) -> Result<(), Refusal> {
        let spot = Spot::goods(sku, transfer.from, transfer.no, line);
        let mut left = quantity;
        for (counter, kind) in self.steps {
            let units = left.min(draft.of_transfer(transfer.no, line, *counter));
            draft.post(*kind, spot, units)?;
            left -= units;
        }
        if self.departs {
            draft.post(Kind::TransferDeparted, spot.at(transfer.to), quantity)?;
        }
        Ok(())
    }

    fn not_held(
        &self,
        draft: &Draft<'_>,
        transfer: &Transfer,
        at: Option<(LineNo, SkuIx)>,
        asked: Units,
        held: Units,
    ) -> Refusal {
        Refusal::QuantityNotHeld {
            state: self.state,
            asked,
            held,
            owner: Some(transfer.id.to_string()),
            line: at.map(|(line, _)| line.to_string()),
            sku: at.map(|(_, sku)| draft.state.sku(sku).id.to_string()),
            warehouse: Some(draft.state.warehouse(transfer.from).id.to_string()),
        }
    }
}

/// A transfer arrives, in parts or whole; more than is on its way needs a reason.
pub(super) fn receive(
    draft: &mut Draft<'_>,
    id: &str,
    lines: &[Arrival<'_>],
    reason: &str,
) -> Result<(), Refusal> {
    let transfer = find::transfer(draft.state, id)?;
    let target = find::open(draft.state, transfer.to)?;
    for arrival in lines {
        let (line, sku) = line_of(draft, transfer, arrival.sku)?;
        if arrival.missing != 0 {
            // What is missing of a transfer is explained when it is closed.
            return Err(Refusal::FieldsConflict { field: "lines.missing".to_owned() });
        }
        let units = arrived(arrival)?;
        let held = draft.of_transfer(transfer.no, line, T::InTransit);
        explained(id, arrival.sku, units, held, reason)?;
        let spot = Spot::goods(sku, target, transfer.no, line);
        for (kind, units) in [
            (Kind::TransferArrived, units.min(held)),
            (Kind::TransferReceiveGood, arrival.good),
            (Kind::TransferReceiveDefective, arrival.defective),
        ] {
            draft.post(kind, spot, units)?;
        }
    }
    Ok(())
}

/// Explains every unit still on its way, and ends the transfer.
pub(super) fn close(draft: &mut Draft<'_>, id: &str, rests: &[Rest<'_>]) -> Result<(), Refusal> {
    let transfer = find::transfer(draft.state, id)?;
    for rest in rests {
        let (line, sku) = line_of(draft, transfer, rest.sku)?;
        let explained = rest.restored.saturating_add(rest.damaged).saturating_add(rest.lost);
        let held = draft.of_transfer(transfer.no, line, T::InTransit);
        if explained != held {
            return Err(not_balanced(draft, transfer, sku, explained, held));
        }
        if rest.restored > 0 {
            find::open(draft.state, transfer.from)?;
        }
        let (from, to) = (transfer.from, transfer.to);
        for (kind, warehouse, units) in [
            (Kind::TransferArrived, to, held),
            (Kind::TransferRestored, from, rest.restored),
            (Kind::TransferDamaged, to, rest.damaged),
            (Kind::TransferLost, to, rest.lost),
        ] {
            draft.post(kind, Spot::goods(sku, warehouse, transfer.no, line), units)?;
        }
    }
    for (line, known) in (1..).zip(&transfer.lines) {
        let open = [T::InTransit, T::Allocated, T::Picking];
        let held: Units = open.iter().map(|counter| draft.of_transfer(transfer.no, line, *counter)).sum();
        if held > 0 {
            return Err(not_balanced(draft, transfer, known.sku, 0, held));
        }
    }
    draft.change(Change::TransferClosed { transfer: transfer.no });
    Ok(())
}

fn not_balanced(draft: &Draft<'_>, transfer: &Transfer, sku: SkuIx, asked: Units, held: Units) -> Refusal {
    Refusal::TransferNotBalanced {
        transfer: transfer.id.to_string(),
        sku: draft.state.sku(sku).id.to_string(),
        asked,
        held,
    }
}
