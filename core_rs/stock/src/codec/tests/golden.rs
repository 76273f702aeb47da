//! The bytes of events, written out once and for ever: an old journal is read by every later version.
//! A line may be added; none may be changed.

use crate::command::{DocumentKind, WarehouseState};
use crate::event::{
    Change, DeductionPolicy, DocumentChange, Event, Exception, ExceptionKind, Fingerprint, LivePart, NewLine,
    NewReceipt, NewReservation, NewTransfer, Operation, Outcome, Source,
};
use crate::ids::{ChannelIx, OwnerNo, PoolIx, RegionIx, SHARED, SkuIx, WarehouseIx};
use crate::movement::{Kind, Movement};

const SEQUENCE: u64 = 1_000;

/// The head of every event below.
const HEAD: &str = "01e8078080f2818389850601011f0192f3c1a2b37abc8def0123456789abef\
                    cdab90785634120201785634120a21436587046769667405504f2d3137";

fn event(changes: Vec<Change>) -> Event {
    Event {
        sequence: SEQUENCE,
        at: 1_700_000_000_000_000,
        operation: Operation::Lock,
        key: 0x0192_F3C1_A2B3_7ABC_8DEF_0123_4567_89AB,
        fingerprint: Fingerprint {
            digest: 0x1234_5678_90AB_CDEF,
            fields: vec![(1, 0x1234_5678), (10, 0x8765_4321)],
        },
        reason: "gift".into(),
        document: "PO-17".into(),
        outcome: Outcome::Done,
        split_exact: true,
        changes,
    }
}

fn movement(kind: Kind) -> Movement {
    Movement { kind, sku: SkuIx(300), warehouse: None, pool: SHARED, owner: None, line: 0, quantity: 10 }
}

fn document(kind: DocumentKind, live: LivePart) -> Change {
    Change::Document(Box::new(DocumentChange { kind, id: "SH".into(), live, body: [1, 2, 3].into() }))
}

