//! Under pressure what is promised already goes first.

use std::sync::atomic::Ordering;

use lockstock_stock::command::Command;
use lockstock_stock::counters::Counter;
use lockstock_stock::machine::Reply;
use lockstock_stock::refusal::Reason;

use super::shop::{HOLD, all_of, increase, lock, over_memory, request};

#[test]
fn at_seventy_percent_new_locks_are_refused_and_the_rest_goes_on_to_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let (shop, memory, _) = over_memory(dir.path(), |config| config.in_flight_records_max = 10);
    let shop = shop.stocked(100);
    let _held = memory.hold();
    for at in 0..7 {
        assert!(matches!(shop.reply(lock(&format!("order-{at}"), 1)), Reply::Done(_)), "{at}");
    }
    let refused = shop.execute(lock("late", 1));
    assert!(matches!(&refused.replies[0], Reply::Refused(refusal) if refusal.reason() == Reason::Overloaded));
    assert_eq!(refused.seen, 0, "refused at the door: it saw nothing and waits for nothing");
    assert!(matches!(shop.reply(Command::Deduct(all_of("order-0"))), Reply::Done(_)));
    assert!(matches!(shop.reply(Command::Unlock(all_of("order-1"))), Reply::Done(_)));
    assert!(matches!(shop.reply(increase(1)), Reply::Done(_)));
    assert_eq!(shop.reason(increase(1)), Reason::Overloaded, "at the bound everything is refused");
    memory.release();
    shop.engine.wait_durable(shop.stands().0).unwrap();
    shop.done(lock("again", 1));
}

#[test]
fn the_commands_of_one_batch_count_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let (shop, memory, _) = over_memory(dir.path(), |config| config.in_flight_records_max = 10);
    let shop = shop.stocked(100);
    let _held = memory.hold();
    let ids: Vec<String> = (0..9).map(|at| format!("order-{at}")).collect();
    let executed = shop.engine.execute(ids.iter().map(|id| request(shop.number(), lock(id, 1))).collect());
    let granted = executed.replies.iter().filter(|reply| matches!(reply, Reply::Done(_))).count();
    assert_eq!(granted, 7);
    assert_eq!(shop.engine.status().waiting, 0);
    memory.release();
}

#[test]
fn bytes_in_flight_are_bounded_too() {
    let dir = tempfile::tempdir().unwrap();
    let (shop, memory, _) = over_memory(dir.path(), |config| config.in_flight_bytes_max = 1_000);
    let shop = shop.stocked(1_000);
    let _held = memory.hold();
    let mut granted = 0;
    while let Reply::Done(_) = shop.reply(lock(&format!("order-{granted}"), 1)) {
        granted += 1;
    }
    assert!((1..100).contains(&granted), "{granted}");
    assert!(matches!(shop.reply(Command::Deduct(all_of("order-0"))), Reply::Done(_)));
    memory.release();
    shop.engine.wait_durable(shop.stands().0).unwrap();
    assert_eq!(shop.engine.status().in_flight_bytes, 0);
    shop.done(lock("again", 1));
}

#[test]
fn a_disk_that_fills_up_refuses_new_locks_early_and_lets_unlock_deduct_and_expiry_through() {
    let dir = tempfile::tempdir().unwrap();
    let (shop, _, free) = over_memory(dir.path(), |config| config.disk_floor_bytes = 1_000);
    let shop = shop.stocked(10);
    for id in ["paid", "given-back", "forgotten"] {
        shop.done(lock(id, 1));
    }
    free.store(999, Ordering::SeqCst);
    shop.engine.owner.shared.sample_disk();
    assert_eq!(shop.reason(lock("new", 1)), Reason::DiskLow);
    assert_eq!(shop.engine.status().disk_free_bytes, 999);
    shop.done(Command::Deduct(all_of("paid")));
    shop.done(Command::Unlock(all_of("given-back")));
    shop.clock.advance(HOLD);
    assert_eq!(shop.count(Counter::Locked), 0, "the forgotten one has expired");
    free.store(1_000, Ordering::SeqCst);
    shop.engine.owner.shared.sample_disk();
    shop.done(lock("new", 1));
}

