//! What `apply` accepts, refuses and keeps, case by case.

use crate::command::{DocumentKind, WarehouseState};
use crate::counters::{AllocationCounter, Counter, LineCounter, PoolCounter};
use crate::event::{Change, Event, Fingerprint, LivePart, NewReceipt, NewTransfer, Operation, Outcome};
use crate::ids::{OwnerNo, SHARED, SkuIx, WarehouseIx};
use crate::limits::COUNTER_MAX;
use crate::movement::Kind;
use crate::state::testing::{document, next, owned, reservation, shop, sku, stock, warehouse};
use crate::state::{Identity, KnownKey, State, Violation};

const BOOK: SkuIx = SkuIx(0);
const SH: WarehouseIx = WarehouseIx(0);

fn bytes(state: &State) -> Vec<u8> {
    let mut bytes = Vec::new();
    state.write_snapshot(&mut bytes).unwrap();
    bytes
}

fn apply(state: &mut State, changes: Vec<Change>) -> u64 {
    let event = next(state, changes);
    state.apply(&event).unwrap();
    state.check().unwrap();
    event.sequence
}

/// Applies what must be refused; nothing has changed.
fn refuse(state: &mut State, event: &Event) -> Violation {
    let before = bytes(state);
    let violation = state.apply(event).unwrap_err();
    assert_eq!(bytes(state), before, "{violation}");
    state.check().unwrap();
    violation
}

fn refuse_changes(state: &mut State, changes: Vec<Change>) -> Violation {
    let event = next(state, changes);
    refuse(state, &event)
}

fn broken(violation: &Violation) -> Identity {
    match violation {
        Violation::Broken { identity, .. } => *identity,
        other => panic!("no identity: {other}"),
    }
}

/// A shop with 10 books locked until 1,000 by the reservation whose number is returned.
fn locked() -> (State, u64) {
    let mut state = shop();
    let no = state.sequence() + 1;
    let changes = vec![reservation("R", 1_000, &[0]), owned(Kind::Lock, no, 1, 0, 0, 10)];
    apply(&mut state, changes);
    (state, no)
}

#[test]
fn a_lock_moves_cell_pool_line_and_allocation_and_stands_among_the_deadlines() {
    let (state, no) = locked();
    let cell = state.cell(BOOK, SH);
    assert_eq!((cell.get(Counter::Available), cell.get(Counter::Locked), cell.on_hand()), (20, 10, 30));
    assert_eq!(state.sku(BOOK).pool(SHARED).unwrap().get(PoolCounter::Locked), 10);
    let reservation = state.find_reservation("R").unwrap();
    let line = &reservation.lines[0];
    assert_eq!((line.get(LineCounter::Requested), line.get(LineCounter::Locked)), (10, 10));
    assert_eq!(line.allocation(SH).unwrap().get(AllocationCounter::Locked), 10);
    assert_eq!((reservation.version, reservation.created_at), (no, state.clock()));
    assert_eq!((reservation.is_locked(), reservation.total(LineCounter::Locked)), (true, 10));
    assert_eq!(state.deadlines().collect::<Vec<_>>(), [(1_000, OwnerNo(no))]);
}

#[test]
fn a_reservation_leaves_the_deadlines_with_its_last_locked_unit_and_moves_with_its_deadline() {
    let (mut state, no) = locked();
    let extended = Change::Deadline { reservation: OwnerNo(no), deadline: 2_000, extensions: 1 };
    apply(&mut state, vec![extended]);
    assert_eq!(state.deadlines().collect::<Vec<_>>(), [(2_000, OwnerNo(no))]);
    apply(&mut state, vec![owned(Kind::Deduct, no, 1, 0, 0, 4)]);
    assert_eq!(state.deadlines().count(), 1);
    let last = apply(&mut state, vec![owned(Kind::Unlock, no, 1, 0, 0, 6)]);
    assert_eq!(state.deadlines().count(), 0);
    assert_eq!(state.find_reservation("R").unwrap().version, last);
}

#[test]
fn an_event_that_is_not_the_next_is_refused() {
    let mut state = shop();
    for sequence in [0, state.sequence(), state.sequence() + 2, u64::MAX] {
        let event = Event { sequence, ..next(&state, vec![]) };
        assert_eq!(refuse(&mut state, &event), Violation::Gap { sequence, expected: state.sequence() + 1 });
    }
}

#[test]
fn time_does_not_go_back_but_may_stand() {
    let mut state = shop();
    let clock = state.clock();
    let back = Event { at: clock - 1, ..next(&state, vec![]) };
    assert!(matches!(refuse(&mut state, &back), Violation::ClockBack { .. }));
    let same = Event { at: clock, ..next(&state, vec![]) };
    assert_eq!(state.apply(&same), Ok(()));
}

