//! What a step of the state machine costs, piece by piece: `cargo bench -p lockstock-stock`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a benchmark may be blunt")]

mod shop;

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use lockstock_stock::command::{Command, Request};
use lockstock_stock::decide::decide;
use lockstock_stock::event::Event;
use lockstock_stock::machine::Machine;
use lockstock_stock::state::State;

use shop::{NOW, deduct, lock, request, step};

/// Commands a sample: so many that the clock of the benchmark does not count.
const COMMANDS: u64 = 10_000;
/// Warehouses of the plan; the units are in the last.
const WAREHOUSES: [usize; 2] = [1, 50];

fn main() {
    divan::main();
}

/// A machine with one SKU, and the events that made it.
fn shop(warehouses: usize) -> (Machine, Vec<Event>) {
    shop::shop(&["HOT".to_owned()], warehouses)
}

fn wanted(reservation: &str) -> Command<'_> {
    lock(reservation, "HOT")
}

fn names() -> Vec<String> {
    (0..COMMANDS).map(|number| format!("r-{number:012}")).collect()
}

fn locks(names: &[String]) -> Vec<Request<'_>> {
    (0..).zip(names).map(|(number, name)| request(number, wanted(name))).collect()
}

fn paid(names: &[String]) -> Vec<Request<'_>> {
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
    bencher.bench_local(|| {
        decide(machine.state(), machine.limits(), black_box(&lock), NOW, Vec::new()).unwrap()
    });
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
