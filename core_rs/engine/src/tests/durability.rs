//! Acknowledged is durable.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use lockstock_stock::counters::Counter;
use lockstock_stock::event::Event;
use lockstock_stock::machine::Reply;
use lockstock_stock::refusal::Reason;
use lockstock_stock::state::State;
use parking_lot::Mutex;

use super::shop::{Shop, increase, lock, over_memory};

fn quiet(shop: Shop) -> Shop {
    // Nothing of the engine's own comes between the syncs that a test counts.
    shop.stocked(100)
}

#[test]
fn nobody_is_released_before_the_sync_is_through() {
    let dir = tempfile::tempdir().unwrap();
    let (shop, memory, _) = over_memory(dir.path(), |_| {});
    let shop = quiet(shop);
    let _held = memory.hold();
    let executed = shop.execute(lock("order", 1));
    assert!(matches!(executed.replies[0], Reply::Done(_)));
    memory.wait_begun(memory.begun().max(3));
    assert!(shop.engine.durable() < executed.seen, "applied, not durable");
    let released = AtomicBool::new(false);
    thread::scope(|scope| {
        let waiter = scope.spawn(|| {
            let result = shop.engine.wait_durable(executed.seen);
            assert!(released.load(Ordering::SeqCst), "released before the disk had it");
            result
        });
        released.store(true, Ordering::SeqCst);
        memory.release();
        waiter.join().unwrap().unwrap();
    });
    assert!(memory.durable() >= executed.seen);
}

#[test]
fn a_read_and_a_refusal_name_what_they_saw_although_it_is_not_durable() {
    let dir = tempfile::tempdir().unwrap();
    let (shop, memory, _) = over_memory(dir.path(), |_| {});
    let shop = quiet(shop);
    let _held = memory.hold();
    let all = shop.execute(lock("all", 100));
    let (available, seen) = shop.engine.read(|state, _| super::shop::book(state, Counter::Available));
    assert_eq!((available, seen), (0, all.seen));
    let refused = shop.execute(lock("more", 1));
    assert!(
        matches!(&refused.replies[0], Reply::Refused(refusal) if refusal.reason() == Reason::InsufficientStock)
    );
    assert_eq!(refused.seen, all.seen);
    assert!(shop.engine.durable() < all.seen);
    memory.release();
    shop.engine.wait_durable(refused.seen).unwrap();
}

#[test]
fn a_known_key_is_not_recalled_before_its_record_is_durable() {
    let dir = tempfile::tempdir().unwrap();
    let (shop, memory, _) = over_memory(dir.path(), |_| {});
    let shop = quiet(shop);
    let _held = memory.hold();
    let executed = shop.execute(lock("order", 1));
    let error = shop.engine.event(executed.seen).unwrap_err();
    assert!(matches!(error, crate::RecallError::NotDurable { .. }), "{error}");
    memory.release();
    shop.engine.wait_durable(executed.seen).unwrap();
}

#[test]
fn while_one_batch_is_synced_the_next_one_fills() {
    let dir = tempfile::tempdir().unwrap();
    let (shop, memory, _) = over_memory(dir.path(), |config| config.segment_bytes = 1 << 20);
    let shop = quiet(shop);
    let _held = memory.hold();
    let begun = memory.begun();
    shop.execute(lock("first", 1));
    memory.wait_begun(begun + 1);
    let mut last = 0;
    for at in 0..50 {
        last = shop.execute(lock(&format!("order-{at}"), 1)).seen;
    }
    let batches = memory.batches();
    memory.release();
    shop.engine.wait_durable(last).unwrap();
    assert_eq!(memory.batches(), batches + 2, "the one that was held, and all the others together");
}

#[test]
fn what_nobody_asks_the_journal_for_becomes_durable_when_others_have_called_for_a_while() {
    let dir = tempfile::tempdir().unwrap();
    // The sweeper, which would see to it too, stays away.
    let (shop, _memory, _) = over_memory(dir.path(), |config| config.sweep_interval_ms = 3_600_000);
    let shop = quiet(shop);
    let executed = shop.execute(lock("order", 1));
    let gives_up = Instant::now() + Duration::from_secs(60);
    while shop.engine.durable() < executed.seen {
        assert!(Instant::now() < gives_up, "the journal never began");
        shop.engine.read(|_, _| ());
    }
}

