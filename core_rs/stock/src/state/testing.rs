//! For tests: a small random source, events by hand, and random events that a state may or may not accept.

use super::State;
use crate::command::{DocumentKind, SHOP_ID, WarehouseState};
use crate::event::{
    Change, DeductionPolicy, DocumentChange, Event, Exception, ExceptionKind, Fingerprint, LivePart, NewLine,
    NewReceipt, NewReservation, NewTransfer, Operation, Outcome, Source,
};
use crate::ids::{LineNo, OwnerNo, RegionIx, SHARED, SkuIx, Units, WarehouseIx};
use crate::limits::COUNTER_MAX;
use crate::movement::{Kind, Movement, OwnerKind};
use crate::state::hash::mix;

/// A small random source; the same seed, the same numbers.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.0)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.word() % bound.max(1) as u64).unwrap()
    }

    pub(crate) fn one_in(&mut self, chances: usize) -> bool {
        self.below(chances) == 0
    }

    pub(crate) fn pick<T: Copy>(&mut self, list: &[T]) -> Option<T> {
        list.get(self.below(list.len())).copied()
    }

    /// An index below `bound`, but once in a while `bound` itself.
    fn index_or_beyond(&mut self, bound: usize) -> u32 {
        if self.one_in(50) { u32::try_from(bound).unwrap() } else { self.index(bound) }
    }

    fn index(&mut self, bound: usize) -> u32 {
        u32::try_from(self.below(bound)).unwrap()
    }
}

/// The next event of a state, with these changes.
pub(crate) fn next(state: &State, changes: Vec<Change>) -> Event {
    Event {
        sequence: state.sequence() + 1,
        at: state.clock() + 1,
        operation: Operation::Lock,
        key: 0,
        fingerprint: Fingerprint::default(),
        reason: Box::default(),
        document: Box::default(),
        outcome: Outcome::Done,
        split_exact: true,
        changes,
    }
}

/// Movement of stock alone.
pub(crate) fn stock(kind: Kind, sku: u32, warehouse: u32, quantity: Units) -> Change {
    Change::Movement(Movement {
        kind,
        sku: SkuIx(sku),
        warehouse: Some(WarehouseIx(warehouse)),
        pool: SHARED,
        owner: None,
        line: 0,
        quantity,
    })
}

/// A movement on an owner's line; the warehouse stands where the kind has one.
pub(crate) fn owned(
    kind: Kind,
    owner: u64,
    line: LineNo,
    sku: u32,
    warehouse: u32,
    quantity: Units,
) -> Change {
    Change::Movement(Movement {
        kind,
        sku: SkuIx(sku),
        warehouse: (!kind.row().cell.is_empty()).then_some(WarehouseIx(warehouse)),
        pool: SHARED,
        owner: Some(OwnerNo(owner)),
        line,
        quantity,
    })
}

pub(crate) fn document(kind: DocumentKind, id: &str, live: LivePart) -> Change {
    Change::Document(Box::new(DocumentChange { kind, id: id.into(), live, body: id.as_bytes().into() }))
}

pub(crate) fn warehouse(id: &str, state: WarehouseState) -> Change {
    let live = LivePart::Warehouse { state, skus: Box::default(), categories: Box::default() };
    document(DocumentKind::Warehouse, id, live)
}

pub(crate) fn sku(id: &str) -> Change {
    document(DocumentKind::Sku, id, LivePart::Sku { category: "books".into(), policy: None })
}

fn line(sku: SkuIx) -> NewLine {
    NewLine { sku, pool: SHARED, policy: DeductionPolicy::OnOrder }
}

/// A reservation of one line for each SKU, from region 0.
pub(crate) fn reservation(id: &str, deadline: i64, skus: &[u32]) -> Change {
    Change::Reservation(Box::new(NewReservation {
        id: id.into(),
        source: Source::Region(RegionIx(0)),
        destination: Box::default(),
        max_parcels: 0,
        deadline,
        channel: None,
        buyer: 0,
        attributes: Box::default(),
        lines: skus.iter().map(|sku| line(SkuIx(*sku))).collect(),
    }))
}

/// Two SKUs, two warehouses, a region and a channel; 30 units of SKU 0 in warehouse 0.
pub(crate) fn shop() -> State {
    let mut state = State::default();
    let changes = vec![
        sku("book"),
        sku("pen"),
        warehouse("SH", WarehouseState::Active),
        warehouse("BJ", WarehouseState::Active),
        document(DocumentKind::Region, "CN", LivePart::Nothing),
        document(DocumentKind::Channel, "own", LivePart::Nothing),
        document(
            DocumentKind::RoutePlan,
            "CN",
            LivePart::RoutePlan { warehouses: [WarehouseIx(0), WarehouseIx(1)].into() },
        ),
        stock(Kind::OtherReceipt, 0, 0, 30),
    ];
    let event = next(&state, changes);
    state.apply(&event).unwrap();
    state
}

