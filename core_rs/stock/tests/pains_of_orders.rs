//! The pains of `pains.rs` again where orders meet them: placing, paying, editing, cancelling, picking.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests may be blunt")]

mod shop;

use lockstock_stock::command::{
    Command, Disposition, DocumentKind, From, Live, Returned, Service, WarehouseState,
};
use lockstock_stock::counters::{AllocationCounter as A, Counter as C, LineCounter as L};
use lockstock_stock::event::DeductionPolicy::{OnOrder, OnPayment};
use lockstock_stock::event::{Change, Operation, Outcome};
use lockstock_stock::machine::Reply;
use lockstock_stock::refusal::{Reason, Refusal};
use lockstock_stock::state::ReservationState;
use shop::{
    MINUTE, SECOND, Shop, all, amend, at, confirm_picking, document, lock, lock_and_deduct, order, parts,
    place, returned, wanted,
};

fn pens(units: i64) -> Shop {
    let mut shop = Shop::open(&["pen", "cup"], &["w1", "w2", "w3"]);
    if units > 0 {
        shop.stock("pen", "w1", units);
    }
    shop
}

/// From now on, where an order does not say.
fn take_on_payment(shop: &mut Shop, sku: &'static str) {
    let live = Live::Sku { category: "", policy: Some(OnPayment) };
    shop.done(Command::PutDocuments { documents: vec![document(DocumentKind::Sku, sku, live)] });
}

/// A line more, under the rule of its SKU.
fn add(id: &'static str, sku: &'static str, quantity: i64) -> Command<'static> {
    Command::Amend {
        reservation: id,
        expected_version: None,
        deltas: Vec::new(),
        additions: vec![wanted(sku, quantity)],
        hold: None,
    }
}

#[test]
fn pain_02_of_an_order_on_payment_money_and_stock_are_decided_in_one_step() {
    let mut shop = pens(1);
    shop.done(place("first", &[("pen", 1)], OnPayment));
    shop.done(place("second", &[("pen", 1)], OnPayment));
    // Both were told that there is one; the payments decide, and each says so at once.
    assert_eq!(shop.done(Command::Deduct(all("second"))).outcome, Outcome::Done);
    let answer = shop.done(Command::Deduct(all("first")));
    assert_eq!(answer.outcome, Outcome::SoldOut);
    assert_eq!(shop.reservation("first").state(), ReservationState::RefundDue);
    assert_eq!((shop.available("pen", "w1"), shop.count("pen", "w1", C::Allocated)), (0, 1));
    shop.refused_with(Reason::RefundDue, Command::Deduct(all("first")));
}

#[test]
fn pain_02_a_mixed_order_is_paid_whole_or_not_at_all() {
    let mut shop = pens(2);
    shop.stock("cup", "w1", 2);
    take_on_payment(&mut shop, "cup");
    for id in ["quick", "slow"] {
        shop.done(Command::Place { order: order(id, &[("pen", 1), ("cup", 2)]), hold: None, policy: None });
    }
    let answer = shop.done(Command::Deduct(all("quick")));
    assert_eq!((answer.outcome, answer.movements.len()), (Outcome::Done, 2));
    assert_eq!(shop.done(Command::Deduct(all("slow"))).outcome, Outcome::SoldOut);
    assert_eq!((shop.line("slow", 1, L::Deducted), shop.line("slow", 2, L::Deducted)), (0, 0));
}

#[test]
fn pain_03_an_order_on_payment_holds_nothing_that_could_be_forgotten() {
    let mut shop = pens(1);
    shop.done(place("abandoned", &[("pen", 1)], OnPayment));
    shop.now += 1_000 * MINUTE;
    assert_eq!(shop.available("pen", "w1"), 1);
    shop.done(lock("next", &[("pen", 1)]));
    assert_eq!(shop.machine.state().deadlines().count(), 1);
}

#[test]
fn pain_03_a_sold_out_payment_gives_back_what_the_order_still_held() {
    let mut shop = pens(3);
    shop.stock("cup", "w1", 1);
    take_on_payment(&mut shop, "cup");
    let mixed = order("order", &[("pen", 3), ("cup", 1)]);
    shop.done(Command::Place { order: mixed, hold: None, policy: None });
    shop.done(lock_and_deduct("rival", &[("cup", 1)]));
    assert_eq!(shop.done(Command::Deduct(all("order"))).outcome, Outcome::SoldOut);
    assert_eq!((shop.available("pen", "w1"), shop.machine.state().deadlines().count()), (3, 0));
    assert_eq!((shop.line("order", 1, L::Unlocked), shop.line("order", 2, L::Wanted)), (3, 0));
}

#[test]
fn pain_08_lines_of_one_sku_are_summed_at_the_placing_and_in_the_payment() {
    let mut shop = pens(5);
    let twice = place("twice", &[("pen", 3), ("pen", 3)], OnPayment);
    let Refusal::InsufficientStock { shortages } = shop.refused(twice) else { panic!("granted") };
    assert_eq!((shortages[0].asked, shortages[0].lines.clone()), (6, vec![1, 2]));
    shop.done(place("fits", &[("pen", 3), ("pen", 2)], OnPayment));
    shop.done(lock("other", &[("pen", 1)]));
    // Each line alone could be had; both together cannot.
    assert_eq!(shop.done(Command::Deduct(all("fits"))).outcome, Outcome::SoldOut);
}

