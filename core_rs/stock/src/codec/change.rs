//! The bytes of each kind of change. A number that was released is never given to another kind.

use super::CodecError;
use super::bytes::{Reader, Writer};
use super::event::announced;
use super::owner::{Order, read_warehouses, write_warehouses};
use crate::command::{DocumentKind, WarehouseState};
use crate::event::{
    Change, DeductionPolicy, DocumentChange, Exception, ExceptionKind, LivePart, NewLine, NewReceipt,
    NewReservation, NewTransfer,
};
use crate::ids::{OwnerNo, PoolIx, SHARED, Sequence, SkuIx, WarehouseIx};
use crate::movement::{Kind, Movement};

/// The numbers of the kinds of changes.
mod tag {
    pub(super) const MOVEMENT: u8 = 1;
    pub(super) const RESERVATION: u8 = 2;
    pub(super) const RESERVATION_LINE: u8 = 3;
    pub(super) const DEADLINE: u8 = 4;
    pub(super) const REFUND_DUE: u8 = 5;
    pub(super) const RECEIPT: u8 = 6;
    pub(super) const RECEIPT_LINE: u8 = 7;
    pub(super) const RECEIPT_EXPECTED_AT: u8 = 8;
    pub(super) const TRANSFER: u8 = 9;
    pub(super) const TRANSFER_CLOSED: u8 = 10;
    pub(super) const DOCUMENT: u8 = 11;
    pub(super) const EXCEPTION: u8 = 12;
    pub(super) const HORIZON: u8 = 13;
    pub(super) const CHECKPOINT: u8 = 14;
    pub(super) const STEP: u8 = 15;
}

/// The numbers of the live parts.
mod live {
    pub(super) const NOTHING: u8 = 0;
    pub(super) const SKU: u8 = 1;
    pub(super) const WAREHOUSE: u8 = 2;
    pub(super) const ROUTE_PLAN: u8 = 3;
    pub(super) const SHOP: u8 = 4;
}

/// The flags of a movement.
mod of_movement {
    pub(super) const WAREHOUSE: u8 = 1;
    pub(super) const POOL: u8 = 1 << 1;
    pub(super) const OWNER: u8 = 1 << 2;
    pub(super) const LINE: u8 = 1 << 3;
    pub(super) const KNOWN: u8 = WAREHOUSE | POOL | OWNER | LINE;
}

const fn flag(set: bool, flag: u8) -> u8 {
    if set { flag } else { 0 }
}

pub(super) fn write_change(writer: &mut Writer<'_>, sequence: Sequence, change: &Change) {
    let owner = |writer: &mut Writer<'_>, tag: u8, no: OwnerNo| {
        writer.byte(tag);
        write_owner(writer, sequence, no);
    };
    match change {
        Change::Movement(movement) => {
            writer.byte(tag::MOVEMENT);
            write_movement(writer, sequence, movement);
        }
        Change::Reservation(new) => {
            writer.byte(tag::RESERVATION);
            write_reservation(writer, new);
        }
        Change::ReservationLine { reservation, line } => {
            owner(writer, tag::RESERVATION_LINE, *reservation);
            write_line(writer, *line);
        }
        Change::Deadline { reservation, deadline, extensions } => {
            owner(writer, tag::DEADLINE, *reservation);
            writer.signed(*deadline);
            writer.number(*extensions);
        }
        Change::RefundDue { reservation } => owner(writer, tag::REFUND_DUE, *reservation),
        Change::Step { reservation, attributes } => {
            owner(writer, tag::STEP, *reservation);
            writer.bytes(attributes);
        }
        Change::Receipt(new) => {
            writer.byte(tag::RECEIPT);
            writer.text(&new.id);
            writer.number(new.warehouse.0);
        }
        Change::ReceiptLine { receipt, sku } => {
            owner(writer, tag::RECEIPT_LINE, *receipt);
            writer.number(sku.0);
        }
        Change::ReceiptExpectedAt { receipt, expected_at } => {
            owner(writer, tag::RECEIPT_EXPECTED_AT, *receipt);
            writer.signed(*expected_at);
        }
        Change::Transfer(new) => {
            writer.byte(tag::TRANSFER);
            writer.text(&new.id);
            writer.number(new.from.0);
            writer.number(new.to.0);
            writer.length(new.lines.len());
            new.lines.iter().for_each(|sku| writer.number(sku.0));
        }
        Change::TransferClosed { transfer } => owner(writer, tag::TRANSFER_CLOSED, *transfer),
        Change::Document(document) => {
            writer.byte(tag::DOCUMENT);
            write_document(writer, document);
        }
        Change::Exception(exception) => {
            writer.byte(tag::EXCEPTION);
            write_exception(writer, sequence, exception);
        }
        Change::Horizon { stamp_ms } => {
            writer.byte(tag::HORIZON);
            writer.number(*stamp_ms);
        }
        Change::Checkpoint { state_hash } => {
            writer.byte(tag::CHECKPOINT);
            writer.word64(*state_hash);
        }
    }
}

