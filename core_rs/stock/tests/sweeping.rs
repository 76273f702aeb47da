//! Hundreds and thousands of locks that are due and not yet swept: no command may see them as locks.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests may be blunt")]

mod shop;

use lockstock_stock::command::{Adjustment, Command, SetLine, SetTarget, WarehouseState};
use lockstock_stock::counters::{AllocationCounter, Counter, LineCounter};
use lockstock_stock::event::{Operation, Outcome};
use lockstock_stock::limits::SWEEP_PER_COMMAND;
use lockstock_stock::machine::Reply;
use lockstock_stock::refusal::{Reason, Refusal};
use shop::{MINUTE, SECOND, Shop, adjust, all, at, lock, lock_and_deduct, lock_for, order, parts};

/// More than any command sweeps on its own account.
const MANY: usize = 700;

/// Units of a SKU in `w1`, each in a lock of its own that ends in a second.
fn lock_one_by_one(shop: &mut Shop, sku: &'static str, count: usize) {
    shop.stock(sku, "w1", i64::try_from(count).unwrap());
    for n in 0..count {
        let id: &'static str = String::leak(format!("due-{n}"));
        let mut request = shop.request(lock_for(id, &[(sku, 1)], SECOND));
        let mut events = Vec::new();
        // Not Shop::send, which checks the whole state each time.
        let reply = shop.machine.step(&mut request, shop.now, &mut events);
        assert!(matches!(reply, Reply::Done(_)), "{reply:?}");
    }
    assert_eq!(shop.count(sku, "w1", Counter::Locked), i64::try_from(count).unwrap());
}

/// All of `pen` in `w1` stands in locks that are due; nothing of it is swept.
fn shop_with_due_locks(count: usize) -> Shop {
    let mut shop = Shop::open(&["pen", "cup"], &["w1", "w2"]);
    lock_one_by_one(&mut shop, "pen", count);
    shop.now += MINUTE;
    shop
}

#[test]
fn an_expired_lock_never_makes_a_false_sold_out() {
    let mut shop = shop_with_due_locks(MANY);
    shop.done(lock("all", &[("pen", 700)]));
    assert_eq!(shop.available("pen", "w1"), 0);
}

#[test]
fn a_lock_that_ends_this_very_moment_makes_no_false_sold_out_and_one_that_ends_a_microsecond_later_stands() {
    let mut shop = Shop::open(&["pen"], &["w1"]);
    lock_one_by_one(&mut shop, "pen", 1);
    shop.now += SECOND - 1;
    shop.refused(lock("early", &[("pen", 1)]));
    shop.now += 1;
    shop.done(lock("due", &[("pen", 1)]));
}

#[test]
fn an_expired_lock_never_makes_a_partial_grant() {
    let mut shop = shop_with_due_locks(MANY);
    let mut wide = order("all", &[("pen", 700)]);
    wide.demand.allow_partial = true;
    let answer = shop.done(Command::Lock { order: wide, hold: None });
    assert_eq!((answer.outcome, answer.refused), (Outcome::Done, Vec::new()));
}

#[test]
fn an_expired_lock_never_makes_a_parcel_too_many() {
    let mut shop = shop_with_due_locks(MANY);
    shop.stock("pen", "w2", 500);
    let mut one = order("one", &[("pen", 650)]);
    one.demand.max_parcels = 1;
    shop.done(Command::LockAndDeduct { order: one });
    assert_eq!(shop.held("one", 1, AllocationCounter::Allocated), [("w1".to_owned(), 650)]);
}

#[test]
fn a_late_payment_finds_units_of_locks_that_are_due() {
    let mut shop = Shop::open(&["pen"], &["w1"]);
    shop.stock("pen", "w1", 1);
    shop.done(lock_for("late", &[("pen", 1)], SECOND));
    shop.now += MINUTE;
    shop.stock("pen", "w1", 1);
    shop.done(lock_for("next", &[("pen", 2)], SECOND));
    shop.now += MINUTE;
    assert_eq!(shop.done(Command::Deduct(all("late"))).outcome, Outcome::Relocked);
}

#[test]
fn units_of_due_locks_can_be_taken_beside_orders() {
    for adjustment in [Adjustment::Decrease, Adjustment::Issue, Adjustment::MarkDefective] {
        let mut shop = shop_with_due_locks(MANY);
        shop.done(adjust(adjustment, "pen", "w1", 700));
        assert_eq!(shop.available("pen", "w1"), 0);
    }
}

#[test]
fn a_loss_that_units_of_due_locks_cover_is_no_oversale() {
    let mut shop = shop_with_due_locks(MANY);
    let answer = shop.done(adjust(Adjustment::RecordLoss, "pen", "w1", 700));
    assert_eq!(answer.exceptions, []);
    assert_eq!(shop.available("pen", "w1"), 0);
}

