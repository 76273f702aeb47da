//! What a step of the state machine costs, piece by piece: `cargo bench -p lockstock-stock`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a benchmark may be blunt")]

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use lockstock_stock::command::{
    Adjustment, Command, Demand, DocumentKind, From, Live, Order, PutDocument, Request, Selection, Service,
    StockLine, Wanted, WarehouseState,
};
use lockstock_stock::decide::decide;
use lockstock_stock::event::{Event, Fingerprint};
use lockstock_stock::limits::Limits;
use lockstock_stock::machine::{Machine, Reply};
use lockstock_stock::state::State;

const NOW: i64 = 1_700_000_000_000_000;
/// Commands a sample: so many that the clock of the benchmark does not count.
const COMMANDS: u64 = 10_000;
/// Warehouses of the plan; the units are in the last.
const WAREHOUSES: [usize; 2] = [1, 50];

fn main() {
    divan::main();
}

/// A machine with one SKU, and the events that made it.
fn shop(warehouses: usize) -> (Machine, Vec<Event>) {
    let mut machine = Machine::new(State::default(), Limits::default());
    let mut events = Vec::new();
    let names: Vec<String> = (0..warehouses).map(|number| format!("WH-{number}")).collect();
    let document = |kind, id, live| PutDocument { kind, id, expected_version: None, live, body: b"" };
    let open = || Live::Warehouse { state: WarehouseState::Active, skus: Vec::new(), categories: Vec::new() };
    let mut documents: Vec<PutDocument<'_>> =
        names.iter().map(|name| document(DocumentKind::Warehouse, name, open())).collect();
    let plan = Live::RoutePlan { warehouses: names.iter().map(String::as_str).collect() };
    documents.push(document(DocumentKind::Region, "CN", Live::Nothing));
    documents.push(document(DocumentKind::RoutePlan, "CN", plan));
    documents.push(document(DocumentKind::Sku, "HOT", Live::Sku { category: "", policy: None }));
    step(&mut machine, request(1 << 40, Command::PutDocuments { documents }), &mut events);
    let last = names.last().unwrap();
    let lines = vec![StockLine { sku: "HOT", warehouse: last, quantity: 1_000_000_000 }];
    let stock = Command::Adjust { adjustment: Adjustment::OtherReceipt, lines };
    step(&mut machine, request((1 << 40) + 1, stock), &mut events);
    (machine, events)
}

fn step(machine: &mut Machine, request: Request<'_>, events: &mut Vec<Event>) {
    let reply = machine.step(request, NOW, events);
    assert!(matches!(reply, Reply::Done(_)), "{reply:?}");
}

fn request(number: u64, command: Command<'_>) -> Request<'_> {
    let millis = u128::from(NOW.unsigned_abs() / 1_000);
    let key = (millis << 80) | (7 << 76) | (2 << 62) | (u128::from(number) + 1);
    Request {
        service: Service::Stock,
        key,
        fingerprint: Fingerprint { digest: number, fields: vec![(0, 1)] },
        reason: "",
        document: "",
        command,
    }
}

fn wanted(reservation: &str) -> Command<'_> {
    let demand = Demand {
        lines: vec![Wanted { sku: "HOT", quantity: 1, pool: "" }],
        from: From::Region("CN"),
        max_parcels: 0,
        allow_partial: false,
    };
    Command::Lock { order: Order { reservation, demand, channel: "", buyer: 0, attributes: b"" }, hold: None }
}

fn names() -> Vec<String> {
    (0..COMMANDS).map(|number| format!("r-{number:012}")).collect()
}

fn locks(names: &[String]) -> Vec<Request<'_>> {
    (0..).zip(names).map(|(number, name)| request(number, wanted(name))).collect()
}

fn paid(names: &[String]) -> Vec<Request<'_>> {
    let deduct = |reservation| Command::Deduct(Selection { reservation, warehouse: "", parts: Vec::new() });
    (COMMANDS..).zip(names).map(|(number, name)| request(number, deduct(name))).collect()
}

/// A shop that has locked `COMMANDS` times, and every event of it.
fn sold() -> (Machine, Vec<Event>) {
    let (mut machine, mut events) = shop(1);
    let names = names();
    for request in locks(&names) {
        step(&mut machine, request, &mut events);
    }
    (machine, events)
}

fn run_all(machine: &mut Machine, requests: Vec<Request<'_>>) -> Vec<Event> {
    let mut events = Vec::with_capacity(requests.len());
    for request in requests {
        step(machine, request, &mut events);
    }
    events
}

/// Judging alone: nothing is applied, so every lock is judged against the same state.
#[divan::bench(args = WAREHOUSES)]
fn decide_a_lock(bencher: Bencher<'_, '_>, warehouses: usize) {
    let (machine, _) = shop(warehouses);
    let lock = request(7, wanted("r"));
    bencher.bench_local(|| decide(machine.state(), machine.limits(), black_box(&lock), NOW).unwrap());
}

/// Applying alone: every event of the shop and its locks, onto an empty state. This is replay without bytes.
#[divan::bench(sample_count = 20)]
fn apply_locks(bencher: Bencher<'_, '_>) {
    let (_, events) = sold();
    bencher.counter(ItemsCount::new(events.len())).with_inputs(State::default).bench_local_values(
        |mut state| {
            for event in &events {
                state.apply(event).unwrap();
            }
            state
        },
    );
}

/// The whole step: recognise, sweep, decide, check, apply.
#[divan::bench(sample_count = 20)]
fn step_locks(bencher: Bencher<'_, '_>) {
    let names = names();
    bencher
        .counter(ItemsCount::new(COMMANDS))
        .with_inputs(|| (shop(1).0, locks(&names)))
        .bench_local_values(|(mut machine, requests)| (run_all(&mut machine, requests), machine));
}

/// The same for the payment.
#[divan::bench(sample_count = 20)]
fn step_deducts(bencher: Bencher<'_, '_>) {
    let names = names();
    bencher
        .counter(ItemsCount::new(COMMANDS))
        .with_inputs(|| (sold().0, paid(&names)))
        .bench_local_values(|(mut machine, requests)| (run_all(&mut machine, requests), machine));
}

/// The event of a lock into bytes.
#[divan::bench]
fn encode_a_lock(bencher: Bencher<'_, '_>) {
    let (_, events) = sold();
    let event = events.last().unwrap();
    let mut out = Vec::new();
    bencher.bench_local(|| {
        out.clear();
        black_box(event).encode(&mut out);
        out.len()
    });
}

/// Replay: decode and apply, as recovery does.
#[divan::bench(sample_count = 20)]
fn replay_locks(bencher: Bencher<'_, '_>) {
    let (_, events) = sold();
    let encoded = |event: &Event| {
        let mut bytes = Vec::new();
        event.encode(&mut bytes);
        bytes
    };
    let records: Vec<Vec<u8>> = events.iter().map(encoded).collect();
    bencher.counter(ItemsCount::new(records.len())).with_inputs(State::default).bench_local_values(
        |mut state| {
            for record in &records {
                state.apply(&Event::decode(record).unwrap()).unwrap();
            }
            state
        },
    );
}
