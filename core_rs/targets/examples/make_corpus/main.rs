//! Writes the corpus that the targets begin with: `cargo run -p lockstock-targets --example make_corpus`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "run by hand")]

mod messages;

use std::collections::BTreeSet;
use std::path::Path;

use lockstock_stock::event::Event;
use lockstock_stock::machine::Machine;
use lockstock_stock::state::State;
use lockstock_targets::{METHODS, TIME_PASSES};
use lockstock_twin::Twin;
use lockstock_twin::workload::{Workload, limits};
use lockstock_wire::proto::lockstock::v1::{self as pb, lock_request};
use prost::Message;

const ORDER: &str = "order";
const SKU: &str = "apple";

fn main() {
    let (events, state) = history(3, 60);
    for (at, event) in one_of_each(&history(5, 2_000).0).iter().enumerate() {
        write("event", &format!("{at:02}-{}", event.operation.name().to_lowercase()), &encoded(event));
    }
    let records: Vec<_> = events.iter().map(encoded).collect();
    write("replay", "a-shop", &pieces(&records));
    write("replay", "the-opening", &pieces(&records[..2]));
    let mut body = Vec::new();
    state.write_snapshot(&mut body).unwrap();
    write("snapshot", "state", &[&[0], &body[..]].concat());
    let mut empty = Vec::new();
    State::default().write_snapshot(&mut empty).unwrap();
    write("snapshot", "empty-state", &[&[0], &empty[..]].concat());
    write("snapshot", "file", &[&[2], &header(&state)[..], &body[..]].concat());
    write("journal", "untouched", &[1]);
    write("journal", "fitted", &[3]);
    for (name, at) in [("header", 8_u16), ("first-frame", 4_100), ("chain", 4_128), ("record", 4_140)] {
        let patch = [&at.to_le_bytes()[..], &[0, 0, 0, 1]].concat();
        write("journal", &format!("other-{name}"), &[&[3], &pieces(&[patch])[..]].concat());
    }
    for (name, call) in messages::calls() {
        write("command", &name, &call);
    }
    for (name, calls) in streams() {
        write("stream", name, &pieces(&calls));
    }
}

fn write(target: &str, name: &str, bytes: &[u8]) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join(name), bytes).unwrap();
}

fn pieces(all: &[Vec<u8>]) -> Vec<u8> {
    let piece =
        |bytes: &Vec<u8>| [&u16::try_from(bytes.len()).unwrap().to_le_bytes()[..], &bytes[..]].concat();
    all.iter().flat_map(piece).collect()
}

fn encoded(event: &Event) -> Vec<u8> {
    let mut bytes = Vec::new();
    event.encode(&mut bytes);
    bytes
}

/// The shop of a seed, and what it did.
fn history(seed: u64, commands: usize) -> (Vec<Event>, State) {
    let mut workload = Workload::new(seed);
    let mut machine = Machine::new(State::default(), limits(seed));
    let mut twin = Twin::new(limits(seed));
    let mut events = Vec::new();
    for at in 0..commands + 2 {
        workload.tick(&twin.world);
        let request = match at {
            0 => {
                let opening = workload.opening();
                workload.request(opening)
            }
            1 => {
                let opening = workload.opening_stock();
                workload.request(opening)
            }
            _ => workload.next(&twin.world),
        };
        let horizon = machine.state().horizon_ms();
        machine.step(&mut request.clone(), workload.now, &mut events);
        twin.step(&request, workload.now, machine.state().sequence(), horizon);
    }
    let mut state = State::default();
    for event in &events {
        state.apply(event).unwrap();
    }
    (events, state)
}

fn one_of_each(events: &[Event]) -> Vec<Event> {
    let mut seen = BTreeSet::new();
    events.iter().filter(|event| seen.insert(event.operation.name())).cloned().collect()
}

/// A file's header; the target makes length and checksums fit.
fn header(state: &State) -> Vec<u8> {
    let mut header = b"LKSTKSNP".to_vec();
    header.extend_from_slice(&1_u32.to_le_bytes());
    header.extend_from_slice(&[0; 4]);
    header.extend_from_slice(&[9; 16]);
    header.extend_from_slice(&7_u64.to_le_bytes());
    header.extend_from_slice(&state.hash().to_le_bytes());
    header.resize(64, 0);
    header
}

/// By name: streams of calls that reach the machine. A test of the target counts what is granted.
fn streams() -> [(&'static str, Vec<Vec<u8>>); 4] {
    let deduct =
        call("Deduct", &pb::DeductRequest { reservation_id: ORDER.to_owned(), ..Default::default() });
    let once = lock("018bcfe5-6800-7000-8000-000000000001");
    let order = vec![
        call("OtherReceipt", &pb::OtherReceiptRequest { lines: vec![shelf()], ..Default::default() }),
        lock(""),
        Vec::new(),
        deduct.clone(),
        call(
            "PushFulfilment",
            &pb::PushFulfilmentRequest { reservation_id: ORDER.to_owned(), ..Default::default() },
        ),
        call("Ship", &pb::ShipRequest { reservation_id: ORDER.to_owned(), ..Default::default() }),
        call("GetReservation", &pb::GetReservationRequest { reservation_id: ORDER.to_owned() }),
        call("GetStock", &pb::GetStockRequest { sku: SKU.to_owned(), ..Default::default() }),
    ];
    let transfer = vec![
        call("DraftTransfer", &draft()),
        call(
            "PushTransfer",
            &pb::PushTransferRequest { transfer_id: ORDER.to_owned(), ..Default::default() },
        ),
        Vec::new(),
        call(
            "ShipTransfer",
            &pb::ShipTransferRequest { transfer_id: ORDER.to_owned(), ..Default::default() },
        ),
        call("ReceiveTransfer", &arrival()),
    ];
    [
        ("an-order", order),
        ("a-transfer", transfer),
        ("paid-too-late", vec![lock(""), vec![TIME_PASSES, 40], deduct]),
        ("the-same-again", vec![once.clone(), once.clone(), Vec::new(), once]),
    ]
}

fn lock(request_id: &str) -> Vec<u8> {
    let request = pb::LockRequest {
        cause: Some(pb::Cause { request_id: request_id.to_owned(), ..Default::default() }),
        reservation_id: ORDER.to_owned(),
        lines: vec![pb::OrderLine { sku: SKU.to_owned(), quantity: 1, pool: String::new() }],
        source: Some(lock_request::Source::Region("north".to_owned())),
        ..Default::default()
    };
    call("Lock", &request)
}

fn shelf() -> pb::StockLine {
    pb::StockLine { sku: SKU.to_owned(), warehouse: "w1".to_owned(), quantity: 5 }
}

fn draft() -> pb::DraftTransferRequest {
    pb::DraftTransferRequest {
        transfer_id: ORDER.to_owned(),
        from_warehouse: "w1".to_owned(),
        to_warehouse: "w2".to_owned(),
        lines: vec![pb::SkuQuantity { sku: SKU.to_owned(), quantity: Some(1) }],
        ..Default::default()
    }
}

fn arrival() -> pb::ReceiveTransferRequest {
    let line = pb::TransferArrival { sku: SKU.to_owned(), good: 1, defective: 0 };
    pb::ReceiveTransferRequest { transfer_id: ORDER.to_owned(), lines: vec![line], ..Default::default() }
}

fn call(name: &str, message: &impl Message) -> Vec<u8> {
    let method = METHODS.iter().position(|path| path.rsplit('/').next() == Some(name)).unwrap();
    [&[u8::try_from(method).unwrap()], &message.encode_to_vec()[..]].concat()
}
