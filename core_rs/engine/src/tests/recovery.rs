//! Closed and opened again, it is the same.

use lockstock_stock::command::Command;
use lockstock_stock::counters::Counter;
use lockstock_stock::event::Fingerprint;
use lockstock_stock::machine::Reply;
use lockstock_stock::refusal::Reason;

use super::shop::{HOLD, all_of, config, increase, lock, open, request, try_open};
use crate::config::Layout;
use crate::offline::Offline;
use crate::recall::RecallError;
use crate::recovery::OpenError;
use crate::status::hash_text;

#[test]
fn a_closed_engine_opened_again_has_the_same_state_and_clock_and_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let shop = open(dir.path()).0.stocked(10);
    shop.done(lock("order", 4));
    shop.clock.advance(5);
    shop.done(Command::Deduct(all_of("order")));
    let stands = shop.stands();
    let id = shop.engine.journal_id();
    shop.engine.close().unwrap();
    drop(shop);
    let (shop, recovery) = open(dir.path());
    assert_eq!(shop.stands(), stands);
    assert_eq!((recovery.sequence, recovery.replayed), (stands.0, stands.0));
    assert_eq!((recovery.snapshot_sequence, recovery.torn_bytes), (0, 0));
    assert_eq!(shop.engine.durable(), stands.0);
    assert_eq!(shop.engine.journal_id(), id);
    assert!(shop.engine.now() > super::shop::T0, "time does not go below the last journalled stamp");
    shop.done(Command::Ship(all_of("order")));
    assert_eq!(shop.count(Counter::Shipped), 4);
}

#[test]
fn a_straight_replay_has_the_hash_of_the_engine() {
    let dir = tempfile::tempdir().unwrap();
    let shop = open(dir.path()).0.stocked(10);
    for at in 0..20 {
        shop.reply(lock(&format!("order-{at}"), 1));
    }
    let (sequence, hash) = shop.stands();
    shop.engine.wait_durable(sequence).unwrap();
    // Beside the running engine, up to what is durable.
    let replayed = Offline::open(dir.path(), Some(sequence)).unwrap();
    assert_eq!(replayed.summary().state_hash, hash_text(hash));
    assert_eq!(replayed.summary().state_hash, shop.engine.status().state_hash);
}

#[test]
fn a_retry_after_a_restart_gets_the_identical_answer() {
    let dir = tempfile::tempdir().unwrap();
    let shop = open(dir.path()).0.stocked(10);
    let number = shop.number();
    let first = shop.engine.execute(vec![request(number, lock("order", 3))]);
    shop.engine.wait_durable(first.seen).unwrap();
    let Reply::Done(first) = &first.replies[0] else { panic!("{first:?}") };
    shop.engine.close().unwrap();
    drop(shop);
    let (shop, _) = open(dir.path());
    let again = request(number, lock("order", 3));
    let fingerprint = again.fingerprint.clone();
    let executed = shop.engine.execute(vec![again]);
    assert_eq!(executed.replies[0], Reply::Known { sequence: first.sequence, same: true });
    assert_eq!(&shop.engine.recall(first.sequence, &fingerprint, |answer| answer.kept()).unwrap(), first);
    assert_eq!(shop.count(Counter::Locked), 3, "once");
    let metrics = serde_json::to_string(&shop.engine.metrics()).unwrap();
    assert!(metrics.contains(
        "[\"lockstock_repeated_total\",\"counter\",\"Commands whose request id was known.\",[[{},1.0]]]"
    ));
}

#[test]
fn a_key_with_another_body_is_refused_by_the_number_of_the_first_field_that_differs() {
    let dir = tempfile::tempdir().unwrap();
    let shop = open(dir.path()).0.stocked(10);
    let number = shop.number();
    let first = shop.engine.execute(vec![request(number, lock("order", 3))]);
    shop.engine.wait_durable(first.seen).unwrap();
    let mut other = request(number, lock("order", 4));
    other.fingerprint = Fingerprint { digest: 99, fields: vec![(0, 1), (2, 21)] };
    let fingerprint = other.fingerprint.clone();
    let Reply::Known { sequence, same: false } = shop.engine.execute(vec![other]).replies[0] else {
        panic!()
    };
    match shop.engine.recall(sequence, &fingerprint, |answer| answer.kept()).unwrap_err() {
        RecallError::Reused { field, sequence: at } => assert_eq!((field, at), (2, sequence)),
        other => panic!("{other}"),
    }
    assert_eq!(shop.count(Counter::Locked), 3);
}

