//! Reservations, receipts and transfers in a snapshot, and what events say of a reservation too.

use super::CodecError;
use super::bytes::{Reader, Writer};
use super::change::read_policy;
use super::event::announced;
use super::stock::{Bounds, Record, read_counters, write_counters};
use crate::counters::{ALLOCATION_COUNTERS, Counters, LINE_COUNTERS, RECEIPT_COUNTERS, TRANSFER_COUNTERS};
use crate::event::Source;
use crate::ids::{ChannelIx, Micros, OwnerNo, RegionIx, WarehouseIx};
use crate::state::{Allocation, Line, Receipt, ReceiptLine, Reservation, Terms, Transfer, TransferLine};

const CHANNEL: u8 = 1;
const BUYER: u8 = 1 << 1;
const ATTRIBUTES: u8 = 1 << 2;
const WAREHOUSES: u8 = 1 << 3;
const PLANNED: u8 = 1 << 4;
const DESTINATION: u8 = 1 << 5;
const KNOWN_FLAGS: u8 = CHANNEL | BUYER | ATTRIBUTES | WAREHOUSES | PLANNED | DESTINATION;

/// What of a reservation stands in both formats.
pub(super) struct Order<S, D, A> {
    pub(super) source: S,
    pub(super) destination: D,
    pub(super) max_parcels: u32,
    pub(super) deadline: Micros,
    pub(super) channel: Option<ChannelIx>,
    pub(super) buyer: u128,
    pub(super) attributes: A,
}

impl Order<&Source, &str, &[u8]> {
    pub(super) fn write(&self, writer: &mut Writer<'_>) {
        let flag = |set: bool, flag: u8| if set { flag } else { 0 };
        writer.byte(
            flag(self.channel.is_some(), CHANNEL)
                | flag(self.buyer != 0, BUYER)
                | flag(!self.attributes.is_empty(), ATTRIBUTES)
                | flag(matches!(self.source, Source::Warehouses(_)), WAREHOUSES)
                | flag(matches!(self.source, Source::Planned { .. }), PLANNED)
                | flag(!self.destination.is_empty(), DESTINATION),
        );
        match self.source {
            Source::Region(region) => writer.number(region.0),
            Source::Warehouses(list) => write_warehouses(writer, list),
            Source::Planned { region, warehouses } => {
                writer.number(region.0);
                write_warehouses(writer, warehouses);
            }
        }
        if !self.destination.is_empty() {
            writer.text(self.destination);
        }
        writer.number(self.max_parcels);
        writer.signed(self.deadline);
        if let Some(channel) = self.channel {
            writer.number(channel.0);
        }
        if self.buyer != 0 {
            writer.word128(self.buyer);
        }
        if !self.attributes.is_empty() {
            writer.bytes(self.attributes);
        }
    }
}

impl Order<Source, Box<str>, Box<[u8]>> {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let at = reader.at();
        let flags = reader.flags(KNOWN_FLAGS)?;
        let has = |flag: u8| flags & flag != 0;
        Ok(Self {
            source: match (has(WAREHOUSES), has(PLANNED)) {
                (false, false) => Source::Region(RegionIx(reader.number32()?)),
                (true, false) => Source::Warehouses(read_warehouses(reader)?),
                (false, true) => Source::Planned {
                    region: RegionIx(reader.number32()?),
                    warehouses: read_warehouses(reader)?,
                },
                (true, true) => return Err(CodecError::NotCanonical { what: "a source", at }),
            },
            destination: if has(DESTINATION) {
                announced(reader, "a destination", &"", Reader::text)?.into()
            } else {
                Box::default()
            },
            max_parcels: reader.number32()?,
            deadline: reader.signed()?,
            channel: if has(CHANNEL) { Some(ChannelIx(reader.number32()?)) } else { None },
            buyer: if has(BUYER) { announced(reader, "a buyer", &0, Reader::word128)? } else { 0 },
            attributes: if has(ATTRIBUTES) {
                announced(reader, "attributes", &&[][..], Reader::bytes)?.into()
            } else {
                Box::default()
            },
        })
    }
}

pub(super) fn write_warehouses(writer: &mut Writer<'_>, list: &[WarehouseIx]) {
    writer.length(list.len());
    for warehouse in list {
        writer.number(warehouse.0);
    }
}

pub(super) fn read_warehouses(reader: &mut Reader<'_>) -> Result<Box<[WarehouseIx]>, CodecError> {
    reader.list(1, |reader| reader.number32().map(WarehouseIx))
}

