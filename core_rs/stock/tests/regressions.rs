//! Defects that the agreement test has found: each the smallest case that showed it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests may be blunt")]

mod shop;

use lockstock_stock::command::{Adjustment, Arrival, Command, From, WarehouseState};
use lockstock_stock::counters::{AllocationCounter, Counter};
use lockstock_stock::machine::Reply;
use lockstock_stock::refusal::{Reason, Refusal};
use shop::{Shop, adjust, all, at, lock, lock_and_deduct, order, wanted, warehouse};

#[test]
fn goods_that_will_not_come_stand_at_no_warehouse() {
    // RECEIVE_MISSING touches no cell, so its movement names no warehouse: it was posted with one, and
    // every receipt with missing units was refused as a violated invariant.
    let mut shop = Shop::open(&["pen"], &["w1"]);
    let lines = vec![Arrival { sku: "pen", good: 1, defective: 0, missing: 2 }];
    let mut request = shop.request(Command::Receive { receipt: "note", warehouse: "w1", lines });
    request.reason = "without an order";
    let reply = shop.send(request);
    assert!(matches!(reply, Reply::Done(_)), "{reply:?}");
    assert_eq!(shop.count("pen", "w1", Counter::Received), 1);
}

#[test]
fn what_an_edit_cuts_ships_no_parcel_of_the_order() {
    // Swapping all of `pen` (in w1) for `cup` (in w2) leaves one parcel, and was counted as two.
    let mut shop = Shop::open(&["pen", "cup"], &["w1", "w2"]);
    shop.stock("pen", "w1", 2);
    shop.stock("cup", "w2", 2);
    let mut one_parcel = order("swap", &[("pen", 2)]);
    one_parcel.demand.max_parcels = 1;
    shop.done(Command::Lock { order: one_parcel, hold: None });
    shop.done(Command::Amend {
        reservation: "swap",
        expected_version: None,
        deltas: vec![(1, -2)],
        additions: vec![wanted("cup", 2)],
        hold: None,
    });
    assert_eq!(shop.held("swap", 2, AllocationCounter::Locked), [("w2".to_owned(), 2)]);
}

#[test]
fn an_edit_does_not_prefer_a_warehouse_that_it_has_just_emptied() {
    let mut shop = Shop::open(&["pen", "cup"], &["w1", "w2"]);
    shop.stock("pen", "w2", 2);
    shop.stock("cup", "w1", 2);
    shop.stock("cup", "w2", 2);
    shop.done(lock("swap", &[("pen", 2)]));
    shop.done(Command::Amend {
        reservation: "swap",
        expected_version: None,
        deltas: vec![(1, -2)],
        additions: vec![wanted("cup", 2)],
        hold: None,
    });
    assert_eq!(shop.held("swap", 2, AllocationCounter::Locked), [("w1".to_owned(), 2)]);
}

#[test]
fn a_shortage_names_no_lock_that_the_edit_itself_gives_back() {
    let mut shop = Shop::open(&["pen", "cup"], &["w1", "w2"]);
    shop.stock("pen", "w2", 1);
    let mut from_w2 = order("edit", &[("pen", 1)]);
    from_w2.demand.from = From::Warehouses(vec!["w2"]);
    shop.done(Command::Lock { order: from_w2, hold: None });
    let refusal = shop.refused(Command::Amend {
        reservation: "edit",
        expected_version: None,
        deltas: vec![(1, -1)],
        additions: vec![wanted("pen", 5)],
        hold: None,
    });
    let Refusal::InsufficientStock { shortages } = refusal else { panic!("{refusal}") };
    assert_eq!((shortages[0].locked, shortages[0].next_unlock_at), (0, None));
}

#[test]
fn a_warehouse_whose_zero_hides_promises_is_not_closed() {
    // available -2 and picking 2 make an on_hand of 0; closed, the promise could neither be reported short
    // nor be moved. on_hand at zero is needed to close a warehouse, but it is not enough.
    let mut shop = Shop::open(&["pen"], &["w1"]);
    shop.stock("pen", "w1", 2);
    shop.done(lock_and_deduct("order", &[("pen", 2)]));
    shop.done(Command::PushFulfilment(all("order")));
    shop.done(adjust(Adjustment::RecordLoss, "pen", "w1", 2));
    let close = Command::PutDocuments { documents: vec![warehouse("w1", WarehouseState::Closed)] };
    shop.refused_with(Reason::WarehouseNotEmpty, close.clone());
    shop.done(Command::ShortPick(at("order", "w1", &[(1, 2)])));
    shop.done(close);
}