#[test]
fn acknowledged_under_load_is_found_in_the_log_and_hooks_run_once_a_batch() {
    let dir = tempfile::tempdir().unwrap();
    let (shop, memory, _) = over_memory(dir.path(), |_| {});
    let shop = quiet(shop);
    let told = Arc::new(Mutex::new(Vec::new()));
    let teller = Arc::clone(&told);
    let before = memory.durable();
    shop.engine.on_durable(Box::new(move |sequence| teller.lock().push(sequence)));
    thread::scope(|scope| {
        for thread in 0..4 {
            let (shop, memory) = (&shop, &memory);
            scope.spawn(move || {
                for turn in 0..200 {
                    let executed = shop.execute(lock(&format!("order-{thread}-{turn}"), 1));
                    shop.engine.wait_durable(executed.seen).unwrap();
                    assert!(memory.durable() >= executed.seen);
                }
            });
        }
    });
    shop.engine.close().unwrap();
    // The batch before may still have been telling when the hook came.
    told.lock().retain(|sequence| *sequence > before);
    let ends: Vec<_> = memory.ends().into_iter().filter(|last| *last > before).collect();
    assert_eq!(*told.lock(), ends);
    let mut replayed = State::default();
    for record in memory.records() {
        replayed.apply(&Event::decode(&record).unwrap()).unwrap();
    }
    assert_eq!((replayed.sequence(), replayed.hash()), shop.stands());
}

#[test]
fn who_would_only_wait_may_write_the_journal_itself_unless_the_disk_is_slow() {
    let dir = tempfile::tempdir().unwrap();
    let (shop, _memory, _) = over_memory(dir.path(), |_| {});
    let shop = quiet(shop);
    let writers = Arc::new(Mutex::new(Vec::new()));
    let writing = Arc::clone(&writers);
    shop.engine.on_durable(Box::new(move |_| writing.lock().push(thread::current().id())));
    let wrote = |most| {
        writers.lock().clear();
        for turn in 0..20 {
            let executed = shop.execute(lock(&format!("order-{most:?}-{turn}"), 1));
            shop.engine.journal_here(most);
            shop.engine.wait_durable(executed.seen).unwrap();
        }
        writers.lock().contains(&thread::current().id())
    };
    assert!(wrote(Duration::MAX));
    assert!(!wrote(Duration::ZERO), "every sync takes longer than that");
}

#[test]
fn after_a_failed_sync_nothing_more_is_acknowledged_and_everybody_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let (shop, memory, _) = over_memory(dir.path(), |_| {});
    let shop = quiet(shop);
    let (told, heard) = mpsc::channel();
    shop.engine.on_failure(Box::new(move |sentence| told.send(sentence.to_owned()).unwrap()));
    let _held = memory.hold();
    memory.fail_next();
    let durable = shop.engine.durable();
    let executed = shop.execute(lock("order", 1));
    thread::scope(|scope| {
        let waiters: Vec<_> =
            (0..4).map(|_| scope.spawn(|| shop.engine.wait_durable(executed.seen).unwrap_err())).collect();
        memory.release();
        for waiter in waiters {
            assert!(waiter.join().unwrap().to_string().contains("the sync failed"));
        }
    });
    assert!(heard.recv().unwrap().contains("nothing more is acknowledged"));
    assert_eq!(shop.engine.durable(), durable);
    assert_eq!(shop.reason(increase(1)), Reason::Draining);
    let (_, seen) = shop.engine.read(|state, _| state.sequence());
    assert!(shop.engine.wait_durable(seen).is_err(), "a read that saw the lost change is not let out either");
    let status = shop.engine.status();
    assert_eq!((status.state, status.ready), ("failed", false));
    assert!(status.failure.unwrap().contains("the sync failed"));
    assert!(shop.engine.close().is_err());
    assert!(heard.try_recv().is_err(), "told once");
}

#[test]
fn closing_makes_durable_what_is_in_flight_and_refuses_what_comes_after() {
    let dir = tempfile::tempdir().unwrap();
    let (shop, memory, _) = over_memory(dir.path(), |_| {});
    let shop = quiet(shop);
    let _held = memory.hold();
    let executed = shop.execute(lock("order", 1));
    shop.engine.drain();
    assert_eq!(shop.reason(increase(1)), Reason::Draining);
    assert_eq!(shop.engine.status().state, "draining");
    memory.release();
    shop.engine.close().unwrap();
    assert!(memory.durable() >= executed.seen);
    assert_eq!(shop.engine.durable(), memory.durable());
    shop.engine.close().unwrap();
}
