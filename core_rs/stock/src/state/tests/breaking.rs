//! A state whose inside was broken: the hash shows every field, and `check` every identity.

use crate::command::{DocumentKind, WarehouseState};
use crate::counters::{Cell, Counters};
use crate::event::{Change, DeductionPolicy, Event, Fingerprint, NewReceipt, NewTransfer, Source};
use crate::ids::{ChannelIx, OwnerNo, RegionIx, SkuIx, WarehouseIx};
use crate::movement::Kind;
use crate::state::testing::{next, owned, reservation, shop, stock};
use crate::state::{
    Allocation, Due, Identity, KnownKey, PoolCell, Receipt, Reservation, Sorted, State, Transfer, Violation,
};

const R: OwnerNo = OwnerNo(2);
const P: OwnerNo = OwnerNo(3);
const T: OwnerNo = OwnerNo(4);

/// A state with something of everything.
fn full() -> State {
    let mut state = shop();
    let steps = [
        vec![
            stock(Kind::OtherReceipt, 0, 1, 9),
            reservation("R", 1_000, &[0, 0]),
            owned(Kind::Lock, 2, 1, 0, 0, 4),
            owned(Kind::Lock, 2, 1, 0, 1, 4),
            owned(Kind::LockAndDeduct, 2, 2, 0, 0, 2),
        ],
        vec![
            Change::Receipt(Box::new(NewReceipt { id: "P".into(), warehouse: WarehouseIx(1) })),
            Change::ReceiptLine { receipt: P, sku: SkuIx(0) },
            Change::ReceiptLine { receipt: P, sku: SkuIx(1) },
            owned(Kind::ExpectReceipt, 3, 1, 0, 1, 5),
        ],
        vec![
            Change::Transfer(Box::new(NewTransfer {
                id: "T".into(),
                from: WarehouseIx(0),
                to: WarehouseIx(1),
                lines: [SkuIx(0)].into(),
            })),
            owned(Kind::DraftTransfer, 4, 1, 0, 0, 3),
        ],
    ];
    for (key, changes) in (1..).zip(steps) {
        let fingerprint = Fingerprint { digest: 3, fields: vec![] };
        let event = Event { key: key << 80, fingerprint, ..next(&state, changes) };
        state.apply(&event).unwrap();
    }
    state.check().unwrap();
    state
}

fn reserved(state: &mut State) -> &mut Reservation {
    state.reservations.get_mut(R).unwrap()
}

fn receipt(state: &mut State) -> &mut Receipt {
    state.receipts.get_mut(P).unwrap()
}

fn transfer(state: &mut State) -> &mut Transfer {
    state.transfers.get_mut(T).unwrap()
}

/// What a change of a collection returns says nothing here.
fn done<T>(_: T) {}

