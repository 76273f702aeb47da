//! The pains and defects that users of other systems report, each as a test that shows we do not have it.
//! The numbers are those of the project's notes on the field; the names say what must be true here.
//!
//! Not here: 17, 20, 21 and 25, which belong to listings, speed, alerts and limits; of 24 only the claim,
//! which pools will fill in turn.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests may be blunt")]

mod shop;

use lockstock_stock::command::{
    Adjustment, Arrival, Command, Disposition, From, Rest, Returned, SetLine, SetTarget, SkuPart, StockLine,
    WarehouseState,
};
use lockstock_stock::counters::{AllocationCounter as A, Counter as C, LineCounter as L};
use lockstock_stock::decide::availability;
use lockstock_stock::event::{Event, Outcome};
use lockstock_stock::machine::Reply;
use lockstock_stock::movement::Kind;
use lockstock_stock::refusal::{Reason, Refusal};
use lockstock_stock::state::{ReservationState, State};
use shop::{
    MINUTE, SECOND, Shop, adjust, all, amend, at, demand, lock, lock_and_deduct, lock_for, order, parts,
    returned, wanted,
};

fn pens(units: i64) -> Shop {
    let mut shop = Shop::open(&["pen", "cup"], &["w1", "w2", "w3"]);
    if units > 0 {
        shop.stock("pen", "w1", units);
    }
    shop
}

#[test]
fn pain_01_two_buyers_of_one_unit_are_not_both_served() {
    let mut shop = pens(1);
    shop.done(lock("first", &[("pen", 1)]));
    shop.refused_with(Reason::InsufficientStock, lock("second", &[("pen", 1)]));
    assert_eq!(shop.available("pen", "w1"), 0);
}

#[test]
fn pain_02_a_payment_in_time_always_has_its_units() {
    let mut shop = pens(1);
    shop.done(lock("paid", &[("pen", 1)]));
    shop.refused_with(Reason::InsufficientStock, lock_and_deduct("other", &[("pen", 1)]));
    shop.refused_with(Reason::QuantityNotHeld, adjust(Adjustment::Issue, "pen", "w1", 1));
    assert_eq!(shop.done(Command::Deduct(all("paid"))).outcome, Outcome::Done);
}

#[test]
fn pain_02_a_payment_too_late_says_sold_out_and_names_the_refund_due() {
    let mut shop = pens(1);
    shop.done(lock_for("late", &[("pen", 1)], SECOND));
    shop.now += MINUTE;
    shop.done(lock("quick", &[("pen", 1)]));
    let answer = shop.done(Command::Deduct(all("late")));
    assert_eq!((answer.outcome, answer.movements), (Outcome::ExpiredSoldOut, Vec::new()));
    assert_eq!(shop.reservation("late").state(), ReservationState::RefundDue);
    shop.refused_with(Reason::RefundDue, Command::Deduct(all("late")));
}

#[test]
fn pain_03_an_abandoned_lock_comes_back_at_its_deadline_by_itself() {
    let mut shop = pens(1);
    shop.done(lock_for("cart", &[("pen", 1)], MINUTE));
    shop.now += MINUTE - 1;
    shop.refused_with(Reason::InsufficientStock, lock("next", &[("pen", 1)]));
    shop.now += 1;
    shop.done(lock("next", &[("pen", 1)]));
    assert_eq!(shop.reservation("cart").state(), ReservationState::Expired);
}

#[test]
fn pain_04_a_buyer_is_not_blocked_by_their_own_lock() {
    let mut shop = pens(1);
    shop.done(lock("mine", &[("pen", 1)]));
    // Nothing is left for others, and the holder pays, edits and extends all the same.
    shop.done(Command::Extend { reservation: "mine", hold: MINUTE });
    shop.done(Command::Amend {
        reservation: "mine",
        expected_version: None,
        deltas: vec![(1, -1)],
        additions: vec![wanted("pen", 1)],
        hold: None,
    });
    assert_eq!(shop.done(Command::Deduct(all("mine"))).outcome, Outcome::Done);
}

