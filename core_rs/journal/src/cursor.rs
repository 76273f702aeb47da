//! Walks over the frames of one segment, checking each.

use std::io;
use std::path::Path;

use crate::disk::{Access, Disk, DiskFile};
use crate::frame::{Frame, HEADER_BYTES, Place};
use crate::segment::{self, Header};
use crate::{BLOCK, Fault, IoError, OpenError, Sequence, offset, size};

/// How much is read at once, unless a frame is larger.
const CHUNK: usize = 256 * 1024;
/// How much is released at once.
const RELEASED_AT_ONCE: u64 = 1024 * 1024;

/// A part of a file in memory. It may be older than the file: what fails a check there is read again.
struct Window {
    file: Box<dyn DiskFile>,
    start: u64,
    bytes: Vec<u8>,
}

impl Window {
    /// The bytes from `at`, `len` of them or up to the end of the file.
    fn get(&mut self, at: u64, len: usize) -> io::Result<&[u8]> {
        let held = at >= self.start && at + offset(len) <= self.start + offset(self.bytes.len());
        if !held {
            self.bytes.resize(len.max(CHUNK), 0);
            let read = match self.file.read_at(&mut self.bytes, at) {
                Ok(read) => read,
                Err(error) => {
                    self.bytes.clear();
                    return Err(error);
                }
            };
            self.bytes.truncate(read);
            self.start = at;
        }
        let from = size(at - self.start);
        Ok(&self.bytes[from..self.bytes.len().min(from + len)])
    }

    fn forget(&mut self) {
        self.bytes.clear();
    }
}

/// A place between two frames of a segment.
pub struct Cursor {
    window: Window,
    header: Header,
    path: std::path::PathBuf,
    /// Where what is not released begins.
    released: u64,
    /// Where the next frame stands.
    pub at: u64,
    /// The sequence it must begin with.
    pub next: Sequence,
    /// The chain it must carry.
    pub chain: u32,
}

impl Cursor {
    /// Before the first frame of a segment.
    pub fn open(disk: &dyn Disk, dir: &Path, index: u64) -> Result<Cursor, OpenError> {
        let (file, header) = segment::open(disk, dir, index, Access::Read)?;
        let window = Window { file, start: 0, bytes: Vec::new() };
        let path = segment::path(dir, index);
        Ok(Cursor { window, path, released: 0, at: BLOCK, next: header.first, chain: header.chain, header })
    }

    /// The header of its segment.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The frame that stands here, checked, or why there is none. What fails is read a second time from the
    /// file, because a follower may hold bytes from before they were written.
    pub fn frame(&mut self) -> Result<Result<Frame, Fault>, IoError> {
        if let Ok(frame) = self.check()? {
            return Ok(Ok(frame));
        }
        self.window.forget();
        self.check()
    }

    fn check(&mut self) -> Result<Result<Frame, Fault>, IoError> {
        let (at, room) = (self.at, self.header.bytes.saturating_sub(self.at));
        let place = Place { journal: self.header.journal, segment: self.header.index, offset: at };
        let frame = match Frame::parse(self.bytes(at, HEADER_BYTES)?) {
            Ok(frame) => frame,
            Err(fault) => return Ok(Err(fault)),
        };
        if frame.span() > room {
            return Ok(Err(Fault::Overrun));
        }
        if let Err(fault) = frame.verify(place, self.bytes(at, size(frame.span()))?) {
            return Ok(Err(fault));
        }
        if frame.first != self.next {
            return Ok(Err(Fault::Order { expected: self.next, found: frame.first }));
        }
        Ok(if frame.chain == self.chain { Ok(frame) } else { Err(Fault::Chain) })
    }

    /// The records of the frame that stands here.
    pub fn records(&mut self, frame: &Frame) -> Result<&[u8], IoError> {
        let whole = self.bytes(self.at, size(frame.span()))?;
        Ok(frame.records(whole))
    }

    /// Goes behind the frame that stands here.
    pub fn pass(&mut self, frame: &Frame) {
        self.at += frame.span();
        self.next = frame.last + 1;
        self.chain = frame.crc;
    }

    /// Everything from here to the end of the file.
    pub fn rest(&mut self) -> Result<Vec<u8>, IoError> {
        let length = self.window.file.size().map_err(IoError::at("read", &self.path))?;
        self.window.forget();
        Ok(self.bytes(self.at, size(length.saturating_sub(self.at)))?.to_vec())
    }

    /// What was passed nobody will read soon. It is told of a piece at a time: a whole segment takes the system some
    /// milliseconds, in which it runs nothing else on this processor.
    pub fn release_passed(&mut self) {
        if self.at - self.released >= RELEASED_AT_ONCE {
            self.release_until(self.at);
        }
    }

    /// Nor the rest of the segment.
    pub fn release_rest(&mut self) {
        self.release_until(self.header.bytes);
    }

    /// Nothing of its segment is to be read from the disk but what is asked for.
    pub fn read_nothing_ahead(&self) {
        self.window.file.read_nothing_ahead();
    }

    fn release_until(&mut self, end: u64) {
        self.window.file.release(self.released, end.saturating_sub(self.released));
        self.released = end;
    }

    fn bytes(&mut self, at: u64, len: usize) -> Result<&[u8], IoError> {
        self.window.get(at, len).map_err(IoError::at("read", &self.path))
    }
}
