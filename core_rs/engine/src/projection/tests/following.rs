//! Following a real engine's journal.

use lockstock_journal::{IoError, ReadError};
use lockstock_stock::command::{
    Adjustment, Command, DocumentKind, Live, PutDocument, Request, Service, StockLine, WarehouseState,
};
use lockstock_stock::event::Fingerprint;
use lockstock_stock::ids::{RequestKey, Sequence};
use lockstock_stock::machine::Reply;

use super::tables::{Tables, parse_json};
use crate::projection::{Format, Projection, ProjectionError, TABLES, expected_rows};
use crate::{Config, Engine, Offline};

fn open(dir: &std::path::Path) -> Engine {
    let mut config = Config::new(dir);
    config.segment_bytes = 64 * 1024;
    config.disk_floor_bytes = 0;
    Engine::open(config).unwrap().0
}

/// Master data and then increases, one event each, until the journal has `events`; waits for the disk.
fn grow(engine: &Engine, events: Sequence) {
    let sku = PutDocument {
        kind: DocumentKind::Sku,
        id: "book",
        expected_version: None,
        live: Live::Sku { category: "", policy: None },
        body: b"{}",
    };
    let live = Live::Warehouse { state: WarehouseState::Active, skus: Vec::new(), categories: Vec::new() };
    let warehouse = PutDocument { kind: DocumentKind::Warehouse, id: "SH", live, ..sku.clone() };
    while engine.read(|state, _| state.sequence()).0 < events {
        let next = engine.read(|state, _| state.sequence()).0 + 1;
        let command = if next <= 2 {
            Command::PutDocuments { documents: vec![sku.clone(), warehouse.clone()] }
        } else {
            let lines = vec![StockLine { sku: "book", warehouse: "SH", quantity: 2 }];
            Command::Adjust { adjustment: Adjustment::OtherReceipt, lines }
        };
        done(engine, next, command);
    }
}

/// Runs a command under a key of its own and waits for the disk.
fn done(engine: &Engine, number: Sequence, command: Command<'_>) {
    let stamp = RequestKey::from((engine.now() / 1_000).unsigned_abs());
    let key = (stamp << 80) | (7 << 76) | (2 << 62) | RequestKey::from(number);
    let reason = "a reason that makes the records long enough to fill segments of the smallest size";
    let (fingerprint, service) = (Fingerprint::default(), Service::Stock);
    let request = Request { key, fingerprint, reason, document: "", service, command };
    let executed = engine.execute(vec![request]);
    assert!(matches!(executed.replies[0], Reply::Done(_)), "{:?}", executed.replies);
    engine.wait_durable(executed.seen).unwrap();
}

fn expected(dir: &std::path::Path, until: Sequence) -> Tables {
    let replayed = Offline::open(dir, Some(until)).unwrap();
    let mut tables = Tables::default();
    for table in TABLES {
        let rows = expected_rows(table.name, replayed.state(), || Offline::events(dir, 1, until)).unwrap();
        tables.fill(table, parse_json(&rows));
    }
    tables
}

#[test]
fn a_follower_gives_every_durable_event_once_over_many_segments() {
    let dir = tempfile::tempdir().unwrap();
    let engine = open(dir.path());
    let mut projection = Projection::new();
    let mut tables = Tables::default();
    let mut after = 0;
    for events in [1, 5, 300, 301, 1_500] {
        grow(&engine, events);
        while let Some(batch) = projection.batch(&engine, after, 70, Format::Json).unwrap() {
            assert_eq!(batch.first, after + 1);
            assert!((batch.first..batch.first + 70).contains(&batch.last), "{} {}", batch.first, batch.last);
            tables.take(&batch.sheets);
            after = batch.last;
        }
        assert_eq!(after, engine.durable());
        tables.assert_equal(&expected(dir.path(), after), 0);
    }
    engine.close().unwrap();
}

#[test]
fn a_batch_is_bounded_in_bytes_however_many_events_are_asked_for() {
    const MIB: usize = 1 << 20;
    let dir = tempfile::tempdir().unwrap();
    let mut config = Config::new(dir.path());
    config.disk_floor_bytes = 0;
    let engine = Engine::open(config).unwrap().0;
    let body = vec![b'x'; MIB];
    for number in 1..=8 {
        let live = Live::Nothing;
        let region =
            PutDocument { kind: DocumentKind::Region, id: "CN", expected_version: None, live, body: &body };
        done(&engine, number, Command::PutDocuments { documents: vec![region] });
    }
    let mut projection = Projection::new();
    let first = projection.batch(&engine, 0, 1_000, Format::Copy).unwrap().unwrap();
    assert_eq!((first.first, first.last), (1, 4));
    let rows = |table: &str| {
        let sheet = first.sheets.iter().find(|sheet| sheet.table == table).unwrap();
        (sheet.rows, sheet.bytes.len() / MIB)
    };
    assert_eq!((rows("documents"), rows("document_versions")), ((1, 1), (4, 4)));
    let second = projection.batch(&engine, first.last, 1_000, Format::Copy).unwrap().unwrap();
    assert_eq!((second.first, second.last), (5, 8));
    engine.close().unwrap();
}

#[test]
fn any_place_may_be_asked_for_again() {
    let dir = tempfile::tempdir().unwrap();
    let engine = open(dir.path());
    grow(&engine, 200);
    let mut projection = Projection::new();
    let mut first = |after, most| {
        let batch = projection.batch(&engine, after, most, Format::Json).unwrap().unwrap();
        (batch.first, batch.last, batch.sheets.into_iter().map(|sheet| sheet.bytes).collect::<Vec<_>>())
    };
    let whole = first(0, 100);
    assert_eq!((whole.0, whole.1), (1, 100));
    assert_eq!(first(50, 10).0, 51, "back");
    assert_eq!(first(0, 100), whole, "and from the start, the same bytes");
    assert_eq!(first(150, 1_000).1, engine.durable(), "and ahead");
    assert_eq!(first(199, 0).0, 200, "at least one event");
    engine.close().unwrap();
}

#[test]
fn a_database_ahead_of_the_journal_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let engine = open(dir.path());
    grow(&engine, 3);
    let journal = engine.durable();
    let mut projection = Projection::new();
    assert!(projection.batch(&engine, journal, 10, Format::Copy).unwrap().is_none());
    let refused = projection.batch(&engine, journal + 1, 10, Format::Copy);
    assert!(
        matches!(refused, Err(ProjectionError::Ahead { database, journal: end }) if database == end + 1 && end == journal)
    );
    assert!(projection.batch(&engine, 0, 10, Format::Copy).unwrap().is_some(), "and it is usable after");
    engine.close().unwrap();
}

#[test]
fn only_what_the_disk_refused_may_be_over_when_it_is_asked_again() {
    let source = std::io::Error::from_raw_os_error(rustix::io::Errno::MFILE.raw_os_error());
    let refused = IoError { doing: "open", path: "segment".into(), source };
    assert!(ProjectionError::from(ReadError::from(refused)).may_pass());
    for error in [
        ProjectionError::from(ReadError::Gone { sequence: 1, oldest: 2 }),
        ProjectionError::Ahead { database: 2, journal: 1 },
        ProjectionError::Overflow { sequence: 1 },
    ] {
        assert!(!error.may_pass(), "{error}");
    }
}
