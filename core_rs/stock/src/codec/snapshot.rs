//! A snapshot's bytes: records of a length and its bytes. The head says how many of each kind follow, in a
//! fixed order, sorted: the same state has the same bytes. What follows from the rest (indexes of names,
//! deadlines and arrivals) is not written but made again.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::io::{self, Read, Write};
use std::sync::Arc;

use super::CodecError;
use super::bytes::{Reader, Writer};
use super::change::{read_rule, write_rule};
use super::stock::{Bounds, Filed, Record, read_key, write_key};
use crate::counters::ReceiptCounter;
use crate::event::DeductionPolicy;
use crate::ids::{ChannelIx, RegionIx, SHARED_NAME, SkuIx, WarehouseIx};
use crate::state::{Owner, Owners, State};

/// The version of the format, the first byte of the head.
const VERSION: u8 = 1;

/// Request ids a record holds: one of their own would cost as much as they do.
const KEYS_PER_RECORD: usize = 1_024;
/// The fewest bytes a request id takes.
const KEY_BYTES_MIN: usize = 25;

/// What stands in front.
#[derive(Clone, Copy, Debug, Default)]
struct Head {
    sequence: u64,
    clock: i64,
    hash: u64,
    horizon_ms: u64,
    shop_policy: Option<DeductionPolicy>,
    bounds: Bounds,
    documents: u64,
    reservations: u64,
    receipts: u64,
    transfers: u64,
    keys: u64,
}

impl Head {
    fn counts(&self) -> [u64; 10] {
        let Bounds { skus, warehouses, regions, channels, pools } = self.bounds;
        let Self { documents, reservations, receipts, transfers, keys, .. } = *self;
        [skus, warehouses, regions, channels, pools, documents, reservations, receipts, transfers, keys]
    }

    fn write(&self, writer: &mut Writer<'_>) {
        writer.byte(VERSION);
        writer.number(self.sequence);
        writer.signed(self.clock);
        writer.word64(self.hash);
        writer.number(self.horizon_ms);
        write_rule(writer, self.shop_policy);
        self.counts().into_iter().for_each(|count| writer.number(count));
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let version = reader.byte()?;
        if version != VERSION {
            return Err(CodecError::UnknownVersion { version });
        }
        let (sequence, clock) = (reader.number()?, reader.signed()?);
        let (hash, horizon_ms) = (reader.word64()?, reader.number()?);
        let shop_policy = read_rule(reader)?;
        let mut counts = [0; 10];
        for count in &mut counts {
            *count = reader.number()?;
        }
        let [skus, warehouses, regions, channels, pools, documents, reservations, receipts, transfers, keys] =
            counts;
        let bounds = Bounds { skus, warehouses, regions, channels, pools };
        Ok(Self {
            sequence,
            clock,
            hash,
            horizon_ms,
            shop_policy,
            bounds,
            documents,
            reservations,
            receipts,
            transfers,
            keys,
        })
    }
}

/// Writes records through one buffer.
struct Output<'a, W> {
    out: &'a mut W,
    buffer: Vec<u8>,
}

impl<W: Write> Output<'_, W> {
    fn record(&mut self, write: impl FnOnce(&mut Writer<'_>)) -> io::Result<()> {
        self.buffer.clear();
        write(&mut Writer(&mut self.buffer));
        let length = u32::try_from(self.buffer.len()).map_err(|_| {
            io::Error::new(io::ErrorKind::InvalidData, "a snapshot's record is longer than 4 GiB")
        })?;
        self.out.write_all(&length.to_le_bytes())?;
        self.out.write_all(&self.buffer)
    }

    fn records<'r, T: Record + 'r>(&mut self, list: impl IntoIterator<Item = &'r T>) -> io::Result<()> {
        list.into_iter().try_for_each(|one| self.record(|writer| one.write(writer)))
    }

    fn owners<T: Record + Owner>(&mut self, owners: &Owners<T>) -> io::Result<()> {
        // They stand in the order of their numbers: that is how they came.
        self.records(owners.values())
    }
}

