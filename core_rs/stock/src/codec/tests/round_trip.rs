//! Every event comes back from its bytes, and nothing else does.

use crate::codec::CodecError;
use crate::command::{DocumentKind, WarehouseState};
use crate::event::{
    Change, DeductionPolicy, DocumentChange, Event, Exception, ExceptionKind, Fingerprint, LivePart, NewLine,
    NewReceipt, NewReservation, NewTransfer, Operation, Outcome, Source,
};
use crate::ids::{ChannelIx, OwnerNo, PoolIx, RegionIx, SkuIx, WarehouseIx};
use crate::movement::{Kind, Movement};
use crate::state::testing::Random;

const CHANGES: usize = 15;

/// Small, large or extreme.
fn number(random: &mut Random) -> u64 {
    let word = random.word();
    match random.below(4) {
        0 => word % 3,
        1 => word >> random.below(64),
        2 => u64::MAX - word % 2,
        _ => word % 100_000,
    }
}

fn index(random: &mut Random) -> u32 {
    u32::try_from(number(random) & 0xFFFF_FFFF).unwrap()
}

fn signed(random: &mut Random) -> i64 {
    number(random).cast_signed()
}

fn wide(random: &mut Random) -> u128 {
    if random.one_in(3) { 0 } else { u128::from(number(random)) << 64 | u128::from(number(random)) }
}

fn text(random: &mut Random) -> Box<str> {
    (0..random.below(9)).filter_map(|_| random.pick(&['a', 'é', '库', '\0', '😀'])).collect::<String>().into()
}

fn list<T>(random: &mut Random, one: impl Fn(&mut Random) -> T) -> Box<[T]> {
    (0..random.below(4)).map(|_| one(random)).collect()
}

fn bytes(random: &mut Random) -> Box<[u8]> {
    list(random, |random| random.word().to_le_bytes()[0])
}

fn owner(random: &mut Random) -> OwnerNo {
    OwnerNo(number(random))
}

fn warehouses(random: &mut Random) -> Box<[WarehouseIx]> {
    list(random, |random| WarehouseIx(index(random)))
}

fn line(random: &mut Random) -> NewLine {
    let policy = random.pick(DeductionPolicy::ALL).unwrap();
    NewLine { sku: SkuIx(index(random)), pool: PoolIx(index(random)), policy }
}

fn rule(random: &mut Random) -> Option<DeductionPolicy> {
    if random.one_in(3) { None } else { random.pick(DeductionPolicy::ALL) }
}

fn source(random: &mut Random) -> Source {
    match random.below(3) {
        0 => Source::Region(RegionIx(index(random))),
        1 => Source::Warehouses(warehouses(random)),
        _ => Source::Planned { region: RegionIx(index(random)), warehouses: warehouses(random) },
    }
}

fn movement(random: &mut Random, kind: Kind) -> Change {
    Change::Movement(Movement {
        kind,
        sku: SkuIx(index(random)),
        warehouse: random.one_in(2).then(|| WarehouseIx(index(random))),
        pool: PoolIx(index(random)),
        owner: random.one_in(2).then(|| owner(random)),
        line: index(random),
        quantity: signed(random),
    })
}

fn reservation(random: &mut Random) -> NewReservation {
    NewReservation {
        id: text(random),
        source: source(random),
        destination: text(random),
        max_parcels: index(random),
        deadline: signed(random),
        channel: random.one_in(2).then(|| ChannelIx(index(random))),
        buyer: wide(random),
        attributes: bytes(random),
        lines: list(random, line).into_iter().collect(),
    }
}

fn live(random: &mut Random) -> LivePart {
    match random.below(5) {
        0 => LivePart::Nothing,
        1 => LivePart::Sku { category: text(random), policy: rule(random) },
        2 => LivePart::Warehouse {
            state: [WarehouseState::Active, WarehouseState::Paused, WarehouseState::Closed][random.below(3)],
            skus: list(random, text),
            categories: list(random, text),
        },
        3 => LivePart::Shop { policy: rule(random) },
        _ => LivePart::RoutePlan { warehouses: warehouses(random) },
    }
}

fn document(random: &mut Random) -> DocumentChange {
    let kind = random.pick(&DocumentKind::ALL).unwrap();
    DocumentChange { kind, id: text(random), live: live(random), body: bytes(random) }
}

/// The n-th variant of a change, with random fields.
fn change(random: &mut Random, variant: usize) -> Change {
    match variant {
        0 => {
            let kind = random.pick(Kind::ALL).unwrap();
            movement(random, kind)
        }
        1 => Change::Reservation(Box::new(reservation(random))),
        2 => Change::ReservationLine { reservation: owner(random), line: line(random) },
        3 => Change::Deadline {
            reservation: owner(random),
            deadline: signed(random),
            extensions: index(random),
        },
        4 => Change::RefundDue { reservation: owner(random) },
        5 => {
            Change::Receipt(Box::new(NewReceipt { id: text(random), warehouse: WarehouseIx(index(random)) }))
        }
        6 => Change::ReceiptLine { receipt: owner(random), sku: SkuIx(index(random)) },
        7 => Change::ReceiptExpectedAt { receipt: owner(random), expected_at: signed(random) },
        8 => Change::Transfer(Box::new(NewTransfer {
            id: text(random),
            from: WarehouseIx(index(random)),
            to: WarehouseIx(index(random)),
            lines: list(random, |random| SkuIx(index(random))),
        })),
        9 => Change::TransferClosed { transfer: owner(random) },
        10 => Change::Document(Box::new(document(random))),
        11 => Change::Exception(Exception {
            kind: random.pick(ExceptionKind::ALL).unwrap(),
            sku: SkuIx(index(random)),
            warehouse: WarehouseIx(index(random)),
            quantity: signed(random),
            reservation: random.one_in(2).then(|| owner(random)),
        }),
        12 => Change::Step { reservation: owner(random), attributes: bytes(random) },
        13 => Change::Horizon { stamp_ms: number(random) },
        _ => Change::Checkpoint { state_hash: number(random) },
    }
}

