//! Appending: batches become frames in segments, one write and one sync a batch.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use uuid::Uuid;

use crate::disk::{Disk, DiskFile, RealDisk};
use crate::frame::{self, Fresh, Place};
use crate::recover::{self, Recovered, Tail};
use crate::segment::{self, Header};
use crate::spare::{Next, Prepared, Spare};
use crate::{
    BATCH_BYTES_MAX, BLOCK, IoError, JournalId, LogError, OpenError, SEGMENT_BYTES_DEFAULT,
    SEGMENT_BYTES_MIN, Sequence, block_ceil, block_floor, offset, size,
};

/// In `Durability::Async` a sync is made whenever so much has been written since the last one.
const ASYNC_BYTES: u64 = 1 << 20;
/// A buffer that one large batch made larger than this is given back.
const BUFFER_BYTES: usize = 8 << 20;
/// A segment is full when less than this part of it is left.
const FULL_PART: u64 = 16;

/// Where batches go. Segments here; a shared log later is a second implementation, not a rewrite.
pub trait Log: Send {
    /// Appends records `first..=last` (each a `u32` length, little-endian, and as many bytes) as one frame,
    /// and makes it durable (or not, in [`Durability::Async`]). `first` follows the last append without a gap.
    /// After an error nothing more may be appended, and the batch may or may not be there after a restart.
    fn append(&mut self, first: Sequence, last: Sequence, records: &[u8]) -> Result<(), LogError>;
    /// Whether the next append begins a new segment: after `seal`, or when little room is left. (A batch that
    /// does not fit begins one too.)
    fn segment_is_full(&self) -> bool;
    /// Seals the current segment: it is durable, and the next append begins a new one. Nothing happens where
    /// the current one has no records.
    fn seal(&mut self) -> Result<(), LogError>;
    /// Makes everything appended durable, also in [`Durability::Async`]: for a graceful stop.
    fn sync(&mut self) -> Result<(), LogError>;
    /// The identity of the journal.
    fn journal_id(&self) -> JournalId;
}

/// When an append is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// When it is durable: nothing acknowledged is ever lost.
    #[default]
    Sync,
    /// When it is written: a crash of the process loses nothing, a crash of the machine up to the last
    /// 1 MiB and batch. What is found afterwards is still an exact prefix.
    Async,
}

/// How a journal is opened.
#[derive(Clone)]
pub struct Options {
    /// The length of new segments in bytes, rounded up to 4 KiB; at least 64 KiB. A batch that does not fit
    /// makes its segment longer.
    pub segment_bytes: u64,
    /// When an append is answered.
    pub durability: Durability,
    /// A snapshot or the database prove that everything up to here was durable: less is damage.
    pub proved: Sequence,
    /// Sealed segments with nothing after this sequence are not read at opening (a snapshot that was checked
    /// holds their effects); 0 reads and checks all.
    pub trusted: Sequence,
    /// Whether the next segment is prepared on a helper thread.
    pub prepare_ahead: bool,
    /// The identity of a journal that is begun; `None` for a random one. A simulator needs the same bytes again.
    pub begun_as: Option<JournalId>,
    /// The disk.
    pub disk: Arc<dyn Disk>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            segment_bytes: SEGMENT_BYTES_DEFAULT,
            durability: Durability::Sync,
            proved: 0,
            trusted: 0,
            prepare_ahead: true,
            begun_as: None,
            disk: Arc::new(RealDisk),
        }
    }
}

/// The journal as files in a directory. One process at a time may have it open: see [`crate::DirLock`].
pub struct Segments {
    options: Options,
    dir: PathBuf,
    file: Box<dyn DiskFile>,
    header: Header,
    /// Where the next frame goes.
    end: u64,
    last: Sequence,
    durable: Sequence,
    chain: u32,
    /// Bytes written since the last sync.
    unsynced: u64,
    /// What stands before `end` in its block; during an append, the whole blocks that are written.
    block: Vec<u8>,
    is_sealed: bool,
    spare: Spare,
    failed: Option<String>,
}