/// Reads records through one buffer.
struct Input<'a, R> {
    from: &'a mut R,
    buffer: Vec<u8>,
    bounds: Bounds,
}

impl<R: Read> Input<'_, R> {
    fn record<T>(
        &mut self,
        read: impl FnOnce(&mut Reader<'_>, &Bounds) -> Result<T, CodecError>,
    ) -> Result<T, CodecError> {
        let mut length = [0; 4];
        self.from.read_exact(&mut length)?;
        let length = u64::from(u32::from_le_bytes(length));
        self.buffer.clear();
        // Grows with what is really there, so that a wrong length reserves nothing.
        let got = self.from.by_ref().take(length).read_to_end(&mut self.buffer)?;
        if got as u64 != length {
            return Err(CodecError::Truncated { at: got });
        }
        let mut reader = Reader::new(&self.buffer);
        let value = read(&mut reader, &self.bounds)?;
        reader.end()?;
        Ok(value)
    }

    fn records<T: Record>(&mut self, count: u64) -> Result<Vec<T>, CodecError> {
        (0..count).map(|_| self.record(T::read)).collect()
    }

    fn owners<T: Record + Owner>(
        &mut self,
        what: &'static str,
        count: u64,
        last: u64,
    ) -> Result<Owners<T>, CodecError> {
        let mut owners = Owners::default();
        for _ in 0..count {
            let owner = self.record(T::read)?;
            let number = owner.no().0;
            if number == 0 || number > last || !owners.push(owner) {
                return Err(CodecError::Inconsistent { what, number });
            }
        }
        Ok(owners)
    }
}

/// The index of names of a table, which has no name twice.
fn name_index<V, S: BuildHasher + Default>(
    what: &'static str,
    names: impl Iterator<Item = Arc<str>>,
    index: impl Fn(u32) -> V,
) -> Result<HashMap<Arc<str>, V, S>, CodecError> {
    let mut map = HashMap::default();
    for (number, name) in (0..).zip(names) {
        if map.insert(name, index(number)).is_some() {
            return Err(CodecError::Inconsistent { what, number: number.into() });
        }
    }
    Ok(map)
}

impl State {
    /// Writes the state: the same state, the same bytes.
    pub fn write_snapshot(&self, out: &mut impl Write) -> io::Result<()> {
        let head = Head {
            sequence: self.sequence,
            clock: self.clock,
            hash: self.hash,
            horizon_ms: self.horizon_ms,
            shop_policy: self.shop_policy,
            bounds: Bounds {
                skus: self.skus.len() as u64,
                warehouses: self.warehouses.len() as u64,
                regions: self.regions.len() as u64,
                channels: self.channels.len() as u64,
                pools: self.pools.len() as u64,
            },
            documents: self.documents.values().map(|documents| documents.len() as u64).sum(),
            reservations: self.reservations.len() as u64,
            receipts: self.receipts.len() as u64,
            transfers: self.transfers.len() as u64,
            keys: self.keys.len() as u64,
        };
        let mut output = Output { out, buffer: Vec::new() };
        output.record(|writer| head.write(writer))?;
        output.records(&self.skus)?;
        output.records(&self.warehouses)?;
        output.records(&self.regions)?;
        output.records(&self.channels)?;
        output.records(&self.pools)?;
        for (kind, documents) in &self.documents {
            for (id, document) in documents {
                output.record(|writer| Filed::write(writer, *kind, id, document))?;
            }
        }
        output.owners(&self.reservations)?;
        output.owners(&self.receipts)?;
        output.owners(&self.transfers)?;
        let mut keys = self.keys.iter().peekable();
        while keys.peek().is_some() {
            let batch: Vec<_> = keys.by_ref().take(KEYS_PER_RECORD).collect();
            output.record(|writer| {
                writer.length(batch.len());
                for (key, known) in batch {
                    write_key(writer, key, known);
                }
            })?;
        }
        Ok(())
    }

