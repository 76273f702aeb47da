//! SKUs, master data and request ids in a snapshot.

use std::collections::HashSet;
use std::sync::Arc;

use super::CodecError;
use super::bytes::{Reader, Writer};
use super::change::{read_document_kind, read_rule, read_warehouse_state, write_rule};
use super::owner::{read_warehouses, write_warehouses};
use crate::command::DocumentKind;
use crate::counters::{COUNTERS, Cell, POOL_COUNTERS};
use crate::ids::{PoolIx, RequestKey, SkuIx, Units, WarehouseIx};
use crate::state::{Assortment, Document, KnownKey, PoolCell, Region, Sku, Warehouse};

/// Something that a snapshot holds many of.
pub(super) trait Record: Sized {
    fn write(&self, writer: &mut Writer<'_>);
    fn read(reader: &mut Reader<'_>, bounds: &Bounds) -> Result<Self, CodecError>;
}

/// How many there are of what records refer to by index.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bounds {
    pub(super) skus: u64,
    pub(super) warehouses: u64,
    pub(super) regions: u64,
    pub(super) channels: u64,
    pub(super) pools: u64,
}

fn within(what: &'static str, index: u32, bound: u64) -> Result<(), CodecError> {
    let number = u64::from(index);
    if number < bound { Ok(()) } else { Err(CodecError::Inconsistent { what, number }) }
}

impl Bounds {
    pub(super) fn warehouse(&self, index: u32) -> Result<(), CodecError> {
        within("a reference to warehouse", index, self.warehouses)
    }

    pub(super) fn region(&self, index: u32) -> Result<(), CodecError> {
        within("a reference to region", index, self.regions)
    }

    pub(super) fn channel(&self, index: u32) -> Result<(), CodecError> {
        within("a reference to channel", index, self.channels)
    }

    pub(super) fn read_sku(&self, reader: &mut Reader<'_>) -> Result<SkuIx, CodecError> {
        let index = reader.number32()?;
        within("a reference to SKU", index, self.skus).map(|()| SkuIx(index))
    }

    pub(super) fn read_warehouse(&self, reader: &mut Reader<'_>) -> Result<WarehouseIx, CodecError> {
        let index = reader.number32()?;
        self.warehouse(index).map(|()| WarehouseIx(index))
    }

    pub(super) fn read_pool(&self, reader: &mut Reader<'_>) -> Result<PoolIx, CodecError> {
        let index = reader.number32()?;
        within("a reference to pool", index, self.pools).map(|()| PoolIx(index))
    }
}

pub(super) fn write_counters(writer: &mut Writer<'_>, counters: &[Units]) {
    for units in counters {
        writer.signed(*units);
    }
}

pub(super) fn read_counters<const N: usize>(reader: &mut Reader<'_>) -> Result<[Units; N], CodecError> {
    let mut counters = [0; N];
    for units in &mut counters {
        *units = reader.signed()?;
    }
    Ok(counters)
}

/// Whether a list is sorted and names nothing twice: then there is one way to write it.
fn sorted<T, K: Ord>(
    list: &[T],
    what: &'static str,
    at: usize,
    key: impl Fn(&T) -> K,
) -> Result<(), CodecError> {
    if list.windows(2).all(|pair| key(&pair[0]) < key(&pair[1])) {
        Ok(())
    } else {
        Err(CodecError::NotCanonical { what, at })
    }
}

impl Record for Sku {
    fn write(&self, writer: &mut Writer<'_>) {
        writer.text(&self.id);
        writer.text(&self.category);
        write_rule(writer, self.policy);
        write_counters(writer, &self.counters);
        writer.length(self.cells().len());
        for (warehouse, cell) in self.cells() {
            writer.number(warehouse.0);
            write_counters(writer, &cell.0);
        }
        writer.length(self.pools.len());
        for (pool, cell) in &self.pools {
            writer.number(pool.0);
            write_counters(writer, &cell.0);
        }
    }