pub(super) fn read_change(reader: &mut Reader<'_>, sequence: Sequence) -> Result<Change, CodecError> {
    let at = reader.at();
    let tag = reader.byte()?;
    Ok(match tag {
        tag::MOVEMENT => Change::Movement(read_movement(reader, sequence)?),
        tag::RESERVATION => Change::Reservation(Box::new(read_reservation(reader)?)),
        tag::RESERVATION_LINE => {
            Change::ReservationLine { reservation: read_owner(reader, sequence)?, line: read_line(reader)? }
        }
        tag::DEADLINE => Change::Deadline {
            reservation: read_owner(reader, sequence)?,
            deadline: reader.signed()?,
            extensions: reader.number32()?,
        },
        tag::REFUND_DUE => Change::RefundDue { reservation: read_owner(reader, sequence)? },
        tag::STEP => {
            Change::Step { reservation: read_owner(reader, sequence)?, attributes: reader.bytes()?.into() }
        }
        tag::RECEIPT => Change::Receipt(Box::new(NewReceipt {
            id: reader.text()?.into(),
            warehouse: WarehouseIx(reader.number32()?),
        })),
        tag::RECEIPT_LINE => {
            Change::ReceiptLine { receipt: read_owner(reader, sequence)?, sku: SkuIx(reader.number32()?) }
        }
        tag::RECEIPT_EXPECTED_AT => Change::ReceiptExpectedAt {
            receipt: read_owner(reader, sequence)?,
            expected_at: reader.signed()?,
        },
        tag::TRANSFER => Change::Transfer(Box::new(NewTransfer {
            id: reader.text()?.into(),
            from: WarehouseIx(reader.number32()?),
            to: WarehouseIx(reader.number32()?),
            lines: reader.list(1, |reader| reader.number32().map(SkuIx))?,
        })),
        tag::TRANSFER_CLOSED => Change::TransferClosed { transfer: read_owner(reader, sequence)? },
        tag::DOCUMENT => Change::Document(Box::new(read_document(reader)?)),
        tag::EXCEPTION => Change::Exception(read_exception(reader, sequence)?),
        tag::HORIZON => Change::Horizon { stamp_ms: reader.number()? },
        tag::CHECKPOINT => Change::Checkpoint { state_hash: reader.word64()? },
        number => {
            return Err(CodecError::UnknownNumber { what: "kind of change", number: number.into(), at });
        }
    })
}

/// An owner as its distance from the event: 0 for the one it creates.
fn write_owner(writer: &mut Writer<'_>, sequence: Sequence, no: OwnerNo) {
    writer.signed(sequence.wrapping_sub(no.0).cast_signed());
}

fn read_owner(reader: &mut Reader<'_>, sequence: Sequence) -> Result<OwnerNo, CodecError> {
    Ok(OwnerNo(sequence.wrapping_sub(reader.signed()?.cast_unsigned())))
}

fn write_movement(writer: &mut Writer<'_>, sequence: Sequence, movement: &Movement) {
    let flags = flag(movement.warehouse.is_some(), of_movement::WAREHOUSE)
        | flag(movement.pool != SHARED, of_movement::POOL)
        | flag(movement.owner.is_some(), of_movement::OWNER)
        | flag(movement.line != 0, of_movement::LINE);
    writer.byte(movement.kind as u8);
    writer.byte(flags);
    writer.number(movement.sku.0);
    if let Some(warehouse) = movement.warehouse {
        writer.number(warehouse.0);
    }
    if movement.pool != SHARED {
        writer.number(movement.pool.0);
    }
    if let Some(owner) = movement.owner {
        write_owner(writer, sequence, owner);
    }
    if movement.line != 0 {
        writer.number(movement.line);
    }
    writer.signed(movement.quantity);
}

fn read_movement(reader: &mut Reader<'_>, sequence: Sequence) -> Result<Movement, CodecError> {
    let kind = reader.one_of("kind of movement", Kind::from_number)?;
    let flags = reader.flags(of_movement::KNOWN)?;
    let has = |flag: u8| flags & flag != 0;
    Ok(Movement {
        kind,
        sku: SkuIx(reader.number32()?),
        warehouse: if has(of_movement::WAREHOUSE) { Some(WarehouseIx(reader.number32()?)) } else { None },
        pool: if has(of_movement::POOL) {
            PoolIx(announced(reader, "a pool", &SHARED.0, Reader::number32)?)
        } else {
            SHARED
        },
        owner: if has(of_movement::OWNER) { Some(read_owner(reader, sequence)?) } else { None },
        line: if has(of_movement::LINE) { announced(reader, "a line", &0, Reader::number32)? } else { 0 },
        quantity: reader.signed()?,
    })
}

fn write_line(writer: &mut Writer<'_>, line: NewLine) {
    writer.number(line.sku.0);
    writer.number(line.pool.0);
    writer.byte(line.policy as u8);
}

fn read_line(reader: &mut Reader<'_>) -> Result<NewLine, CodecError> {
    Ok(NewLine {
        sku: SkuIx(reader.number32()?),
        pool: PoolIx(reader.number32()?),
        policy: read_policy(reader)?,
    })
}

pub(super) fn read_policy(reader: &mut Reader<'_>) -> Result<DeductionPolicy, CodecError> {
    reader.one_of("deduction policy", DeductionPolicy::from_number)
}