type Golden = Vec<(Change, &'static str)>;

/// Movements and reservations, each form of them.
fn of_reservations() -> Golden {
    vec![
        (
            Change::Movement(Movement {
                warehouse: Some(WarehouseIx(2)),
                owner: Some(OwnerNo(SEQUENCE)),
                line: 1,
                ..movement(Kind::Lock)
            }),
            "01010dac0202000114",
        ),
        (
            Change::Movement(Movement {
                pool: PoolIx(5),
                owner: Some(OwnerNo(7)),
                line: 675,
                quantity: 1_000_000_000_000,
                ..movement(Kind::CancelClaimed)
            }),
            "010a0eac0205c20fa30580c0a8ca9a3a",
        ),
        (
            Change::Movement(Movement { warehouse: Some(WarehouseIx(0)), ..movement(Kind::TransferLost) }),
            "013901ac020014",
        ),
        (
            Change::Reservation(Box::new(NewReservation {
                id: "R-1".into(),
                source: Source::Region(RegionIx(4)),
                destination: Box::default(),
                max_parcels: 3,
                deadline: 1_700_000_001_800_000,
                channel: Some(ChannelIx(6)),
                buyer: 0x0102_0304_0506_0708_090A_0B0C_0D0E_0F10,
                attributes: b"{}".as_slice().into(),
                lines: [
                    NewLine { sku: SkuIx(300), pool: SHARED, policy: DeductionPolicy::OnOrder },
                    NewLine { sku: SkuIx(1), pool: PoolIx(5), policy: DeductionPolicy::OnPayment },
                ]
                .into(),
            })),
            "0203522d3107040380ddcd8383898506060102030405060708090a0b0c0d0e0f10027b7d02ac020001010502",
        ),
        (
            Change::Reservation(Box::new(NewReservation {
                id: "R-2".into(),
                source: Source::Planned {
                    region: RegionIx(4),
                    warehouses: [WarehouseIx(2), WarehouseIx(130)].into(),
                },
                destination: "geo:31.2,121.5".into(),
                max_parcels: 0,
                deadline: 0,
                channel: None,
                buyer: 0,
                attributes: Box::default(),
                lines: [NewLine { sku: SkuIx(0), pool: SHARED, policy: DeductionPolicy::OnOrder }].into(),
            })),
            "0203522d323004020282010e67656f3a33312e322c3132312e35000001000001",
        ),
        (
            Change::Reservation(Box::new(NewReservation {
                id: "库存".into(),
                source: Source::Warehouses([WarehouseIx(2), WarehouseIx(130)].into()),
                destination: Box::default(),
                max_parcels: 0,
                deadline: 0,
                channel: None,
                buyer: 0,
                attributes: Box::default(),
                lines: [NewLine { sku: SkuIx(0), pool: SHARED, policy: DeductionPolicy::OnOrder }].into(),
            })),
            "0206e5ba93e5ad980802028201000001000001",
        ),
        (
            Change::ReservationLine {
                reservation: OwnerNo(999),
                line: NewLine { sku: SkuIx(8), pool: SHARED, policy: DeductionPolicy::OnPayment },
            },
            "0302080002",
        ),
        (
            Change::Deadline { reservation: OwnerNo(990), deadline: 1_700_000_002_000_000, extensions: 2 },
            "04148092e6838389850602",
        ),
        (Change::RefundDue { reservation: OwnerNo(1) }, "05ce0f"),
        (Change::Step { reservation: OwnerNo(999), attributes: b"{}".as_slice().into() }, "0f02027b7d"),
        (Change::Step { reservation: OwnerNo(999), attributes: Box::default() }, "0f0200"),
    ]
}

/// Receipts, transfers and the engine's own.
fn of_goods() -> Golden {
    vec![
        (
            Change::Receipt(Box::new(NewReceipt { id: "P-1".into(), warehouse: WarehouseIx(9) })),
            "0603502d3109",
        ),
        (Change::ReceiptLine { receipt: OwnerNo(SEQUENCE), sku: SkuIx(300) }, "0700ac02"),
        (
            Change::ReceiptExpectedAt { receipt: OwnerNo(SEQUENCE), expected_at: 1_700_000_003_000_000 },
            "0800809be08483898506",
        ),
        (
            Change::Transfer(Box::new(NewTransfer {
                id: "T-1".into(),
                from: WarehouseIx(1),
                to: WarehouseIx(2),
                lines: [SkuIx(3), SkuIx(300)].into(),
            })),
            "0903542d3101020203ac02",
        ),
        (Change::TransferClosed { transfer: OwnerNo(998) }, "0a04"),
        (
            Change::Exception(Exception {
                kind: ExceptionKind::Oversold,
                sku: SkuIx(300),
                warehouse: WarehouseIx(2),
                quantity: 5,
                reservation: None,
            }),
            "0c0100ac02020a",
        ),
        (
            Change::Exception(Exception {
                kind: ExceptionKind::Claimed,
                sku: SkuIx(0),
                warehouse: WarehouseIx(2),
                quantity: 5,
                reservation: Some(OwnerNo(900)),
            }),
            "0c020100020ac801",
        ),
        (Change::Horizon { stamp_ms: 1_700_000_000_000 }, "0d80d095ffbc31"),
        (Change::Checkpoint { state_hash: 0xFEDC_BA98_7654_3210 }, "0e1032547698badcfe"),
    ]
}

/// Documents, each form of them.
fn of_documents() -> Golden {
    vec![
        (document(DocumentKind::Channel, LivePart::Nothing), "0b040253480003010203"),
        (document(DocumentKind::Region, LivePart::Nothing), "0b030253480003010203"),
        (
            document(DocumentKind::Sku, LivePart::Sku { category: "books".into(), policy: None }),
            "0b010253480105626f6f6b730003010203",
        ),
        (
            document(DocumentKind::Shop, LivePart::Shop { policy: Some(DeductionPolicy::OnPayment) }),
            "0b06025348040203010203",
        ),
        (
            document(
                DocumentKind::Warehouse,
                LivePart::Warehouse {
                    state: WarehouseState::Paused,
                    skus: ["a".into(), "b".into()].into(),
                    categories: ["books".into()].into(),
                },
            ),
            "0b02025348020202016101620105626f6f6b7303010203",
        ),
        (
            document(
                DocumentKind::RoutePlan,
                LivePart::RoutePlan { warehouses: [WarehouseIx(1), WarehouseIx(0)].into() },
            ),
            "0b050253480302010003010203",
        ),
    ]
}

/// Events without what the flags announce.
fn bare() -> Vec<(Event, &'static str)> {
    let bare = |operation, outcome, split_exact| Event {
        sequence: 1,
        at: 0,
        operation,
        key: 0,
        fingerprint: Fingerprint::default(),
        reason: Box::default(),
        document: Box::default(),
        outcome,
        split_exact,
        changes: Vec::new(),
    };
    vec![
        (bare(Operation::Checkpoint, Outcome::Done, true), "01010042010100"),
        (bare(Operation::Sweep, Outcome::Partial, false), "01010041020000"),
        (bare(Operation::Deduct, Outcome::Relocked, true), "01010004030100"),
        (bare(Operation::Amend, Outcome::ExpiredSoldOut, true), "01010022040100"),
        (bare(Operation::PayOrder, Outcome::SoldOut, true), "01010024050100"),
    ]
}

fn hex(event: &Event) -> String {
    let mut bytes = Vec::new();
    event.encode(&mut bytes);
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<char> = text.chars().collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap()).collect()
}

#[test]
fn the_bytes_of_every_kind_of_change_are_what_they_were() {
    for (change, bytes) in [of_reservations(), of_goods(), of_documents()].concat() {
        let written = format!("{HEAD}01{bytes}");
        let event = event(vec![change]);
        assert_eq!(hex(&event), written);
        assert_eq!(Event::decode(&unhex(&written)), Ok(event));
    }
}

#[test]
fn the_bytes_of_events_without_key_and_changes_are_what_they_were() {
    for (event, bytes) in bare() {
        assert_eq!(hex(&event), bytes);
        assert_eq!(Event::decode(&unhex(bytes)), Ok(event));
    }
}

#[test]
fn an_empty_list_of_changes_ends_the_head() {
    assert_eq!(hex(&event(Vec::new())), format!("{HEAD}00"));
}
