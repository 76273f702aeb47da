//! A segment: its file's name, its header block, and how a new one comes to be.
//!
//! The header takes the first block (4 KiB): magic, format version, journal, index, first sequence, chain,
//! length of the file, zeros, and in the last four bytes the CRC-32C of the others. Magic, version and
//! checksum stay at these places in every later format, so that an old release can refuse a new one by name.

use std::path::{Path, PathBuf};

use crate::disk::{Access, Disk, DiskFile, RealDisk};
use crate::frame::{u32_at, u64_at};
use crate::pieces::{self, PIECE, Rest};
use crate::{BLOCK, FORMAT_VERSION, Fault, IoError, JournalId, OpenError, Proof, Sequence, offset, size};

const MAGIC: [u8; 8] = *b"LKSTKJNL";
const HEADER: usize = size(BLOCK);
const CRC_AT: usize = HEADER - 4;
const PREFIX: &str = "segment-";
const SUFFIX: &str = ".lkj";
const SPARE_SUFFIX: &str = ".lkj.tmp";

/// What the header block says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub journal: JournalId,
    pub index: u64,
    pub first: Sequence,
    pub chain: u32,
    pub bytes: u64,
}

impl Header {
    fn encode(&self) -> Vec<u8> {
        let mut block = Vec::with_capacity(HEADER);
        block.extend_from_slice(&MAGIC);
        block.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
        block.extend_from_slice(&self.chain.to_le_bytes());
        block.extend_from_slice(&self.journal);
        block.extend_from_slice(&self.index.to_le_bytes());
        block.extend_from_slice(&self.first.to_le_bytes());
        block.extend_from_slice(&self.bytes.to_le_bytes());
        block.resize(CRC_AT, 0);
        let crc = crc32c::crc32c(&block);
        block.extend_from_slice(&crc.to_le_bytes());
        block
    }

    fn decode(block: &[u8], index: u64) -> Result<Header, OpenError> {
        let damaged = |why| OpenError::Damaged { segment: index, offset: 0, why, proof: Proof::HeaderFirst };
        if block.len() != HEADER
            || block[..8] != MAGIC
            || crc32c::crc32c(&block[..CRC_AT]) != u32_at(block, CRC_AT)
        {
            return Err(damaged(Fault::Header));
        }
        let found = u32_at(block, 8);
        if found != FORMAT_VERSION {
            return Err(OpenError::UnknownVersion { segment: index, found, known: FORMAT_VERSION });
        }
        let mut journal = [0; 16];
        journal.copy_from_slice(&block[16..32]);
        let header = Header {
            journal,
            index: u64_at(block, 32),
            first: u64_at(block, 40),
            chain: u32_at(block, 12),
            bytes: u64_at(block, 48),
        };
        if header.index != index {
            return Err(damaged(Fault::Misplaced { found: header.index }));
        }
        Ok(header)
    }
}

/// The file of a segment.
pub fn path(dir: &Path, index: u64) -> PathBuf {
    dir.join(format!("{PREFIX}{index:010}{SUFFIX}"))
}

/// The file of a segment that is being prepared.
pub fn spare_path(dir: &Path, index: u64) -> PathBuf {
    dir.join(format!("{PREFIX}{index:010}{SPARE_SUFFIX}"))
}

/// The indexes of the segments in `dir`, ascending, and the files of segments that were never finished.
pub fn list(disk: &dyn Disk, dir: &Path) -> Result<(Vec<u64>, Vec<PathBuf>), IoError> {
    let mut indexes = Vec::new();
    let mut unfinished = Vec::new();
    for name in disk.list(dir).map_err(IoError::at("list", dir))? {
        let Some(stem) = name.strip_prefix(PREFIX) else { continue };
        if stem.ends_with(SPARE_SUFFIX) {
            unfinished.push(dir.join(&name));
        } else if let Some(index) = stem.strip_suffix(SUFFIX).and_then(|digits| digits.parse().ok()) {
            indexes.push(index);
        }
    }
    indexes.sort_unstable();
    Ok((indexes, unfinished))
}

/// Opens a segment and reads its header.
pub fn open(
    disk: &dyn Disk,
    dir: &Path,
    index: u64,
    access: Access,
) -> Result<(Box<dyn DiskFile>, Header), OpenError> {
    let path = path(dir, index);
    let file = disk.open(&path, access).map_err(IoError::at("open", &path))?;
    let mut block = vec![0; HEADER];
    let read = file.read_at(&mut block, 0).map_err(IoError::at("read", &path))?;
    let header = Header::decode(&block[..read], index)?;
    Ok((file, header))
}

/// Prepares the file of a segment under its unfinished name: room taken, filled with zeros, synced.
pub fn prepare(
    disk: &dyn Disk,
    dir: &Path,
    index: u64,
    bytes: u64,
    rest: Rest<'_>,
) -> Result<Box<dyn DiskFile>, IoError> {
    let path = spare_path(dir, index);
    let file = disk.create(&path).map_err(IoError::at("create", &path))?;
    file.allocate(bytes).map_err(IoError::at("allocate", &path))?;
    zero(file.as_ref(), 0, bytes, rest).map_err(IoError::at("write", &path))?;
    Ok(file)
}

/// Makes a prepared file the segment of `header`: header synced, named, directory synced. Only then may it be
/// used.
pub fn finish(disk: &dyn Disk, dir: &Path, file: &dyn DiskFile, header: &Header) -> Result<(), IoError> {
    let (spare, path) = (spare_path(dir, header.index), path(dir, header.index));
    file.write_at(&header.encode(), 0).map_err(IoError::at("write", &spare))?;
    file.sync().map_err(IoError::at("sync", &spare))?;
    disk.rename(&spare, &path).map_err(IoError::at("rename", &spare))?;
    disk.sync_dir(dir).map_err(IoError::at("sync", dir))
}

/// Writes zeros over `from..to`; they are durable when this returns.
pub fn zero(file: &dyn DiskFile, from: u64, to: u64, rest: Rest<'_>) -> std::io::Result<()> {
    let zeros = vec![0; PIECE.min(size(to.saturating_sub(from)))];
    let mut at = from;
    while at < to {
        let bytes = offset(PIECE).min(to - at);
        pieces::write(file, &zeros[..size(bytes)], at, rest)?;
        at += bytes;
    }
    Ok(())
}

/// A segment, as a listing shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentInfo {
    /// Its index: 1, 2, 3, ...
    pub index: u64,
    /// The sequence of its first record, also where none has been written yet.
    pub first: Sequence,
    /// The length of its file.
    pub bytes: u64,
    /// Its file.
    pub path: PathBuf,
}

/// The segments in `dir` in order. All but the last are sealed: they never change again.
pub fn segments(dir: &Path) -> Result<Vec<SegmentInfo>, OpenError> {
    let (indexes, _) = list(&RealDisk, dir)?;
    let mut found = Vec::with_capacity(indexes.len());
    for index in indexes {
        let (_, header) = open(&RealDisk, dir, index, Access::Read)?;
        found.push(SegmentInfo { index, first: header.first, bytes: header.bytes, path: path(dir, index) });
    }
    Ok(found)
}

/// The identity of the journal in `dir`; `None` where there is no journal yet.
pub fn journal_id(dir: &Path) -> Result<Option<JournalId>, OpenError> {
    let indexes = match list(&RealDisk, dir) {
        Ok((indexes, _)) => indexes,
        Err(error) if error.source.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let Some(index) = indexes.first() else { return Ok(None) };
    Ok(Some(open(&RealDisk, dir, *index, Access::Read)?.1.journal))
}
