//! The decoders of commands, and streams of commands, through the door into a node in one thread.

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use lockstock_engine::Events;
use lockstock_engine::clock::{Clock, ManualClock};
use lockstock_engine::config::{Config, Layout};
use lockstock_engine::stepped::Stepped;
use lockstock_journal::disk::faulty::FaultyDisk;
use lockstock_stock::state::State;
use lockstock_twin::workload::{START, Workload};
use lockstock_wire::{Caller, Door};

use crate::pieces;

/// Every method that takes bytes; a test holds those of the stock service and the contract together.
pub const METHODS: [&str; 63] = [
    "/lockstock.v1.StockService/Lock",
    "/lockstock.v1.StockService/LockAndDeduct",
    "/lockstock.v1.StockService/Unlock",
    "/lockstock.v1.StockService/Deduct",
    "/lockstock.v1.StockService/Cancel",
    "/lockstock.v1.StockService/Extend",
    "/lockstock.v1.StockService/Move",
    "/lockstock.v1.StockService/PushFulfilment",
    "/lockstock.v1.StockService/Recall",
    "/lockstock.v1.StockService/Ship",
    "/lockstock.v1.StockService/ShortPick",
    "/lockstock.v1.StockService/ExpectReturn",
    "/lockstock.v1.StockService/CancelReturn",
    "/lockstock.v1.StockService/Return",
    "/lockstock.v1.StockService/Increase",
    "/lockstock.v1.StockService/Decrease",
    "/lockstock.v1.StockService/RecordLoss",
    "/lockstock.v1.StockService/OtherReceipt",
    "/lockstock.v1.StockService/Issue",
    "/lockstock.v1.StockService/MarkDefective",
    "/lockstock.v1.StockService/Restore",
    "/lockstock.v1.StockService/WriteOff",
    "/lockstock.v1.StockService/Set",
    "/lockstock.v1.StockService/ExpectReceipt",
    "/lockstock.v1.StockService/Receive",
    "/lockstock.v1.StockService/DraftTransfer",
    "/lockstock.v1.StockService/CancelTransfer",
    "/lockstock.v1.StockService/PushTransfer",
    "/lockstock.v1.StockService/RecallTransfer",
    "/lockstock.v1.StockService/ShipTransfer",
    "/lockstock.v1.StockService/ReceiveTransfer",
    "/lockstock.v1.StockService/CloseTransfer",
    "/lockstock.v1.StockService/Exchange",
    "/lockstock.v1.StockService/Amend",
    "/lockstock.v1.StockService/ExecuteBatch",
    "/lockstock.v1.StockService/Execute",
    "/lockstock.v1.StockService/GetStock",
    "/lockstock.v1.StockService/BatchGetStock",
    "/lockstock.v1.StockService/GetSalesStock",
    "/lockstock.v1.StockService/GetDispatchStock",
    "/lockstock.v1.StockService/GetWarehouseStock",
    "/lockstock.v1.StockService/GetReservation",
    "/lockstock.v1.StockService/CheckAvailability",
    "/lockstock.v1.OrderService/PlaceOrder",
    "/lockstock.v1.OrderService/PayOrder",
    "/lockstock.v1.OrderService/ExtendOrder",
    "/lockstock.v1.OrderService/CancelOrder",
    "/lockstock.v1.OrderService/AmendOrder",
    "/lockstock.v1.OrderService/MoveOrder",
    "/lockstock.v1.OrderService/PushOrder",
    "/lockstock.v1.OrderService/RecallOrder",
    "/lockstock.v1.OrderService/ConfirmPicking",
    "/lockstock.v1.OrderService/ShipOrder",
    "/lockstock.v1.OrderService/ExpectOrderReturn",
    "/lockstock.v1.OrderService/CancelOrderReturn",
    "/lockstock.v1.OrderService/TakeOrderReturn",
    "/lockstock.v1.OrderService/ExchangeOrder",
    "/lockstock.internal.v1.Documents/PutDocuments",
    "/lockstock.internal.v1.Documents/PutDocumentsBatch",
    "/lockstock.internal.v1.Documents/ListDocuments",
    "/lockstock.internal.v1.Documents/GetDocuments",
    "/lockstock.internal.v1.Orders/PlacePlanned",
    "/lockstock.internal.v1.Orders/ExchangePlanned",
];

/// One call: the first byte chooses the method, the rest is the message.
pub fn command(bytes: &[u8]) {
    calls(&[bytes]);
}

/// Pieces, each one call as above, made durable in between every few.
pub fn stream(bytes: &[u8]) {
    calls(&pieces(bytes));
}

fn open(disk: &FaultyDisk) -> Stepped {
    let mut config = Config::new("/data");
    config.segment_bytes = lockstock_journal::SEGMENT_BYTES_MIN;
    config.disk_floor_bytes = 0;
    let clock = |_: &State| Box::new(ManualClock::at(START)) as Box<dyn Clock>;
    Stepped::open(config, Arc::new(disk.clone()), clock, [9; 16]).expect("the node starts").0
}

fn commit(node: &mut Stepped) {
    while node.take_batch() {
        assert!(node.write_batch(), "the journal is written");
    }
}

/// A shop that has opened.
fn shop() -> FaultyDisk {
    static SHOP: OnceLock<FaultyDisk> = OnceLock::new();
    let disk = SHOP.get_or_init(|| {
        let disk = FaultyDisk::new();
        let mut node = open(&disk);
        let mut workload = Workload::new(1);
        for opening in [Workload::opening, Workload::opening_stock] {
            let command = opening(&mut workload);
            let request = workload.request(command);
            node.engine().execute(vec![request]);
        }
        commit(&mut node);
        disk
    });
    disk.fork()
}

fn calls(calls: &[&[u8]]) {
    let disk = shop();
    let mut node = open(&disk);
    let door = Door::new(node.engine().clone(), Duration::from_millis(100)).expect("there is randomness");
    let mut waiting = Vec::new();
    for (at, call) in calls.iter().enumerate() {
        let Some((method, message)) = call.split_first() else { continue };
        let method = METHODS[usize::from(*method) % METHODS.len()];
        waiting.push(door.call(Caller::Planner, method, message));
        if at % 4 == 3 {
            commit(&mut node);
        }
    }
    commit(&mut node);
    for called in waiting {
        assert!(called.seen <= node.engine().durable(), "what was seen is durable by now");
        // A refusal or an answer: both are bytes.
        let _answered = door.finish(called);
    }
    assert_eq!(node.engine().status().failure, None, "no command breaks an invariant");
    let hash = node.look(|state| {
        state.check().expect("the state adds up");
        state.hash()
    });
    let last = node.engine().durable();
    let journal = Layout::of(Path::new("/data")).journal;
    let mut replayed = State::default();
    for event in Events::open_on(Arc::new(disk), &journal, 0, last).expect("the journal can be read") {
        replayed.apply(&event.expect("every record is an event")).expect("every event can be applied");
    }
    assert_eq!(replayed.hash(), hash, "a replay gives the state of the node");
}