/// Kinds that hold only together with another.
const PARTNERS: &[(Kind, &[Kind])] = &[
    (Kind::MoveLockedOut, &[Kind::MoveLockedIn]),
    (Kind::MoveAllocatedOut, &[Kind::MoveAllocatedIn]),
    (Kind::ShortPickLost, &[Kind::ClaimShortPick, Kind::Reroute]),
    (Kind::ShortPickRepair, &[Kind::ClaimShortPick]),
    (Kind::ReceiptArrived, &[Kind::ReceiveGood, Kind::ReceiveDefective, Kind::ReceiveMissing]),
    (Kind::ShipTransferPicking, &[Kind::TransferDeparted]),
    (Kind::ShipTransferAllocated, &[Kind::TransferDeparted]),
    (
        Kind::TransferArrived,
        &[
            Kind::TransferReceiveGood,
            Kind::TransferReceiveDefective,
            Kind::TransferRestored,
            Kind::TransferDamaged,
            Kind::TransferLost,
        ],
    ),
];

/// A random event: its references are mostly right, its numbers often not.
pub(crate) fn random_event(random: &mut Random, state: &State) -> Event {
    let mut changes = Vec::new();
    let most = if random.one_in(4) { 4 } else { 1 };
    for _ in 0..=random.below(most) {
        if random.one_in(5) {
            changes.push(random_structure(random, state));
        } else {
            random_movements(random, state, &mut changes);
        }
    }
    let mut event = next(state, changes);
    event.at += i64::try_from(random.below(3)).unwrap();
    if random.one_in(3) {
        event.key = u128::from(random.below(50) as u64) << 80 | u128::from(random.word()) | 1;
        event.fingerprint = Fingerprint { digest: random.word(), fields: vec![(1, 7)] };
    }
    match random.below(60) {
        0 => event.sequence += 1,
        1 => event.at -= 10,
        _ => {}
    }
    event
}

fn random_quantity(random: &mut Random) -> Units {
    match random.below(40) {
        0 => COUNTER_MAX,
        1 => 0,
        2 => -1,
        _ => 1 + i64::try_from(random.below(4)).unwrap(),
    }
}

fn random_movements(random: &mut Random, state: &State, changes: &mut Vec<Change>) {
    let Some(kind) = random.pick(Kind::ALL) else { return };
    let Some(movement) = random_movement(random, state, kind) else { return };
    changes.push(Change::Movement(movement));
    let partners = PARTNERS.iter().find(|(of, _)| *of == kind).map(|(_, partners)| *partners);
    if let Some(partner) = partners.and_then(|partners| random.pick(partners)) {
        let mut other = Movement { kind: partner, ..movement };
        other.warehouse = match kind {
            Kind::ShipTransferPicking | Kind::ShipTransferAllocated => {
                movement.owner.and_then(|no| state.transfer(no)).map(|transfer| transfer.to)
            }
            _ if partner == Kind::TransferRestored => {
                movement.owner.and_then(|no| state.transfer(no)).map(|transfer| transfer.from)
            }
            Kind::MoveLockedOut | Kind::MoveAllocatedOut | Kind::ShortPickLost => {
                Some(random_warehouse(random, state))
            }
            _ => movement.warehouse,
        };
        if partner.row().cell.is_empty() {
            other.warehouse = None;
        }
        changes.push(Change::Movement(other));
    }
}

fn random_warehouse(random: &mut Random, state: &State) -> WarehouseIx {
    WarehouseIx(random.index_or_beyond(state.warehouses().len()))
}

fn random_movement(random: &mut Random, state: &State, kind: Kind) -> Option<Movement> {
    let mut movement = Movement {
        kind,
        sku: SkuIx(random.index_or_beyond(state.skus().len())),
        warehouse: Some(random_warehouse(random, state)),
        pool: SHARED,
        owner: None,
        line: 0,
        quantity: random_quantity(random),
    };
    let (owner, lines): (OwnerNo, Vec<SkuIx>) = match kind.owner() {
        OwnerKind::None => return Some(movement),
        OwnerKind::Reservation => {
            let reservation = random_owner(random, state.reservations.values().map(|owner| owner.no))?;
            let reservation = state.reservation(reservation)?;
            let held: Vec<WarehouseIx> = reservation
                .lines
                .iter()
                .flat_map(|line| &line.allocations)
                .map(super::Allocation::warehouse)
                .collect();
            movement.warehouse = random.pick(&held).or(movement.warehouse);
            (reservation.no, reservation.lines.iter().map(|line| line.sku).collect())
        }
        OwnerKind::Receipt => {
            let receipt = random_owner(random, state.receipts.values().map(|owner| owner.no))?;
            let receipt = state.receipt(receipt)?;
            movement.warehouse = Some(receipt.warehouse);
            (receipt.no, receipt.lines.iter().map(|line| line.sku).collect())
        }
        OwnerKind::Transfer => {
            let transfer = random_owner(random, state.transfers.values().map(|owner| owner.no))?;
            let transfer = state.transfer(transfer)?;
            let source = matches!(
                kind,
                Kind::DraftTransfer
                    | Kind::CancelTransferAllocated
                    | Kind::CancelTransferPicking
                    | Kind::PushTransfer
                    | Kind::RecallTransfer
                    | Kind::ShipTransferPicking
                    | Kind::ShipTransferAllocated
                    | Kind::TransferRestored
            );
            movement.warehouse = Some(if source { transfer.from } else { transfer.to });
            (transfer.no, transfer.lines.iter().map(|line| line.sku).collect())
        }
    };
    let line = random.index_or_beyond(lines.len()) as usize;
    movement.owner = Some(owner);
    movement.line = u32::try_from(line + 1).unwrap();
    movement.sku = lines.get(line).copied().unwrap_or(SkuIx(0));
    if kind.row().cell.is_empty() {
        movement.warehouse = None;
    }
    Some(movement)
}

