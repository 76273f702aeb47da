//! Many at once want the same.

use std::thread;

use lockstock_stock::command::Command;
use lockstock_stock::counters::Counter;
use lockstock_stock::machine::Reply;
use lockstock_stock::refusal::Reason;
use lockstock_stock::state::State;

use super::shop::{HOLD, SECOND, all_of, increase, lock, open, over_memory, request};

#[test]
fn threads_that_fight_for_a_hot_sku_are_sold_exactly_the_stock() {
    const BUYERS: usize = 8;
    const EACH: usize = 150;
    let dir = tempfile::tempdir().unwrap();
    let shop = open(dir.path()).0.stocked(500);
    let sold: usize = thread::scope(|scope| {
        let buyers: Vec<_> = (0..BUYERS)
            .map(|buyer| {
                let shop = &shop;
                scope.spawn(move || {
                    let mut got = 0;
                    for turn in 0..EACH {
                        match shop.reply(lock(&format!("order-{buyer}-{turn}"), 1)) {
                            Reply::Done(_) => got += 1,
                            Reply::Refused(refusal) => {
                                assert_eq!(refusal.reason(), Reason::InsufficientStock);
                            }
                            known @ Reply::Known { .. } => panic!("{known:?}"),
                        }
                    }
                    got
                })
            })
            .collect();
        buyers.into_iter().map(|buyer| buyer.join().unwrap()).sum()
    });
    assert_eq!(sold, 500);
    assert_eq!(shop.count(Counter::Available), 0);
    assert_eq!(shop.count(Counter::Locked), 500);
    shop.engine.read(|state, _| state.check().unwrap());
}

#[test]
fn threads_that_send_the_same_key_at_once_have_one_effect_and_one_answer() {
    let dir = tempfile::tempdir().unwrap();
    let shop = open(dir.path()).0.stocked(100);
    let number = shop.number();
    let answers: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    let request = request(number, lock("order", 3));
                    let fingerprint = request.fingerprint.clone();
                    let mut executed = shop.engine.execute(vec![request]);
                    shop.engine.wait_durable(executed.seen).unwrap();
                    match executed.replies.remove(0) {
                        Reply::Done(answer) => answer,
                        Reply::Known { sequence, same } => {
                            assert!(same);
                            shop.engine.recall(sequence, &fingerprint, |answer| answer.kept()).unwrap()
                        }
                        Reply::Refused(refusal) => panic!("{refusal}"),
                    }
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]));
    assert_eq!(shop.count(Counter::Locked), 3);
}

#[test]
fn a_batch_longer_than_a_hold_is_answered_in_order_each_command_its_own_step() {
    let dir = tempfile::tempdir().unwrap();
    let shop = open(dir.path()).0.stocked(1_000);
    let ids: Vec<String> = (0..2_000).map(|at| format!("order-{at}")).collect();
    let requests = ids.iter().map(|id| request(shop.number(), lock(id, 1))).collect();
    let executed = shop.engine.execute(requests);
    assert_eq!(executed.replies.len(), 2_000);
    for (at, reply) in executed.replies.iter().enumerate() {
        match reply {
            Reply::Done(answer) => assert_eq!(answer.owner.as_deref(), Some(ids[at].as_str())),
            Reply::Refused(refusal) => {
                assert!(at >= 1_000);
                assert_eq!(refusal.reason(), Reason::InsufficientStock);
            }
            known @ Reply::Known { .. } => panic!("{known:?}"),
        }
    }
    let newest = executed.replies.iter().filter_map(|reply| match reply {
        Reply::Done(answer) => Some(answer.sequence),
        _ => None,
    });
    assert!(executed.seen >= newest.max().unwrap());
}