#[test]
fn pain_05_a_lock_can_be_given_back_early_whole_or_in_part() {
    let mut shop = pens(3);
    shop.done(lock("cart", &[("pen", 3)]));
    shop.done(Command::Unlock(parts("cart", &[(1, 1)])));
    assert_eq!(shop.available("pen", "w1"), 1);
    shop.done(Command::Unlock(all("cart")));
    assert_eq!(shop.available("pen", "w1"), 3);
}

#[test]
fn pain_06_counters_and_reservations_cannot_drift_apart() {
    let mut shop = pens(9);
    shop.done(lock("a", &[("pen", 4)]));
    shop.done(lock_and_deduct("b", &[("pen", 5)]));
    shop.done(Command::Deduct(parts("a", &[(1, 3)])));
    shop.done(Command::PushFulfilment(all("b")));
    shop.done(Command::Ship(parts("b", &[(1, 2)])));
    let of_lines =
        |counter: A| -> i64 { ["a", "b"].iter().map(|id| shop.reservation(id).lines[0].held(counter)).sum() };
    for (cell, line) in [
        (C::Locked, A::Locked),
        (C::Allocated, A::Allocated),
        (C::Picking, A::Picking),
        (C::Shipped, A::Shipped),
    ] {
        assert_eq!(shop.count("pen", "w1", cell), of_lines(line), "{}", cell.name());
    }
    shop.machine.state().check().unwrap();
}

#[test]
fn pain_06_an_event_that_would_break_an_identity_is_refused_and_changes_nothing() {
    let mut shop = pens(1);
    let answer = shop.done(lock("once", &[("pen", 1)]));
    let mut state = State::default();
    for event in &shop.events {
        state.apply(event).unwrap();
    }
    // The same lock once more under the next sequence: the units are not there.
    let mut forged: Event = shop.events.last().unwrap().clone();
    forged.sequence = answer.sequence + 1;
    let before = state.hash();
    assert!(state.apply(&forged).is_err());
    assert_eq!(
        (state.hash(), state.hash_from_scratch(), state.sequence()),
        (before, before, answer.sequence)
    );
}

#[test]
fn pain_07_of_twenty_buyers_ten_units_serve_exactly_ten() {
    let mut shop = pens(10);
    let mut granted = 0;
    for n in 0..20 {
        let id: &'static str = String::leak(format!("buyer-{n}"));
        let request = shop.request(lock(id, &[("pen", 1)]));
        granted += i64::from(matches!(shop.send(request), Reply::Done(_)));
    }
    assert_eq!((granted, shop.count("pen", "w1", C::Locked)), (10, 10));
}

#[test]
fn pain_08_duplicate_lines_in_one_request_are_summed() {
    let mut shop = pens(5);
    let twice = lock("twice", &[("pen", 3), ("pen", 3)]);
    let Refusal::InsufficientStock { shortages } = shop.refused(twice) else { panic!("granted") };
    assert_eq!(shortages.len(), 1);
    assert_eq!((shortages[0].asked, shortages[0].lines.clone()), (6, vec![1, 2]));
    shop.done(lock("fits", &[("pen", 3), ("pen", 2)]));
    let line = StockLine { sku: "pen", warehouse: "w1", quantity: 3 };
    shop.stock("pen", "w1", 5);
    let lines = vec![line; 2];
    shop.refused_with(Reason::QuantityNotHeld, Command::Adjust { adjustment: Adjustment::Decrease, lines });
}

#[test]
fn pain_09_safety_does_not_depend_on_a_check_before() {
    let mut shop = pens(1);
    let wish = demand(&[("pen", 1)]);
    for _ in 0..2 {
        let plan = availability(shop.machine.state(), shop.now, &wish).unwrap().plan;
        assert_eq!(plan.len(), 1);
    }
    // Both were told yes; the lock decides again, in one step.
    shop.done(lock("a", &[("pen", 1)]));
    shop.refused_with(Reason::InsufficientStock, lock("b", &[("pen", 1)]));
}

