//! What the journal needs of a disk, so that tests can have one that fails.

#[cfg(any(test, feature = "testing"))]
pub mod faulty;
mod real;

pub use real::RealDisk;

use std::io;
use std::path::Path;

/// What a file is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reading only.
    Read,
    /// Reading and writing.
    Write,
}

/// A file system, as far as the journal uses one.
pub trait Disk: Send + Sync {
    /// Creates `dir` and what is missing above it, durably. Nothing happens where it exists.
    fn create_dir(&self, dir: &Path) -> io::Result<()>;
    /// The names in `dir`, in any order.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;
    /// Creates an empty file for reading and writing; what had this name before is gone.
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
    /// Opens a file that exists.
    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn DiskFile>>;
    /// Gives a file another name, in one step; what had that name before is gone.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes the names in `dir` durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
    /// The bytes that may still be written on the file system of `dir`.
    fn free_bytes(&self, dir: &Path) -> io::Result<u64>;
}

/// An open file.
pub trait DiskFile: Send + Sync {
    /// Its length in bytes.
    fn size(&self) -> io::Result<u64>;
    /// Reads at `offset` until `into` is full or the file ends; the number of bytes read.
    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes all of `bytes` at `offset`; after an error any part of them may be written.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Reserves room for `bytes` in all and makes the file at least that long.
    fn allocate(&self, bytes: u64) -> io::Result<()>;
    /// Shortens the file to `bytes`.
    fn cut(&self, bytes: u64) -> io::Result<()>;
    /// Makes durable what was written, and the length.
    fn sync(&self) -> io::Result<()>;
    /// Nobody will read these bytes soon, and they are durable: the system need not keep them in memory. A hint.
    fn release(&self, offset: u64, bytes: u64);
    /// Nothing is to be read from the disk but what is asked for. A hint.
    fn read_nothing_ahead(&self);
}
