//! Opening: what of the bytes on the disk is the journal.
//!
//! One write is in flight at a time, so after a crash only what was not yet durable can be torn, and it is
//! the end of the last segment. Every frame says what was durable when it was written, so a bad frame is
//! **damage** if a later good frame was written when the bad one was already durable, if a later segment
//! exists, or if a snapshot or the database have seen its sequence. Otherwise it is a **torn tail**: nobody
//! was told of it, and it is cut.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use crate::cursor::Cursor;
use crate::disk::{Access, Disk, DiskFile};
use crate::frame::{self, Place};
use crate::segment::{self, Header};
use crate::{Fault, IoError, JournalId, OpenError, Proof, Sequence, block_ceil, block_floor, offset, size};

/// What opening found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// The identity of the journal.
    pub journal_id: JournalId,
    /// The first sequence whose record is there (or will be, in an empty journal).
    pub first: Sequence,
    /// The last sequence whose record is there; `first - 1` in an empty journal.
    pub last: Sequence,
    /// The bytes of torn frames behind the last good one; 0 after a clean stop.
    pub torn_bytes: u64,
    /// How many segments there are.
    pub segments: usize,
}

/// The end of the accepted journal, from where the writer goes on.
pub struct Tail {
    pub header: Header,
    pub last: Sequence,
    pub chain: u32,
    /// Where the next frame goes.
    pub end: u64,
    /// The first frame that may not be durable begins here; `end` where all are.
    pub unproved: u64,
    /// Where the last byte of a torn frame ends; `end` where nothing is torn.
    pub torn_end: u64,
}

/// What a scan found, before anything is changed.
pub struct Scanned {
    pub recovered: Recovered,
    pub tail: Tail,
    pub unfinished: Vec<PathBuf>,
}

/// Reads and checks everything but the frames at or before `trusted`; changes nothing. `None` where there is
/// no segment.
pub fn scan(
    disk: &dyn Disk,
    dir: &Path,
    trusted: Sequence,
    proved: Sequence,
) -> Result<Option<Scanned>, OpenError> {
    let (indexes, unfinished) = segment::list(disk, dir)?;
    let headers = headers(disk, dir, &indexes)?;
    let (Some(oldest), Some(newest)) = (headers.first(), headers.last()) else {
        return if proved == 0 { Ok(None) } else { Err(OpenError::Beginning { first: 0, proved }) };
    };
    if oldest.first > proved.saturating_add(1) {
        return Err(OpenError::Beginning { first: oldest.first, proved });
    }
    for pair in headers.windows(2) {
        // A record is trusted when the next segment begins at or before the one after it.
        if pair[1].first > trusted.saturating_add(1) {
            sealed(disk, dir, &pair[0], &pair[1])?;
        }
    }
    let tail = last(disk, dir, newest, proved)?;
    let recovered = Recovered {
        journal_id: oldest.journal,
        first: oldest.first,
        last: tail.last,
        torn_bytes: tail.torn_end - tail.end,
        segments: headers.len(),
    };
    Ok(Some(Scanned { recovered, tail, unfinished }))
}

/// The headers of all segments: one journal, no gap, sequences in order.
fn headers(disk: &dyn Disk, dir: &Path, indexes: &[u64]) -> Result<Vec<Header>, OpenError> {
    let mut headers: Vec<Header> = Vec::with_capacity(indexes.len());
    for &index in indexes {
        if let Some(before) = headers.last().filter(|before| before.index + 1 != index) {
            return Err(OpenError::Gap { missing: before.index + 1, found: index });
        }
        let (_, header) = segment::open(disk, dir, index, Access::Read)?;
        if let Some(before) = headers.last() {
            if before.journal != header.journal {
                let (expected, found) = (before.journal, header.journal);
                return Err(OpenError::Foreign { segment: index, expected, found });
            }
            if header.first <= before.first {
                let why = Fault::Order { expected: before.first + 1, found: header.first };
                return Err(damaged(index, 0, why, Proof::HeaderFirst));
            }
        }
        headers.push(header);
    }
    Ok(headers)
}