#[test]
fn pain_10_what_all_warehouses_have_together_can_be_locked() {
    let mut shop = pens(10);
    shop.stock("pen", "w2", 15);
    shop.done(lock("wide", &[("pen", 25)]));
    assert_eq!(shop.held("wide", 1, A::Locked), [("w1".to_owned(), 10), ("w2".to_owned(), 15)]);
}

#[test]
fn pain_10_check_and_lock_say_the_same_under_the_same_limits() {
    let mut shop = pens(10);
    shop.stock("pen", "w2", 15);
    let mut whole = order("whole", &[("pen", 25)]);
    whole.demand.max_parcels = 1;
    let checked = availability(shop.machine.state(), shop.now, &whole.demand).unwrap_err();
    let refused = shop.refused(Command::Lock { order: whole, hold: None });
    assert_eq!(checked, refused);
    assert_eq!(refused, Refusal::ParcelLimit { max_parcels: 1, parcels_needed: 2 });
}

#[test]
fn pain_11_splits_never_allocate_more_than_wanted() {
    let mut shop = pens(10);
    shop.stock("pen", "w2", 12);
    let answer = shop.done(lock("split", &[("pen", 13)]));
    assert_eq!(shop.held("split", 1, A::Locked), [("w1".to_owned(), 10), ("w2".to_owned(), 3)]);
    // Rows of the ledger hold what moved, not the whole line: they add up to it.
    assert_eq!(answer.movements.iter().map(|movement| movement.quantity).sum::<i64>(), 13);
    let answer = shop.done(Command::Unlock(all("split")));
    assert_eq!(answer.movements.iter().map(|movement| movement.quantity).sum::<i64>(), 13);
}

#[test]
fn pain_12_an_edit_moves_only_its_delta() {
    let mut shop = pens(10);
    shop.done(lock("edit", &[("pen", 1)]));
    let answer = shop.done(amend("edit", &[(1, 4)]));
    assert_eq!(answer.movements.len(), 1);
    assert_eq!((shop.line("edit", 1, L::Locked), shop.available("pen", "w1")), (5, 5));
    shop.done(amend("edit", &[(1, -2)]));
    assert_eq!((shop.line("edit", 1, L::Locked), shop.available("pen", "w1")), (3, 7));
}

#[test]
fn pain_12_an_edit_that_cannot_be_had_leaves_all_as_it_was() {
    let mut shop = pens(3);
    shop.stock("cup", "w1", 1);
    shop.done(lock_and_deduct("edit", &[("pen", 2), ("cup", 1)]));
    shop.done(Command::Ship(parts("edit", &[(1, 1)])));
    let before = shop.machine.state().hash();
    shop.refused_with(Reason::InsufficientStock, amend("edit", &[(2, -1), (1, 5)]));
    shop.refused_with(Reason::BelowShipped, amend("edit", &[(1, -2)]));
    // Nor does a shipped unit come back to life.
    assert_eq!(shop.machine.state().hash(), before);
    assert_eq!(shop.line("edit", 1, L::Deducted), 2);
}

#[test]
fn pain_12_an_edit_of_a_state_that_has_moved_on_is_refused() {
    let mut shop = pens(3);
    let seen = shop.done(lock("edit", &[("pen", 2)])).sequence;
    shop.done(Command::Deduct(all("edit")));
    let stale = Command::Amend {
        reservation: "edit",
        expected_version: Some(seen),
        deltas: vec![(1, 1)],
        additions: Vec::new(),
        hold: None,
    };
    shop.refused_with(Reason::StaleVersion, stale);
}

#[test]
fn pain_13_the_same_order_is_not_locked_twice() {
    let mut shop = pens(5);
    shop.done(lock("order", &[("pen", 1)]));
    shop.refused_with(Reason::ReservationExists, lock("order", &[("pen", 1)]));
    shop.refused_with(Reason::ReservationExists, lock_and_deduct("order", &[("pen", 1)]));
    assert_eq!(shop.available("pen", "w1"), 4);
}

