//! What recovery costs: a journal replayed from its beginning, and a snapshot read in its place.
//! `cargo bench -p lockstock-engine --bench recover -- EVENTS OPEN TURNS`, by default a million events after which a
//! tenth of that is open, twice. Half of the other events are locks, half their payments. Directories in TMPDIR.
#![allow(clippy::unwrap_used, reason = "a benchmark may be blunt")]

#[path = "../../stock/benches/shop/mod.rs"]
mod shop;

use std::time::SystemTime;

use lockstock_engine::{Config, Durability, Engine, Recovery};
use lockstock_stock::command::{
    Adjustment, Command, DocumentKind, Live, PutDocument, Request, StockLine, WarehouseState,
};
use lockstock_stock::machine::Reply;
use shop::{deduct, lock, request};

/// As the server has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const EVENTS: u64 = 1_000_000;
const BATCH: u64 = 1_000;

fn main() {
    let mut numbers = std::env::args().filter_map(|word| word.parse().ok());
    let events = numbers.next().unwrap_or(EVENTS);
    let open = numbers.next().unwrap_or(events / 10);
    let turns = numbers.next().unwrap_or(2);
    let dir = tempfile::tempdir().unwrap();
    let mut config = Config::new(dir.path());
    (config.durability, config.snapshot_every_bytes) = (Durability::Async, u64::MAX);
    let (engine, _) = Engine::open(config.clone()).unwrap();
    fill(&engine, events, open);
    engine.close().unwrap();
    drop(engine);
    for _ in 0..turns {
        let (engine, recovery) = Engine::open(config.clone()).unwrap();
        say("replayed", &recovery, events);
        engine.close().unwrap();
    }
    let (engine, _) = Engine::open(config.clone()).unwrap();
    engine.snapshot_now().unwrap();
    engine.close().unwrap();
    drop(engine);
    for _ in 0..turns {
        let (engine, recovery) = Engine::open(config.clone()).unwrap();
        say("read", &recovery, events);
        engine.close().unwrap();
    }
}

fn say(how: &str, recovery: &Recovery, events: u64) {
    let Recovery { seconds, replayed, snapshot_sequence, .. } = recovery;
    let nanos = seconds * 1e9 / f64::from(u32::try_from(events).unwrap());
    println!("{how}: {seconds:.3} s, {nanos:.0} ns an event ({replayed} after {snapshot_sequence})");
}

fn fill(engine: &Engine, events: u64, open: u64) {
    let document = |kind, id, live| PutDocument { kind, id, expected_version: None, live, body: b"" };
    let active = Live::Warehouse { state: WarehouseState::Active, skus: Vec::new(), categories: Vec::new() };
    let documents = vec![
        document(DocumentKind::Sku, "BOOK", Live::Sku { category: "", policy: None }),
        document(DocumentKind::Warehouse, "SH", active),
        document(DocumentKind::Region, "CN", Live::Nothing),
        document(DocumentKind::RoutePlan, "CN", Live::RoutePlan { warehouses: vec!["SH"] }),
    ];
    let lines = vec![StockLine { sku: "BOOK", warehouse: "SH", quantity: 1_000_000_000 }];
    let first = 1 << 40;
    run(engine, vec![stamped(first, Command::PutDocuments { documents })]);
    run(engine, vec![stamped(first + 1, Command::Adjust { adjustment: Adjustment::OtherReceipt, lines })]);
    let paid = (events - open) / 2;
    for first in (0..paid + open).step_by(usize::try_from(BATCH).unwrap()) {
        let numbers = || first..(first + BATCH).min(paid + open);
        let names: Vec<String> = numbers().map(|number| format!("r-{number:012}")).collect();
        let orders = || numbers().zip(&names);
        run(engine, orders().map(|(number, name)| stamped(2 * number, lock(name, "BOOK"))).collect());
        let ended = orders().filter(|(number, _)| *number < paid);
        run(engine, ended.map(|(number, name)| stamped(2 * number + 1, deduct(name))).collect());
    }
}

fn run(engine: &Engine, requests: Vec<Request<'_>>) {
    let executed = engine.execute(requests);
    engine.wait_durable(executed.seen).unwrap();
    let refused = executed.replies.iter().find(|reply| !matches!(reply, Reply::Done(_)));
    assert!(refused.is_none(), "{refused:?}");
}

/// A request id of now, as the door wants it.
fn stamped(number: u64, command: Command<'_>) -> Request<'_> {
    let millis = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis();
    let mut request = request(number, command);
    request.key = (millis << 80) | (request.key & ((1 << 80) - 1));
    request
}
