//! The two derivations agree.

mod following;
mod tables;
mod workload;

use std::collections::BTreeSet;
use std::convert::Infallible;

use lockstock_stock::event::{Change, Event};
use lockstock_stock::ids::{OwnerNo, PoolIx, SHARED, SkuIx, WarehouseIx};
use lockstock_stock::movement::{Kind, Movement};
use lockstock_stock::state::State;

use super::follow::{Batch, batch_of};
use super::names::Named;
use super::{Format, ProjectionError, Puts, TABLES, columns, expected_rows};
use tables::{Tables, parse_copy, parse_json};
use workload::{Rng, Workload};

fn folded(events: &[Event], state: &State, format: Format) -> Batch {
    batch_of(events, format, |asked| Named::of_all(asked, state)).unwrap().unwrap()
}

fn expected(state: &State, events: &[Event]) -> Tables {
    let mut tables = Tables::default();
    for table in TABLES {
        let history = || Ok::<_, Infallible>(events.iter().cloned().map(Ok::<_, Infallible>));
        let rows = parse_json(&expected_rows(table.name, state, history).unwrap());
        tables.fill(table, rows);
    }
    tables
}

#[test]
fn batches_of_any_size_add_up_to_what_the_state_and_the_journal_say() {
    for seed in 0..25 {
        let mut shop = Workload::new(seed);
        shop.commands(700);
        let (events, live) = (&shop.events, shop.machine.state());
        let mut sizes = Rng(seed);
        let mut tables = Tables::default();
        let mut replayed = State::default();
        let mut done = 0;
        while done < events.len() {
            let most = [1, 3, 20, 200][sizes.below(4)];
            let some = &events[done..events.len().min(done + most)];
            // The live state is ahead of the events that are folded, as it is in a running engine.
            let batch = folded(some, live, Format::Json);
            assert_eq!((batch.first, batch.last), (some[0].sequence, some[some.len() - 1].sequence));
            tables.take(&batch.sheets);
            for event in some {
                replayed.apply(event).unwrap();
            }
            done += some.len();
            if sizes.below(5) == 0 || done == events.len() {
                tables.assert_equal(&expected(&replayed, &events[..done]), seed);
            }
        }
    }
}

#[test]
fn the_workload_meets_every_kind_of_movement_and_of_change() {
    let mut kinds = BTreeSet::new();
    let mut changes = BTreeSet::new();
    for seed in 0..40 {
        let mut shop = Workload::new(seed);
        shop.commands(700);
        for change in shop.events.iter().flat_map(|event| &event.changes) {
            if let Change::Movement(movement) = change {
                kinds.insert(movement.kind);
            }
            let text = format!("{change:?}");
            let end = text.find([' ', '(', '{']).unwrap_or(text.len());
            changes.insert(text[..end].to_owned());
        }
    }
    let missing: Vec<_> =
        Kind::ALL.iter().filter(|kind| !kinds.contains(kind)).map(|kind| kind.name()).collect();
    assert_eq!(missing, Vec::<&str>::new());
    let all = [
        "Checkpoint",
        "Deadline",
        "Document",
        "Exception",
        "Movement",
        "Receipt",
        "ReceiptExpectedAt",
        "ReceiptLine",
        "RefundDue",
        "Reservation",
        "ReservationLine",
        "Step",
        "Transfer",
        "TransferClosed",
    ];
    let missing: Vec<_> = all.iter().filter(|name| !changes.contains(**name)).collect();
    assert_eq!(missing, Vec::<&&str>::new());
}

#[test]
fn both_formats_carry_the_same_values() {
    let mut shop = Workload::new(7);
    shop.commands(500);
    let json = folded(&shop.events, shop.machine.state(), Format::Json);
    let copy = folded(&shop.events, shop.machine.state(), Format::Copy);
    assert_eq!(json.sheets.len(), copy.sheets.len());
    assert_eq!(json.sheets.len(), TABLES.len(), "every table has rows");
    for (json, copy) in json.sheets.iter().zip(&copy.sheets) {
        let table = columns::table(json.table).unwrap();
        let rows = parse_json(&json.bytes);
        assert_eq!((copy.table, copy.rows, json.rows), (json.table, rows.len(), rows.len()));
        assert_eq!(parse_copy(table, &copy.bytes), rows, "{}", table.name);
    }
}