#[test]
fn pain_14_retried_ship_applies_once() {
    let mut shop = pens(30);
    shop.done(lock_and_deduct("order", &[("pen", 20)]));
    let request = shop.request(Command::Ship(parts("order", &[(1, 10)])));
    let Reply::Done(first) = shop.send(request.clone()) else { panic!("not shipped") };
    let known = Reply::Known { sequence: first.sequence, same: true };
    for _ in 0..2 {
        assert_eq!(shop.send(request.clone()), known);
    }
    assert_eq!(shop.count("pen", "w1", C::Shipped), 10);
}

#[test]
fn pain_14_a_restock_with_a_key_applies_once_and_another_body_under_it_is_told() {
    let mut shop = pens(5);
    let request = shop.request(adjust(Adjustment::OtherReceipt, "pen", "w1", 5));
    let Reply::Done(first) = shop.send(request.clone()) else { panic!("not received") };
    let mut other = request.clone();
    other.fingerprint.digest += 1;
    other.command = adjust(Adjustment::OtherReceipt, "pen", "w1", 50);
    assert_eq!(shop.send(other), Reply::Known { sequence: first.sequence, same: false });
    assert_eq!(shop.available("pen", "w1"), 10);
}

#[test]
fn pain_14_a_retry_after_a_refusal_is_judged_anew() {
    let mut shop = pens(0);
    let request = shop.request(lock("order", &[("pen", 1)]));
    assert!(matches!(shop.send(request.clone()), Reply::Refused(Refusal::InsufficientStock { .. })));
    shop.stock("pen", "w1", 1);
    assert!(matches!(shop.send(request), Reply::Done(_)));
}

#[test]
fn pain_15_a_master_that_sends_what_is_on_the_shelf_does_not_subtract_promises_twice() {
    let mut shop = pens(10);
    shop.done(lock("order", &[("pen", 3)]));
    let on_hand = |value, expected| Command::Set {
        lines: vec![SetLine { sku: "pen", warehouse: "w1", target: SetTarget::OnHand, value, expected }],
    };
    // Ten stand there, three of them promised; the master has counted eight.
    shop.done(on_hand(8, 10));
    assert_eq!((shop.available("pen", "w1"), shop.count("pen", "w1", C::Locked)), (5, 3));
    // The same number again changes nothing.
    assert_eq!(*shop.done(on_hand(8, 8)).movements, []);
    // It may not take what is promised.
    shop.refused_with(Reason::QuantityNotHeld, on_hand(2, 8));
}

#[test]
fn pain_15_goods_ship_although_the_master_has_lowered_the_number_before() {
    let mut shop = pens(10);
    shop.done(lock_and_deduct("order", &[("pen", 4)]));
    shop.done(adjust(Adjustment::Decrease, "pen", "w1", 6));
    shop.done(Command::Ship(all("order")));
    assert_eq!(shop.count("pen", "w1", C::Shipped), 4);
}

#[test]
fn pain_16_one_shelf_behind_two_regions_sells_each_unit_once() {
    let mut shop = pens(3);
    let mut north = order("north", &[("pen", 2)]);
    north.demand.from = From::Warehouses(vec!["w1", "w2"]);
    let mut south = order("south", &[("pen", 2)]);
    south.demand.from = From::Warehouses(vec!["w3", "w1"]);
    shop.done(Command::Lock { order: north, hold: None });
    shop.refused_with(Reason::InsufficientStock, Command::Lock { order: south, hold: None });
}

#[test]
fn pain_18_a_return_goes_where_and_as_it_is_said() {
    let mut shop = pens(10);
    shop.done(lock_and_deduct("order", &[("pen", 6)]));
    shop.done(Command::Ship(all("order")));
    let line = |quantity, disposition| Returned { line: 1, quantity, disposition };
    let back = [line(2, Disposition::Sellable), line(1, Disposition::Defective), line(1, Disposition::Lost)];
    shop.done(returned("order", "w2", &back));
    // All four, each in its place, at the warehouse that took them.
    assert_eq!(shop.count("pen", "w2", C::Returned), 4);
    assert_eq!(shop.available("pen", "w2"), 2);
    assert_eq!(shop.count("pen", "w2", C::Defective), 1);
    assert_eq!(shop.count("pen", "w2", C::Lost), 1);
    assert_eq!(shop.available("pen", "w1"), 4);
}

