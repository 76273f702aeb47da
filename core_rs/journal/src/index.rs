//! Finding one record again, for repeated answers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::cursor::Cursor;
use crate::disk::{Access, Disk, RealDisk};
use crate::frame::split_record;
use crate::reader::Mark;
use crate::{Fault, OpenError, Proof, ReadError, Sequence, segment};

/// A frame is remembered when it stands at least so many bytes behind the last one remembered.
const SPACING: usize = 64 * 1024;
/// How many frames are remembered (about 3 MB); beyond it every second one is forgotten.
const MARKS_MAX: usize = 65_536;

/// From a sequence to its record. Places are learnt while looking, sparsely and in bounded memory, so nothing
/// needs to be fed into it; many threads may look at once.
pub struct Index {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// First sequence of each segment, to its index.
    segments: BTreeMap<Sequence, u64>,
    /// First sequence of some frames, to where they stand.
    marks: BTreeMap<Sequence, Mark>,
}

impl Index {
    /// Of the journal in `dir`.
    pub fn new(dir: &Path) -> Index {
        Self::on(Arc::new(RealDisk), dir)
    }

    /// The same, on a disk of choice.
    pub fn on(disk: Arc<dyn Disk>, dir: &Path) -> Index {
        Index { disk, dir: dir.to_path_buf(), known: Mutex::default() }
    }

    /// The record of a sequence, which must be in the journal (durable, or at least appended).
    pub fn record(&self, sequence: Sequence) -> Result<Vec<u8>, ReadError> {
        if let Some(record) = self.look(sequence)? {
            return Ok(record);
        }
        // The journal went on in segments that were not known yet.
        self.refresh()?;
        match self.look(sequence)? {
            Some(record) => Ok(record),
            None => Err(self.missing(sequence)),
        }
    }

    /// Walks from the nearest known place. `None` where no known segment has the sequence.
    fn look(&self, sequence: Sequence) -> Result<Option<Vec<u8>>, ReadError> {
        let (index, mark) = {
            let known = self.known();
            let Some((_, &index)) = known.segments.range(..=sequence).next_back() else { return Ok(None) };
            let mark = known.marks.range(..=sequence).next_back().map(|(_, mark)| *mark);
            (index, mark.filter(|mark| mark.segment == index))
        };
        let mut cursor = Cursor::open(self.disk.as_ref(), &self.dir, index)?;
        if let Some(mark) = mark {
            mark.go(&mut cursor);
        }
        let mut last = Mark::of(&cursor);
        let mut learnt = Vec::new();
        let found = loop {
            let frame = match cursor.frame()? {
                Ok(frame) => frame,
                Err(fault) => break self.end_of(&cursor, fault, sequence).map(|()| None),
            };
            if last.is_far(cursor.at, SPACING) {
                last = Mark::of(&cursor);
                learnt.push(last);
            }
            if frame.last >= sequence {
                let records = cursor.records(&frame)?;
                break nth(records, sequence - frame.first)
                    .map(|record| Some(record.to_vec()))
                    .ok_or_else(|| damaged(&cursor, Fault::Records, sequence));
            }
            cursor.pass(&frame);
        };
        self.learn(learnt);
        Ok(found?)
    }

    /// A segment ended before the sequence: fine, if the journal went on in another one.
    fn end_of(&self, cursor: &Cursor, fault: Fault, sequence: Sequence) -> Result<(), OpenError> {
        let known = self.known();
        let is_newest = known.segments.values().next_back() == Some(&cursor.header().index);
        if is_newest && fault == Fault::Empty { Ok(()) } else { Err(damaged(cursor, fault, sequence)) }
    }

    fn refresh(&self) -> Result<(), ReadError> {
        let (indexes, _) = segment::list(self.disk.as_ref(), &self.dir)?;
        let newest = self.known().segments.values().next_back().copied().unwrap_or(0);
        for index in indexes.into_iter().filter(|index| *index > newest) {
            let (_, header) = segment::open(self.disk.as_ref(), &self.dir, index, Access::Read)?;
            self.known().segments.insert(header.first, index);
        }
        Ok(())
    }

    fn learn(&self, marks: Vec<Mark>) {
        let mut known = self.known();
        known.marks.extend(marks.into_iter().map(|mark| (mark.next, mark)));
        if known.marks.len() > MARKS_MAX {
            let mut keep = false;
            known.marks.retain(|_, _| {
                keep = !keep;
                keep
            });
        }
    }

    fn missing(&self, sequence: Sequence) -> ReadError {
        let known = self.known();
        let oldest = known.segments.keys().next().copied().unwrap_or(0);
        if sequence < oldest { ReadError::Gone { sequence, oldest } } else { ReadError::Missing { sequence } }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // What is known stays true if a thread that was learning panicked.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn damaged(cursor: &Cursor, why: Fault, sequence: Sequence) -> OpenError {
    let proof = Proof::Told { sequence };
    OpenError::Damaged { segment: cursor.header().index, offset: cursor.at, why, proof }
}

fn nth(mut records: &[u8], n: u64) -> Option<&[u8]> {
    for _ in 0..n {
        records = split_record(records)?.1;
    }
    Some(split_record(records)?.0)
}
