//! The machine's state and the twin's world, compared by name.

use std::collections::BTreeMap;
use std::fmt::Debug;

use lockstock_stock::counters::{
    AllocationCounter as A, Counter as C, LineCounter as L, PoolCounter as P, ReceiptCounter as R,
    TransferCounter as T,
};
use lockstock_stock::event::DeductionPolicy;
use lockstock_stock::ids::SHARED;
use lockstock_stock::state::{Line as RealLine, ReservationState, State};

use crate::world::{
    Cell, Held, Line, Name, Receipt, ReceiptLine, Reservation, Transfer, TransferLine, World,
};

fn same<T: PartialEq + Debug>(what: impl Debug, machine: &T, twin: &T) -> Result<(), String> {
    if machine == twin { Ok(()) } else { Err(format!("{what:?}\n  machine {machine:?}\n  twin    {twin:?}")) }
}

/// Everything. The machine must have swept all that is due.
pub fn all(state: &State, world: &World) -> Result<(), String> {
    stock(state, world)?;
    same("reservations", &state.reservation_count(), &world.reservations.len())?;
    for (id, reservation) in &world.reservations {
        one_reservation(state, id, reservation)?;
    }
    for (id, receipt) in &world.receipts {
        one_receipt(state, id, receipt)?;
    }
    for (id, transfer) in &world.transfers {
        one_transfer(state, id, transfer)?;
    }
    masters(state, world)
}

/// Every counter of every SKU.
pub fn stock(state: &State, world: &World) -> Result<(), String> {
    same("SKUs", &state.skus().len(), &world.skus.len())?;
    let mut cells: BTreeMap<(String, String), Cell> = BTreeMap::new();
    for sku in state.skus() {
        for (at, cell) in sku.cells() {
            let cell = Cell {
                available: cell.get(C::Available),
                locked: cell.get(C::Locked),
                allocated: cell.get(C::Allocated),
                picking: cell.get(C::Picking),
                defective: cell.get(C::Defective),
                in_transit: cell.get(C::InTransit),
                returning: cell.get(C::Returning),
                shipped: cell.get(C::Shipped),
                returned: cell.get(C::Returned),
                received: cell.get(C::Received),
                lost: cell.get(C::Lost),
                found: cell.get(C::Found),
                written_off: cell.get(C::WrittenOff),
            };
            cells.insert((sku.id.to_string(), state.warehouse(*at).id.to_string()), cell);
        }
        let Some(twin) = world.skus.get(&*sku.id) else {
            return Err(format!("SKU {} unknown to twin", sku.id));
        };
        same((&sku.id, "category"), &&*sku.category, &twin.category)?;
        same((&sku.id, "policy"), &sku.policy, &twin.policy)?;
        same((&sku.id, "claimed"), &sku.claimed(), &twin.claimed)?;
        let mut pool = (0, 0, 0);
        for (at, counters) in sku.pools() {
            same((&sku.id, "pool"), at, &SHARED)?;
            pool = (counters.get(P::Quota), counters.get(P::Locked), counters.get(P::Sold));
        }
        same((&sku.id, "quota, locked, sold"), &pool, &(twin.pool_quota, twin.pool_locked, twin.pool_sold))?;
        let index = state.find_sku(&sku.id).unwrap();
        let on_payment = state.deduction_policy(index) == DeductionPolicy::OnPayment;
        let key = world.skus.get_key_value(&*sku.id).unwrap().0;
        same((&sku.id, "on payment"), &on_payment, &world.on_payment(key))?;
        same((&sku.id, "free"), &state.free(index), &world.free(&sku.id))?;
    }
    cells.retain(|_, cell| *cell != Cell::default());
    for ((sku, warehouse), cell) in &world.cells {
        let machine = cells.remove(&((*sku).to_owned(), (*warehouse).to_owned())).unwrap_or_default();
        same((sku, warehouse), &machine, cell)?;
    }
    same("cells the twin does not have", &cells, &BTreeMap::new())
}

fn line(state: &State, line: &RealLine) -> (String, Vec<(String, Held)>, [i64; 11]) {
    let held = |at: &lockstock_stock::state::Allocation| {
        let held = Held {
            warehouse: "",
            locked: at.get(A::Locked),
            allocated: at.get(A::Allocated),
            picking: at.get(A::Picking),
            shipped: at.get(A::Shipped),
            returning: at.get(A::Returning),
        };
        (state.warehouse(at.warehouse()).id.to_string(), held)
    };
    let counters = [
        line.get(L::Requested),
        line.get(L::Refused),
        line.get(L::Locked),
        line.get(L::Deducted),
        line.get(L::Unlocked),
        line.get(L::Expired),
        line.get(L::Cancelled),
        line.get(L::Claimed),
        line.get(L::Returned),
        line.get(L::Wanted),
        i64::from(line.policy() == DeductionPolicy::OnPayment),
    ];
    (state.sku(line.sku).id.to_string(), line.allocations.iter().map(held).collect(), counters)
}

fn twin_line(line: &Line) -> (String, Vec<(String, Held)>, [i64; 11]) {
    let held = |held: &Held| (held.warehouse.to_owned(), Held { warehouse: "", ..*held });
    let counters = [
        line.requested,
        line.refused,
        line.locked,
        line.deducted,
        line.unlocked,
        line.expired,
        line.cancelled,
        line.claimed,
        line.returned,
        line.wanted,
        i64::from(line.on_payment),
    ];
    (line.sku.to_owned(), line.held.iter().map(held).collect(), counters)
}