#[test]
fn available_goes_below_zero_by_a_recorded_loss_only() {
    let mut state = shop();
    let sold = refuse_changes(&mut state, vec![stock(Kind::Issue, 0, 0, 31)]);
    assert_eq!(broken(&sold), Identity::GoodOnHand);
    let no = apply(&mut state, vec![reservation("R", 9_000, &[0])]);
    apply(&mut state, vec![owned(Kind::Lock, no, 1, 0, 0, 10)]);
    let taken = refuse_changes(&mut state, vec![stock(Kind::Decrease, 0, 0, 21)]);
    assert_eq!(broken(&taken), Identity::Available);
    assert!(taken.to_string().contains("SKU book, warehouse SH"), "{taken}");
    apply(&mut state, vec![stock(Kind::RecordLoss, 0, 0, 25)]);
    assert_eq!(state.cell(BOOK, SH).get(Counter::Available), -5);
    apply(&mut state, vec![stock(Kind::Increase, 0, 0, 2)]);
    let lower = refuse_changes(&mut state, vec![stock(Kind::Decrease, 0, 0, 1)]);
    assert_eq!(broken(&lower), Identity::Available);
    let mixed = vec![stock(Kind::Decrease, 0, 0, 1), stock(Kind::Increase, 0, 0, 1)];
    apply(&mut state, mixed);
    assert_eq!(state.cell(BOOK, SH).get(Counter::Available), -3);
}

#[test]
fn good_units_on_hand_never_go_below_zero_even_by_a_loss() {
    let (mut state, no) = locked();
    apply(&mut state, vec![owned(Kind::Deduct, no, 1, 0, 0, 10), stock(Kind::RecordLoss, 0, 0, 25)]);
    let violation = refuse_changes(&mut state, vec![owned(Kind::ShipAllocated, no, 1, 0, 0, 6)]);
    assert_eq!(broken(&violation), Identity::GoodOnHand);
    apply(&mut state, vec![owned(Kind::ShipAllocated, no, 1, 0, 0, 5)]);
}

#[test]
fn locked_units_without_a_deadline_are_refused() {
    let mut state = shop();
    let no = state.sequence() + 1;
    let changes = vec![reservation("R", 0, &[0]), owned(Kind::Lock, no, 1, 0, 0, 1)];
    assert_eq!(broken(&refuse_changes(&mut state, changes)), Identity::Deadline);
}

#[test]
fn a_counter_has_its_bound_and_an_overflow_is_not_a_wrap() {
    let mut state = shop();
    let full = refuse_changes(&mut state, vec![stock(Kind::Increase, 0, 0, COUNTER_MAX)]);
    assert_eq!(broken(&full), Identity::Range);
    let overflow = vec![stock(Kind::Increase, 0, 0, COUNTER_MAX); 10_000];
    assert!(matches!(refuse_changes(&mut state, overflow), Violation::Malformed { change: 9_223, .. }));
    for quantity in [0, -1, COUNTER_MAX + 1, i64::MIN] {
        let violation = refuse_changes(&mut state, vec![stock(Kind::Increase, 0, 0, quantity)]);
        assert!(matches!(violation, Violation::Malformed { .. }));
    }
}

#[test]
fn what_is_not_there_is_refused_and_what_came_before_is_undone() {
    let (mut state, no) = locked();
    let good = || vec![stock(Kind::Increase, 1, 1, 5), owned(Kind::Deduct, no, 1, 0, 0, 3)];
    let bad = [
        stock(Kind::Increase, 9, 0, 1),
        stock(Kind::Increase, 0, 9, 1),
        owned(Kind::Unlock, 99, 1, 0, 0, 1),
        owned(Kind::Unlock, no, 2, 0, 0, 1),
        owned(Kind::Unlock, no, 0, 0, 0, 1),
        owned(Kind::ReceiveGood, no, 1, 0, 0, 1),
        owned(Kind::DraftTransfer, no, 1, 0, 0, 1),
        Change::RefundDue { reservation: OwnerNo(99) },
        Change::Step { reservation: OwnerNo(99), attributes: Box::default() },
        Change::ReceiptLine { receipt: OwnerNo(99), sku: BOOK },
        Change::TransferClosed { transfer: OwnerNo(99) },
    ];
    for change in bad {
        let mut changes = good();
        changes.push(change.clone());
        let violation = refuse_changes(&mut state, changes);
        assert!(matches!(violation, Violation::Unknown { change: 2, .. }), "{change:?}: {violation}");
    }
    let wrong = [
        owned(Kind::Unlock, no, 1, 1, 0, 1),
        owned(Kind::Increase, no, 1, 0, 0, 1),
        document(DocumentKind::Sku, "x", LivePart::Nothing),
        document(DocumentKind::Shop, "another", LivePart::Shop { policy: None }),
        document(DocumentKind::RoutePlan, "nowhere", LivePart::RoutePlan { warehouses: Box::default() }),
        reservation("R", 1, &[0]),
    ];
    for change in wrong {
        let mut changes = good();
        changes.push(change.clone());
        let violation = refuse_changes(&mut state, changes);
        assert!(matches!(violation, Violation::Malformed { change: 2, .. }), "{change:?}: {violation}");
    }
}