/// In the order of numbers, so that the same seed finds the same owner.
fn random_owner(random: &mut Random, owners: impl Iterator<Item = OwnerNo>) -> Option<OwnerNo> {
    let mut owners: Vec<OwnerNo> = owners.collect();
    owners.sort_unstable();
    random.pick(&owners)
}

fn random_structure(random: &mut Random, state: &State) -> Change {
    let name = |random: &mut Random, prefix: &str, bound| format!("{prefix}{}", random.below(bound));
    let sku_ix = SkuIx(random.index(state.skus().len()));
    let deadline = [0, 1_000, 2_000, -1][random.below(30).min(2 + usize::from(random.one_in(9)))];
    let existing =
        random_owner(random, state.reservations.values().map(|owner| owner.no)).unwrap_or(OwnerNo(0));
    match random.below(14) {
        0 | 1 => {
            let skus: Vec<u32> = (0..=random.below(2)).map(|_| random.index(state.skus().len())).collect();
            reservation(&name(random, "R", 6), deadline, &skus)
        }
        2 if random.one_in(8) => Change::ReservationLine { reservation: existing, line: line(sku_ix) },
        3 => Change::Deadline { reservation: existing, deadline, extensions: random.index(5) },
        4 if random.one_in(4) => Change::RefundDue { reservation: existing },
        4 => Change::Step { reservation: existing, attributes: Box::default() },
        5 => Change::Receipt(Box::new(NewReceipt {
            id: name(random, "P", 12).into(),
            warehouse: WarehouseIx(random.index(state.warehouses().len())),
        })),
        6 | 7 => {
            let owner =
                random_owner(random, state.receipts.values().map(|owner| owner.no)).unwrap_or(OwnerNo(0));
            if random.one_in(3) {
                Change::ReceiptExpectedAt { receipt: owner, expected_at: deadline }
            } else {
                Change::ReceiptLine { receipt: owner, sku: sku_ix }
            }
        }
        8 => Change::Transfer(Box::new(NewTransfer {
            id: name(random, "T", 12).into(),
            from: WarehouseIx(random.index(state.warehouses().len())),
            to: WarehouseIx(random.index(state.warehouses().len())),
            lines: [sku_ix].into(),
        })),
        9 => Change::TransferClosed {
            transfer: random_owner(random, state.transfers.values().map(|owner| owner.no))
                .unwrap_or(OwnerNo(0)),
        },
        10 => random_document(random),
        11 => Change::Exception(Exception {
            kind: ExceptionKind::Oversold,
            sku: sku_ix,
            warehouse: WarehouseIx(random.index(3)),
            quantity: 1,
            reservation: Some(existing),
        }),
        12 => Change::Horizon { stamp_ms: random.below(60) as u64 },
        _ => Change::Checkpoint { state_hash: state.hash() ^ u64::from(random.one_in(3)) },
    }
}

fn random_document(random: &mut Random) -> Change {
    let id = format!("{}", random.below(5));
    let names = |random: &mut Random| (0..random.below(3)).map(|n| format!("n{n}").into()).collect();
    let rule = |random: &mut Random| random.pick(&[None, Some(DeductionPolicy::OnPayment)]).flatten();
    match random.below(7) {
        0 => sku(&id),
        5 => {
            let live = LivePart::Sku { category: "books".into(), policy: rule(random) };
            document(DocumentKind::Sku, &id, live)
        }
        6 => document(DocumentKind::Shop, SHOP_ID, LivePart::Shop { policy: rule(random) }),
        1 => {
            let state = [
                WarehouseState::Active,
                WarehouseState::Active,
                WarehouseState::Paused,
                WarehouseState::Closed,
            ];
            let live = LivePart::Warehouse {
                state: state[random.below(4)],
                skus: names(random),
                categories: names(random),
            };
            document(DocumentKind::Warehouse, &id, live)
        }
        2 => document(DocumentKind::Region, &id, LivePart::Nothing),
        3 => document(DocumentKind::Channel, &id, LivePart::Nothing),
        _ => {
            let warehouses = (0..random.below(3)).map(|_| WarehouseIx(random.index(3))).collect();
            document(DocumentKind::RoutePlan, &id, LivePart::RoutePlan { warehouses })
        }
    }
}
