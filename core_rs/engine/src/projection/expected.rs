//! What the tables must hold, from a replayed state and the journal: the other derivation.
//!
//! It shares the writing of values with the fold, and nothing that says what the values are: counters are
//! read where the state machine keeps them, not summed from movements.

use std::fmt::Display;

use lockstock_stock::command::DocumentKind;
use lockstock_stock::event::Event;
use lockstock_stock::ids::{OwnerNo, PoolIx, RegionIx};
use lockstock_stock::state::{Reservation, State};

use super::columns::{self, Table};
use super::error::ProjectionError;
use super::fold::Fold;
use super::format::{Appended, Format, Value};
use super::names::{Named, Names, Needs};
use super::{history, text};

/// Every row that `table` must have at the state's sequence, ordered by key, as one JSON array of arrays, a row
/// a line. `events` is called for tables of history only: all events of the journal from the first one on, in
/// order; what the error says is the reader's business.
pub fn expected_rows<I, E, F>(
    table: &str,
    state: &State,
    events: impl FnOnce() -> Result<I, E>,
) -> Result<Vec<u8>, ProjectionError>
where
    I: Iterator<Item = Result<Event, F>>,
    E: Display,
    F: Display,
{
    let table = columns::table(table).ok_or_else(|| ProjectionError::Table(table.to_owned()))?;
    let mut writer = Appended::new(table, Format::Json);
    if table.history {
        history_rows(table, state, events, &mut writer)?;
    } else {
        live_rows(table, state, &mut writer);
    }
    Ok(writer.finish().bytes)
}

fn history_rows<I, E, F>(
    table: &'static Table,
    state: &State,
    events: impl FnOnce() -> Result<I, E>,
    writer: &mut Appended,
) -> Result<(), ProjectionError>
where
    I: Iterator<Item = Result<Event, F>>,
    E: Display,
    F: Display,
{
    let events = events().map_err(|error| ProjectionError::History(error.to_string()))?;
    for (event, expected) in events.zip(1..) {
        let event = event.map_err(|error| ProjectionError::History(error.to_string()))?;
        if event.sequence != expected {
            return Err(ProjectionError::Gap { expected, found: event.sequence });
        }
        if event.sequence > state.sequence() {
            break;
        }
        let one = std::slice::from_ref(&event);
        let needs = Fold::of(one).map_or_else(Needs::default, |fold| fold.needs);
        let names = Names::collect(event.sequence, needs, |asked| Named::of_all(asked, state))?;
        history::of_event(&event, table, &names, writer)?;
    }
    Ok(())
}

fn live_rows(table: &'static Table, state: &State, writer: &mut Appended) {
    match table.name {
        "documents" => documents(state, writer),
        "skus" => skus(state, writer),
        "warehouses" => warehouses(state, writer),
        "stock" => stock(state, writer),
        "pool_stock" => pool_stock(state, writer),
        "reservations" => each(reservations(state), |it| reservation(state, it, writer)),
        "reservation_lines" => each(reservations(state), |it| reservation_lines(state, it, writer)),
        "allocations" => each(reservations(state), |it| allocations(state, it, writer)),
        "receipts" | "receipt_lines" => receipts(table, state, writer),
        _ => transfers(table, state, writer),
    }
}

fn each<T>(items: impl IntoIterator<Item = T>, mut of: impl FnMut(T)) {
    for item in items {
        of(item);
    }
}

fn sorted<T>(items: impl Iterator<Item = T>, id: impl Fn(&T) -> &str) -> Vec<T> {
    let mut items: Vec<T> = items.collect();
    items.sort_by(|a, b| id(a).cmp(id(b)));
    items
}

/// Owners are numbered by the sequences of their events.
fn numbers(state: &State) -> impl Iterator<Item = OwnerNo> {
    (1..=state.sequence()).map(OwnerNo)
}

fn documents(state: &State, writer: &mut Appended) {
    let mut kinds = DocumentKind::ALL;
    kinds.sort_by_key(|kind| text::of_kind(*kind));
    for kind in kinds {
        for (id, document) in state.documents(kind, "") {
            let row = [
                text::of_kind(kind).into(),
                (&**id).into(),
                document.version.into(),
                text::of_bytes(&document.body).into(),
            ];
            writer.row(&row, &[]);
        }
    }
}

fn skus(state: &State, writer: &mut Appended) {
    for sku in sorted(state.skus().iter(), |sku| &sku.id) {
        writer.row(&[(&*sku.id).into(), (&*sku.category).into()], &[sku.claimed()]);
    }
}

fn warehouses(state: &State, writer: &mut Appended) {
    for warehouse in sorted(state.warehouses().iter(), |warehouse| &warehouse.id) {
        writer.row(&[(&*warehouse.id).into(), text::of_state(warehouse.state).into()], &[]);
    }
}