impl Segments {
    /// Opens the journal in `dir`, or begins one where there is none. A torn tail is cut and reported; after
    /// the return everything found is durable. Damage refuses, and changes nothing.
    pub fn open(dir: &Path, options: Options) -> Result<(Segments, Recovered), OpenError> {
        if options.segment_bytes < SEGMENT_BYTES_MIN {
            return Err(OpenError::SegmentBytes { asked: options.segment_bytes, least: SEGMENT_BYTES_MIN });
        }
        let disk = Arc::clone(&options.disk);
        disk.create_dir(dir).map_err(IoError::at("create", dir))?;
        let Some(scanned) = recover::scan(disk.as_ref(), dir, options.trusted, options.proved)? else {
            return Self::begin(dir, options);
        };
        let file = recover::accept(disk.as_ref(), dir, &scanned)?;
        let block = tail_block(file.as_ref(), scanned.tail.end)
            .map_err(IoError::at("read", &segment::path(dir, scanned.tail.header.index)))?;
        Ok((Self::at(dir, options, file, &scanned.tail, block), scanned.recovered))
    }

    fn begin(dir: &Path, options: Options) -> Result<(Segments, Recovered), OpenError> {
        let bytes = block_ceil(options.segment_bytes);
        let journal = options.begun_as.unwrap_or_else(|| Uuid::new_v4().into_bytes());
        let header = Header { journal, index: 1, first: 1, chain: 0, bytes };
        let file = segment::prepare(options.disk.as_ref(), dir, 1, bytes, &mut |_| {})?;
        segment::finish(options.disk.as_ref(), dir, file.as_ref(), &header)?;
        let tail = Tail { header, last: 0, chain: 0, end: BLOCK, unproved: BLOCK, torn_end: BLOCK };
        let recovered =
            Recovered { journal_id: header.journal, first: 1, last: 0, torn_bytes: 0, segments: 1 };
        Ok((Self::at(dir, options, file, &tail, Vec::new()), recovered))
    }

    fn at(dir: &Path, options: Options, file: Box<dyn DiskFile>, tail: &Tail, block: Vec<u8>) -> Segments {
        Segments {
            options,
            dir: dir.to_path_buf(),
            file,
            header: tail.header,
            end: tail.end,
            last: tail.last,
            durable: tail.last,
            chain: tail.chain,
            unsynced: 0,
            block,
            is_sealed: false,
            spare: Spare::default(),
            failed: None,
        }
    }

    /// The last sequence that was appended.
    pub fn last(&self) -> Sequence {
        self.last
    }

    /// The last sequence that is durable; in `Durability::Sync` the same as `last`.
    pub fn durable(&self) -> Sequence {
        self.durable
    }

    fn unless_failed(&mut self, act: impl FnOnce(&mut Self) -> Result<(), LogError>) -> Result<(), LogError> {
        if let Some(why) = &self.failed {
            return Err(LogError::Poisoned { why: why.clone() });
        }
        let done = act(self);
        if let Err(error) = &done {
            self.failed = Some(error.to_string());
        }
        done
    }

    fn write_frame(&mut self, first: Sequence, last: Sequence, records: &[u8]) -> Result<(), LogError> {
        if first != self.last + 1 || last < first || last == Sequence::MAX {
            return Err(LogError::Order { first, last, after: self.last });
        }
        if records.len() > BATCH_BYTES_MAX {
            return Err(LogError::TooLarge { bytes: records.len(), most: BATCH_BYTES_MAX });
        }
        let count = last - first + 1;
        if !frame::holds(records, count) {
            return Err(LogError::Records { bytes: records.len(), records: count });
        }
        let span = offset(frame::span(records.len()));
        if self.segment_is_full() || self.end + span > self.header.bytes {
            self.next_segment(span)?;
        }
        let start = block_floor(self.end);
        let place = Place { journal: self.header.journal, segment: self.header.index, offset: self.end };
        let fresh = Fresh { first, last, durable: self.durable, chain: self.chain };
        let Some(chain) = frame::write(&mut self.block, place, &fresh, records) else {
            return Err(LogError::TooLarge { bytes: records.len(), most: BATCH_BYTES_MAX });
        };
        self.block.resize(size(block_ceil(self.end + span) - start), 0);
        self.file.write_at(&self.block, start).map_err(IoError::at("write", &self.path()))?;
        self.end += span;
        self.last = last;
        self.chain = chain;
        self.unsynced += span;
        self.keep_tail(start);
        if self.options.durability == Durability::Sync || self.unsynced >= ASYNC_BYTES {
            self.sync_frames()?;
        }
        if self.options.prepare_ahead {
            let (index, bytes) = (self.header.index + 1, block_ceil(self.options.segment_bytes));
            let next = Next { disk: &self.options.disk, dir: &self.dir, index, bytes };
            self.spare.keep_up(self.end, self.header.bytes, &next);
        }
        Ok(())
    }