#[test]
fn a_closed_warehouse_is_empty_and_stays_so() {
    let mut state = shop();
    let full = refuse_changes(&mut state, vec![warehouse("SH", WarehouseState::Closed)]);
    assert_eq!(broken(&full), Identity::Closed);
    apply(&mut state, vec![stock(Kind::Issue, 0, 0, 30), warehouse("SH", WarehouseState::Closed)]);
    let late = refuse_changes(&mut state, vec![stock(Kind::Increase, 0, 0, 1)]);
    assert_eq!(broken(&late), Identity::Closed);
}

#[test]
fn keys_are_known_until_the_horizon_passes_their_stamp() {
    let mut state = shop();
    let fingerprint = Fingerprint { digest: 77, fields: vec![] };
    let (old, young) = (5_u128 << 80 | 1, 6_u128 << 80 | 1);
    for key in [young, old] {
        let event = Event { key, fingerprint: fingerprint.clone(), ..next(&state, vec![]) };
        state.apply(&event).unwrap();
        assert_eq!(state.known_key(key), Some(KnownKey { sequence: event.sequence, digest: 77 }));
        let again = Event { key, ..next(&state, vec![]) };
        let first = event.sequence;
        assert_eq!(refuse(&mut state, &again), Violation::KeyKnown { sequence: first + 1, first });
    }
    apply(&mut state, vec![Change::Horizon { stamp_ms: 5 }]);
    assert_eq!((state.known_key(old), state.known_keys(), state.horizon_ms()), (None, 1, 5));
    let forgotten = Event { key: old, ..next(&state, vec![]) };
    assert!(matches!(refuse(&mut state, &forgotten), Violation::KeyForgotten { horizon_ms: 5, .. }));
    let back = refuse_changes(&mut state, vec![Change::Horizon { stamp_ms: 4 }]);
    assert!(matches!(back, Violation::Malformed { .. }));
}

#[test]
fn a_checkpoint_holds_the_hash_before_its_event() {
    let mut state = shop();
    let state_hash = state.hash();
    let violation = refuse_changes(&mut state, vec![Change::Checkpoint { state_hash: state_hash ^ 1 }]);
    assert!(matches!(violation, Violation::Checkpoint { .. }));
    let changes = vec![stock(Kind::Increase, 0, 0, 1), Change::Checkpoint { state_hash }];
    apply(&mut state, changes);
    assert_ne!(state.hash(), state_hash);
}

#[test]
fn a_receipt_is_among_the_arrivals_while_it_expects_and_may_receive_more() {
    let mut state = shop();
    let no = state.sequence() + 1;
    let open = vec![
        Change::Receipt(Box::new(NewReceipt { id: "P".into(), warehouse: SH })),
        Change::ReceiptLine { receipt: OwnerNo(no), sku: BOOK },
        Change::ReceiptExpectedAt { receipt: OwnerNo(no), expected_at: 500 },
        owned(Kind::ExpectReceipt, no, 1, 0, 0, 8),
    ];
    apply(&mut state, open);
    assert_eq!(state.sku(BOOK).inbound(), [OwnerNo(no)]);
    let unaccounted = refuse_changes(&mut state, vec![owned(Kind::ReceiptArrived, no, 1, 0, 0, 8)]);
    assert_eq!(broken(&unaccounted), Identity::Receipt);
    let twice = refuse_changes(&mut state, vec![Change::ReceiptLine { receipt: OwnerNo(no), sku: BOOK }]);
    assert_eq!(broken(&twice), Identity::Once);
    let arrived = vec![
        owned(Kind::ReceiptArrived, no, 1, 0, 0, 8),
        owned(Kind::ReceiveGood, no, 1, 0, 0, 9),
        owned(Kind::ReceiveDefective, no, 1, 0, 0, 2),
    ];
    apply(&mut state, arrived);
    assert!(state.sku(BOOK).inbound().is_empty());
    let cell = state.cell(BOOK, SH);
    assert_eq!(
        (cell.get(Counter::InTransit), cell.get(Counter::Available), cell.get(Counter::Defective)),
        (0, 39, 2)
    );
}

