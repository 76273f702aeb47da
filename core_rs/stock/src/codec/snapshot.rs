//! A snapshot's bytes: records of a length and its bytes. The head says how many of each kind follow, in a
//! fixed order, sorted: the same state has the same bytes. What follows from the rest (indexes of names,
//! deadlines and arrivals) is not written but made again.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::sync::Arc;

use super::CodecError;
use super::bytes::{Reader, Writer};
use super::change::{read_rule, write_rule};
use super::stock::{Bounds, Filed, Record, read_key, write_key};
use crate::counters::ReceiptCounter;
use crate::event::DeductionPolicy;
use crate::ids::{ChannelIx, OwnerNo, RegionIx, RequestKey, SHARED_NAME, SkuIx, WarehouseIx};
use crate::state::{
    Assembled, KEYS_PAGE, KnownKey, Owner, Owners, Receipt, Reservation, State, Transfer, hash, page_of,
    receipt_contribution, reservation_contribution, transfer_contribution,
};

/// The version of the format, the first byte of the head.
const VERSION: u8 = 1;

/// Request ids a record holds: one of their own would cost as much as they do.
const KEYS_PER_RECORD: usize = 1_024;
/// Bytes that are read from the input at once.
const BUFFER_BYTES: usize = 1 << 18;
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

/// Reads records: from the input's buffer where they stand in it whole, else through one of its own.
struct Input<'a, R> {
    from: BufReader<&'a mut R>,
    buffer: Vec<u8>,
    bounds: Bounds,
}

impl<R: Read> Input<'_, R> {
    fn record<T>(
        &mut self,
        read: impl FnOnce(&mut Reader<'_>, &Bounds) -> Result<T, CodecError>,
    ) -> Result<T, CodecError> {
        let whole = |bytes: &[u8]| {
            let mut reader = Reader::new(bytes);
            let value = read(&mut reader, &self.bounds)?;
            reader.end()?;
            Ok(value)
        };
        if let Some((record, _)) = split_record(self.from.buffer()) {
            let (value, length) = (whole(record)?, record.len());
            self.from.consume(LENGTH_BYTES + length);
            return Ok(value);
        }
        let mut length = [0; LENGTH_BYTES];
        self.from.read_exact(&mut length)?;
        let length = u64::from(u32::from_le_bytes(length));
        self.buffer.clear();
        // Grows with what is really there, so that a wrong length reserves nothing.
        let got = self.from.by_ref().take(length).read_to_end(&mut self.buffer)?;
        if got as u64 != length {
            return Err(CodecError::Truncated { at: got });
        }
        whole(&self.buffer)
    }

    fn records<T: Record>(&mut self, count: u64) -> Result<Vec<T>, CodecError> {
        (0..count).map(|_| self.record(T::read)).collect()
    }

    /// Owners, a page at a time.
    fn pages<T: Record, E: From<CodecError>>(
        &mut self,
        count: u64,
        mut put: impl FnMut(Vec<T>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut left = count;
        while left > 0 {
            let mut page = Vec::with_capacity(page_of::<T>());
            for _ in 0..left.min(page_of::<T>() as u64) {
                page.push(self.record(T::read)?);
            }
            left -= page.len() as u64;
            put(page)?;
        }
        Ok(())
    }

    /// Owners of which there are not millions.
    fn owners<T: Record + Owner>(
        &mut self,
        what: &'static str,
        (count, last): (u64, u64),
    ) -> Result<Owners<T>, CodecError> {
        let mut owners = Assembled::default();
        self.pages(count, |page: Vec<T>| put_page(&mut owners, page, what, last))?;
        whole(owners, what)
    }
}

const LENGTH_BYTES: usize = 4;

/// The record in front, if all of it is there.
fn split_record(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<LENGTH_BYTES>()?;
    rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)
}

fn put_page<T: Owner>(
    owners: &mut Assembled<T>,
    page: Vec<T>,
    what: &'static str,
    last: u64,
) -> Result<(), CodecError> {
    let inconsistent = |OwnerNo(number)| CodecError::Inconsistent { what, number };
    let out_of_range = page.iter().map(Owner::no).find(|no| !(1..=last).contains(&no.0));
    out_of_range.map_or(Ok(()), |no| Err(inconsistent(no)))?;
    owners.push(page).map_err(inconsistent)
}

