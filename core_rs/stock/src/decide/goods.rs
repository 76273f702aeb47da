//! Goods on their way in from outside: `ExpectReceipt` and `Receive`.

use super::draft::{Draft, Spot};
use super::find;
use crate::check::out_of_range;
use crate::command::{Arrival, SkuPart};
use crate::event::{Change, NewReceipt};
use crate::ids::{LineNo, Micros, OwnerNo, SkuIx, Units, WarehouseIx};
use crate::limits::QUANTITY_MAX;
use crate::movement::Kind;
use crate::refusal::Refusal;
use crate::state::{Receipt, State};

/// A receipt that is known or that this event opens, and its lines so far.
struct Open {
    no: OwnerNo,
    warehouse: WarehouseIx,
    lines: Vec<SkuIx>,
}

impl Open {
    /// The receipt of an id; a known one stands at one warehouse.
    fn find(draft: &Draft<'_>, id: &str, warehouse: &str) -> Result<(Self, bool), Refusal> {
        let warehouse = find::open_warehouse(draft.state, warehouse)?;
        let Some(known) = draft.state.find_receipt(id) else {
            return Ok((Self { no: draft.own, warehouse, lines: Vec::new() }, false));
        };
        if known.warehouse != warehouse {
            let warehouse = draft.state.warehouse(known.warehouse).id.to_string();
            return Err(Refusal::ReceiptExists { receipt: id.to_owned(), warehouse });
        }
        let Receipt { no, lines, .. } = known;
        Ok((Self { no: *no, warehouse, lines: lines.iter().map(|line| line.sku).collect() }, true))
    }

    fn create(&self, draft: &mut Draft<'_>, id: &str) {
        draft.change(Change::Receipt(Box::new(NewReceipt { id: id.into(), warehouse: self.warehouse })));
    }

    /// Where a SKU stands on it; a new line where it does not yet.
    fn line(&mut self, draft: &mut Draft<'_>, sku: SkuIx) -> Result<Spot, Refusal> {
        let line = if let Some(line) = State::line_of(self.lines.iter().copied(), sku) {
            line
        } else {
            self.lines.push(sku);
            draft.change(Change::ReceiptLine { receipt: self.no, sku });
            LineNo::try_from(self.lines.len()).map_err(|_| out_of_range("lines", self.lines.len()))?
        };
        Ok(Spot::goods(sku, self.warehouse, self.no, line))
    }
}

/// Goods are ordered and will come: opens a receipt, or adds to one. A date that is not given leaves the
/// one that stands.
pub(super) fn expect(
    draft: &mut Draft<'_>,
    id: &str,
    warehouse: &str,
    expected_at: Micros,
    lines: &[SkuPart<'_>],
) -> Result<(), Refusal> {
    let (mut receipt, known) = Open::find(draft, id, warehouse)?;
    let wanted = summed(draft.state, lines)?;
    if !known {
        receipt.create(draft, id);
    }
    let dated = draft.state.receipt(receipt.no).map_or(0, |known| known.expected_at);
    if expected_at != 0 && expected_at != dated {
        draft.change(Change::ReceiptExpectedAt { receipt: receipt.no, expected_at });
    }
    for (sku, units) in wanted {
        let spot = receipt.line(draft, sku)?;
        draft.post(Kind::ExpectReceipt, spot, units)?;
    }
    Ok(())
}

/// Goods arrive. More than expected, or on a receipt nobody announced, needs a reason.
pub(super) fn receive(
    draft: &mut Draft<'_>,
    id: &str,
    warehouse: &str,
    lines: &[Arrival<'_>],
    reason: &str,
) -> Result<(), Refusal> {
    let (mut receipt, known) = Open::find(draft, id, warehouse)?;
    if !known {
        receipt.create(draft, id);
    }
    for arrival in lines {
        let sku = find::sku(draft.state, arrival.sku)?;
        let units = arrived(arrival)?;
        let held = State::line_of(receipt.lines.iter().copied(), sku)
            .map_or(0, |line| draft.expected(receipt.no, line));
        explained(id, arrival.sku, units, held, reason)?;
        let spot = receipt.line(draft, sku)?;
        for (kind, units) in [
            (Kind::ReceiptArrived, units.min(held)),
            (Kind::ReceiveGood, arrival.good),
            (Kind::ReceiveDefective, arrival.defective),
            (Kind::ReceiveMissing, arrival.missing),
        ] {
            draft.post(kind, spot, units)?;
        }
    }
    Ok(())
}

/// The units of an arrival in all: at least one.
pub(super) fn arrived(arrival: &Arrival<'_>) -> Result<Units, Refusal> {
    let units = arrival.good.saturating_add(arrival.defective).saturating_add(arrival.missing);
    if (1..=QUANTITY_MAX).contains(&units) { Ok(units) } else { Err(out_of_range("lines", units)) }
}

/// More than expected needs a reason.
pub(super) fn explained(
    owner: &str,
    sku: &str,
    asked: Units,
    held: Units,
    reason: &str,
) -> Result<(), Refusal> {
    if asked <= held || !reason.is_empty() {
        return Ok(());
    }
    Err(Refusal::ReceiptExceedsExpected { owner: owner.to_owned(), sku: sku.to_owned(), asked, held })
}

/// What is named of each SKU, summed, in the order of first mention.
pub(super) fn summed(state: &State, lines: &[SkuPart<'_>]) -> Result<Vec<(SkuIx, Units)>, Refusal> {
    let mut sums: super::ledger::Ledger<SkuIx, 1> = super::ledger::Ledger::default();
    for part in lines {
        let sku = find::sku(state, part.sku)?;
        let quantity =
            part.quantity.ok_or_else(|| Refusal::FieldRequired { field: "lines.quantity".to_owned() })?;
        find::summed(&mut sums.touch(sku, || [0])[0], quantity)?;
    }
    Ok(sums.entries().map(|(sku, [units])| (sku, *units)).collect())
}