fn event(random: &mut Random, changes: Vec<Change>) -> Event {
    Event {
        sequence: number(random),
        at: signed(random),
        operation: random.pick(Operation::ALL).unwrap(),
        key: wide(random),
        fingerprint: Fingerprint {
            digest: number(random),
            fields: list(random, |random| (index(random), index(random))).into(),
        },
        reason: text(random),
        document: text(random),
        outcome: random.pick(Outcome::ALL).unwrap(),
        split_exact: random.one_in(2),
        changes,
    }
}

fn encoded(event: &Event) -> Vec<u8> {
    let mut bytes = Vec::new();
    event.encode(&mut bytes);
    bytes
}

fn random_event(random: &mut Random) -> Event {
    let changes = (0..random.below(6)).map(|_| {
        let variant = random.below(CHANGES);
        change(random, variant)
    });
    let changes = changes.collect();
    event(random, changes)
}

#[test]
fn every_event_comes_back_from_its_bytes() {
    let mut random = Random(1);
    for _ in 0..20_000 {
        let event = random_event(&mut random);
        assert_eq!(Event::decode(&encoded(&event)), Ok(event));
    }
}

#[test]
fn every_kind_of_everything_comes_back() {
    let mut random = Random(2);
    for kind in Kind::ALL {
        let changes = vec![movement(&mut random, *kind)];
        let event = event(&mut random, changes);
        assert_eq!(Event::decode(&encoded(&event)), Ok(event));
    }
    for variant in 0..CHANGES {
        for operation in Operation::ALL {
            let changes = vec![change(&mut random, variant)];
            let event = Event { operation: *operation, ..event(&mut random, changes) };
            assert_eq!(Event::decode(&encoded(&event)), Ok(event));
        }
    }
}

#[test]
fn bytes_that_end_too_early_or_too_late_are_refused() {
    let mut random = Random(3);
    for _ in 0..300 {
        let mut bytes = encoded(&random_event(&mut random));
        for end in 0..bytes.len() {
            assert!(Event::decode(&bytes[..end]).is_err());
        }
        bytes.push(0);
        assert_eq!(Event::decode(&bytes), Err(CodecError::Trailing { at: bytes.len() - 1 }));
    }
}

#[test]
fn damaged_bytes_are_refused_or_are_exactly_another_event() {
    let mut random = Random(4);
    for _ in 0..20_000 {
        let mut bytes = encoded(&random_event(&mut random));
        for _ in 0..=random.below(2) {
            let at = random.below(bytes.len());
            bytes[at] = random.word().to_le_bytes()[0];
        }
        if let Ok(event) = Event::decode(&bytes) {
            assert_eq!(encoded(&event), bytes, "two ways to write {event:?}");
        }
    }
}

#[test]
fn noise_is_refused_without_a_panic() {
    let mut random = Random(5);
    for _ in 0..20_000 {
        let mut bytes: Vec<u8> = (0..random.below(80)).map(|_| random.word().to_le_bytes()[0]).collect();
        if let Some(version) = bytes.first_mut() {
            *version = 1;
        }
        if let Ok(event) = Event::decode(&bytes) {
            assert_eq!(encoded(&event), bytes);
        }
    }
}

#[test]
fn what_is_unknown_is_named() {
    let mut random = Random(6);
    let changes = vec![Change::RefundDue { reservation: OwnerNo(1) }];
    let event = Event {
        sequence: 1,
        at: 0,
        key: 0,
        fingerprint: Fingerprint::default(),
        reason: Box::default(),
        document: Box::default(),
        ..event(&mut random, changes)
    };
    let with = |at: usize, byte: u8| {
        let mut bytes = encoded(&event);
        bytes[at] = byte;
        Event::decode(&bytes)
    };
    let unknown = |what, number, at| Err(CodecError::UnknownNumber { what, number, at });
    assert_eq!(with(0, 2), Err(CodecError::UnknownVersion { version: 2 }));
    assert_eq!(with(3, 63), unknown("operation", 63, 3));
    assert_eq!(with(4, 9), unknown("outcome", 9, 4));
    assert_eq!(with(5, 0x20), unknown("flags", 0x20, 5));
    assert_eq!(with(6, 9), Err(CodecError::TooLong { length: 9, at: 6 }));
    assert_eq!(with(7, 99), unknown("kind of change", 99, 7));
}