fn whole<T: Owner>(owners: Assembled<T>, what: &'static str) -> Result<Owners<T>, CodecError> {
    owners.finish().map_err(|OwnerNo(number)| CodecError::Inconsistent { what, number })
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
        let mut assembly = Assembly::default();
        let mut put = Ok(());
        let read = Part::read_all(input, &mut |mut part| {
            put = assembly.put(&mut part);
            put.is_ok()
        });
        // What could not be put came before what could not be read.
        put.and(read)?;
        assembly.finish()
    }

    /// Makes again what follows from the rest.
    fn index_all(&mut self) -> Result<(), CodecError> {
        if self.pools.first().is_none_or(|id| &**id != SHARED_NAME) {
            return Err(CodecError::Inconsistent { what: "pool", number: 0 });
        }
        for number in (0..).take(self.skus.len()) {
            if !self.name_sku(SkuIx(number)) {
                return Err(CodecError::Inconsistent { what: "SKU", number: number.into() });
            }
        }
        let warehouses = self.warehouses.iter().map(|warehouse| Arc::clone(&warehouse.id));
        self.warehouse_names = name_index("warehouse", warehouses, WarehouseIx)?;
        self.region_names =
            name_index("region", self.regions.iter().map(|region| Arc::clone(&region.id)), RegionIx)?;
        self.channel_names = name_index("channel", self.channels.iter().cloned(), ChannelIx)?;
        self.resting = self.find_resting();
        for receipt in self.receipts.values() {
            for line in receipt.lines.iter().filter(|line| line.get(ReceiptCounter::Expected) > 0) {
                self.skus[line.sku.at()].inbound.push(receipt.no);
            }
        }
        self.skus.iter_mut().for_each(|sku| sku.inbound.sort_unstable());
        Ok(())
    }
}

/// A part of a snapshot, decoded. Reading the next and putting the last one to the others may be two threads' work.
#[derive(Debug)]
pub struct Part(Kind);

#[derive(Debug)]
enum Kind {
    /// The head, and all that is not owners or request ids.
    Beginning(Box<(Head, State)>),
    /// Nearly all there is.
    Reservations(Vec<Reservation>),
    Others(Box<(Owners<Receipt>, Owners<Transfer>)>),
    /// A page of them, and their hash: who puts the parts together has the ids of reservations to note meanwhile.
    Keys(Vec<(RequestKey, KnownKey)>, u64),
    End,
    /// What it held stands where it belongs.
    Put,
}

/// Why no more parts are read.
enum Stop {
    Unreadable(CodecError),
    Unwanted,
}

impl From<CodecError> for Stop {
    fn from(why: CodecError) -> Self {
        Self::Unreadable(why)
    }
}

impl Part {
    /// Reads all parts, to the end of the input, each handed over as it is there; up to the first that is not wanted.
    pub fn read_all(input: &mut impl Read, hand: &mut dyn FnMut(Self) -> bool) -> Result<(), CodecError> {
        let mut hand = |kind| if hand(Self(kind)) { Ok(()) } else { Err(Stop::Unwanted) };
        match read_parts(input, &mut hand) {
            Err(Stop::Unreadable(why)) => Err(why),
            Ok(()) | Err(Stop::Unwanted) => Ok(()),
        }
    }
}

fn read_parts(input: &mut impl Read, hand: &mut impl FnMut(Kind) -> Result<(), Stop>) -> Result<(), Stop> {
    let from = BufReader::with_capacity(BUFFER_BYTES, input);
    let mut input = Input { from, buffer: Vec::new(), bounds: Bounds::default() };
    let head = input.record(|reader, _| Head::read(reader))?;
    input.bounds = head.bounds;
    let mut state = State::default();
    (state.sequence, state.clock) = (head.sequence, head.clock);
    (state.hash, state.horizon_ms) = (head.hash, head.horizon_ms);
    state.shop_policy = head.shop_policy;
    state.skus = input.records(head.bounds.skus)?;
    state.warehouses = input.records(head.bounds.warehouses)?;
    state.regions = input.records(head.bounds.regions)?;
    state.channels = input.records(head.bounds.channels)?;
    state.pools = input.records(head.bounds.pools)?;
    read_documents(&mut input, &mut state, head.documents)?;
    hand(Kind::Beginning(Box::new((head, state))))?;
    input.pages(head.reservations, |page: Vec<Reservation>| hand(Kind::Reservations(page)))?;
    let receipts = input.owners("receipt", (head.receipts, head.sequence))?;
    let transfers = input.owners("transfer", (head.transfers, head.sequence))?;
    hand(Kind::Others(Box::new((receipts, transfers))))?;
    read_keys(&mut input, head.keys, |keys| {
        let hash = keys.iter().map(|(key, known)| hash::key(*key, *known)).fold(0, u64::wrapping_add);
        hand(Kind::Keys(keys, hash))
    })?;
    let mut more = [0];
    if input.from.read(&mut more).map_err(CodecError::from)? != 0 {
        return Err(CodecError::Trailing { at: 0 }.into());
    }
    hand(Kind::End)
}