const fn state_name(state: ReservationState) -> &'static str {
    match state {
        ReservationState::Locked => "LOCKED",
        ReservationState::Deducted => "DEDUCTED",
        ReservationState::Shipped => "SHIPPED",
        ReservationState::Unlocked => "UNLOCKED",
        ReservationState::Expired => "EXPIRED",
        ReservationState::Cancelled => "CANCELLED",
        ReservationState::RefundDue => "REFUND_DUE",
        ReservationState::Placed => "PLACED",
    }
}

pub fn one_reservation(state: &State, id: Name, twin: &Reservation) -> Result<(), String> {
    let Some(machine) = state.find_reservation(id) else {
        return Err(format!("{id} unknown to the machine"));
    };
    same((id, "state"), &state_name(machine.state()), &twin.state())?;
    let names = |list: &[lockstock_stock::ids::WarehouseIx]| {
        list.iter().map(|at| state.warehouse(*at).id.to_string()).collect::<Vec<_>>()
    };
    let source = machine.source();
    let region = source.region().map(|region| &*state.region(region).id);
    let listed = names(source.listed());
    let twin_listed: Vec<String> = twin.source.list.iter().map(|name| (*name).to_owned()).collect();
    same((id, "region"), &region, &twin.source.region)?;
    same((id, "warehouses"), &listed, &twin_listed)?;
    same((id, "destination"), &machine.destination(), &twin.source.destination)?;
    same((id, "max_parcels"), &machine.max_parcels(), &twin.max_parcels)?;
    same((id, "created_at"), &machine.created_at, &twin.created_at)?;
    same((id, "extensions"), &machine.extensions, &twin.extensions)?;
    if twin.sum(|line| line.locked) > 0 {
        same((id, "deadline"), &machine.deadline, &twin.deadline)?;
    }
    if let Some(version) = twin.version {
        same((id, "version"), &machine.version, &version)?;
    }
    same((id, "lines"), &machine.lines.len(), &twin.lines.len())?;
    for (number, (real, twin)) in machine.lines.iter().zip(&twin.lines).enumerate() {
        let (mut real, mut twin) = (line(state, real), twin_line(twin));
        // A place that holds nothing any more is no part of the answer.
        real.1.retain(|(_, held)| *held != Held::default());
        twin.1.retain(|(_, held)| *held != Held::default());
        same((id, "line", number + 1), &real, &twin)?;
    }
    Ok(())
}

pub fn one_receipt(state: &State, id: Name, twin: &Receipt) -> Result<(), String> {
    let Some(machine) = state.find_receipt(id) else { return Err(format!("{id} unknown to the machine")) };
    same((id, "warehouse"), &&*state.warehouse(machine.warehouse).id, &twin.warehouse)?;
    same((id, "expected_at"), &machine.expected_at, &twin.expected_at)?;
    let real: Vec<(String, [i64; 5])> = machine
        .lines
        .iter()
        .map(|line| {
            let counters = [R::Announced, R::Expected, R::Received, R::Defective, R::Missing];
            (state.sku(line.sku).id.to_string(), counters.map(|counter| line.get(counter)))
        })
        .collect();
    let counters =
        |line: &ReceiptLine| [line.announced, line.expected, line.received, line.defective, line.missing];
    let twin: Vec<(String, [i64; 5])> =
        twin.lines.iter().map(|line| (line.sku.to_owned(), counters(line))).collect();
    same(id, &real, &twin)
}

pub fn one_transfer(state: &State, id: Name, twin: &Transfer) -> Result<(), String> {
    let Some(machine) = state.find_transfer(id) else { return Err(format!("{id} unknown to the machine")) };
    let ends = (&*state.warehouse(machine.from).id, &*state.warehouse(machine.to).id, machine.closed);
    same((id, "from, to, closed"), &ends, &(twin.from, twin.to, twin.closed))?;
    let real: Vec<(String, [i64; 8])> = machine
        .lines
        .iter()
        .map(|line| {
            let counters = [
                T::Allocated,
                T::Picking,
                T::Shipped,
                T::InTransit,
                T::Received,
                T::Restored,
                T::Damaged,
                T::Lost,
            ];
            (state.sku(line.sku).id.to_string(), counters.map(|counter| line.get(counter)))
        })
        .collect();
    let counters = |l: &TransferLine| {
        [l.allocated, l.picking, l.shipped, l.in_transit, l.received, l.restored, l.damaged, l.lost]
    };
    let twin: Vec<(String, [i64; 8])> =
        twin.lines.iter().map(|line| (line.sku.to_owned(), counters(line))).collect();
    same(id, &real, &twin)
}

fn masters(state: &State, world: &World) -> Result<(), String> {
    for ((kind, id), (version, body)) in &world.documents {
        let Some(machine) = state.document(*kind, id) else {
            return Err(format!("{kind:?} {id} unknown to the machine"));
        };
        same((kind, id), &(machine.version, &*machine.body), &(*version, *body))?;
    }
    for (id, twin) in &world.warehouses {
        let machine = state.find_warehouse(id).map(|at| state.warehouse(at));
        same((id, "state"), &machine.map(|machine| machine.state), &Some(twin.state))?;
        for sku in world.skus.keys() {
            let index = state.find_sku(sku).unwrap();
            let keeps = machine.map(|machine| machine.assortment.keeps(state.sku(index)));
            same((id, "keeps", sku), &keeps, &Some(world.keeps(id, sku)))?;
        }
    }
    for (id, plan) in &world.regions {
        let machine: Option<Vec<&str>> = state
            .find_region(id)
            .map(|at| state.region(at).plan.iter().map(|at| &*state.warehouse(*at).id).collect());
        same((id, "plan"), &machine.as_deref(), &Some(plan.as_slice()))?;
    }
    for id in &world.channels {
        same((id, "channel"), &state.find_channel(id).is_some(), &true)?;
    }
    Ok(())
}
