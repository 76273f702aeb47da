//! Following: records in order, while the writer goes on.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::cursor::Cursor;
use crate::disk::{Access, Disk, RealDisk};
use crate::frame::split_record;
use crate::{Fault, JournalId, OpenError, Proof, ReadError, Sequence, offset, segment};

/// Reads records in order from any sequence. It may run beside the writer: the bytes of a frame never change
/// once it is written, and nothing behind the sequence it is told of is looked at.
pub struct Reader {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    cursor: Cursor,
    /// The frame being handed out: its records, from where they go on, and the next one's sequence.
    records: Vec<u8>,
    at: usize,
    next: Sequence,
    /// Whether it releases what it has read.
    releases: bool,
    /// Whether it has nothing read ahead.
    aside: bool,
}

impl Reader {
    /// Before the record `from` (at least 1), which may be written later.
    pub fn open(dir: &Path, from: Sequence) -> Result<Reader, ReadError> {
        Self::open_on(Arc::new(RealDisk), dir, from)
    }

    /// The same, on a disk of choice.
    pub fn open_on(disk: Arc<dyn Disk>, dir: &Path, from: Sequence) -> Result<Reader, ReadError> {
        let (indexes, _) = segment::list(disk.as_ref(), dir)?;
        let index = holding(disk.as_ref(), dir, &indexes, from)?;
        let cursor = Cursor::open(disk.as_ref(), dir, index)?;
        let dir = dir.to_path_buf();
        Ok(Reader {
            disk,
            dir,
            cursor,
            records: Vec::new(),
            at: 0,
            next: from,
            releases: false,
            aside: false,
        })
    }

    /// The same for whoever is mostly the last to read a segment: what is behind it, the system need not keep in
    /// memory. Where memory is full of such files, who needs some waits until it is free.
    #[must_use]
    pub fn releasing(self) -> Reader {
        Reader { releases: true, ..self }
    }

    /// The same for whoever reads beside a writer: the system reads nothing ahead for it. What it would read, several
    /// megabytes at once where a disk is set up so, stands in line before the writer's syncs.
    #[must_use]
    pub fn aside(self) -> Reader {
        self.cursor.read_nothing_ahead();
        Reader { aside: true, ..self }
    }

    /// The next record and its sequence, `None` where that is after `until`. `until` must be in the journal
    /// (durable, or at least appended); records after it are not looked at, even half written.
    pub fn next(&mut self, until: Sequence) -> Result<Option<(Sequence, &[u8])>, ReadError> {
        if self.next > until {
            return Ok(None);
        }
        let sequence = self.next;
        while self.at == self.records.len() {
            self.load(sequence)?;
        }
        let range = self.record_at(self.at)?;
        self.at = range.end;
        self.next += 1;
        Ok(Some((sequence, &self.records[range])))
    }

    /// The sequence of the record that `next` gives next.
    pub fn position(&self) -> Sequence {
        self.next
    }

    /// The identity of the journal.
    pub fn journal_id(&self) -> JournalId {
        self.cursor.header().journal
    }

    /// Takes up the next frame if it has `sequence`, passes it if it ends before.
    fn load(&mut self, sequence: Sequence) -> Result<(), ReadError> {
        let frame = match self.cursor.frame()? {
            Ok(frame) => frame,
            Err(why) => return self.next_segment(sequence, why),
        };
        if frame.last >= sequence {
            let bytes = self.cursor.records(&frame)?;
            self.records.clear();
            self.records.extend_from_slice(bytes);
            self.at = 0;
            for _ in frame.first..sequence {
                self.at = self.record_at(self.at)?.end;
            }
        }
        self.cursor.pass(&frame);
        if self.releases {
            self.cursor.release_passed();
        }
        Ok(())
    }

    /// Goes to the next segment if that goes on from here. If not, a record that was said to be there is not.
    fn next_segment(&mut self, sequence: Sequence, why: Fault) -> Result<(), ReadError> {
        let here = self.cursor.header().index;
        let path = segment::path(&self.dir, here + 1);
        let exists = match self.disk.open(&path, Access::Read) {
            Ok(_) => true,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => false,
            Err(source) => return Err(crate::IoError { doing: "open", path, source }.into()),
        };
        if exists {
            let next = Cursor::open(self.disk.as_ref(), &self.dir, here + 1)?;
            let header = next.header();
            if header.journal != self.journal_id() {
                let (expected, found) = (self.journal_id(), header.journal);
                return Err(OpenError::Foreign { segment: here + 1, expected, found }.into());
            }
            if header.first == self.cursor.next && header.chain == self.cursor.chain {
                if self.releases {
                    self.cursor.release_rest();
                }
                if self.aside {
                    next.read_nothing_ahead();
                }
                self.cursor = next;
                return Ok(());
            }
        }
        Err(damaged(&self.cursor, why, sequence).into())
    }

    /// Where the record lies whose length stands at `at`.
    fn record_at(&self, at: usize) -> Result<Range<usize>, ReadError> {
        match split_record(&self.records[at..]) {
            Some((record, _)) => Ok(at + 4..at + 4 + record.len()),
            None => Err(damaged(&self.cursor, Fault::Records, self.next).into()),
        }
    }
}

fn damaged(cursor: &Cursor, why: Fault, sequence: Sequence) -> OpenError {
    OpenError::Damaged {
        segment: cursor.header().index,
        offset: cursor.at,
        why,
        proof: Proof::Told { sequence },
    }
}

/// The last segment that begins at or before `sequence`.
fn holding(disk: &dyn Disk, dir: &Path, indexes: &[u64], sequence: Sequence) -> Result<u64, ReadError> {
    let (mut low, mut high) = (0, indexes.len());
    while low < high {
        let middle = low.midpoint(high);
        let (_, header) = segment::open(disk, dir, indexes[middle], Access::Read)?;
        if header.first <= sequence { low = middle + 1 } else { high = middle }
    }
    if let Some(at) = low.checked_sub(1) {
        return Ok(indexes[at]);
    }
    let oldest = match indexes.first() {
        Some(&index) => segment::open(disk, dir, index, Access::Read)?.1.first,
        None => 0,
    };
    Err(ReadError::Gone { sequence, oldest })
}

/// A place in the journal that can be returned to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    pub segment: u64,
    pub at: u64,
    pub next: Sequence,
    pub chain: u32,
}

impl Mark {
    /// Where a cursor stands.
    pub fn of(cursor: &Cursor) -> Mark {
        Mark { segment: cursor.header().index, at: cursor.at, next: cursor.next, chain: cursor.chain }
    }

    /// Puts a cursor of the same segment there.
    pub fn go(&self, cursor: &mut Cursor) {
        cursor.at = self.at;
        cursor.next = self.next;
        cursor.chain = self.chain;
    }

    /// Whether a frame at `at` is far enough from this one to be marked as well.
    pub fn is_far(&self, at: u64, spacing: usize) -> bool {
        at >= self.at + offset(spacing)
    }
}