    /// Reads a state, to the end of the input. Its hash is computed from scratch and must be the one that was written.
    pub fn read_snapshot(input: &mut impl Read) -> Result<Self, CodecError> {
        let mut input = Input { from: input, buffer: Vec::new(), bounds: Bounds::default() };
        let head = input.record(|reader, _| Head::read(reader))?;
        input.bounds = head.bounds;
        let mut state = Self::default();
        (state.sequence, state.clock) = (head.sequence, head.clock);
        (state.hash, state.horizon_ms) = (head.hash, head.horizon_ms);
        state.shop_policy = head.shop_policy;
        state.skus = input.records(head.bounds.skus)?;
        state.warehouses = input.records(head.bounds.warehouses)?;
        state.regions = input.records(head.bounds.regions)?;
        state.channels = input.records(head.bounds.channels)?;
        state.pools = input.records(head.bounds.pools)?;
        read_documents(&mut input, &mut state, head.documents)?;
        state.reservations = input.owners("reservation", head.reservations, head.sequence)?;
        state.receipts = input.owners("receipt", head.receipts, head.sequence)?;
        state.transfers = input.owners("transfer", head.transfers, head.sequence)?;
        read_keys(&mut input, &mut state, head.keys)?;
        let mut more = [0];
        if input.from.read(&mut more)? != 0 {
            return Err(CodecError::Trailing { at: 0 });
        }
        state.index_all()?;
        let computed = state.hash_from_scratch();
        if computed == head.hash {
            Ok(state)
        } else {
            Err(CodecError::HashMismatch { written: head.hash, computed })
        }
    }

    /// Makes again what follows from the rest.
    fn index_all(&mut self) -> Result<(), CodecError> {
        if self.pools.first().is_none_or(|id| &**id != SHARED_NAME) {
            return Err(CodecError::Inconsistent { what: "pool", number: 0 });
        }
        self.sku_names = name_index("SKU", self.skus.iter().map(|sku| Arc::clone(&sku.id)), SkuIx)?;
        let warehouses = self.warehouses.iter().map(|warehouse| Arc::clone(&warehouse.id));
        self.warehouse_names = name_index("warehouse", warehouses, WarehouseIx)?;
        self.region_names =
            name_index("region", self.regions.iter().map(|region| Arc::clone(&region.id)), RegionIx)?;
        self.channel_names = name_index("channel", self.channels.iter().cloned(), ChannelIx)?;
        self.resting = self.find_resting();
        self.index_deadlines();
        for receipt in self.receipts.values() {
            for line in receipt.lines.iter().filter(|line| line.get(ReceiptCounter::Expected) > 0) {
                self.skus[line.sku.at()].inbound.push(receipt.no);
            }
        }
        self.skus.iter_mut().for_each(|sku| sku.inbound.sort_unstable());
        Ok(())
    }
}

fn read_documents(input: &mut Input<'_, impl Read>, state: &mut State, count: u64) -> Result<(), CodecError> {
    let mut before = None;
    for number in 0..count {
        let Filed { kind, id, document } = input.record(|reader, _| Filed::read(reader))?;
        let key = Some((kind, Arc::clone(&id)));
        if key <= before {
            return Err(CodecError::Inconsistent { what: "document", number });
        }
        before = key;
        state.documents.entry(kind).or_default().insert(id, document);
    }
    Ok(())
}

fn read_keys(input: &mut Input<'_, impl Read>, state: &mut State, count: u64) -> Result<(), CodecError> {
    let mut left = count;
    let mut before = 0;
    while left > 0 {
        let batch: Vec<_> = input.record(|reader, _| reader.list(KEY_BYTES_MIN, read_key))?;
        if batch.len() as u64 != left.min(KEYS_PER_RECORD as u64) {
            return Err(CodecError::Inconsistent {
                what: "a record of request ids of length",
                number: batch.len() as u64,
            });
        }
        left -= batch.len() as u64;
        for (key, known) in batch {
            if key <= before {
                return Err(CodecError::Inconsistent {
                    what: "the request id of sequence",
                    number: known.sequence,
                });
            }
            before = key;
            let noted = state.keys.insert(key, known);
            debug_assert!(noted.is_ok(), "keys that grow are each new");
        }
    }
    Ok(())
}