impl Record for Reservation {
    fn write(&self, writer: &mut Writer<'_>) {
        writer.number(self.no.0);
        writer.text(&self.id);
        let order = Order {
            source: &*self.source(),
            destination: self.destination(),
            max_parcels: self.max_parcels(),
            deadline: self.deadline,
            channel: self.channel(),
            buyer: self.buyer(),
            attributes: self.attributes(),
        };
        order.write(writer);
        writer.signed(self.created_at);
        writer.number(self.extensions);
        writer.number(self.version);
        writer.byte(self.refund_due().into());
        writer.length(self.lines.len());
        for line in &self.lines {
            writer.number(line.sku.0);
            writer.number(line.pool.0);
            writer.byte(line.policy() as u8);
            write_counters(writer, &line.counters.all());
            writer.length(line.allocations.len());
            for allocation in &line.allocations {
                writer.number(allocation.warehouse().0);
                write_counters(writer, &allocation.counters.all());
            }
        }
    }

    fn read(reader: &mut Reader<'_>, bounds: &Bounds) -> Result<Self, CodecError> {
        let no = OwnerNo(reader.number()?);
        let id = reader.text()?;
        let order = Order::<Source, Box<str>, Box<[u8]>>::read(reader)?;
        order.source.region().map_or(Ok(()), |region| bounds.region(region.0))?;
        order.source.listed().iter().try_for_each(|at| bounds.warehouse(at.0))?;
        order.channel.map_or(Ok(()), |channel| bounds.channel(channel.0))?;
        let (created_at, extensions) = (reader.signed()?, reader.number32()?);
        let version = reader.number()?;
        let terms = Terms {
            source: order.source,
            destination: order.destination,
            max_parcels: order.max_parcels,
            channel: order.channel,
            buyer: order.buyer,
            attributes: order.attributes,
            refund_due: reader.flags(1)? == 1,
        };
        let terms = (terms.source.region().unwrap_or(RegionIx(0)), terms.said());
        let lines = reader.list(LINE_BYTES_MIN, |reader| read_line(reader, bounds))?;
        let mut reservation = Self::new(no, id, terms, created_at, order.deadline, lines);
        (reservation.extensions, reservation.version) = (extensions, version);
        Ok(reservation)
    }
}

/// The fewest bytes a line can take: SKU, pool, policy, counters, the number of its allocations.
const LINE_BYTES_MIN: usize = 4 + LINE_COUNTERS;
/// The fewest bytes an allocation can take: warehouse, counters.
const ALLOCATION_BYTES_MIN: usize = 1 + ALLOCATION_COUNTERS;

fn read_line(reader: &mut Reader<'_>, bounds: &Bounds) -> Result<Line, CodecError> {
    Ok(Line {
        sku: bounds.read_sku(reader)?,
        pool: bounds.read_pool(reader)?,
        counters: Counters::new(read_policy(reader)?, read_counters(reader)?),
        allocations: reader.list(ALLOCATION_BYTES_MIN, |reader| {
            let counters = Counters::new(bounds.read_warehouse(reader)?, read_counters(reader)?);
            Ok(Allocation { counters })
        })?,
    })
}

impl Record for Receipt {
    fn write(&self, writer: &mut Writer<'_>) {
        writer.number(self.no.0);
        writer.text(&self.id);
        writer.number(self.warehouse.0);
        writer.signed(self.expected_at);
        writer.length(self.lines.len());
        for line in &self.lines {
            writer.number(line.sku.0);
            write_counters(writer, &line.counters);
        }
    }

    fn read(reader: &mut Reader<'_>, bounds: &Bounds) -> Result<Self, CodecError> {
        Ok(Self {
            no: OwnerNo(reader.number()?),
            id: reader.text()?.into(),
            warehouse: bounds.read_warehouse(reader)?,
            expected_at: reader.signed()?,
            lines: reader.list(1 + RECEIPT_COUNTERS, |reader| {
                Ok(ReceiptLine { sku: bounds.read_sku(reader)?, counters: read_counters(reader)? })
            })?,
        })
    }
}

impl Record for Transfer {
    fn write(&self, writer: &mut Writer<'_>) {
        writer.number(self.no.0);
        writer.text(&self.id);
        writer.number(self.from.0);
        writer.number(self.to.0);
        writer.byte(self.closed.into());
        writer.length(self.lines.len());
        for line in &self.lines {
            writer.number(line.sku.0);
            write_counters(writer, &line.counters);
        }
    }

    fn read(reader: &mut Reader<'_>, bounds: &Bounds) -> Result<Self, CodecError> {
        Ok(Self {
            no: OwnerNo(reader.number()?),
            id: reader.text()?.into(),
            from: bounds.read_warehouse(reader)?,
            to: bounds.read_warehouse(reader)?,
            closed: reader.flags(1)? == 1,
            lines: reader.list(1 + TRANSFER_COUNTERS, |reader| {
                Ok(TransferLine { sku: bounds.read_sku(reader)?, counters: read_counters(reader)? })
            })?,
        })
    }
}