/// A state that is put together from the parts of a snapshot. It sums the hash of nearly all, for who reads them has
/// more to do.
#[derive(Debug, Default)]
pub struct Assembly {
    head: Head,
    state: State,
    reservations: Assembled<Reservation>,
    hash: u64,
    is_whole: bool,
}

impl Assembly {
    /// Puts the next part to the others, and empties it.
    pub fn put(&mut self, part: &mut Part) -> Result<(), CodecError> {
        match std::mem::replace(&mut part.0, Kind::Put) {
            Kind::Beginning(beginning) => {
                (self.head, self.state) = *beginning;
                // All that there is so far: what comes contributes as it comes.
                self.hash = self.state.hash_from_scratch();
            }
            Kind::Reservations(page) => {
                self.contribute(page.iter().map(reservation_contribution));
                let dues = page.iter().map(Reservation::due);
                self.state.append_deadlines(self.reservations.len(), dues);
                put_page(&mut self.reservations, page, "reservation", self.head.sequence)?;
            }
            Kind::Others(others) => {
                let (receipts, transfers) = *others;
                self.contribute(receipts.values().map(receipt_contribution));
                self.contribute(transfers.values().map(transfer_contribution));
                (self.state.receipts, self.state.transfers) = (receipts, transfers);
                self.state.reservations = whole(std::mem::take(&mut self.reservations), "reservation")?;
            }
            Kind::Keys(keys, hash) => {
                self.hash = self.hash.wrapping_add(hash);
                self.state.keys.append_page(keys);
            }
            Kind::End => self.is_whole = true,
            Kind::Put => {}
        }
        Ok(())
    }

    fn contribute(&mut self, hashes: impl Iterator<Item = u64>) {
        self.hash = hashes.fold(self.hash, u64::wrapping_add);
    }

    /// The state, once all parts were put. Its hash must be the one that was written.
    pub fn finish(self) -> Result<State, CodecError> {
        let Self { head, mut state, hash: computed, is_whole, .. } = self;
        if !is_whole {
            return Err(CodecError::Truncated { at: 0 });
        }
        state.index_all()?;
        if computed == head.hash {
            Ok(state)
        } else {
            Err(CodecError::HashMismatch { written: head.hash, computed })
        }
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

fn read_keys<E: From<CodecError>>(
    input: &mut Input<'_, impl Read>,
    count: u64,
    mut put: impl FnMut(Vec<(RequestKey, KnownKey)>) -> Result<(), E>,
) -> Result<(), E> {
    let mut left = count;
    let mut before = 0;
    let mut page = Vec::with_capacity(KEYS_PAGE);
    while left > 0 {
        let batch: Vec<_> = input.record(|reader, _| reader.list(KEY_BYTES_MIN, read_key))?;
        if batch.len() as u64 != left.min(KEYS_PER_RECORD as u64) {
            let what = "a record of request ids of length";
            return Err(CodecError::Inconsistent { what, number: batch.len() as u64 }.into());
        }
        left -= batch.len() as u64;
        for (key, known) in &batch {
            if *key <= before {
                let what = "the request id of sequence";
                return Err(CodecError::Inconsistent { what, number: known.sequence }.into());
            }
            before = *key;
        }
        for key in batch {
            page.push(key);
            if page.len() == KEYS_PAGE {
                put(std::mem::replace(&mut page, Vec::with_capacity(KEYS_PAGE)))?;
            }
        }
    }
    if page.is_empty() { Ok(()) } else { put(page) }
}
