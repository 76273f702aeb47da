//! Files of states: `snapshot-<sequence>.lks`, whole or not there.
//!
//! The header takes 64 bytes: magic `LKSTKSNP`, version, zero, journal, sequence, state hash, length of the
//! body, CRC-32C of the body, CRC-32C of the header up to here; numbers little-endian. The body is the
//! engine's.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use crate::disk::{Access, Disk, DiskFile, RealDisk};
use crate::frame::{u32_at, u64_at};
use crate::pieces::{self, PIECE, Rest};
use crate::{IoError, JournalId, Sequence, SnapshotError, offset};

const MAGIC: [u8; 8] = *b"LKSTKSNP";
const VERSION: u32 = 1;
const HEADER: usize = 64;
const CRC_AT: usize = 60;
const PREFIX: &str = "snapshot-";
const SUFFIX: &str = ".lks";
const UNFINISHED: &str = ".lks.tmp";
/// How many snapshots are kept: the newest, and one for when that is damaged.
const KEPT: usize = 2;

/// A snapshot whose header was checked.
pub struct Snapshot {
    /// The state after this sequence.
    pub sequence: Sequence,
    /// The hash of that state.
    pub state_hash: u64,
    /// The journal it belongs to.
    pub journal_id: JournalId,
    /// The length of the body in bytes.
    pub length: u64,
    body_crc: u32,
}

/// A file that looks like a snapshot and cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// The file.
    pub path: PathBuf,
    /// Why not.
    pub why: Unusable,
}

/// Why a snapshot cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// The header is not one, or not whole.
    #[error("its header is not readable")]
    Header,
    /// Written by a newer release.
    #[error("it has format version {0}, which this release does not know")]
    Version(u32),
    /// Of another journal.
    #[error("it belongs to another journal")]
    Foreign,
    /// The header names another sequence than the file.
    #[error("its header says sequence {0}")]
    Misplaced(Sequence),
    /// The file ends early or goes on behind the body.
    #[error("it has {found} bytes of body where {expected} must be")]
    Length {
        /// What the header says.
        expected: u64,
        /// What is there.
        found: u64,
    },
    /// CRC-32C of the body differs.
    #[error("the checksum does not match")]
    Checksum,
    /// Whoever read the body can make nothing of it.
    #[error("{0}")]
    Body(String),
}

/// What was looked through to find the newest snapshot.
pub struct Newest<T> {
    /// The newest that can be used, and what its body gave.
    pub snapshot: Option<(Snapshot, T)>,
    /// Newer ones that cannot, newest first; somebody should be told.
    pub skipped: Vec<Skipped>,
}