fn stock(state: &State, writer: &mut Appended) {
    for sku in sorted(state.skus().iter(), |sku| &sku.id) {
        let cells = sku.cells().iter().map(|(at, cell)| (&*state.warehouse(*at).id, cell));
        for (warehouse, cell) in sorted(cells, |(warehouse, _)| warehouse) {
            writer.row(&[(&*sku.id).into(), warehouse.into()], &cell.0);
        }
    }
}

fn pool_name(state: &State, pool: PoolIx) -> &str {
    state.pool(pool)
}

fn pool_stock(state: &State, writer: &mut Appended) {
    for sku in sorted(state.skus().iter(), |sku| &sku.id) {
        let pools = sku.pools().iter().map(|(pool, cell)| (pool_name(state, *pool), cell));
        for (pool, cell) in sorted(pools, |(pool, _)| pool) {
            writer.row(&[(&*sku.id).into(), pool.into()], &cell.0);
        }
    }
}

fn reservations(state: &State) -> Vec<&Reservation> {
    sorted(numbers(state).filter_map(|no| state.reservation(no)), |reservation| &*reservation.id)
}

fn region_name(state: &State, region: RegionIx) -> &str {
    &state.region(region).id
}

fn reservation(state: &State, it: &Reservation, writer: &mut Appended) {
    let source = it.source();
    let region = source.region().map_or("", |region| region_name(state, region));
    let listed: Vec<&str> = source.listed().iter().map(|at| &*state.warehouse(*at).id).collect();
    let warehouses = if listed.is_empty() { String::new() } else { text::of_list(&listed) };
    let row: [Value<'_>; 14] = [
        (&*it.id).into(),
        it.no.0.into(),
        it.created_at.into(),
        it.deadline.into(),
        it.extensions.into(),
        it.version.into(),
        it.refund_due().into(),
        region.into(),
        warehouses.into(),
        it.destination().into(),
        it.max_parcels().into(),
        it.channel().map_or("", |channel| &**state.channel(channel)).into(),
        text::of_buyer(it.buyer()).into(),
        text::of_bytes(it.attributes()).into(),
    ];
    writer.row(&row, &[]);
}

fn reservation_lines(state: &State, it: &Reservation, writer: &mut Appended) {
    for (line, number) in it.lines.iter().zip(1_u32..) {
        let row: [Value<'_>; 5] = [
            (&*it.id).into(),
            number.into(),
            (&*state.sku(line.sku).id).into(),
            pool_name(state, line.pool).into(),
            line.policy().name().into(),
        ];
        writer.row(&row, &line.counters.all());
    }
}

fn allocations(state: &State, it: &Reservation, writer: &mut Appended) {
    for (line, number) in it.lines.iter().zip(1_u32..) {
        let held = line.allocations.iter().zip(0_u32..);
        let held =
            held.map(|(allocation, at)| (&*state.warehouse(allocation.warehouse()).id, at, allocation));
        for (warehouse, position, allocation) in sorted(held, |(warehouse, ..)| warehouse) {
            let row: [Value<'_>; 4] = [(&*it.id).into(), number.into(), warehouse.into(), position.into()];
            writer.row(&row, &allocation.counters.all());
        }
    }
}

fn receipts(table: &Table, state: &State, writer: &mut Appended) {
    for it in sorted(numbers(state).filter_map(|no| state.receipt(no)), |receipt| &receipt.id) {
        let id = &*it.id;
        if table.name == columns::RECEIPTS.name {
            let warehouse = &*state.warehouse(it.warehouse).id;
            writer.row(&[id.into(), it.no.0.into(), warehouse.into(), it.expected_at.into()], &[]);
            continue;
        }
        for (line, number) in it.lines.iter().zip(1_u32..) {
            writer.row(&[id.into(), number.into(), (&*state.sku(line.sku).id).into()], &line.counters);
        }
    }
}

fn transfers(table: &Table, state: &State, writer: &mut Appended) {
    for it in sorted(numbers(state).filter_map(|no| state.transfer(no)), |transfer| &transfer.id) {
        let id = &*it.id;
        if table.name == columns::TRANSFERS.name {
            let (from, to) = (&*state.warehouse(it.from).id, &*state.warehouse(it.to).id);
            writer.row(&[id.into(), it.no.0.into(), from.into(), to.into(), it.closed.into()], &[]);
            continue;
        }
        for (line, number) in it.lines.iter().zip(1_u32..) {
            writer.row(&[id.into(), number.into(), (&*state.sku(line.sku).id).into()], &line.counters);
        }
    }
}