#[test]
fn pain_18_returns_never_exceed_what_was_shipped() {
    let mut shop = pens(10);
    shop.done(lock_and_deduct("order", &[("pen", 3)]));
    shop.done(Command::Ship(parts("order", &[(1, 2)])));
    shop.done(Command::ExpectReturn(at("order", "w2", &[(1, 1)])));
    let two = [Returned { line: 1, quantity: 2, disposition: Disposition::Sellable }];
    // One is expected at w2, so only one more is out.
    shop.refused_with(Reason::ReturnExceedsShipped, returned("order", "w1", &two));
    shop.done(returned("order", "w2", &two));
    shop.refused_with(Reason::ReturnExceedsShipped, Command::ExpectReturn(at("order", "w1", &[(1, 1)])));
}

#[test]
fn pain_18_a_refund_before_the_parcel_leaves_is_a_cancel_not_a_return() {
    let mut shop = pens(10);
    shop.done(lock_and_deduct("order", &[("pen", 3)]));
    let one = [Returned { line: 1, quantity: 1, disposition: Disposition::Sellable }];
    shop.refused_with(Reason::ReturnExceedsShipped, returned("order", "w1", &one));
    shop.done(Command::Cancel(parts("order", &[(1, 1)])));
    assert_eq!(shop.available("pen", "w1"), 8);
}

#[test]
fn pain_19_the_journal_alone_tells_why_a_number_is_what_it_is() {
    let mut shop = pens(50);
    shop.done(lock_and_deduct("order", &[("pen", 2)]));
    shop.done(adjust(Adjustment::Decrease, "pen", "w1", 1));
    assert_eq!(shop.available("pen", "w1"), 47);
    let mut replayed = State::default();
    let mut why = Vec::new();
    for event in &shop.events {
        let mut bytes = Vec::new();
        event.encode(&mut bytes);
        let event = Event::decode(&bytes).unwrap();
        replayed.apply(&event).unwrap();
        why.extend(replayed.answer(&event).movements().map(|it| (it.kind, it.quantity)));
    }
    assert_eq!(why, [(Kind::OtherReceipt, 50), (Kind::LockAndDeduct, 2), (Kind::Decrease, 1)]);
    assert_eq!(replayed.hash(), shop.machine.state().hash());
}

#[test]
fn pain_22_a_number_that_has_moved_since_it_was_read_is_not_overwritten() {
    let mut shop = pens(10);
    shop.done(lock("order", &[("pen", 1)]));
    let set = |expected| Command::Set {
        lines: vec![SetLine {
            sku: "pen",
            warehouse: "w1",
            target: SetTarget::Available,
            value: 12,
            expected,
        }],
    };
    let stale =
        Refusal::StaleValue { sku: "pen".to_owned(), warehouse: "w1".to_owned(), expected: 10, current: 9 };
    assert_eq!(shop.refused(set(10)), stale);
    shop.done(set(9));
    assert_eq!((shop.available("pen", "w1"), shop.count("pen", "w1", C::Found)), (12, 3));
}

fn transfer(shop: &mut Shop, units: i64) {
    let lines = vec![SkuPart { sku: "pen", quantity: Some(units) }];
    shop.done(Command::DraftTransfer { transfer: "t", from: "w1", to: "w2", lines });
}

#[test]
fn pain_23_a_drafted_transfer_protects_its_units_at_the_source() {
    let mut shop = pens(5);
    transfer(&mut shop, 4);
    shop.refused_with(Reason::InsufficientStock, lock("order", &[("pen", 2)]));
    shop.done(Command::CancelTransfer { transfer: "t", lines: Vec::new() });
    shop.done(lock("order", &[("pen", 5)]));
}