#[test]
fn pain_08_a_locked_and_a_wanted_line_of_one_sku_are_one_order() {
    let mut shop = pens(4);
    shop.done(place("order", &[("pen", 3)], OnOrder));
    take_on_payment(&mut shop, "pen");
    // Three of the four are its own already.
    shop.refused_with(Reason::InsufficientStock, add("order", "pen", 2));
    shop.done(add("order", "pen", 1));
    assert_eq!((shop.line("order", 1, L::Locked), shop.line("order", 2, L::Wanted)), (3, 1));
}

#[test]
fn pain_11_what_a_payment_takes_over_several_warehouses_adds_up_to_what_was_wanted() {
    let mut shop = pens(10);
    shop.stock("pen", "w2", 12);
    shop.done(place("split", &[("pen", 13)], OnPayment));
    let answer = shop.done(Command::Deduct(all("split")));
    assert_eq!(shop.held("split", 1, A::Allocated), [("w1".to_owned(), 10), ("w2".to_owned(), 3)]);
    assert_eq!(answer.movements.iter().map(|movement| movement.quantity).sum::<i64>(), 13);
    let answer = shop.done(Command::CancelOrder(all("split")));
    assert_eq!(answer.movements.iter().map(|movement| movement.quantity).sum::<i64>(), 13);
}

#[test]
fn pain_11_a_payment_takes_where_the_order_ships_anyway() {
    let mut shop = pens(2);
    shop.stock("cup", "w2", 1);
    shop.stock("pen", "w2", 2);
    let mut two = order("order", &[("cup", 1)]);
    two.demand.max_parcels = 1;
    shop.done(Command::Place { order: two, hold: None, policy: Some(OnOrder) });
    take_on_payment(&mut shop, "pen");
    shop.done(add("order", "pen", 2));
    // w1 comes first in the plan, but the cup leaves w2, and one parcel is the limit.
    shop.done(Command::Deduct(all("order")));
    assert_eq!(shop.held("order", 2, A::Allocated), [("w2".to_owned(), 2)]);
}

#[test]
fn pain_12_an_edit_of_what_is_wanted_moves_only_its_delta() {
    let mut shop = pens(10);
    shop.done(place("edit", &[("pen", 1)], OnPayment));
    assert_eq!(shop.done(amend("edit", &[(1, 4)])).movements.len(), 1);
    assert_eq!((shop.line("edit", 1, L::Wanted), shop.available("pen", "w1")), (5, 10));
    let before = shop.machine.state().hash();
    shop.refused_with(Reason::InsufficientStock, amend("edit", &[(1, 11)]));
    shop.refused_with(Reason::BelowShipped, amend("edit", &[(1, -6)]));
    assert_eq!(shop.machine.state().hash(), before);
    shop.done(amend("edit", &[(1, -2)]));
    shop.done(Command::Deduct(parts("edit", &[(1, 2)])));
    // Wanted units go before paid ones.
    shop.done(amend("edit", &[(1, -2)]));
    assert_eq!((shop.line("edit", 1, L::Wanted), shop.line("edit", 1, L::Cancelled)), (0, 1));
}

#[test]
fn pain_13_an_order_is_placed_once_whatever_it_was_before() {
    let mut shop = pens(5);
    shop.done(place("order", &[("pen", 1)], OnPayment));
    shop.refused_with(Reason::ReservationExists, place("order", &[("pen", 1)], OnOrder));
    shop.refused_with(Reason::ReservationExists, lock_and_deduct("order", &[("pen", 1)]));
    shop.done(Command::CancelOrder(all("order")));
    shop.refused_with(Reason::ReservationExists, place("order", &[("pen", 1)], OnOrder));
    assert_eq!(shop.available("pen", "w1"), 5);
}

#[test]
fn pain_14_a_payment_that_is_sent_again_is_the_same_payment_also_when_it_was_sold_out() {
    let mut shop = pens(1);
    shop.done(place("order", &[("pen", 1)], OnPayment));
    shop.done(lock_and_deduct("quick", &[("pen", 1)]));
    let mut request = shop.request(Command::Deduct(all("order")));
    request.service = Service::Orders;
    let Reply::Done(first) = shop.send(request.clone()) else { panic!("refused") };
    assert_eq!(first.outcome, Outcome::SoldOut);
    shop.stock("pen", "w1", 5);
    assert_eq!(shop.send(request), Reply::Known { sequence: first.sequence, same: true });
    assert_eq!(shop.events.iter().filter(|event| event.operation == Operation::PayOrder).count(), 1);
}

