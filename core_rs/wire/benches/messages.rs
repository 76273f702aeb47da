//! What a message costs from its bytes to the bytes of its answer, which has waited for the disk: `cargo bench -p
//! lockstock-wire`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a benchmark may be blunt")]

#[path = "../tests/common/mod.rs"]
mod common;

use std::ops::Range;
use std::sync::LazyLock;
use std::time::{SystemTime, UNIX_EPOCH};

use divan::Bencher;
use divan::counter::ItemsCount;
use lockstock_wire::proto::lockstock::v1::{self as pb, command};
use prost::Message;

use common::{STOCK, Shop, lock_as};

/// As in the server.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Commands a message.
const COMMANDS: [u64; 2] = [100, 8_190];
const UNITS: i64 = 1_000_000_000_000;
/// Messages, each of its own.
const MESSAGES: u32 = 20;
/// Commands within a millisecond of their ids.
const A_MILLISECOND: u64 = 100;

/// Makes the batch of some numbers.
type Make = fn(Range<u64>) -> Vec<u8>;

fn main() {
    divan::main();
}

fn locks(numbers: Range<u64>) -> Vec<u8> {
    let lock = |number| lock_as(&request_id(2 * number), &reservation(number), 1);
    batch(numbers.map(|number| command::Operation::Lock(lock(number))))
}

fn deducts(numbers: Range<u64>) -> Vec<u8> {
    let deduct = |number| pb::DeductRequest {
        cause: Some(pb::Cause { request_id: request_id(2 * number + 1), ..Default::default() }),
        reservation_id: reservation(number),
        ..Default::default()
    };
    batch(numbers.map(|number| command::Operation::Deduct(deduct(number))))
}

fn reservation(number: u64) -> String {
    format!("r-{number:012}")
}

/// Stamped with an hour ago: not ahead of the clock, and not to be forgotten.
fn request_id(number: u64) -> String {
    static BEGAN_MS: LazyLock<u64> = LazyLock::new(|| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
        u64::try_from(now).unwrap() - 3_600_000
    });
    let stamp = *BEGAN_MS + number / A_MILLISECOND;
    format!("{:08x}-{:04x}-7000-8000-{number:012x}", stamp >> 16, stamp & 0xffff)
}

fn batch(operations: impl Iterator<Item = command::Operation>) -> Vec<u8> {
    let commands = operations.map(|it| pb::Command { operation: Some(it) }).collect();
    pb::ExecuteBatchRequest { commands }.encode_to_vec()
}

/// Measures batches, each of numbers of its own, after as many of what comes `before`.
fn run(bencher: Bencher<'_, '_>, commands: u64, before: &[Make], make: Make) {
    let shop = Shop::of(&[("BOOK", "SH", UNITS)]);
    let path = format!("{STOCK}ExecuteBatch");
    let numbers = |message| message * commands..(message + 1) * commands;
    for make in before {
        (0..MESSAGES.into()).for_each(|message| drop(shop.bytes(&path, &make(numbers(message))).unwrap()));
    }
    let mut messages = (0..MESSAGES.into()).map(|message| make(numbers(message)));
    bencher
        .counter(ItemsCount::new(commands))
        .with_inputs(|| messages.next().unwrap())
        .bench_local_values(|message| shop.bytes(&path, &message).unwrap());
    let sold = u64::from(MESSAGES) * commands;
    assert_eq!(
        UNITS - shop.available("BOOK", "SH"),
        i64::try_from(sold).unwrap(),
        "a refusal is no benchmark"
    );
}

#[divan::bench(args = COMMANDS, sample_count = MESSAGES, sample_size = 1)]
fn batch_of_locks(bencher: Bencher<'_, '_>, commands: u64) {
    run(bencher, commands, &[], locks);
}

#[divan::bench(args = COMMANDS, sample_count = MESSAGES, sample_size = 1)]
fn batch_of_deducts(bencher: Bencher<'_, '_>, commands: u64) {
    run(bencher, commands, &[locks], deducts);
}