    /// Of the blocks written from `start`, keeps what the next write has to repeat.
    fn keep_tail(&mut self, start: u64) {
        let from = size(block_floor(self.end) - start);
        let to = size(self.end - start);
        self.block.copy_within(from..to, 0);
        self.block.truncate(to - from);
        if self.block.capacity() > BUFFER_BYTES {
            self.block.shrink_to(size(BLOCK));
        }
    }

    fn sync_frames(&mut self) -> Result<(), LogError> {
        if self.unsynced > 0 {
            self.file.sync().map_err(IoError::at("sync", &self.path()))?;
            self.unsynced = 0;
        }
        self.durable = self.last;
        Ok(())
    }

    /// Begins a segment with room for a frame of `span` bytes. The one before is durable by then.
    fn next_segment(&mut self, span: u64) -> Result<(), LogError> {
        self.sync_frames()?;
        let index = self.header.index + 1;
        let least = block_ceil(self.options.segment_bytes).max(BLOCK + block_ceil(span));
        let disk = Arc::clone(&self.options.disk);
        let Prepared { file, bytes } = if let Some(prepared) = self.spare.take(least) {
            prepared
        } else {
            let file = segment::prepare(disk.as_ref(), &self.dir, index, least, &mut |_| {})?;
            Prepared { file, bytes: least }
        };
        let header =
            Header { journal: self.header.journal, index, first: self.last + 1, chain: self.chain, bytes };
        segment::finish(disk.as_ref(), &self.dir, file.as_ref(), &header)?;
        self.file = file;
        self.header = header;
        self.end = BLOCK;
        self.is_sealed = false;
        self.block.clear();
        Ok(())
    }

    fn path(&self) -> PathBuf {
        segment::path(&self.dir, self.header.index)
    }
}

impl Log for Segments {
    fn append(&mut self, first: Sequence, last: Sequence, records: &[u8]) -> Result<(), LogError> {
        self.unless_failed(|log| log.write_frame(first, last, records))
    }

    fn segment_is_full(&self) -> bool {
        let is_nearly_full = self.end > self.header.bytes - self.header.bytes / FULL_PART;
        self.end > BLOCK && (self.is_sealed || is_nearly_full)
    }

    fn seal(&mut self) -> Result<(), LogError> {
        self.unless_failed(|log| {
            log.sync_frames()?;
            log.is_sealed = log.end > BLOCK;
            Ok(())
        })
    }

    fn sync(&mut self) -> Result<(), LogError> {
        self.unless_failed(Self::sync_frames)
    }

    fn journal_id(&self) -> JournalId {
        self.header.journal
    }
}

/// Reads and checks the whole journal in `dir` and changes nothing: for an offline verification. `None` where
/// there is none.
pub fn inspect(dir: &Path, proved: Sequence) -> Result<Option<Recovered>, OpenError> {
    inspect_on(&RealDisk, dir, proved)
}

/// The same, on a disk of choice.
pub fn inspect_on(disk: &dyn Disk, dir: &Path, proved: Sequence) -> Result<Option<Recovered>, OpenError> {
    Ok(recover::scan(disk, dir, 0, proved)?.map(|scanned| scanned.recovered))
}

/// What stands before `end` in its block.
fn tail_block(file: &dyn DiskFile, end: u64) -> std::io::Result<Vec<u8>> {
    let start = block_floor(end);
    let mut block = vec![0; size(end - start)];
    let read = file.read_at(&mut block, start)?;
    if read == block.len() { Ok(block) } else { Err(std::io::ErrorKind::UnexpectedEof.into()) }
}