    fn read(reader: &mut Reader<'_>, bounds: &Bounds) -> Result<Self, CodecError> {
        let mut sku = Self::new(reader.text()?.into(), reader.text()?.into(), read_rule(reader)?);
        sku.counters = read_counters(reader)?;
        let cells: Vec<_> = reader.list(1 + COUNTERS, |reader| {
            Ok((bounds.read_warehouse(reader)?, Cell(read_counters(reader)?)))
        })?;
        sku.pools = reader.list(1 + POOL_COUNTERS, |reader| {
            Ok((bounds.read_pool(reader)?, PoolCell(read_counters(reader)?)))
        })?;
        sorted(&cells, "cells", reader.at(), |(at, _)| *at)?;
        sorted(&sku.pools, "pools", reader.at(), |(at, _)| *at)?;
        sku.cells = cells.into();
        Ok(sku)
    }
}

fn write_names(writer: &mut Writer<'_>, names: &HashSet<Arc<str>>) {
    let mut names: Vec<&Arc<str>> = names.iter().collect();
    names.sort_unstable();
    writer.length(names.len());
    for name in names {
        writer.text(name);
    }
}

fn read_names(reader: &mut Reader<'_>) -> Result<HashSet<Arc<str>>, CodecError> {
    let at = reader.at();
    let names: Vec<Arc<str>> = reader.list(1, |reader| reader.text().map(Arc::from))?;
    sorted(&names, "names", at, Arc::clone)?;
    Ok(names.into_iter().collect())
}

impl Record for Warehouse {
    fn write(&self, writer: &mut Writer<'_>) {
        writer.text(&self.id);
        writer.byte(self.state as u8);
        write_names(writer, &self.assortment.skus);
        write_names(writer, &self.assortment.categories);
    }

    fn read(reader: &mut Reader<'_>, _: &Bounds) -> Result<Self, CodecError> {
        Ok(Self {
            id: reader.text()?.into(),
            state: read_warehouse_state(reader)?,
            assortment: Assortment { skus: read_names(reader)?, categories: read_names(reader)? },
        })
    }
}

impl Record for Region {
    fn write(&self, writer: &mut Writer<'_>) {
        writer.text(&self.id);
        write_warehouses(writer, &self.plan);
    }

    fn read(reader: &mut Reader<'_>, bounds: &Bounds) -> Result<Self, CodecError> {
        let region = Self { id: reader.text()?.into(), plan: read_warehouses(reader)? };
        region.plan.iter().try_for_each(|warehouse| bounds.warehouse(warehouse.0))?;
        Ok(region)
    }
}

/// Channels and pools are their ids.
impl Record for Arc<str> {
    fn write(&self, writer: &mut Writer<'_>) {
        writer.text(self);
    }

    fn read(reader: &mut Reader<'_>, _: &Bounds) -> Result<Self, CodecError> {
        reader.text().map(Self::from)
    }
}

/// A document with what it is found by.
pub(super) struct Filed {
    pub(super) kind: DocumentKind,
    pub(super) id: Arc<str>,
    pub(super) document: Document,
}

impl Filed {
    pub(super) fn write(writer: &mut Writer<'_>, kind: DocumentKind, id: &str, document: &Document) {
        writer.byte(kind as u8);
        writer.text(id);
        writer.number(document.version);
        writer.bytes(&document.body);
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            kind: read_document_kind(reader)?,
            id: reader.text()?.into(),
            document: Document { version: reader.number()?, body: reader.bytes()?.into() },
        })
    }
}

/// A request id that is remembered.
pub(super) fn write_key(writer: &mut Writer<'_>, key: RequestKey, known: KnownKey) {
    writer.word128(key);
    writer.number(known.sequence);
    writer.word64(known.digest);
}

pub(super) fn read_key(reader: &mut Reader<'_>) -> Result<(RequestKey, KnownKey), CodecError> {
    Ok((reader.word128()?, KnownKey { sequence: reader.number()?, digest: reader.word64()? }))
}
