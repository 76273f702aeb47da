//! The bounds of numbers: what would pass them is refused whole, and nothing wraps.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests may be blunt")]

mod shop;

use lockstock_stock::command::{Adjustment, Arrival, Command, SkuPart, StockLine};
use lockstock_stock::counters::Counter;
use lockstock_stock::limits::{COUNTER_MAX, QUANTITY_MAX};
use lockstock_stock::refusal::{Reason, Refusal};
use shop::{Shop, adjust, lock};

/// A shelf as full as a counter can be.
fn full_shop() -> Shop {
    let mut shop = Shop::open(&["pen"], &["w1", "w2"]);
    for _ in 0..COUNTER_MAX / QUANTITY_MAX {
        shop.stock("pen", "w1", QUANTITY_MAX);
    }
    assert_eq!(shop.available("pen", "w1"), COUNTER_MAX);
    shop
}

#[test]
fn no_counter_passes_its_bound_by_any_way_in() {
    let mut shop = full_shop();
    let overflow = Refusal::CounterOverflow { sku: "pen".to_owned(), warehouse: "w1".to_owned() };
    for adjustment in [Adjustment::Increase, Adjustment::OtherReceipt] {
        assert_eq!(shop.refused(adjust(adjustment, "pen", "w1", 1)), overflow);
    }
    let request = Command::Receive {
        receipt: "note",
        warehouse: "w1",
        lines: vec![Arrival { sku: "pen", good: 0, defective: 1, missing: 0 }],
    };
    let mut request = shop.request(request);
    request.reason = "found in the yard";
    let reply = shop.send(request);
    assert_eq!(reply, lockstock_stock::machine::Reply::Refused(overflow));
    // Another warehouse has room.
    shop.stock("pen", "w2", 1);
}

#[test]
fn a_lifetime_total_at_its_bound_refuses_even_where_the_shelf_is_empty() {
    let mut shop = full_shop();
    for _ in 0..COUNTER_MAX / QUANTITY_MAX {
        shop.done(adjust(Adjustment::Issue, "pen", "w1", QUANTITY_MAX));
    }
    assert_eq!(shop.available("pen", "w1"), 0);
    shop.refused_with(Reason::CounterOverflow, adjust(Adjustment::OtherReceipt, "pen", "w1", 1));
    // By count, the same units go to another total.
    shop.done(adjust(Adjustment::Increase, "pen", "w1", 1));
}

#[test]
fn goods_on_their_way_are_bounded_too() {
    let mut shop = Shop::open(&["pen"], &["w1"]);
    let expect = Command::ExpectReceipt {
        receipt: "note",
        warehouse: "w1",
        expected_at: 0,
        lines: vec![SkuPart { sku: "pen", quantity: Some(QUANTITY_MAX) }],
    };
    for _ in 0..COUNTER_MAX / QUANTITY_MAX {
        shop.done(expect.clone());
    }
    shop.refused_with(Reason::CounterOverflow, expect);
    assert_eq!(shop.count("pen", "w1", Counter::InTransit), COUNTER_MAX);
}

#[test]
fn the_lines_of_one_sku_add_up_to_at_most_the_bound_of_one() {
    let mut shop = full_shop();
    shop.refused_with(Reason::QuantityOutOfRange, lock("two", &[("pen", QUANTITY_MAX), ("pen", 1)]));
    shop.done(lock("one", &[("pen", QUANTITY_MAX - 1), ("pen", 1)]));
    let line = StockLine { sku: "pen", warehouse: "w1", quantity: QUANTITY_MAX };
    let lines = vec![line; 2];
    shop.refused_with(Reason::QuantityOutOfRange, Command::Adjust { adjustment: Adjustment::Issue, lines });
}

#[test]
fn two_thousand_of_the_largest_lines_do_not_overflow_their_sum() {
    let mut shop = full_shop();
    let lines = vec![("pen", QUANTITY_MAX); 2_000];
    shop.refused_with(Reason::QuantityOutOfRange, lock("huge", &lines));
}