#[test]
fn a_set_compares_with_a_number_that_has_no_expired_locks_in_it() {
    let set = |value, expected| Command::Set {
        lines: vec![SetLine { sku: "pen", warehouse: "w1", target: SetTarget::Available, value, expected }],
    };
    let mut shop = shop_with_due_locks(MANY);
    let refusal = shop.refused(set(5, 0));
    assert!(matches!(refusal, Refusal::StaleValue { current: 700, .. }), "{refusal}");
    let mut shop = shop_with_due_locks(MANY);
    shop.done(set(5, 700));
    assert_eq!(shop.available("pen", "w1"), 5);
}

#[test]
fn a_short_pick_is_replaced_by_units_of_due_locks() {
    let mut shop = shop_with_due_locks(MANY);
    shop.stock("pen", "w2", 3);
    let mut from_w2 = order("picked", &[("pen", 3)]);
    from_w2.demand.from = lockstock_stock::command::From::Warehouses(vec!["w2", "w1"]);
    shop.done(Command::LockAndDeduct { order: from_w2 });
    shop.done(Command::PushFulfilment(all("picked")));
    let answer = shop.done(Command::ShortPick(at("picked", "w2", &[(1, 3)])));
    assert_eq!(answer.exceptions, []);
    assert_eq!(shop.line("picked", 1, LineCounter::Claimed), 0);
}

#[test]
fn a_short_pick_repairs_no_loss_that_due_locks_have_made_good() {
    let mut shop = Shop::open(&["pen", "cup"], &["w1", "w2"]);
    shop.stock("pen", "w1", 10);
    shop.stock("pen", "w2", 5);
    shop.done(lock_and_deduct("picked", &[("pen", 4)]));
    shop.done(Command::PushFulfilment(all("picked")));
    shop.done(lock_for("lapses", &[("pen", 6)], 2 * SECOND));
    shop.done(adjust(Adjustment::RecordLoss, "pen", "w1", 2));
    assert_eq!(shop.available("pen", "w1"), -2);
    lock_one_by_one(&mut shop, "cup", MANY);
    shop.now += MINUTE;
    // The lock has lapsed, last of all: `available` is 4 and nothing is to be repaired.
    shop.done(Command::ShortPick(at("picked", "w1", &[(1, 1)])));
    assert_eq!(shop.count("pen", "w1", Counter::Lost), 3);
}

#[test]
fn a_pause_raises_nothing_where_due_locks_cover_the_claims() {
    let mut shop = Shop::open(&["pen"], &["w1", "w2"]);
    lock_one_by_one(&mut shop, "pen", MANY);
    shop.stock("pen", "w2", 100);
    shop.done(lock_and_deduct("picked", &[("pen", 100)]));
    shop.done(Command::PushFulfilment(all("picked")));
    shop.done(Command::ShortPick(at("picked", "w2", &[(1, 100)])));
    shop.stock("pen", "w2", 150);
    assert_eq!((shop.claimed("pen"), shop.free("pen")), (100, 50));
    shop.now += MINUTE;
    let answer = shop.put_warehouse("w2", WarehouseState::Paused);
    assert_eq!(answer.exceptions, []);
}

#[test]
fn a_command_on_an_expired_lock_finds_it_expired_before_any_sweep() {
    let mut shop = shop_with_due_locks(MANY);
    shop.refused_with(Reason::LockExpired, Command::Unlock(parts("due-699", &[(1, 1)])));
    shop.refused_with(Reason::LockExpired, Command::Extend { reservation: "due-698", hold: MINUTE });
}

#[test]
fn beyond_its_bound_a_command_is_told_to_come_again_and_what_was_swept_stays_swept() {
    let count = SWEEP_PER_COMMAND + 500;
    let mut shop = shop_with_due_locks(count);
    let all_of_them = i64::try_from(count).unwrap();
    let refusal = shop.refused(lock("all", &[("pen", all_of_them)]));
    assert_eq!(refusal, Refusal::SweepBehind { swept: SWEEP_PER_COMMAND });
    assert_eq!(shop.available("pen", "w1"), i64::try_from(SWEEP_PER_COMMAND).unwrap());
    assert!(shop.events.iter().filter(|event| event.operation == Operation::Sweep).count() > 1);
    shop.done(lock("all", &[("pen", all_of_them)]));
}

#[test]
fn a_sweep_expires_at_most_its_limit_in_one_event() {
    let mut shop = shop_with_due_locks(10);
    for (limit, swept) in [(4, 4), (4, 4), (4, 2), (4, 0)] {
        let mut events = Vec::new();
        assert_eq!(shop.machine.sweep(shop.now, limit, &mut events).unwrap(), swept);
        assert_eq!(events.len(), usize::from(swept > 0));
    }
    assert_eq!(shop.available("pen", "w1"), 10);
}
