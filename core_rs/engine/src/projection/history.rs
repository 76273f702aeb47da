//! The tables of history: what happened, as it happened.

use lockstock_stock::answer::answers_for;
use lockstock_stock::event::{Change, DocumentChange, Event, Exception};
use lockstock_stock::ids::Sequence;
use lockstock_stock::movement::Movement;

use super::columns::{self, Table};
use super::error::ProjectionError;
use super::format::{Appended, Format, Sheet, Value};
use super::names::{Ask, Names};
use super::text;
use crate::rests::resting;

/// The tables of history of some events.
pub(super) fn of_events(
    events: &[Event],
    names: &Names<'_>,
    format: Format,
) -> Result<Vec<Sheet>, ProjectionError> {
    let tables = columns::TABLES.iter().filter(|table| table.history);
    tables
        .map(|table| {
            let mut writer = Appended::new(table, format);
            resting(events).try_for_each(|event| of_event(event, table, names, &mut writer))?;
            Ok(writer.finish())
        })
        .collect()
}

/// The rows that one event adds to one table of history.
pub(super) fn of_event(
    event: &Event,
    table: &'static Table,
    names: &Names<'_>,
    writer: &mut Appended,
) -> Result<(), ProjectionError> {
    if table.name == columns::OPERATIONS.name {
        return operation(event, names, writer);
    }
    for_each(event, table, names, writer)
}

fn operation(event: &Event, names: &Names<'_>, writer: &mut Appended) -> Result<(), ProjectionError> {
    let owner = answers_for(event).and_then(|(kind, no)| Ask::owner(kind, no));
    let attributes = event.changes.iter().find_map(|change| match change {
        Change::Step { attributes, .. } => Some(&**attributes),
        _ => None,
    });
    let row = [
        event.sequence.into(),
        event.at.into(),
        event.operation.name().into(),
        text::of_key(event.key).into(),
        text::of_bytes(event.reason.as_bytes()).into(),
        text::of_bytes(event.document.as_bytes()).into(),
        event.outcome.name().into(),
        owner.map_or(Ok(""), |owner| names.get(owner))?.into(),
        text::of_bytes(attributes.unwrap_or_default()).into(),
    ];
    writer.row(&row, &[]);
    Ok(())
}

/// Movements, exceptions or documents: each kind is counted from 0 within its event.
fn for_each(
    event: &Event,
    table: &'static Table,
    names: &Names<'_>,
    writer: &mut Appended,
) -> Result<(), ProjectionError> {
    let mut ordinal = 0;
    for change in &event.changes {
        match change {
            Change::Movement(of) if table.name == columns::MOVEMENTS.name => {
                movement(event.sequence, ordinal, of, names, writer)?;
            }
            Change::Exception(of) if table.name == columns::EXCEPTIONS.name => {
                exception(event.sequence, ordinal, of, names, writer)?;
            }
            Change::Document(of) if table.name == columns::DOCUMENT_VERSIONS.name => {
                document(event.sequence, ordinal, of, writer);
            }
            _ => continue,
        }
        ordinal += 1;
    }
    Ok(())
}

fn movement(
    sequence: Sequence,
    ordinal: u32,
    movement: &Movement,
    names: &Names<'_>,
    writer: &mut Appended,
) -> Result<(), ProjectionError> {
    let Movement { kind, sku, warehouse, pool, owner, line, quantity } = *movement;
    let name_of = |ask: Option<Ask>| ask.map_or(Ok(""), |ask| names.get(ask));
    let pool = (!kind.row().pool.is_empty()).then_some(Ask::Pool(pool));
    let row: [Value<'_>; 9] = [
        sequence.into(),
        ordinal.into(),
        kind.name().into(),
        names.sku(sku)?.into(),
        name_of(warehouse.map(Ask::Warehouse))?.into(),
        name_of(pool)?.into(),
        name_of(owner.and_then(|no| Ask::owner(kind.owner(), no)))?.into(),
        line.into(),
        quantity.into(),
    ];
    writer.row(&row, &[]);
    Ok(())
}

fn exception(
    sequence: Sequence,
    ordinal: u32,
    exception: &Exception,
    names: &Names<'_>,
    writer: &mut Appended,
) -> Result<(), ProjectionError> {
    let Exception { kind, sku, warehouse, quantity, reservation } = *exception;
    let row: [Value<'_>; 7] = [
        sequence.into(),
        ordinal.into(),
        kind.name().into(),
        names.sku(sku)?.into(),
        names.warehouse(warehouse)?.into(),
        quantity.into(),
        reservation.map_or(Ok(""), |no| names.get(Ask::Reservation(no)))?.into(),
    ];
    writer.row(&row, &[]);
    Ok(())
}

fn document(sequence: Sequence, ordinal: u32, document: &DocumentChange, writer: &mut Appended) {
    let DocumentChange { kind, id, body, .. } = document;
    let row = [
        sequence.into(),
        ordinal.into(),
        text::of_kind(*kind).into(),
        (&**id).into(),
        text::of_bytes(body).into(),
    ];
    writer.row(&row, &[]);
}