#[test]
fn a_transfer_closes_only_when_every_unit_is_accounted_for() {
    let mut state = shop();
    let no = state.sequence() + 1;
    let new = NewTransfer { id: "T".into(), from: SH, to: WarehouseIx(1), lines: [BOOK].into() };
    let draft = vec![Change::Transfer(Box::new(new)), owned(Kind::DraftTransfer, no, 1, 0, 0, 6)];
    apply(&mut state, draft);
    let close = || Change::TransferClosed { transfer: OwnerNo(no) };
    assert_eq!(broken(&refuse_changes(&mut state, vec![close()])), Identity::TransferClosed);
    let half = vec![owned(Kind::ShipTransferAllocated, no, 1, 0, 0, 6)];
    assert_eq!(broken(&refuse_changes(&mut state, half)), Identity::Transfer);
    let wrong_end = vec![owned(Kind::ShipTransferAllocated, no, 1, 0, 1, 6)];
    assert!(matches!(refuse_changes(&mut state, wrong_end), Violation::Malformed { .. }));
    let shipped = vec![
        owned(Kind::ShipTransferAllocated, no, 1, 0, 0, 6),
        owned(Kind::TransferDeparted, no, 1, 0, 1, 6),
    ];
    apply(&mut state, shipped);
    let ended = vec![
        owned(Kind::TransferArrived, no, 1, 0, 1, 6),
        owned(Kind::TransferReceiveGood, no, 1, 0, 1, 4),
        owned(Kind::TransferRestored, no, 1, 0, 0, 1),
        owned(Kind::TransferLost, no, 1, 0, 1, 1),
        close(),
    ];
    apply(&mut state, ended);
    assert_eq!((state.cell(BOOK, SH).on_hand(), state.cell(BOOK, WarehouseIx(1)).on_hand()), (25, 4));
    let more = refuse_changes(&mut state, vec![owned(Kind::DraftTransfer, no, 1, 0, 0, 1)]);
    assert!(matches!(more, Violation::Malformed { .. }));
}

#[test]
fn documents_get_the_sequence_as_version_and_keep_their_index() {
    let mut state = shop();
    let renamed =
        document(DocumentKind::Sku, "book", LivePart::Sku { category: "paper".into(), policy: None });
    let sequence = apply(&mut state, vec![renamed, sku("cup")]);
    assert_eq!(state.find_sku("book"), Some(BOOK));
    assert_eq!((&*state.sku(BOOK).category, state.find_sku("cup")), ("paper", Some(SkuIx(2))));
    assert_eq!(state.document(DocumentKind::Sku, "book").unwrap().version, sequence);
}

#[test]
fn the_answer_is_a_view_of_the_event_with_names() {
    let mut state = shop();
    let no = state.sequence() + 1;
    let changes = vec![
        reservation("R", 1_000, &[0]),
        owned(Kind::Lock, no, 1, 0, 0, 10),
        owned(Kind::Refuse, no, 1, 0, 0, 3),
    ];
    let event = Event { outcome: Outcome::Partial, split_exact: false, ..next(&state, changes) };
    state.apply(&event).unwrap();
    let answer = state.answer(&event).kept();
    assert_eq!((answer.sequence, answer.at, answer.outcome), (no, event.at, Outcome::Partial));
    assert_eq!(
        (answer.owner.as_deref(), answer.deadline, answer.split_exact),
        (Some("R"), Some(1_000), false)
    );
    assert_eq!(answer.refused, [(1, 3)]);
    let [moved] = &*answer.movements else { panic!("one movement: {:?}", answer.movements) };
    assert_eq!(
        (&*moved.sku, moved.warehouse.as_deref(), moved.owner.as_deref()),
        ("book", Some("SH"), Some("R"))
    );
    assert_eq!(
        (moved.kind, moved.line, moved.quantity, moved.pool.as_deref()),
        (Kind::Lock, 1, 10, Some("SHARED"))
    );
    let expiry = vec![owned(Kind::Expire, no, 1, 0, 0, 10)];
    let sweep = Event { operation: Operation::Sweep, ..next(&state, expiry) };
    state.apply(&sweep).unwrap();
    assert_eq!((state.answer(&sweep).owner(), state.answer(&event).kept()), (None, answer));
}