type Break = (&'static str, fn(&mut State));

/// One change of every field that the hash covers.
const FIELDS: &[Break] = &[
    ("sequence", |state| state.sequence += 1),
    ("clock", |state| state.clock += 1),
    ("horizon", |state| state.horizon_ms += 1),
    ("key", |state| {
        let known = state.keys.remove(1 << 80).unwrap();
        state.keys.insert((1 << 80) + 1, known).unwrap();
    }),
    ("key: sequence", |state| state.keys.get_mut(1 << 80).unwrap().sequence += 1),
    ("key: digest", |state| state.keys.get_mut(1 << 80).unwrap().digest += 1),
    ("key: one more", |state| done(state.keys.insert(9 << 80, KnownKey { sequence: 1, digest: 0 }))),
    ("SKU: id", |state| state.skus[0].id = "bok".into()),
    ("SKU: category", |state| state.skus[0].category = "b".into()),
    ("SKU: claimed", |state| state.skus[0].counters[0] += 1),
    ("SKU: order", |state| state.skus.swap(0, 1)),
    ("cell: available", |state| state.skus[0].cells.list_mut()[0].1.0[0] += 1),
    ("cell: written_off", |state| state.skus[0].cells.list_mut()[1].1.0[12] += 1),
    ("cell: warehouse", |state| state.skus[0].cells.list_mut()[0].0 = WarehouseIx(7)),
    ("cell: one more", |state| state.skus[1].cells.list_mut().push((WarehouseIx(0), Cell::default()))),
    ("pool: locked", |state| state.skus[0].pools[0].1.0[1] += 1),
    ("pool: quota", |state| state.skus[0].pools[0].1.0[0] += 1),
    ("pool: one more", |state| state.skus[1].pools.push((crate::ids::SHARED, PoolCell::default()))),
    ("warehouse: id", |state| state.warehouses[0].id = "S".into()),
    ("warehouse: state", |state| state.warehouses[0].state = WarehouseState::Paused),
    ("assortment: SKU", |state| done(state.warehouses[0].assortment.skus.insert("book".into()))),
    ("assortment: category", |state| done(state.warehouses[0].assortment.categories.insert("book".into()))),
    ("region: id", |state| state.regions[0].id = "C".into()),
    ("region: plan", |state| state.regions[0].plan.swap(0, 1)),
    ("channel", |state| state.channels[0] = "o".into()),
    ("pools", |state| state.pools.push("p".into())),
    ("document: version", |state| file(state).version += 1),
    ("document: body", |state| file(state).body = b"other".as_slice().into()),
    ("document: id", |state| {
        let documents = state.documents.get_mut(&DocumentKind::Sku).unwrap();
        let document = documents.remove("book").unwrap();
        documents.insert("look".into(), document);
    }),
    ("document: kind", |state| {
        let document = state.documents.get_mut(&DocumentKind::Sku).unwrap().remove("book").unwrap();
        state.documents.get_mut(&DocumentKind::Region).unwrap().insert("book".into(), document);
    }),
    ("reservation: no", |state| reserved(state).no.0 += 1),
    ("reservation: id", |state| reserved(state).id = "S".into()),
    ("reservation: region", |state| reserved(state).terms_mut().source = Source::Region(RegionIx(1))),
    ("reservation: list", |state| {
        reserved(state).terms_mut().source = Source::Warehouses([WarehouseIx(0)].into());
    }),
    ("reservation: parcels", |state| reserved(state).terms_mut().max_parcels += 1),
    ("reservation: created", |state| reserved(state).created_at += 1),
    ("reservation: deadline", |state| reserved(state).deadline += 1),
    ("reservation: extensions", |state| reserved(state).extensions += 1),
    ("reservation: version", |state| reserved(state).version += 1),
    ("reservation: refund", |state| reserved(state).terms_mut().refund_due = true),
    ("reservation: channel", |state| reserved(state).terms_mut().channel = Some(ChannelIx(0))),
    ("reservation: buyer", |state| reserved(state).terms_mut().buyer = 1 << 100),
    ("reservation: attributes", |state| reserved(state).terms_mut().attributes = [0].into()),
    ("line: SKU", |state| reserved(state).lines[0].sku.0 += 1),
    ("line: pool", |state| reserved(state).lines[0].pool.0 += 1),
    ("line: requested", |state| one_more(&mut reserved(state).lines[0].counters, 0)),
    ("line: returned", |state| one_more(&mut reserved(state).lines[1].counters, 8)),
    ("line: order", |state| reserved(state).lines.swap(0, 1)),
    ("line: one less", |state| done(reserved(state).lines.pop())),
    ("allocation: locked", |state| one_more(&mut reserved(state).lines[0].allocations[0].counters, 0)),
    ("allocation: returning", |state| one_more(&mut reserved(state).lines[0].allocations[1].counters, 4)),
    ("allocation: warehouse", |state| {
        let counters = &mut reserved(state).lines[0].allocations[0].counters;
        *counters = Counters::new(WarehouseIx(counters.of().0 + 7), counters.all());
    }),
    ("line: policy", |state| {
        let counters = &mut reserved(state).lines[0].counters;
        assert_eq!(counters.of(), DeductionPolicy::OnOrder);
        *counters = Counters::new(DeductionPolicy::OnPayment, counters.all());
    }),
    ("allocation: order", |state| reserved(state).lines[0].allocations.swap(0, 1)),
    ("allocation: one more", |state| {
        reserved(state).lines[1].allocations.push(Allocation::at(WarehouseIx(1)));
    }),
    ("receipt: id", |state| receipt(state).id = "Q".into()),
    ("receipt: warehouse", |state| receipt(state).warehouse.0 = 0),
    ("receipt: date", |state| receipt(state).expected_at += 1),
    ("receipt: counter", |state| receipt(state).lines[1].counters[4] += 1),
    ("receipt: SKU", |state| receipt(state).lines[1].sku.0 += 1),
    ("receipt: lines", |state| done(receipt(state).lines.pop())),
    ("transfer: id", |state| transfer(state).id = "U".into()),
    ("transfer: from", |state| transfer(state).from.0 += 1),
    ("transfer: to", |state| transfer(state).to.0 += 1),
    ("transfer: closed", |state| transfer(state).closed = true),
    ("transfer: counter", |state| transfer(state).lines[0].counters[7] += 1),
    ("transfer: SKU", |state| transfer(state).lines[0].sku.0 += 1),
];

fn one_more<const N: usize, Of: Copy>(counters: &mut Counters<N, Of>, at: usize) {
    counters.set(at, counters.get(at) + 1);
}

fn file(state: &mut State) -> &mut crate::state::Document {
    state.documents.get_mut(&DocumentKind::Sku).unwrap().get_mut("book").unwrap()
}

#[test]
fn changing_any_one_field_changes_the_hash_and_fails_the_check() {
    let original = full().hash();
    let mut hashes = vec![original];
    for (field, change) in FIELDS {
        let mut state = full();
        change(&mut state);
        let hash = state.hash_from_scratch();
        assert!(!hashes.contains(&hash), "{field} does not show in the hash");
        hashes.push(hash);
        assert!(state.check().is_err(), "{field} passes the check");
    }
}

/// What follows from other fields stands in no hash; `check` compares it.
const INDEXES: &[Break] = &[
    ("names of SKUs", |state| {
        let look = state.sku_names.key(b"look");
        assert!(state.sku_names.insert(look, 0, |_| false));
    }),
    ("names of warehouses", |state| done(state.warehouse_names.remove("SH"))),
    ("names of regions", |state| done(state.region_names.insert("CN".into(), RegionIx(3)))),
    ("names of channels", |state| done(state.channel_names.remove("own"))),
    ("names of reservations", |state| state.reservations.unname("R")),
    ("names of receipts", |state| state.receipts.unname("P")),
    ("names of transfers", |state| state.transfers.unname("T")),
    ("a deadline too few", |state| state.deadlines = Sorted::default()),
    ("a deadline too many", |state| done(state.deadlines.insert(Due::new(5, 0), ()))),
    ("a shelf that looks empty", |state| done(state.skus[0].cells.index.stocked.pop())),
    ("more on the shelves than there is", |state| state.skus[0].cells.index.on_shelf += 1),
    ("a warehouse that does not rest", |state| state.resting.push(WarehouseIx(0))),
    ("an arrival too few", |state| state.skus[0].inbound.clear()),
    ("an arrival too many", |state| state.skus[1].inbound.push(P)),
];

#[test]
fn an_index_that_is_not_what_it_indexes_fails_the_check() {
    for (index, change) in INDEXES {
        let mut state = full();
        change(&mut state);
        match state.check() {
            Err(Violation::Broken { identity: Identity::Index, .. }) => {}
            other => panic!("{index}: {other:?}"),
        }
    }
}

type Sum = (Identity, fn(&mut State));

/// Breaks that keep every local identity: only the sums over the whole state show them.
const SUMS: &[Sum] = &[
    (Identity::Promises, |state| shift(state, 0, 1)),
    (Identity::Promises, |state| shift(state, 0, 2)),
    (Identity::Promises, |state| shift(state, 0, 3)),
    (Identity::InTransit, |state| state.skus[0].cells.list_mut()[1].1.0[5] += 1),
    (Identity::Returning, |state| state.skus[0].cells.list_mut()[1].1.0[6] += 1),
    (Identity::Claims, |state| state.skus[0].counters[0] += 1),
    (Identity::Pool, |state| state.skus[0].pools[0].1.0[1] += 1),
    (Identity::Pool, |state| state.skus[0].pools[0].1.0[2] -= 1),
    (Identity::Conservation, |state| state.skus[0].cells.list_mut()[0].1.0[0] += 1),
    (Identity::Deadline, |state| reserved(state).deadline = 0),
    (Identity::Line, |state| one_more(&mut reserved(state).lines[0].counters, 0)),
    (Identity::Receipt, |state| receipt(state).lines[0].counters[1] += 1),
    (Identity::Transfer, |state| transfer(state).lines[0].counters[3] += 1),
    (Identity::TransferClosed, |state| transfer(state).closed = true),
    (Identity::Once, |state| receipt(state).lines[1].sku = SkuIx(0)),
    (Identity::Closed, |state| state.warehouses[0].state = WarehouseState::Closed),
    (Identity::Promises, |state| done(state.skus[0].cells.list_mut().pop())),
];

/// A unit from one counter of a cell to another.
fn shift(state: &mut State, from: usize, to: usize) {
    let cell = &mut state.skus[0].cells.list_mut()[0].1.0;
    cell[from] -= 1;
    cell[to] += 1;
}

#[test]
fn check_names_the_identity_that_does_not_hold() {
    for (number, (identity, change)) in SUMS.iter().enumerate() {
        let mut state = full();
        change(&mut state);
        match state.check() {
            Err(Violation::Broken { identity: found, .. }) => assert_eq!(found, *identity, "case {number}"),
            other => panic!("case {number}, {identity:?}: {other:?}"),
        }
    }
}
