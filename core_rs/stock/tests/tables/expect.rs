//! What a table expects to stand in the state.
//!
//! ```text
//! expect BOOK sales 20/10/0 dispatch 30/20 warehouse 30/0/0 returned 3     the three layers, of a SKU in all
//! expect SH BOOK available=3 locked=1          counters of a cell, and on_hand
//! expect BOOK free=3 claimed=1                 of a SKU
//! expect O1 LOCKED deadline=30                 a reservation; its deadline in minutes of the table
//! expect O1 1 requested=3 locked=3             counters of a line; `on_payment` is 1 where that is its rule
//! expect O1 1 SH locked=3                      what a warehouse holds for a line
//! expect T1 BOOK in_transit=3                  counters of a transfer's line; P1 BOOK: of a receipt's
//! ```

use lockstock_stock::counters::{
    AllocationCounter, Cell, Counter, LineCounter, PoolCounter, ReceiptCounter, TransferCounter,
};
use lockstock_stock::event::DeductionPolicy;
use lockstock_stock::ids::{SHARED, SkuIx, Units};
use lockstock_stock::state::{Reservation, ReservationState, State};

use crate::shop::Shop;
use crate::words::{Parsed, Words, number};

const START: i64 = 1_700_000_000_000_000;

impl Shop {
    pub fn expect(&self, text: &str) -> Parsed<()> {
        let state = self.machine.state();
        let mut words = Words::new(text);
        let name = words.word()?;
        if let Some(sku) = state.find_sku(name) {
            return if words.all_named().is_empty() {
                layers(state, sku, &mut words)
            } else {
                named(&words, |fact| match fact {
                    "free" => Some(state.free(sku)),
                    "claimed" => Some(state.sku(sku).claimed()),
                    _ => None,
                })
            };
        }
        if let Some(warehouse) = state.find_warehouse(name) {
            let sku = words.word()?;
            let cell = state.cell(state.find_sku(sku).ok_or("an unknown SKU")?, warehouse);
            return named(&words, |fact| cell_fact(&cell, fact));
        }
        if let Some(reservation) = state.find_reservation(name) {
            return of_reservation(state, reservation, &mut words);
        }
        let sku = state.find_sku(words.word()?).ok_or("an unknown SKU")?;
        if let Some(transfer) = state.find_transfer(name) {
            let line = transfer.lines.iter().find(|line| line.sku == sku).ok_or("no such line")?;
            return named(&words, |fact| {
                TransferCounter::ALL.iter().find(|it| it.name() == fact).map(|it| line.get(*it))
            });
        }
        let receipt = state.find_receipt(name).ok_or_else(|| format!("{name} is nothing that is known"))?;
        let line = receipt.lines.iter().find(|line| line.sku == sku).ok_or("no such line")?;
        named(&words, |fact| ReceiptCounter::ALL.iter().find(|it| it.name() == fact).map(|it| line.get(*it)))
    }
}

fn named(words: &Words<'_>, fact: impl Fn(&str) -> Option<Units>) -> Parsed<()> {
    if words.all_named().is_empty() {
        return Err("nothing is expected".to_owned());
    }
    for (name, value) in words.all_named() {
        let units = fact(name).ok_or_else(|| format!("{name} is no counter here"))?;
        if units != number::<Units>(value)? {
            return Err(format!("{name} is {units}"));
        }
    }
    Ok(())
}

fn cell_fact(cell: &Cell, fact: &str) -> Option<Units> {
    if fact == "on_hand" {
        return Some(cell.on_hand());
    }
    Counter::ALL.iter().find(|counter| counter.name() == fact).map(|counter| cell.get(*counter))
}

/// The three layers as `domain.md` section 2 derives them, over all warehouses.
fn layers(state: &State, ix: SkuIx, words: &mut Words<'_>) -> Parsed<()> {
    let sku = state.sku(ix);
    let sum = |counter: Counter| sku.cells().iter().map(|(_, cell)| cell.get(counter)).sum::<Units>();
    let sold = sku
        .pools()
        .iter()
        .find(|(pool, _)| *pool == SHARED)
        .map_or(0, |(_, cell)| cell.get(PoolCounter::Sold));
    let book: Units = sku.cells().iter().map(|(_, cell)| cell.on_hand()).sum();
    let (available, locked) = (sum(Counter::Available), sum(Counter::Locked));
    while let Some(layer) = words.maybe() {
        let stands = match layer {
            "sales" => vec![state.free(ix), locked, sold],
            "dispatch" => vec![book, available],
            "warehouse" => {
                vec![
                    available + locked + sum(Counter::Allocated),
                    sum(Counter::Picking),
                    sum(Counter::Shipped),
                ]
            }
            "returned" => vec![sum(Counter::Returned)],
            other => return Err(format!("{other} is no layer")),
        };
        let expected: Parsed<Vec<Units>> = words.word()?.split('/').map(number).collect();
        if expected? != stands {
            return Err(format!("{layer} is {stands:?}"));
        }
    }
    Ok(())
}

fn of_reservation(state: &State, reservation: &Reservation, words: &mut Words<'_>) -> Parsed<()> {
    let word = words.word()?;
    let Ok(line) = word.parse::<usize>() else {
        let stands = state_name(reservation.state());
        if word != stands {
            return Err(format!("it is {stands}"));
        }
        if words.all_named().is_empty() {
            return Ok(());
        }
        return named(words, |fact| match fact {
            "deadline" => Some((reservation.deadline - START) / 60_000_000),
            "version" => i64::try_from(reservation.version).ok(),
            "extensions" => Some(i64::from(reservation.extensions)),
            "lines" => i64::try_from(reservation.lines.len()).ok(),
            _ => None,
        });
    };
    let line = reservation.lines.get(line.wrapping_sub(1)).ok_or("no such line")?;
    let Some(warehouse) = words.maybe() else {
        return named(words, |fact| {
            if fact == "on_payment" {
                return Some(i64::from(line.policy() == DeductionPolicy::OnPayment));
            }
            LineCounter::ALL.iter().find(|it| it.name() == fact).map(|it| line.get(*it))
        });
    };
    let at = line.allocation(state.find_warehouse(warehouse).ok_or("an unknown warehouse")?);
    named(words, |fact| {
        let counter = AllocationCounter::ALL.iter().find(|it| it.name() == fact)?;
        Some(at.map_or(0, |at| at.get(*counter)))
    })
}

const fn state_name(state: ReservationState) -> &'static str {
    match state {
        ReservationState::Locked => "LOCKED",
        ReservationState::Deducted => "DEDUCTED",
        ReservationState::Shipped => "SHIPPED",
        ReservationState::Unlocked => "UNLOCKED",
        ReservationState::Expired => "EXPIRED",
        ReservationState::Cancelled => "CANCELLED",
        ReservationState::RefundDue => "REFUND_DUE",
        ReservationState::Placed => "PLACED",
    }
}