#[test]
fn commands_that_run_in_one_hold_are_told_what_they_are_told_one_by_one() {
    let extend = |hold| Command::Extend { reservation: "one", hold };
    let commands = || {
        vec![
            (1, lock("one", 3)),
            (2, extend(2 * HOLD)),
            (3, lock("too-many", 8)),
            (1, lock("one", 3)),
            (4, extend(3 * HOLD)),
            (5, Command::Deduct(all_of("one"))),
            (6, lock("two", 7)),
            (7, Command::Unlock(all_of("one"))),
        ]
    };
    let told = |together: bool| {
        let dir = tempfile::tempdir().unwrap();
        let shop = open(dir.path()).0.stocked(10);
        let asked = commands().into_iter().map(|(number, command)| request(1_000 + number, command));
        if together {
            shop.engine.execute(asked.collect()).replies
        } else {
            asked.flat_map(|asked| shop.engine.execute(vec![asked]).replies).collect()
        }
    };
    let replies = told(true);
    assert_eq!(replies, told(false));
    let done = replies.iter().filter(|reply| matches!(reply, Reply::Done(_))).count();
    assert_eq!((replies.len(), done), (8, 5), "one repeats, two are refused: {replies:?}");
}

#[test]
fn expired_locks_are_sold_again_while_sweeper_and_buyers_race() {
    let dir = tempfile::tempdir().unwrap();
    let shop = open(dir.path()).0.stocked(400);
    for round in 0..5 {
        let sold: usize = thread::scope(|scope| {
            let buyers: Vec<_> = (0..4)
                .map(|buyer| {
                    let shop = &shop;
                    scope.spawn(move || {
                        let ids = (0..150).map(|turn| format!("order-{round}-{buyer}-{turn}"));
                        ids.filter(|id| matches!(shop.reply(lock(id, 1)), Reply::Done(_))).count()
                    })
                })
                .collect();
            buyers.into_iter().map(|buyer| buyer.join().unwrap()).sum()
        });
        assert_eq!(sold, 400, "round {round}: never a false sold-out, never one too many");
        shop.clock.advance(HOLD);
    }
    assert_eq!(shop.count(Counter::Available), 400, "a read sees no lock that has expired");
    shop.engine.read(|state, _| state.check().unwrap());
}

#[test]
fn the_sweeper_gives_units_back_although_nobody_calls() {
    let dir = tempfile::tempdir().unwrap();
    let shop = open(dir.path()).0.stocked(2_000);
    let ids: Vec<String> = (0..2_000).map(|at| format!("order-{at}")).collect();
    let requests = ids.iter().map(|id| request(shop.number(), lock(id, 1))).collect();
    shop.engine.execute(requests);
    let (told, heard) = std::sync::mpsc::channel();
    shop.engine.on_durable(Box::new(move |sequence| {
        // The receiver is gone once the test has what it waits for.
        let _gone = told.send(sequence);
    }));
    shop.clock.advance(HOLD + SECOND);
    // Status reads without sweeping: only the sweeper can have done it.
    while shop.engine.status().open_locks > 0 {
        heard.recv().unwrap();
    }
    assert_eq!(shop.engine.read(|state, _| super::shop::book(state, Counter::Available)).0, 2_000);
}

#[test]
fn units_move_through_their_whole_life() {
    let dir = tempfile::tempdir().unwrap();
    let shop = open(dir.path()).0.stocked(30);
    shop.done(lock("order", 10));
    shop.done(Command::Deduct(all_of("order")));
    shop.done(Command::Ship(all_of("order")));
    shop.done(increase(5));
    assert_eq!(shop.count(Counter::Available), 25);
    assert_eq!(shop.count(Counter::Shipped), 10);
}

#[test]
fn who_gives_way_to_buyers_has_a_thread_look_that_does_not_and_looks_itself_where_there_is_none() {
    let dir = tempfile::tempdir().unwrap();
    let (shop, ..) = over_memory(dir.path(), |_| {});
    let look = |state: &State| (state.sequence(), std::thread::current().name().map(str::to_owned));
    let ((), sequence) = shop.engine.read(|_, _| {});
    assert_eq!(shop.engine.read_aside(look), (sequence, Some("clerk".to_owned())));
    shop.engine.close().unwrap();
    let here = std::thread::current().name().map(str::to_owned);
    assert_eq!(shop.engine.read_aside(look), (shop.engine.durable(), here));
}
