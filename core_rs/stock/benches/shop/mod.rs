//! A shop for benchmarks: its documents, its stock and the requests it gets.
#![allow(dead_code, reason = "each benchmark uses a part")]

use lockstock_stock::command::{
    Adjustment, Command, Demand, DocumentKind, From, Live, Order, PutDocument, Request, Selection, Service,
    StockLine, Wanted, WarehouseState,
};
use lockstock_stock::event::{Event, Fingerprint};
use lockstock_stock::limits::Limits;
use lockstock_stock::machine::{Machine, Reply};
use lockstock_stock::state::State;

pub const NOW: i64 = 1_700_000_000_000_000;
/// Documents or lines a request carries.
const BATCH: usize = 1_000;

/// A machine with these SKUs, each with units in the last of the warehouses of the plan, and the events that made it.
pub fn shop(skus: &[String], warehouses: usize) -> (Machine, Vec<Event>) {
    let mut machine = Machine::new(State::default(), Limits::default());
    let mut events = Vec::new();
    let mut number = 1 << 40;
    let mut run = |command| {
        number += 1;
        step(&mut machine, request(number, command), &mut events);
    };
    let names: Vec<String> = (0..warehouses).map(warehouse).collect();
    let document = |kind, id, live| PutDocument { kind, id, expected_version: None, live, body: b"" };
    let open = || Live::Warehouse { state: WarehouseState::Active, skus: Vec::new(), categories: Vec::new() };
    let mut documents: Vec<PutDocument<'_>> =
        names.iter().map(|name| document(DocumentKind::Warehouse, name, open())).collect();
    let plan = Live::RoutePlan { warehouses: names.iter().map(String::as_str).collect() };
    documents.push(document(DocumentKind::Region, "CN", Live::Nothing));
    documents.push(document(DocumentKind::RoutePlan, "CN", plan));
    run(Command::PutDocuments { documents });
    let last = names.last().unwrap();
    for skus in skus.chunks(BATCH) {
        let sku = |id| document(DocumentKind::Sku, id, Live::Sku { category: "", policy: None });
        run(Command::PutDocuments { documents: skus.iter().map(|id| sku(id.as_str())).collect() });
        let line = |sku| StockLine { sku, warehouse: last, quantity: 1_000_000_000 };
        let lines = skus.iter().map(|id| line(id.as_str())).collect();
        run(Command::Adjust { adjustment: Adjustment::OtherReceipt, lines });
    }
    (machine, events)
}

fn warehouse(number: usize) -> String {
    format!("WH-{number}")
}

/// Rows of these SKUs in the first warehouses, where nothing is left of what came.
pub fn rows(machine: &mut Machine, skus: &[String], warehouses: usize) {
    let mut number = 1 << 41;
    let names: Vec<String> = (0..warehouses).map(warehouse).collect();
    for (name, skus) in names.iter().flat_map(|name| skus.chunks(BATCH).map(move |skus| (name, skus))) {
        for adjustment in [Adjustment::OtherReceipt, Adjustment::Issue] {
            let line = |sku| StockLine { sku, warehouse: name, quantity: 1 };
            let lines = skus.iter().map(|id| line(id.as_str())).collect();
            number += 1;
            step(machine, request(number, Command::Adjust { adjustment, lines }), &mut Vec::new());
        }
    }
}

pub fn step(machine: &mut Machine, mut request: Request<'_>, events: &mut Vec<Event>) {
    let reply = machine.step(&mut request, NOW, events);
    assert!(matches!(reply, Reply::Done(_)), "{reply:?}");
}

pub fn request(number: u64, command: Command<'_>) -> Request<'_> {
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

pub fn lock<'a>(reservation: &'a str, sku: &'a str) -> Command<'a> {
    let demand = Demand {
        lines: [Wanted { sku, quantity: 1, pool: "" }].into(),
        from: From::Region("CN"),
        max_parcels: 0,
        allow_partial: false,
    };
    Command::Lock { order: Order { reservation, demand, channel: "", buyer: 0, attributes: b"" }, hold: None }
}

pub fn deduct(reservation: &str) -> Command<'_> {
    Command::Deduct(Selection { reservation, warehouse: "", parts: Vec::new() })
}
