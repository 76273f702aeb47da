//! Steps of the system's clock do not move the engine's time.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use lockstock_journal::disk::RealDisk;
use lockstock_stock::ids::Micros;

use super::shop::{HOLD, SECOND, Shop, T0, config, lock, open};
use crate::clock::{Clock, SlewedClock, Source};
use crate::recovery::open_with;

#[derive(Clone)]
struct Machine {
    wall: Arc<AtomicI64>,
    monotonic: Arc<AtomicI64>,
}

impl Machine {
    fn pass(&self, wall: Micros, monotonic: Micros) {
        self.wall.fetch_add(wall, Ordering::SeqCst);
        self.monotonic.fetch_add(monotonic, Ordering::SeqCst);
    }
}

impl Source for Machine {
    fn wall(&self) -> Micros {
        self.wall.load(Ordering::SeqCst)
    }

    fn monotonic(&self) -> Micros {
        self.monotonic.load(Ordering::SeqCst)
    }
}

#[test]
fn a_clock_set_back_while_selling_neither_moves_time_back_nor_stops_locks_from_expiring() {
    let dir = tempfile::tempdir().unwrap();
    let machine = Machine { wall: Arc::new(AtomicI64::new(T0)), monotonic: Arc::new(AtomicI64::new(0)) };
    let source = machine.clone();
    let (engine, _) = open_with(config(dir.path()), Arc::new(RealDisk), move |state| {
        Box::new(SlewedClock::new(source, state.clock())) as Box<dyn Clock>
    })
    .unwrap();
    let shop = Shop::of(engine).stocked(10);
    let first = shop.done(lock("order", 1));
    machine.pass(-3_600 * SECOND, SECOND);
    let second = shop.done(lock("other", 1));
    assert_eq!(second.at, first.at + SECOND);
    assert_eq!(shop.engine.status().clock_steps, 1);
    machine.pass(HOLD, HOLD);
    let locked = shop.engine.read(|state, _| state.deadlines().count()).0;
    assert_eq!(locked, 0, "both have expired by the time that passed");
}

#[test]
fn after_a_restart_under_an_earlier_wall_time_goes_on_from_the_last_stamp() {
    let dir = tempfile::tempdir().unwrap();
    let shop = open(dir.path()).0.stocked(10);
    shop.clock.advance(3_600 * SECOND);
    let before = shop.done(lock("order", 1));
    shop.engine.close().unwrap();
    drop(shop);
    // The clock of this shop stands at T0 again, an hour before the last stamp.
    let (shop, _) = open(dir.path());
    let after = shop.done(lock("other", 1));
    assert_eq!(after.at, before.at);
    shop.engine.read(|state, now| assert_eq!(now, state.clock()));
}
