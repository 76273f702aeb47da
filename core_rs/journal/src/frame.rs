//! One batch on the disk: a header, the records, zeros up to the next multiple of 8.
//!
//! | bytes | what |
//! | --- | --- |
//! | 0..4 | magic `LKF1` |
//! | 4..8 | length of the records in bytes |
//! | 8..16, 16..24 | first and last sequence |
//! | 24..32 | the newest sequence that was durable when this was written |
//! | 32..36 | the chain: the checksum of the frame before it, also over segments |
//! | 36..40 | CRC-32C over the place (journal, segment, offset), the header up to here, records and zeros |
//!
//! Numbers are little-endian. The place is part of the checksum and not written: a frame is good only where
//! it was put, so that bytes of users which look like a frame, or blocks that a disk put elsewhere, are not.

use crate::{BATCH_BYTES_MAX, Fault, JournalId, Sequence, offset, size};

/// The bytes before the records.
pub const HEADER_BYTES: usize = 40;
/// Frames begin at multiples of this.
pub const ALIGN: usize = 8;
const MAGIC: [u8; 4] = *b"LKF1";
const CRC_AT: usize = 36;

/// Where a frame stands.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    pub journal: JournalId,
    pub segment: u64,
    pub offset: u64,
}

/// What a frame says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    pub length: u32,
    pub first: Sequence,
    pub last: Sequence,
    pub durable: Sequence,
    pub chain: u32,
    pub crc: u32,
}

/// The bytes a frame with so many bytes of records takes.
pub const fn span(records: usize) -> usize {
    (HEADER_BYTES + records).next_multiple_of(ALIGN)
}

impl Frame {
    /// The header in `bytes`, if it can be one: nothing is checked against its checksum yet.
    pub fn parse(bytes: &[u8]) -> Result<Frame, Fault> {
        let Some(header) = bytes.first_chunk::<HEADER_BYTES>() else { return Err(Fault::Empty) };
        if header[..4] != MAGIC {
            return Err(Fault::Empty);
        }
        let frame = Frame {
            length: u32_at(header, 4),
            first: u64_at(header, 8),
            last: u64_at(header, 16),
            durable: u64_at(header, 24),
            chain: u32_at(header, 32),
            crc: u32_at(header, CRC_AT),
        };
        let records = frame.last.checked_sub(frame.first).and_then(|n| n.checked_add(1));
        let least = records.and_then(|n| n.checked_mul(4));
        let fits = frame.length as usize <= BATCH_BYTES_MAX;
        match least {
            Some(least) if least <= u64::from(frame.length) && fits && frame.durable < frame.first => {
                Ok(frame)
            }
            _ => Err(Fault::Records),
        }
    }

    /// The bytes it takes in the segment.
    pub const fn span(&self) -> u64 {
        offset(span(self.length as usize))
    }

    /// Checks the whole frame (header, records, zeros) against its checksum and its records' lengths.
    pub fn verify(&self, place: Place, whole: &[u8]) -> Result<(), Fault> {
        if offset(whole.len()) != self.span() {
            return Err(Fault::Overrun);
        }
        if checksum(place, &whole[..CRC_AT], &whole[HEADER_BYTES..]) != self.crc {
            return Err(Fault::Checksum);
        }
        if holds(self.records(whole), self.last - self.first + 1) { Ok(()) } else { Err(Fault::Records) }
    }

    /// The records within the bytes of the whole frame.
    pub fn records<'a>(&self, whole: &'a [u8]) -> &'a [u8] {
        &whole[HEADER_BYTES..HEADER_BYTES + self.length as usize]
    }
}

/// What a frame to be written says of itself, but for length and checksum.
pub struct Fresh {
    pub first: Sequence,
    pub last: Sequence,
    pub durable: Sequence,
    pub chain: u32,
}

/// Appends a frame to `out`; its checksum, the chain of the next. `None` where the records are too many bytes.
pub fn write(out: &mut Vec<u8>, place: Place, fresh: &Fresh, records: &[u8]) -> Option<u32> {
    let length = u32::try_from(records.len()).ok().filter(|_| records.len() <= BATCH_BYTES_MAX)?;
    let start = out.len();
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&fresh.first.to_le_bytes());
    out.extend_from_slice(&fresh.last.to_le_bytes());
    out.extend_from_slice(&fresh.durable.to_le_bytes());
    out.extend_from_slice(&fresh.chain.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(records);
    out.resize(start + span(records.len()), 0);
    let crc = checksum(place, &out[start..start + CRC_AT], &out[start + HEADER_BYTES..]);
    out[start + CRC_AT..start + HEADER_BYTES].copy_from_slice(&crc.to_le_bytes());
    Some(crc)
}

fn checksum(place: Place, header: &[u8], rest: &[u8]) -> u32 {
    let crc = crc32c::crc32c(&place.journal);
    let crc = crc32c::crc32c_append(crc, &place.segment.to_le_bytes());
    let crc = crc32c::crc32c_append(crc, &place.offset.to_le_bytes());
    crc32c::crc32c_append(crc32c::crc32c_append(crc, header), rest)
}

/// Whether `bytes` are exactly `count` records, each a length (`u32`) and as many bytes.
pub fn holds(mut bytes: &[u8], count: u64) -> bool {
    let mut found = 0_u64;
    while let Some((_, rest)) = split_record(bytes) {
        bytes = rest;
        found += 1;
    }
    bytes.is_empty() && found == count
}

/// The first record in `bytes` and what follows it.
pub fn split_record(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(u32::from_le_bytes(*length) as usize)
}

/// The first good frame in `rest` behind its beginning that was written when `next` was durable. `rest` begins
/// at `place.offset` and is all zeros from `used`; frames stand at multiples of 8.
pub fn later_witness(rest: &[u8], used: usize, place: Place, next: Sequence) -> Option<u64> {
    (ALIGN..used).step_by(ALIGN).find_map(|at| {
        let frame = Frame::parse(&rest[at..]).ok()?;
        let here = Place { offset: place.offset + offset(at), ..place };
        let witness = frame.first > next && frame.durable >= next;
        let whole = rest.get(at..at.checked_add(size(frame.span()))?)?;
        (witness && frame.verify(here, whole).is_ok()).then_some(here.offset)
    })
}

pub fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut number = [0; 4];
    number.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(number)
}

pub fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut number = [0; 8];
    number.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(number)
}