#[test]
fn what_a_batch_creates_is_appended_and_what_stood_before_is_merged() {
    const OWNED: [&str; 7] = [
        "reservations",
        "reservation_lines",
        "allocations",
        "receipts",
        "receipt_lines",
        "transfers",
        "transfer_lines",
    ];
    let of_owners = |shop: &Workload, events: &[Event]| -> Vec<(&str, Puts)> {
        let batch = folded(events, shop.machine.state(), Format::Json);
        let sheets = batch.sheets.iter().filter(|sheet| OWNED.contains(&sheet.table));
        sheets.map(|sheet| (sheet.table, sheet.puts)).collect()
    };
    let mut late = BTreeSet::new();
    for seed in 0..10 {
        let mut shop = Workload::new(seed);
        shop.commands(700);
        let appended = of_owners(&shop, &shop.events);
        assert!(appended.iter().all(|(_, puts)| *puts == Puts::Append), "{appended:?} under seed {seed}");
        late.extend(of_owners(&shop, &shop.events[shop.events.len() / 2..]));
    }
    let both = OWNED.map(|table| [(table, Puts::Append), (table, Puts::Merge)]);
    assert_eq!(late, both.as_flattened().iter().copied().collect());
}

#[test]
fn a_batch_leaves_out_the_tables_it_does_not_touch() {
    let mut shop = Workload::new(3);
    let master_data = folded(&shop.events[..1], shop.machine.state(), Format::Json);
    let names: Vec<_> = master_data.sheets.iter().map(|sheet| sheet.table).collect();
    assert_eq!(names, ["documents", "skus", "warehouses", "operations", "document_versions"]);
    let at = shop.events.last().unwrap().at;
    shop.machine.checkpoint(at, &mut shop.events).unwrap();
    let checkpoint = folded(&shop.events[shop.events.len() - 1..], shop.machine.state(), Format::Copy);
    assert_eq!(checkpoint.sheets.len(), 1);
    assert_eq!(checkpoint.sheets[0].table, "operations");
}

#[test]
fn no_events_are_no_batch() {
    assert!(batch_of(&[], Format::Json, |asked| Named::of_all(asked, &State::default())).unwrap().is_none());
}

fn stocked(movement: Movement) -> (Workload, Vec<Event>) {
    let shop = Workload::new(1);
    let mut event = shop.events.last().unwrap().clone();
    event.changes = vec![Change::Movement(movement)];
    (shop, vec![event])
}

const INCREASE: Movement = Movement {
    kind: Kind::Increase,
    sku: SkuIx(0),
    warehouse: Some(WarehouseIx(0)),
    pool: SHARED,
    owner: None,
    line: 0,
    quantity: i64::MAX,
};

#[test]
fn a_sum_that_does_not_fit_is_an_error_and_not_a_wrong_number() {
    let (shop, mut events) = stocked(INCREASE);
    let twice = events[0].changes[0].clone();
    events[0].changes.push(twice);
    let refused = batch_of(&events, Format::Json, |asked| Named::of_all(asked, shop.machine.state()));
    assert!(matches!(refused, Err(ProjectionError::Overflow { .. })), "{refused:?}");
}

#[test]
fn a_number_that_the_state_does_not_know_is_an_error() {
    let lock =
        Movement { kind: Kind::Lock, owner: Some(OwnerNo(u64::MAX)), line: 1, pool: PoolIx(0), ..INCREASE };
    for (movement, what) in [
        (Movement { sku: SkuIx(99), ..INCREASE }, "SKU 99"),
        (Movement { warehouse: Some(WarehouseIx(98)), ..INCREASE }, "warehouse 98"),
        (lock, "reservation 18446744073709551615"),
    ] {
        let (shop, events) = stocked(movement);
        let refused =
            batch_of(&events, Format::Json, |asked| Named::of_all(asked, shop.machine.state())).unwrap_err();
        assert!(refused.to_string().contains(what), "{refused}");
    }
}

#[test]
fn history_with_a_gap_is_an_error() {
    let shop = Workload::new(2);
    let gap = || Ok::<_, Infallible>(shop.events.iter().skip(1).cloned().map(Ok::<_, Infallible>));
    let refused = expected_rows("movements", shop.machine.state(), gap).unwrap_err();
    assert_eq!(refused.to_string(), "event 2 was read where 1 must stand");
    assert!(matches!(
        expected_rows("no_such_table", shop.machine.state(), gap),
        Err(ProjectionError::Table(name)) if name == "no_such_table"
    ));
}

#[test]
fn history_ends_where_the_state_stands() {
    let mut shop = Workload::new(2);
    let before = shop.events.len();
    let mut early = State::default();
    for event in &shop.events {
        early.apply(event).unwrap();
    }
    shop.commands(50);
    let all = || Ok::<_, Infallible>(shop.events.iter().cloned().map(Ok::<_, Infallible>));
    let rows = parse_json(&expected_rows("operations", &early, all).unwrap());
    assert_eq!(rows.len(), before);
}
