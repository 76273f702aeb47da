//! What open reservations cost: bytes of memory each, a lock and a deduct among so many of them, and reading them from
//! a snapshot: `cargo bench -p lockstock-stock --bench open -- OPEN SKUS ROWS`, by default a million, 100,000 and 1. All
//! keys, names and deadlines that the state keeps for them are in the bytes; reservations are named by UUIDs. A SKU has
//! rows in so many of 50 warehouses, units only in the last of the plan.
#![allow(clippy::unwrap_used, reason = "a benchmark may be blunt")]

mod shop;

use std::time::Instant;

use lockstock_stock::event::Event;
use lockstock_stock::machine::Machine;
use lockstock_stock::state::State;
use shop::{deduct, lock, request, rows, shop, step};

/// As the server has it: what a block of memory takes is the allocator's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const OPEN: u64 = 1_000_000;
const SKUS: u64 = 100_000;
const WAREHOUSES: usize = 50;
/// Commands that are measured: a small part of what stands.
const MEASURED: u64 = 100_000;
const PAGE_BYTES: u64 = 4_096;

fn main() {
    let mut numbers = std::env::args().filter_map(|word| word.parse().ok());
    let (open, skus) = (numbers.next().unwrap_or(OPEN), numbers.next().unwrap_or(SKUS));
    let filled = usize::try_from(numbers.next().unwrap_or(1)).unwrap();
    let names: Vec<String> = (0..skus).map(|number| format!("SKU-{number:07}")).collect();
    let before = resident();
    let mut machine = shop(&names, WAREHOUSES).0;
    rows(&mut machine, &names, filled - 1);
    let stocked = resident();
    println!("{skus} SKUs: {} bytes each", (stocked - before) / skus);
    let cold = (0..open).step_by(usize::try_from((open / MEASURED).max(1)).unwrap());
    let sku = |number: u64| &*names[usize::try_from(spread(number) % skus).unwrap()];
    run(&mut machine, "locks from nothing", 0..open, |machine, number, events| {
        step(machine, request(number, lock(&uuid(number), sku(number))), events);
    });
    println!("{open} open: {} bytes each", (resident() - stocked) / open.max(1));
    read(machine.state(), open);
    run(&mut machine, "locks among them", open..open + MEASURED, |machine, number, events| {
        step(machine, request(number, lock(&uuid(number), sku(number))), events);
    });
    let number = |number| spread(number) % open;
    let mut seen = std::collections::HashSet::new();
    let far: Vec<u64> = cold.map(number).filter(|number| seen.insert(*number)).collect();
    run(&mut machine, "deducts all over them", far.into_iter(), |machine, number, events| {
        step(machine, request(2 * open + MEASURED + number, deduct(&uuid(number))), events);
    });
    run(&mut machine, "deducts of the newest", open..open + MEASURED, |machine, number, events| {
        step(machine, request(4 * open + MEASURED + number, deduct(&uuid(number))), events);
    });
}

/// Written and read again, as recovery does.
fn read(state: &State, open: u64) {
    let mut bytes = Vec::new();
    state.write_snapshot(&mut bytes).unwrap();
    let start = Instant::now();
    let again = State::read_snapshot(&mut bytes.as_slice()).unwrap();
    let nanos = start.elapsed().as_nanos() / u128::from(open.max(1));
    assert_eq!(again.hash(), state.hash());
    println!("read from a snapshot: {nanos} ns each, {} bytes in all", bytes.len());
}

fn run(
    machine: &mut Machine,
    what: &str,
    numbers: impl Iterator<Item = u64>,
    mut one: impl FnMut(&mut Machine, u64, &mut Vec<Event>),
) {
    let mut events = Vec::new();
    let mut count = 0;
    let start = Instant::now();
    for number in numbers {
        one(machine, number, &mut events);
        events.clear();
        count += 1;
    }
    let nanos = u64::try_from(start.elapsed().as_nanos()).unwrap() / count;
    println!("{what}: {nanos} ns each ({count})");
}

/// A number that looks like chance.
fn spread(number: u64) -> u64 {
    let word = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    word ^ (word >> 31)
}

fn uuid(number: u64) -> String {
    let chance = spread(number);
    format!("{number:08x}-0000-7000-{:04x}-{:012x}", chance >> 48, chance & 0xFFFF_FFFF_FFFF)
}

/// Bytes of memory that are really there.
fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * PAGE_BYTES
}