#[test]
fn pain_23_a_short_receipt_of_a_transfer_is_explained_to_the_unit() {
    let mut shop = pens(10);
    transfer(&mut shop, 8);
    shop.done(Command::ShipTransfer { transfer: "t", lines: Vec::new() });
    assert_eq!((shop.available("pen", "w1"), shop.count("pen", "w2", C::InTransit)), (2, 8));
    let lines = vec![Arrival { sku: "pen", good: 4, defective: 1, missing: 0 }];
    shop.done(Command::ReceiveTransfer { transfer: "t", lines });
    let close = |lost| Command::CloseTransfer {
        transfer: "t",
        lines: vec![Rest { sku: "pen", restored: 1, damaged: 1, lost }],
    };
    shop.refused_with(Reason::TransferNotBalanced, close(0));
    shop.done(close(1));
    // Rejected units count once, at the place where they are.
    let count = |warehouse, counter| shop.count("pen", warehouse, counter);
    assert_eq!((count("w1", C::Available), count("w2", C::Available)), (3, 4));
    assert_eq!((count("w2", C::Defective), count("w2", C::Lost), count("w2", C::InTransit)), (2, 1, 0));
    let on_hand = 3 + 4 + 2;
    assert_eq!(on_hand + count("w2", C::Lost), 10);
    shop.refused_with(Reason::TransferClosed, close(1));
}

#[test]
fn pain_24_a_short_pick_nobody_can_replace_is_a_claim_that_comes_before_new_locks() {
    let mut shop = pens(4);
    shop.done(lock_and_deduct("first", &[("pen", 4)]));
    shop.done(Command::PushFulfilment(all("first")));
    shop.done(Command::ShortPick(at("first", "w1", &[(1, 3)])));
    assert_eq!((shop.claimed("pen"), shop.line("first", 1, L::Claimed)), (3, 3));
    shop.stock("pen", "w2", 4);
    // Four have come, three are claimed: one may be sold.
    shop.refused_with(Reason::InsufficientStock, lock("next", &[("pen", 2)]));
    shop.done(lock("next", &[("pen", 1)]));
    shop.refused_with(Reason::SurplusShort, adjust(Adjustment::Issue, "pen", "w2", 1));
}

#[test]
fn defect_a_loss_is_recorded_below_zero_and_said_aloud_never_clamped() {
    let mut shop = pens(5);
    shop.done(lock("order", &[("pen", 4)]));
    let answer = shop.done(adjust(Adjustment::RecordLoss, "pen", "w1", 3));
    assert_eq!(shop.available("pen", "w1"), -2);
    let kinds: Vec<&str> = answer.exceptions.iter().map(|exception| exception.kind.name()).collect();
    assert_eq!(kinds, ["OVERSOLD", "POOL_SHORT"]);
    // The books know of two good units; the order holds four.
    shop.done(Command::Deduct(all("order")));
    shop.refused_with(Reason::OnHandShort, Command::Ship(all("order")));
    shop.done(Command::Ship(parts("order", &[(1, 2)])));
}

#[test]
fn defect_lock_and_route_are_one_decision() {
    // A lock is never put where the plan would not ship from.
    let mut shop = pens(5);
    shop.stock("pen", "w3", 5);
    shop.put_warehouse("w1", WarehouseState::Paused);
    shop.done(lock("order", &[("pen", 2)]));
    assert_eq!(shop.held("order", 1, A::Locked), [("w3".to_owned(), 2)]);
    shop.done(Command::Deduct(all("order")));
    shop.done(Command::Ship(all("order")));
    assert_eq!(shop.count("pen", "w3", C::Shipped), 2);
}

#[test]
fn defect_a_paused_warehouse_ships_what_it_has_promised() {
    let mut shop = pens(5);
    shop.done(lock("order", &[("pen", 2)]));
    shop.put_warehouse("w1", WarehouseState::Paused);
    shop.refused_with(Reason::InsufficientStock, lock("next", &[("pen", 1)]));
    shop.done(Command::Deduct(all("order")));
    shop.done(Command::Ship(all("order")));
    assert_eq!(shop.count("pen", "w1", C::Shipped), 2);
}
