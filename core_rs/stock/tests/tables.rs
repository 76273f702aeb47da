//! Tables of commands and what comes of them, one line a command: `tables/*.txt`.
//!
//! How a table is written stands at the head of `tables/words.rs`.

#[path = "tables/expect.rs"]
mod expect;
#[path = "tables/shop.rs"]
mod shop;
#[path = "tables/words.rs"]
mod words;

use std::collections::BTreeSet;

use lockstock_stock::event::Operation;
use lockstock_stock::refusal::Reason;

use shop::{Met, Shop};

macro_rules! tables {
    ($($name:ident),* $(,)?) => {
        const TABLES: &[(&str, &str)] =
            &[$((stringify!($name), include_str!(concat!("tables/", stringify!($name), ".txt")))),*];

        $(
            #[test]
            fn $name() {
                run(stringify!($name), include_str!(concat!("tables/", stringify!($name), ".txt")));
            }
        )*
    };
}

tables! {
    golden_table_of_the_contract,
    golden_table_over_eight_warehouses,
    refund_before_the_push,
    locks_and_routes,
    split_orders,
    deadlines,
    paid_units,
    fulfilment,
    short_picks,
    moves,
    returns,
    exchanges,
    orders,
    amendments,
    adjustments,
    sets,
    receipts,
    transfers,
    documents,
    request_ids,
    bounds,
}

/// Runs the scenes of a table; each begins with `scene` and a shop of its own.
fn run(table: &str, text: &str) -> Met {
    let mut met = Met::default();
    let mut shop = Shop::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        if line.starts_with("scene ") {
            shop.end();
            met.add(std::mem::replace(&mut shop, Shop::new()).met);
            continue;
        }
        let fits = shop.line(line);
        assert_eq!(fits, Ok(()), "{table}.txt:{number}: {line}");
    }
    shop.end();
    met.add(shop.met);
    met
}

/// What a table cannot meet: form, and what belongs to the doors, the catalogue or the engine.
const ELSEWHERE: &[Reason] = &[
    Reason::MalformedMessage,
    Reason::IdInvalid,
    Reason::TextTooLong,
    Reason::EnumUnknown,
    Reason::TooManyLines,
    Reason::TooManyCommands,
    Reason::RequestIdInvalid,
    Reason::PageTokenInvalid,
    Reason::FieldMaskInvalid,
    Reason::NumberOutOfRange,
    Reason::RequestIdReused,
    Reason::ReferenceInvalid,
    Reason::SweepBehind,
    Reason::Overloaded,
    Reason::DiskLow,
    Reason::MessageTooLarge,
    Reason::Draining,
    Reason::Frozen,
    Reason::PermissionDenied,
    Reason::MethodUnknown,
    Reason::OrderState,
    Reason::PickupNotOffered,
    Reason::DatabaseAway,
    Reason::InvariantViolated,
];

#[test]
fn the_tables_meet_every_operation_and_every_refusal_of_the_state_machine() {
    let mut met = Met::default();
    for (table, text) in TABLES {
        met.add(run(table, text));
    }
    let operations: Vec<&str> = Operation::ALL
        .iter()
        .filter(|it| **it != Operation::Checkpoint && !met.operations.contains(it))
        .map(|it| it.name())
        .collect();
    assert!(operations.is_empty(), "no table meets {operations:?}");
    let missing: BTreeSet<&str> = Reason::ALL
        .iter()
        .filter(|reason| !met.reasons.contains(reason) && !ELSEWHERE.contains(reason))
        .map(|reason| reason.name())
        .collect();
    assert!(missing.is_empty(), "no table meets {missing:?}");
    let both: Vec<&str> =
        ELSEWHERE.iter().filter(|reason| met.reasons.contains(reason)).map(|reason| reason.name()).collect();
    assert!(both.is_empty(), "met after all: {both:?}");
}
