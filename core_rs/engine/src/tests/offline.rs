//! A data directory read without an engine.

use lockstock_stock::command::Command;
use serde_json::Value;

use super::shop::{T0, all_of, lock, open};
use crate::config::Layout;
use crate::offline::{Offline, OfflineError};
use crate::status::hash_text;

#[test]
fn a_summary_has_identity_hash_and_the_totals_of_every_counter() {
    let dir = tempfile::tempdir().unwrap();
    let shop = open(dir.path()).0.stocked(30);
    shop.done(lock("order", 10));
    shop.done(Command::Deduct(all_of("order")));
    let (sequence, hash) = shop.stands();
    shop.engine.close().unwrap();
    let offline = Offline::open(dir.path(), None).unwrap();
    let summary = offline.summary();
    assert_eq!((summary.sequence, summary.events), (sequence, sequence));
    assert_eq!(summary.state_hash, hash_text(hash));
    assert_eq!(summary.journal_id, shop.engine.status().journal_id);
    assert_eq!(
        (summary.totals["available"], summary.totals["allocated"], summary.totals["received"]),
        (20, 10, 30)
    );
    assert_eq!((summary.skus, summary.reservations, summary.torn_bytes, summary.segments), (1, 1, 0, 1));
    let json = serde_json::to_value(summary).unwrap();
    assert_eq!(json["totals"]["locked"], 0);
}

#[test]
fn it_stops_at_the_sequence_that_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let shop = open(dir.path()).0.stocked(30);
    let early = shop.stands();
    shop.done(lock("order", 10));
    let last = shop.stands().0;
    shop.engine.close().unwrap();
    let offline = Offline::open(dir.path(), Some(early.0)).unwrap();
    assert_eq!((offline.state().sequence(), offline.state().hash()), early);
    let error = Offline::open(dir.path(), Some(last + 1)).unwrap_err();
    assert!(matches!(error, OfflineError::Short { .. }), "{error}");
}

#[test]
fn who_watches_is_told_how_far_it_is_and_may_stop_it() {
    let dir = tempfile::tempdir().unwrap();
    let shop = open(dir.path()).0.stocked(30);
    shop.done(lock("order", 10));
    let last = shop.stands().0;
    shop.engine.close().unwrap();
    let mut told = Vec::new();
    let note = |done, all| {
        told.push((done, all));
        true
    };
    Offline::open_watched(dir.path(), None, note).unwrap();
    assert_eq!((told.first(), told.last()), (Some(&(0, last)), Some(&(last, last))));
    assert!(told.is_sorted() && told.iter().all(|(_, all)| *all == last));
    let stopped = Offline::open_watched(dir.path(), None, |done, _| done < last).unwrap_err();
    assert!(matches!(stopped, OfflineError::Stopped { at } if at == last), "{stopped}");
    let stopped = Offline::open_watched(dir.path(), None, |_, _| false).unwrap_err();
    assert!(matches!(stopped, OfflineError::Stopped { at: 0 }), "{stopped}");
}

#[test]
fn a_dump_has_one_event_a_line_with_names_for_indexes() {
    let dir = tempfile::tempdir().unwrap();
    let shop = open(dir.path()).0.stocked(30);
    let answer = shop.done(lock("order", 10));
    shop.done(Command::Deduct(all_of("order")));
    shop.engine.close().unwrap();
    let lines = Offline::dump(dir.path(), answer.sequence, 1).unwrap();
    assert_eq!(lines.len(), 1);
    let event: Value = serde_json::from_str(&lines[0]).unwrap();
    assert_eq!(event["operation"], "LOCK");
    assert_eq!(event["at"], T0);
    assert_eq!(event["outcome"], "DONE");
    let changes = event["changes"].as_array().unwrap();
    assert_eq!(changes[0]["change"], "RESERVATION");
    assert_eq!(changes[0]["from"]["warehouses"][0], "SH");
    let movement = changes.iter().find(|change| change["change"] == "MOVEMENT").unwrap();
    for (name, value) in
        [("kind", "LOCK"), ("sku", "book"), ("warehouse", "SH"), ("owner", "order"), ("pool", "SHARED")]
    {
        assert_eq!(movement[name], value, "{name}");
    }
    assert_eq!(movement["quantity"], 10);
    let all = Offline::dump(dir.path(), 0, usize::MAX).unwrap();
    assert_eq!(all.len() as u64, answer.sequence + 1);
    assert!(all[0].contains("\"kind\":\"WAREHOUSE\""));
}

#[test]
fn a_dump_shows_what_a_parcel_says_of_itself() {
    let dir = tempfile::tempdir().unwrap();
    let shop = open(dir.path()).0.stocked(30);
    shop.done(lock("order", 10));
    shop.done(Command::Deduct(all_of("order")));
    let attributes = br#"{"parcel":"P1"}"#;
    let answer = shop.done(Command::ShipOrder { parcel: all_of("order"), attributes });
    shop.engine.close().unwrap();
    let lines = Offline::dump(dir.path(), answer.sequence, 1).unwrap();
    let event: Value = serde_json::from_str(&lines[0]).unwrap();
    assert_eq!(event["operation"], "SHIP_ORDER");
    let step = event["changes"].as_array().unwrap().iter().find(|change| change["change"] == "STEP").unwrap();
    assert_eq!((&step["reservation"], &step["attributes"]), (&"order".into(), &"{\"parcel\":\"P1\"}".into()));
}

#[test]
fn a_directory_without_a_journal_is_a_sentence() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(Offline::open(dir.path(), None).unwrap_err(), OfflineError::Missing(_)));
}

#[test]
fn damage_at_rest_is_refused_with_segment_and_offset() {
    let dir = tempfile::tempdir().unwrap();
    let shop = open(dir.path()).0.stocked(30);
    shop.done(lock("order", 10));
    shop.done(lock("other", 10));
    shop.engine.close().unwrap();
    let segment = lockstock_journal::segments(&Layout::of(dir.path()).journal).unwrap().remove(0).path;
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes[4096 + 60] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    let error = Offline::open(dir.path(), None).unwrap_err().to_string();
    assert!(error.contains("segment 1 is damaged at offset 4096"), "{error}");
}