/// Writes a snapshot of the state after `sequence`; it is durable when this returns, and only the two newest
/// are left. `body` writes the state. Whatever fails, the snapshots that were there still are.
pub fn write(
    dir: &Path,
    journal_id: JournalId,
    sequence: Sequence,
    state_hash: u64,
    body: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<PathBuf, SnapshotError> {
    write_on(&RealDisk, dir, journal_id, sequence, state_hash, &mut |_| {}, body)
}

/// The same, on a disk of choice. `rest` is called after each piece with how long that took: it may rest, so that the
/// disk is free for others.
pub fn write_on(
    disk: &dyn Disk,
    dir: &Path,
    journal_id: JournalId,
    sequence: Sequence,
    state_hash: u64,
    rest: Rest<'_>,
    body: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<PathBuf, SnapshotError> {
    let (_, unfinished) = names(disk, dir)?;
    for path in unfinished {
        pieces::remove(disk, &path, rest)?;
    }
    let path = path(dir, sequence);
    let unfinished = dir.join(format!("{PREFIX}{sequence:020}{UNFINISHED}"));
    let at = |doing| IoError::at(doing, &unfinished);
    let file = disk.create(&unfinished).map_err(at("create"))?;
    let mut out = Out {
        file: file.as_ref(),
        at: offset(HEADER),
        crc: 0,
        buffer: Vec::with_capacity(PIECE),
        rest: &mut *rest,
    };
    body(&mut out).and_then(|()| out.flush()).map_err(at("write"))?;
    let (length, body_crc) = (out.at - offset(HEADER), out.crc);

    let mut header = Vec::with_capacity(HEADER);
    header.extend_from_slice(&MAGIC);
    header.extend_from_slice(&VERSION.to_le_bytes());
    header.extend_from_slice(&[0; 4]);
    header.extend_from_slice(&journal_id);
    header.extend_from_slice(&sequence.to_le_bytes());
    header.extend_from_slice(&state_hash.to_le_bytes());
    header.extend_from_slice(&length.to_le_bytes());
    header.extend_from_slice(&body_crc.to_le_bytes());
    let crc = crc32c::crc32c(&header);
    header.extend_from_slice(&crc.to_le_bytes());
    file.write_at(&header, 0).map_err(at("write"))?;
    file.sync().map_err(at("sync"))?;
    disk.rename(&unfinished, &path).map_err(at("rename"))?;
    disk.sync_dir(dir).map_err(IoError::at("sync", dir))?;

    let (finished, _) = names(disk, dir)?;
    for (_, old) in finished.iter().rev().skip(KEPT) {
        pieces::remove(disk, old, rest)?;
    }
    Ok(path)
}

/// The newest snapshot of the journal that is whole and of whose body `read` can make something. A body is read once:
/// its checksum is that of the bytes that `read` saw, and is looked at behind them.
pub fn newest<T>(
    dir: &Path,
    journal_id: JournalId,
    read: impl FnMut(&Snapshot, &mut Body) -> Result<T, String>,
) -> Result<Newest<T>, SnapshotError> {
    newest_on(&RealDisk, dir, journal_id, read)
}

/// The same, on a disk of choice.
pub fn newest_on<T>(
    disk: &dyn Disk,
    dir: &Path,
    journal_id: JournalId,
    mut read: impl FnMut(&Snapshot, &mut Body) -> Result<T, String>,
) -> Result<Newest<T>, SnapshotError> {
    let mut newest = Newest { snapshot: None, skipped: Vec::new() };
    for (sequence, path) in names(disk, dir)?.0.into_iter().rev() {
        match used(disk, &path, sequence, journal_id, &mut read).map_err(IoError::at("read", &path))? {
            Ok(found) => {
                newest.snapshot = Some(found);
                break;
            }
            Err(why) => newest.skipped.push(Skipped { path, why }),
        }
    }
    Ok(newest)
}

/// What `read` makes of the body of one snapshot, as [`newest`] has it.
pub fn read<T>(
    dir: &Path,
    journal_id: JournalId,
    sequence: Sequence,
    read: impl FnMut(&Snapshot, &mut Body) -> Result<T, String>,
) -> Result<T, SnapshotError> {
    read_on(&RealDisk, dir, journal_id, sequence, read)
}

/// The same, on a disk of choice.
pub fn read_on<T>(
    disk: &dyn Disk,
    dir: &Path,
    journal_id: JournalId,
    sequence: Sequence,
    read: impl FnMut(&Snapshot, &mut Body) -> Result<T, String>,
) -> Result<T, SnapshotError> {
    let path = path(dir, sequence);
    let found = used(disk, &path, sequence, journal_id, read).map_err(IoError::at("read", &path))?;
    found.map(|(_, made)| made).map_err(|why| SnapshotError::Unusable { path, why })
}

/// The sequences of the snapshots in `dir`, ascending, unchecked.
pub fn list(dir: &Path) -> Result<Vec<Sequence>, SnapshotError> {
    Ok(names(&RealDisk, dir)?.0.into_iter().map(|(sequence, _)| sequence).collect())
}

/// The newest sequence that a snapshot proves durable; 0 where there is none. The name suffices, for a file
/// gets it when the snapshot is whole, and that is made of durable records only.
pub fn newest_sequence(dir: &Path) -> Result<Sequence, SnapshotError> {
    newest_sequence_on(&RealDisk, dir)
}

/// The same, on a disk of choice.
pub fn newest_sequence_on(disk: &dyn Disk, dir: &Path) -> Result<Sequence, SnapshotError> {
    Ok(names(disk, dir)?.0.last().map_or(0, |(sequence, _)| *sequence))
}

/// The file of a snapshot.
pub fn path(dir: &Path, sequence: Sequence) -> PathBuf {
    dir.join(format!("{PREFIX}{sequence:020}{SUFFIX}"))
}

/// Snapshots by ascending sequence, and files that were never finished.
type Listed = (Vec<(Sequence, PathBuf)>, Vec<PathBuf>);

fn names(disk: &dyn Disk, dir: &Path) -> Result<Listed, IoError> {
    let (mut finished, mut unfinished) = (Vec::new(), Vec::new());
    let listed = match disk.list(dir) {
        Ok(listed) => listed,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(source) => return Err(IoError { doing: "list", path: dir.to_path_buf(), source }),
    };
    for name in listed {
        let Some(stem) = name.strip_prefix(PREFIX) else { continue };
        if stem.ends_with(UNFINISHED) {
            unfinished.push(dir.join(&name));
        } else if let Some(sequence) = stem.strip_suffix(SUFFIX).and_then(|digits| digits.parse().ok()) {
            finished.push((sequence, dir.join(&name)));
        }
    }
    finished.sort_unstable();
    Ok((finished, unfinished))
}

fn used<T>(
    disk: &dyn Disk,
    path: &Path,
    named: Sequence,
    journal: JournalId,
    mut read: impl FnMut(&Snapshot, &mut Body) -> Result<T, String>,
) -> io::Result<Result<(Snapshot, T), Unusable>> {
    let file = disk.open(path, Access::Read)?;
    let snapshot = match header(file.as_ref(), named, journal)? {
        Ok(snapshot) => snapshot,
        Err(why) => return Ok(Err(why)),
    };
    let at = offset(HEADER);
    let mut body = Body { file, at, end: at + snapshot.length, crc: 0, aside: false };
    let made = match read(&snapshot, &mut body) {
        Ok(made) => made,
        Err(why) => return Ok(Err(Unusable::Body(why))),
    };
    // What `read` had no use for belongs to it as well.
    io::copy(&mut body, &mut io::sink())?;
    Ok(if body.crc == snapshot.body_crc { Ok((snapshot, made)) } else { Err(Unusable::Checksum) })
}

fn header(
    file: &dyn DiskFile,
    named: Sequence,
    journal: JournalId,
) -> io::Result<Result<Snapshot, Unusable>> {
    let mut header = [0; HEADER];
    let read = file.read_at(&mut header, 0)?;
    if read < HEADER || header[..8] != MAGIC || crc32c::crc32c(&header[..CRC_AT]) != u32_at(&header, CRC_AT) {
        return Ok(Err(Unusable::Header));
    }
    if u32_at(&header, 8) != VERSION {
        return Ok(Err(Unusable::Version(u32_at(&header, 8))));
    }
    let mut journal_id = [0; 16];
    journal_id.copy_from_slice(&header[16..32]);
    if journal != journal_id {
        return Ok(Err(Unusable::Foreign));
    }
    let (sequence, state_hash, length) = (u64_at(&header, 32), u64_at(&header, 40), u64_at(&header, 48));
    if sequence != named {
        return Ok(Err(Unusable::Misplaced(sequence)));
    }
    let found = file.size()?.saturating_sub(offset(HEADER));
    if found != length {
        return Ok(Err(Unusable::Length { expected: length, found }));
    }
    Ok(Ok(Snapshot { sequence, state_hash, journal_id, length, body_crc: u32_at(&header, 56) }))
}

/// The body of a snapshot being read, not buffered.
pub struct Body {
    file: Box<dyn DiskFile>,
    at: u64,
    end: u64,
    /// CRC-32C of what was read.
    crc: u32,
    /// Whether what was read is released.
    aside: bool,
}

impl Body {
    /// The same for whoever reads beside a writer: the system reads nothing ahead for it, behind which syncs would
    /// wait, and what was read is released from the page cache.
    pub fn put_aside(&mut self) {
        self.file.read_nothing_ahead();
        self.aside = true;
    }
}

impl Read for Body {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let most = into.len().min(crate::size(self.end - self.at));
        let read = self.file.read_at(&mut into[..most], self.at)?;
        self.crc = crc32c::crc32c_append(self.crc, &into[..read]);
        if self.aside {
            self.file.release(self.at, offset(read));
        }
        self.at += offset(read);
        Ok(read)
    }
}

/// The body of a snapshot being written.
struct Out<'a> {
    file: &'a dyn DiskFile,
    at: u64,
    crc: u32,
    buffer: Vec<u8>,
    rest: Rest<'a>,
}

impl Write for Out<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= PIECE {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        pieces::write(self.file, &self.buffer, self.at, self.rest)?;
        // It is read at the next start, if it is the newest then.
        self.file.release(self.at, offset(self.buffer.len()));
        self.crc = crc32c::crc32c_append(self.crc, &self.buffer);
        self.at += offset(self.buffer.len());
        self.buffer.clear();
        Ok(())
    }
}