/// Checks a segment that is not the last: its frames reach up to the next one's beginning. What stands behind
/// them is of no account.
fn sealed(disk: &dyn Disk, dir: &Path, header: &Header, next: &Header) -> Result<(), OpenError> {
    let mut cursor = Cursor::open(disk, dir, header.index)?;
    let later = Proof::LaterSegment { segment: next.index };
    while cursor.next < next.first {
        match cursor.frame()? {
            Ok(frame) => cursor.pass(&frame),
            Err(why) => return Err(damaged(header.index, cursor.at, why, later)),
        }
    }
    if cursor.next > next.first {
        let why = Fault::Order { expected: cursor.next, found: next.first };
        return Err(damaged(next.index, 0, why, Proof::HeaderFirst));
    }
    if cursor.chain != next.chain {
        return Err(damaged(next.index, 0, Fault::Chain, Proof::HeaderFirst));
    }
    Ok(())
}

/// Finds the end of the last segment, and whether what stands behind it is torn or damage.
fn last(disk: &dyn Disk, dir: &Path, header: &Header, proved: Sequence) -> Result<Tail, OpenError> {
    let mut cursor = Cursor::open(disk, dir, header.index)?;
    let mut recent: VecDeque<(Sequence, u64)> = VecDeque::new();
    let why = loop {
        let frame = match cursor.frame()? {
            Ok(frame) => frame,
            Err(fault) => break fault,
        };
        while recent.front().is_some_and(|(first, _)| *first <= frame.durable) {
            recent.pop_front();
        }
        recent.push_back((frame.first, cursor.at));
        cursor.pass(&frame);
    };
    if cursor.next <= proved {
        return Err(damaged(header.index, cursor.at, why, Proof::Proved { sequence: proved }));
    }
    let rest = cursor.rest()?;
    let used = rest.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
    let here = Place { journal: header.journal, segment: header.index, offset: cursor.at };
    if let Some(witness) = frame::later_witness(&rest, used, here, cursor.next) {
        return Err(damaged(header.index, cursor.at, why, Proof::LaterFrame { offset: witness }));
    }
    Ok(Tail {
        header: *header,
        last: cursor.next - 1,
        chain: cursor.chain,
        end: cursor.at,
        unproved: recent.front().map_or(cursor.at, |(_, at)| *at),
        torn_end: cursor.at + offset(used),
    })
}

/// Makes the accepted journal what the disk holds, before anything is served from it: zeros over what is torn,
/// and the frames that may stand in the page cache only (their sync failed or never came) written again. Doing
/// this twice is the same as once.
pub fn accept(disk: &dyn Disk, dir: &Path, scanned: &Scanned) -> Result<Box<dyn DiskFile>, OpenError> {
    for path in &scanned.unfinished {
        disk.remove(path).map_err(IoError::at("remove", path))?;
    }
    let tail = &scanned.tail;
    let path = segment::path(dir, tail.header.index);
    let (file, _) = segment::open(disk, dir, tail.header.index, Access::Write)?;
    let start = block_floor(tail.unproved);
    let mut bytes = vec![0; size(tail.end - start)];
    let read = file.read_at(&mut bytes, start).map_err(IoError::at("read", &path))?;
    if read != bytes.len() {
        return Err(damaged(tail.header.index, tail.unproved, Fault::Overrun, Proof::HeaderFirst));
    }
    bytes.resize(size(block_ceil(tail.torn_end.max(tail.end)) - start), 0);
    file.write_at(&bytes, start).map_err(IoError::at("write", &path))?;
    let length = file.size().map_err(IoError::at("read", &path))?;
    if length < tail.header.bytes {
        file.allocate(tail.header.bytes).map_err(IoError::at("allocate", &path))?;
        let filled = segment::zero(file.as_ref(), length, tail.header.bytes, &mut |_| {});
        filled.map_err(IoError::at("write", &path))?;
    }
    file.sync().map_err(IoError::at("sync", &path))?;
    disk.sync_dir(dir).map_err(IoError::at("sync", dir))?;
    Ok(file)
}

fn damaged(segment: u64, offset: u64, why: Fault, proof: Proof) -> OpenError {
    OpenError::Damaged { segment, offset, why, proof }
}