#[test]
fn a_freeze_refuses_every_change_also_expiry_and_reads_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let (shop, _, _) = over_memory(dir.path(), |_| {});
    let shop = shop.stocked(10);
    shop.done(lock("order", 1));
    shop.engine.freeze();
    let stands = shop.stands();
    shop.clock.advance(HOLD);
    assert_eq!(shop.reason(Command::Deduct(all_of("order"))), Reason::Frozen);
    assert_eq!(shop.engine.status().state, "frozen");
    assert_eq!(shop.stands(), stands);
    shop.engine.thaw();
    assert_eq!(shop.count(Counter::Locked), 0, "thawed, it expires");
    assert_eq!(shop.engine.status().state, "ready");
}

#[test]
fn a_retry_is_told_what_came_of_it_also_while_new_commands_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (shop, _, free) = over_memory(dir.path(), |config| config.disk_floor_bytes = 1_000);
    let shop = shop.stocked(10);
    let number = shop.number();
    let first = shop.engine.execute(vec![request(number, lock("order", 1))]);
    assert!(matches!(first.replies[0], Reply::Done(_)));
    let again = || shop.engine.execute(vec![request(number, lock("order", 1))]).replies.remove(0);
    let stands = shop.stands();
    free.store(999, Ordering::SeqCst);
    shop.engine.owner.shared.sample_disk();
    assert!(matches!(again(), Reply::Known { same: true, .. }));
    assert_eq!(shop.reason(lock("new", 1)), Reason::DiskLow);
    shop.engine.freeze();
    assert!(matches!(again(), Reply::Known { same: true, .. }));
    assert_eq!(shop.reason(increase(1)), Reason::Frozen);
    assert_eq!(shop.stands(), stands);
    assert_eq!(shop.engine.status().waiting, 0);
}

#[test]
fn what_happened_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let (shop, _, _) = over_memory(dir.path(), |_| {});
    let shop = shop.stocked(1);
    shop.done(lock("order", 1));
    shop.refused(lock("more", 1));
    let metrics = serde_json::to_value(shop.engine.metrics()).unwrap();
    let samples = |name: &str| {
        let family = metrics.as_array().unwrap().iter().find(|family| family[0] == name).unwrap();
        family[3].clone()
    };
    let locks = serde_json::json!([{ "operation": "LOCK", "outcome": "DONE" }, 1.0]);
    assert!(samples("lockstock_operations_total").as_array().unwrap().contains(&locks));
    assert_eq!(
        samples("lockstock_refusals_total")[0],
        serde_json::json!([{ "reason": "INSUFFICIENT_STOCK" }, 1.0])
    );
    assert_eq!(samples("lockstock_open_locks")[0][1], 1.0);
    assert!(samples("lockstock_sync_seconds")[0][1]["count"].as_u64().unwrap() >= 3);
}

#[test]
fn after_a_violated_invariant_commands_go_on_and_readiness_is_off() {
    let dir = tempfile::tempdir().unwrap();
    let (shop, _, _) = over_memory(dir.path(), |_| {});
    let shop = shop.stocked(10);
    let (told, heard) = std::sync::mpsc::channel();
    shop.engine.on_failure(Box::new(move |sentence| told.send(sentence.to_owned()).unwrap()));
    assert!(shop.engine.status().ready);
    shop.engine.owner.shared.health.violated("available goes below zero only by a recorded loss");
    let status = shop.engine.status();
    assert_eq!((status.state, status.ready), ("failed", false));
    assert!(status.failure.unwrap().contains("below zero"));
    shop.done(lock("order", 1));
    assert!(shop.engine.failed().is_none());
    shop.engine.close().unwrap();
    assert!(heard.try_recv().is_err(), "nothing is lost: nobody is told to stop");
}