#[test]
fn pain_14_a_pick_that_is_reported_again_loses_nothing_twice() {
    let mut shop = pens(5);
    shop.done(lock_and_deduct("order", &[("pen", 4)]));
    shop.done(Command::PushFulfilment(all("order")));
    let request = shop.request(confirm_picking("order", "w1", &[(1, 3, 1)]));
    let Reply::Done(first) = shop.send(request.clone()) else { panic!("refused") };
    assert_eq!(shop.send(request), Reply::Known { sequence: first.sequence, same: true });
    assert_eq!((shop.count("pen", "w1", C::Lost), shop.count("pen", "w1", C::Picking)), (1, 3));
    // A new report of all four is more than there is to pick.
    shop.refused_with(Reason::QuantityNotHeld, confirm_picking("order", "w1", &[(1, 4, 0)]));
}

#[test]
fn a_pick_without_a_short_moves_nothing_and_is_a_step_of_the_order() {
    let mut shop = pens(5);
    shop.done(lock_and_deduct("order", &[("pen", 4)]));
    shop.done(Command::PushFulfilment(all("order")));
    let answer = shop.done(confirm_picking("order", "w1", &[(1, 4, 0)]));
    assert_eq!((answer.owner.as_deref(), answer.movements.len()), (Some("order"), 0));
    assert_eq!(shop.reservation("order").version, answer.sequence);
    let stale = Command::Amend {
        reservation: "order",
        expected_version: Some(answer.sequence - 1),
        deltas: vec![(1, -1)],
        additions: Vec::new(),
        hold: None,
    };
    shop.refused_with(Reason::StaleVersion, stale);
}

#[test]
fn a_parcel_says_of_itself_what_it_was_given_and_a_parcel_without_words_says_nothing() {
    let mut shop = pens(5);
    shop.done(lock_and_deduct("order", &[("pen", 4)]));
    for (attributes, steps) in [(&b"DHL"[..], 1), (&b""[..], 0)] {
        let parcel = parts("order", &[(1, 2)]);
        shop.done(Command::ShipOrder { parcel, attributes });
        let said: Vec<&[u8]> = shop.events.last().unwrap().changes.iter().filter_map(said).collect();
        assert_eq!(said.len(), steps);
        assert!(said.iter().all(|said| *said == attributes));
    }
    assert_eq!(shop.count("pen", "w1", C::Shipped), 4);
}

fn said(change: &Change) -> Option<&[u8]> {
    match change {
        Change::Step { attributes, .. } => Some(attributes),
        _ => None,
    }
}

#[test]
fn pain_18_each_line_of_an_order_comes_back_by_itself_and_where_it_is_said() {
    let mut shop = pens(4);
    shop.stock("cup", "w1", 2);
    shop.done(place("order", &[("pen", 4), ("cup", 2)], OnPayment));
    shop.done(Command::Deduct(all("order")));
    shop.done(Command::ShipOrder { parcel: all("order"), attributes: b"" });
    shop.done(Command::ExpectReturn(at("order", "w2", &[(1, 3)])));
    let back = [
        Returned { line: 1, quantity: 2, disposition: Disposition::Sellable },
        Returned { line: 1, quantity: 1, disposition: Disposition::Defective },
    ];
    shop.done(returned("order", "w2", &back));
    assert_eq!((shop.available("pen", "w2"), shop.count("pen", "w2", C::Defective)), (2, 1));
    assert_eq!((shop.line("order", 1, L::Returned), shop.line("order", 2, L::Returned)), (3, 0));
    let more = [Returned { line: 1, quantity: 2, disposition: Disposition::Sellable }];
    shop.refused_with(Reason::ReturnExceedsShipped, returned("order", "w2", &more));
}

#[test]
fn pain_18_what_has_not_shipped_is_cancelled_and_not_returned_and_what_has_is_not_cancelled() {
    let mut shop = pens(4);
    shop.done(place("order", &[("pen", 4)], OnPayment));
    let one = [Returned { line: 1, quantity: 1, disposition: Disposition::Sellable }];
    shop.refused_with(Reason::ReturnExceedsShipped, returned("order", "w1", &one));
    shop.done(Command::Deduct(parts("order", &[(1, 3)])));
    shop.done(Command::ShipOrder { parcel: parts("order", &[(1, 1)]), attributes: b"" });
    let answer = shop.done(Command::CancelOrder(all("order")));
    assert_eq!(answer.movements.iter().map(|movement| movement.quantity).sum::<i64>(), 3);
    shop.refused_with(Reason::QuantityNotHeld, Command::CancelOrder(all("order")));
    assert_eq!(shop.reservation("order").state(), ReservationState::Shipped);
}

#[test]
fn a_paused_warehouse_gives_nothing_to_a_payment() {
    let mut shop = pens(2);
    shop.stock("pen", "w2", 1);
    let mut pick = order("order", &[("pen", 1)]);
    pick.demand.from = From::Warehouses(vec!["w1", "w2"]);
    shop.done(Command::Place { order: pick, hold: Some(SECOND), policy: Some(OnPayment) });
    shop.put_warehouse("w1", WarehouseState::Paused);
    shop.done(Command::Deduct(all("order")));
    assert_eq!(shop.held("order", 1, A::Allocated), [("w2".to_owned(), 1)]);
}