/// When stock is taken, where it may be left unsaid: 0 then.
pub(super) fn write_rule(writer: &mut Writer<'_>, policy: Option<DeductionPolicy>) {
    writer.byte(policy.map_or(0, |policy| policy as u8));
}

pub(super) fn read_rule(reader: &mut Reader<'_>) -> Result<Option<DeductionPolicy>, CodecError> {
    reader.one_of("deduction policy", |number| match number {
        0 => Some(None),
        _ => DeductionPolicy::from_number(number).map(Some),
    })
}

fn write_reservation(writer: &mut Writer<'_>, new: &NewReservation) {
    let order = Order {
        source: &new.source,
        destination: &*new.destination,
        max_parcels: new.max_parcels,
        deadline: new.deadline,
        channel: new.channel,
        buyer: new.buyer,
        attributes: &*new.attributes,
    };
    writer.text(&new.id);
    order.write(writer);
    writer.length(new.lines.len());
    new.lines.iter().for_each(|line| write_line(writer, *line));
}

fn read_reservation(reader: &mut Reader<'_>) -> Result<NewReservation, CodecError> {
    let id = reader.text()?.into();
    let Order { source, destination, max_parcels, deadline, channel, buyer, attributes } =
        Order::read(reader)?;
    let lines = reader.list(3, read_line)?;
    Ok(NewReservation { id, source, destination, max_parcels, deadline, channel, buyer, attributes, lines })
}

fn write_document(writer: &mut Writer<'_>, document: &DocumentChange) {
    writer.byte(document.kind as u8);
    writer.text(&document.id);
    match &document.live {
        LivePart::Nothing => writer.byte(live::NOTHING),
        LivePart::Sku { category, policy } => {
            writer.byte(live::SKU);
            writer.text(category);
            write_rule(writer, *policy);
        }
        LivePart::Warehouse { state, skus, categories } => {
            writer.byte(live::WAREHOUSE);
            writer.byte(*state as u8);
            for names in [skus, categories] {
                writer.length(names.len());
                names.iter().for_each(|name| writer.text(name));
            }
        }
        LivePart::RoutePlan { warehouses } => {
            writer.byte(live::ROUTE_PLAN);
            write_warehouses(writer, warehouses);
        }
        LivePart::Shop { policy } => {
            writer.byte(live::SHOP);
            write_rule(writer, *policy);
        }
    }
    writer.bytes(&document.body);
}

fn read_document(reader: &mut Reader<'_>) -> Result<DocumentChange, CodecError> {
    let kind = read_document_kind(reader)?;
    let id = reader.text()?.into();
    let at = reader.at();
    let live = match reader.byte()? {
        live::NOTHING => LivePart::Nothing,
        live::SKU => LivePart::Sku { category: reader.text()?.into(), policy: read_rule(reader)? },
        live::WAREHOUSE => LivePart::Warehouse {
            state: read_warehouse_state(reader)?,
            skus: read_names(reader)?,
            categories: read_names(reader)?,
        },
        live::ROUTE_PLAN => LivePart::RoutePlan { warehouses: read_warehouses(reader)? },
        live::SHOP => LivePart::Shop { policy: read_rule(reader)? },
        number => return Err(CodecError::UnknownNumber { what: "live part", number: number.into(), at }),
    };
    Ok(DocumentChange { kind, id, live, body: reader.bytes()?.into() })
}

fn read_names(reader: &mut Reader<'_>) -> Result<Box<[Box<str>]>, CodecError> {
    reader.list(1, |reader| reader.text().map(Box::from))
}

pub(super) fn read_document_kind(reader: &mut Reader<'_>) -> Result<DocumentKind, CodecError> {
    reader
        .one_of("kind of document", |number| DocumentKind::ALL.into_iter().find(|kind| *kind as u8 == number))
}

pub(super) fn read_warehouse_state(reader: &mut Reader<'_>) -> Result<WarehouseState, CodecError> {
    use WarehouseState::{Active, Closed, Paused};
    reader.one_of("warehouse state", |number| {
        [Active, Paused, Closed].into_iter().find(|state| *state as u8 == number)
    })
}

fn write_exception(writer: &mut Writer<'_>, sequence: Sequence, exception: &Exception) {
    writer.byte(exception.kind as u8);
    writer.byte(exception.reservation.is_some().into());
    writer.number(exception.sku.0);
    writer.number(exception.warehouse.0);
    writer.signed(exception.quantity);
    if let Some(no) = exception.reservation {
        write_owner(writer, sequence, no);
    }
}

fn read_exception(reader: &mut Reader<'_>, sequence: Sequence) -> Result<Exception, CodecError> {
    let kind = reader.one_of("kind of exception", ExceptionKind::from_number)?;
    let flags = reader.flags(1)?;
    Ok(Exception {
        kind,
        sku: SkuIx(reader.number32()?),
        warehouse: WarehouseIx(reader.number32()?),
        quantity: reader.signed()?,
        reservation: if flags == 1 { Some(read_owner(reader, sequence)?) } else { None },
    })
}