#[test]
fn a_second_engine_on_the_same_directory_is_refused_until_the_first_is_closed() {
    let dir = tempfile::tempdir().unwrap();
    let (shop, _) = open(dir.path());
    let error = try_open(config(dir.path())).err().unwrap();
    assert!(matches!(error, OpenError::Locked(_)), "{error}");
    shop.engine.close().unwrap();
    try_open(config(dir.path())).unwrap();
}

#[test]
fn a_database_ahead_of_the_journal_refuses_the_start_with_a_sentence() {
    let dir = tempfile::tempdir().unwrap();
    let shop = open(dir.path()).0.stocked(10);
    let (last, _) = shop.stands();
    shop.engine.close().unwrap();
    drop(shop);
    let mut ahead = config(dir.path());
    ahead.proved_by_database = last + 1;
    let error = try_open(ahead).err().unwrap();
    assert!(matches!(error, OpenError::DatabaseAhead { database, .. } if database == last + 1), "{error}");
    assert!(error.to_string().starts_with(&format!("the database is at sequence {}", last + 1)));
    let mut level = config(dir.path());
    level.proved_by_database = last;
    try_open(level).unwrap();
}

#[test]
fn a_new_directory_under_an_old_database_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut ahead = config(dir.path());
    ahead.proved_by_database = 5;
    let error = try_open(ahead).err().unwrap();
    assert!(matches!(error, OpenError::DatabaseAhead { database: 5, .. }), "{error}");
}

#[test]
fn the_key_of_the_buyers_is_kept_and_its_loss_refuses_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let shop = open(dir.path()).0.stocked(10);
    let ann = shop.engine.buyer_hash("ann");
    shop.engine.close().unwrap();
    drop(shop);
    let (shop, _) = open(dir.path());
    assert_eq!(shop.engine.buyer_hash("ann"), ann);
    shop.engine.close().unwrap();
    drop(shop);
    std::fs::remove_file(Layout::of(dir.path()).buyer_key).unwrap();
    let error = try_open(config(dir.path())).err().unwrap();
    assert!(matches!(error, OpenError::Key(_)), "{error}");
}

#[test]
fn settings_that_cannot_be_refuse_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let mut bad = config(dir.path());
    bad.in_flight_records_max = 0;
    assert!(matches!(try_open(bad).err().unwrap(), OpenError::Config(_)));
    let mut small = config(dir.path());
    small.segment_bytes = 1;
    assert!(matches!(try_open(small).err().unwrap(), OpenError::Journal(_)));
}

#[test]
fn the_last_handle_dropped_closes_the_engine() {
    let dir = tempfile::tempdir().unwrap();
    let shop = open(dir.path()).0.stocked(10);
    let executed = shop.execute(lock("order", 1));
    let clone = shop.engine.clone();
    drop(shop);
    assert!(clone.failed().is_none());
    drop(clone);
    let (shop, recovery) = open(dir.path());
    assert_eq!(recovery.sequence, executed.seen, "what was in the buffer was made durable");
    assert_eq!(shop.count(Counter::Locked), 1);
}

#[test]
fn after_the_close_reads_go_on_and_changes_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let shop = open(dir.path()).0.stocked(10);
    shop.done(lock("order", 1));
    shop.engine.close().unwrap();
    shop.clock.advance(HOLD);
    assert_eq!(shop.count(Counter::Locked), 1, "nothing expires that could not be journalled");
    assert_eq!(shop.reason(increase(1)), Reason::Draining);
    let (_, seen) = shop.engine.read(|state, _| state.sequence());
    shop.engine.wait_durable(seen).unwrap();
}
