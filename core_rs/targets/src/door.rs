//! The decoders of commands, and streams of commands, through the door into a node in one thread.

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use lockstock_engine::Events;
use lockstock_engine::clock::{Clock, ManualClock};
use lockstock_engine::config::{Config, Layout};
use lockstock_engine::stepped::Stepped;
use lockstock_journal::disk::faulty::FaultyDisk;
use lockstock_stock::command::{Adjustment, Command, StockLine};
use lockstock_stock::ids::Micros;
use lockstock_stock::machine::Reply;
use lockstock_stock::state::State;
use lockstock_twin::workload::{SKUS, START, WAREHOUSES, Workload};
use lockstock_wire::status::Failure;
use lockstock_wire::{Caller, Door};

use crate::pieces;

/// Every method that the door serves; a test holds them and the contract together. Their order is what the corpus
/// counts on: new ones go to the end.
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

/// In place of a method: the minutes that the next byte says pass by.
pub const TIME_PASSES: u8 = 0xFF;

const MINUTE: Micros = 60_000_000;
/// `google.rpc.Code`.
const UNIMPLEMENTED: i32 = 12;
const INTERNAL: i32 = 13;

type Answered = Result<Vec<u8>, Failure>;

/// One call: the first byte chooses the method, the rest is the message.
pub fn command(bytes: &[u8]) {
    let _answered = calls(&[bytes]);
}

/// Pieces, each one call as above or time that passes; an empty one makes durable what came before it.
pub fn stream(bytes: &[u8]) {
    let _answered = calls(&pieces(bytes));
}

/// Whether there is such a method.
pub fn is_served(method: &str) -> bool {
    let (node, _) = open(&shop());
    let door = door(&node);
    !matches!(door.finish(door.call(Caller::Planner, method, &[])), Err(failure) if failure.code == UNIMPLEMENTED)
}

fn open(disk: &FaultyDisk) -> (Stepped, ManualClock) {
    let mut config = Config::new("/data");
    config.segment_bytes = lockstock_journal::SEGMENT_BYTES_MIN;
    config.disk_floor_bytes = 0;
    let clock = ManualClock::at(START);
    let told = clock.clone();
    let clock_of = |_: &State| Box::new(told) as Box<dyn Clock>;
    let opened = Stepped::open(config, Arc::new(disk.clone()), clock_of, [9; 16]).expect("the node starts");
    (opened.0, clock)
}

fn door(node: &Stepped) -> Door {
    Door::new(node.engine().clone(), Duration::from_millis(100)).expect("there is randomness")
}

fn commit(node: &mut Stepped) {
    while node.take_batch() {
        assert!(node.write_batch(), "the journal is written");
    }
}

/// A shop that has opened, with some of everything everywhere.
fn shop() -> FaultyDisk {
    static SHOP: OnceLock<FaultyDisk> = OnceLock::new();
    let disk = SHOP.get_or_init(|| {
        let disk = FaultyDisk::new();
        let (mut node, _) = open(&disk);
        let mut workload = Workload::new(1);
        let stock_line = |sku| WAREHOUSES.map(|warehouse| StockLine { sku, warehouse, quantity: 9 });
        let lines = SKUS.into_iter().flat_map(stock_line).collect();
        let stock = Command::Adjust { adjustment: Adjustment::OtherReceipt, lines };
        for command in [workload.opening(), stock] {
            let request = workload.request(command);
            let replies = node.engine().execute(vec![request]).replies;
            assert!(matches!(replies[..], [Reply::Done(_)]), "the shop opens");
        }
        commit(&mut node);
        disk
    });
    disk.fork()
}

fn calls(calls: &[&[u8]]) -> Vec<Answered> {
    let disk = shop();
    let (mut node, clock) = open(&disk);
    let door = door(&node);
    let mut waiting = Vec::new();
    for call in calls {
        match call.split_first() {
            None => commit(&mut node),
            Some((&TIME_PASSES, minutes)) => {
                clock.advance(MINUTE * Micros::from(minutes.first().copied().unwrap_or(1)));
            }
            Some((method, message)) => {
                let method = METHODS[usize::from(*method) % METHODS.len()];
                waiting.push(door.call(Caller::Planner, method, message));
            }
        }
    }
    commit(&mut node);
    let mut answers = Vec::new();
    for called in waiting {
        assert!(called.seen <= node.engine().durable(), "what was seen is durable by now");
        let answered = door.finish(called);
        let failed = answered.as_ref().err().filter(|failure| failure.code == INTERNAL);
        assert_eq!(failed, None, "nothing anybody sends is our own failure");
        answers.push(answered);
    }
    assert_eq!(node.engine().status().failure, None, "no command breaks an invariant");
    must_replay(&node, disk);
    answers
}

/// What stands in the journal gives the state of the node.
fn must_replay(node: &Stepped, disk: FaultyDisk) {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn corpus(name: &str) -> Vec<u8> {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/stream");
        std::fs::read(dir.join(name)).unwrap()
    }

    #[test]
    fn the_streams_of_the_corpus_reach_the_machine() {
        for (name, granted) in
            [("an-order", 7), ("a-transfer", 4), ("paid-too-late", 2), ("the-same-again", 3)]
        {
            let bytes = corpus(name);
            let answers = calls(&pieces(&bytes));
            let failures: Vec<_> = answers.iter().filter_map(|it| it.as_ref().err()).collect();
            assert_eq!((answers.len() - failures.len(), failures), (granted, vec![]), "{name}");
        }
    }
}
