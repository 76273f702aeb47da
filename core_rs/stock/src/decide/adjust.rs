//! Stock that comes and goes beside orders: the adjustments, and `Set`.

use super::draft::{Draft, Spot};
use super::find;
use super::ledger::Ledger;
use crate::command::{Adjustment, SetLine, SetTarget, StockLine};
use crate::counters::Counter;
use crate::event::{Change, Exception, ExceptionKind, Operation};
use crate::ids::{SkuIx, Units, WarehouseIx};
use crate::movement::Kind;
use crate::refusal::Refusal;

/// One adjustment: its operation, its row of the table of movements, and what it takes units from.
struct Rule {
    operation: Operation,
    kind: Kind,
    takes: Takes,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Takes {
    /// Nothing.
    Nothing,
    /// Available units that are not promised otherwise.
    Surplus,
    /// Available units, whether they are there or not: a loss is a fact.
    Loss,
    /// Defective units.
    Defective,
}

const fn rule_of(adjustment: Adjustment) -> Rule {
    let (operation, kind, takes) = match adjustment {
        Adjustment::Increase => (Operation::Increase, Kind::Increase, Takes::Nothing),
        Adjustment::Decrease => (Operation::Decrease, Kind::Decrease, Takes::Surplus),
        Adjustment::RecordLoss => (Operation::RecordLoss, Kind::RecordLoss, Takes::Loss),
        Adjustment::OtherReceipt => (Operation::OtherReceipt, Kind::OtherReceipt, Takes::Nothing),
        Adjustment::Issue => (Operation::Issue, Kind::Issue, Takes::Surplus),
        Adjustment::MarkDefective => (Operation::MarkDefective, Kind::MarkDefective, Takes::Surplus),
        Adjustment::Restore => (Operation::Restore, Kind::Restore, Takes::Defective),
        Adjustment::WriteOff => (Operation::WriteOff, Kind::WriteOff, Takes::Defective),
    };
    Rule { operation, kind, takes }
}

pub(super) fn operation(adjustment: Adjustment) -> Operation {
    rule_of(adjustment).operation
}

/// Adjusts: everything is summed before it is checked, and checked before anything moves.
pub(super) fn adjust(
    draft: &mut Draft<'_>,
    adjustment: Adjustment,
    lines: &[StockLine<'_>],
) -> Result<(), Refusal> {
    let rule = rule_of(adjustment);
    let mut cells: Ledger<(SkuIx, WarehouseIx), 1> = Ledger::default();
    let mut skus: Ledger<SkuIx, 1> = Ledger::default();
    let mut found = Vec::with_capacity(lines.len());
    for line in lines {
        let sku = find::sku(draft.state, line.sku)?;
        let warehouse = find::open_warehouse(draft.state, line.warehouse)?;
        find::summed(&mut cells.touch((sku, warehouse), || [0])[0], line.quantity)?;
        find::summed(&mut skus.touch(sku, || [0])[0], line.quantity)?;
        found.push((sku, warehouse, line.quantity));
    }
    let needs = match rule.takes {
        Takes::Nothing | Takes::Loss => None,
        Takes::Surplus => Some(Counter::Available),
        Takes::Defective => Some(Counter::Defective),
    };
    if let Some(counter) = needs {
        for ((sku, warehouse), [asked]) in cells.entries() {
            holds(draft, counter, sku, warehouse, *asked)?;
        }
    }
    if rule.takes == Takes::Surplus {
        surplus_covers(draft, cells.entries().map(|((sku, warehouse), [asked])| (sku, warehouse, *asked)))?;
    }
    for (sku, warehouse, quantity) in found {
        draft.post(rule.kind, Spot::stock(sku, warehouse), quantity)?;
    }
    if rule.takes == Takes::Loss {
        draft.check_on_hand()?;
        note_oversold(draft);
        draft.note_pools_short();
    }
    Ok(())
}

/// Refuses where a cell has fewer units than asked.
pub(super) fn holds(
    draft: &Draft<'_>,
    counter: Counter,
    sku: SkuIx,
    warehouse: WarehouseIx,
    asked: Units,
) -> Result<(), Refusal> {
    let held = draft.cell(sku, warehouse).get(counter);
    if asked <= held {
        return Ok(());
    }
    Err(Refusal::QuantityNotHeld {
        state: counter.name(),
        asked,
        held,
        owner: None,
        line: None,
        sku: Some(draft.state.sku(sku).id.to_string()),
        warehouse: Some(draft.state.warehouse(warehouse).id.to_string()),
    })
}

/// Refuses where taking these units from ACTIVE warehouses would leave promises uncovered: summed by SKU.
/// Units taken and put back within one event cancel out.
pub(super) fn surplus_covers(
    draft: &Draft<'_>,
    takes: impl IntoIterator<Item = (SkuIx, WarehouseIx, Units)>,
) -> Result<(), Refusal> {
    let mut sums: Ledger<SkuIx, 1> = Ledger::default();
    for (sku, warehouse, units) in takes {
        if draft.is_active(warehouse) {
            sums.touch(sku, || [0])[0] += units;
        }
    }
    for (sku, [asked]) in sums.entries() {
        let surplus = draft.free(sku);
        if *asked > 0 && *asked > surplus {
            let sku = draft.state.sku(sku).id.to_string();
            return Err(Refusal::SurplusShort { sku, asked: *asked, surplus });
        }
    }
    Ok(())
}

fn note_oversold(draft: &mut Draft<'_>) {
    let below: Vec<Exception> = draft
        .touched()
        .filter_map(|(sku, warehouse)| {
            let available = draft.available(sku, warehouse);
            let kind = ExceptionKind::Oversold;
            (available < 0).then_some(Exception {
                kind,
                sku,
                warehouse,
                quantity: -available,
                reservation: None,
            })
        })
        .collect();
    for exception in below {
        draft.change(Change::Exception(exception));
    }
}

/// Sets numbers, compare and set; the difference is posted on `available`.
pub(super) fn set(draft: &mut Draft<'_>, lines: &[SetLine<'_>]) -> Result<(), Refusal> {
    let mut differences = Vec::with_capacity(lines.len());
    for line in lines {
        let sku = find::sku(draft.state, line.sku)?;
        let warehouse = find::open_warehouse(draft.state, line.warehouse)?;
        let cell = draft.cell(sku, warehouse);
        let current = match line.target {
            SetTarget::Available => cell.get(Counter::Available),
            SetTarget::OnHand => cell.on_hand(),
        };
        if current != line.expected {
            return Err(Refusal::StaleValue {
                sku: line.sku.to_owned(),
                warehouse: line.warehouse.to_owned(),
                expected: line.expected,
                current,
            });
        }
        if line.value < current {
            holds(draft, Counter::Available, sku, warehouse, current - line.value)?;
        }
        differences.push((sku, warehouse, current - line.value));
    }
    surplus_covers(draft, differences.iter().copied())?;
    for (sku, warehouse, loss) in differences {
        let kind = if loss > 0 { Kind::SetLoss } else { Kind::SetGain };
        draft.post(kind, Spot::stock(sku, warehouse), loss.abs())?;
    }
    Ok(())
}
