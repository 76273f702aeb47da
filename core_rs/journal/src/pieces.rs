//! Large files that nobody waits for (the next segment, a snapshot) are written and synced a piece at a time, and given
//! back so. The journal's own syncs wait behind whatever the disk has in hand: 64 MiB synced at once held them up for
//! 170 ms, and so did 1.5 GB removed at once for 400 ms, where the file system tells the disk what is free (`discard`).

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::disk::{Access, Disk, DiskFile};
use crate::{IoError, offset};

/// The bytes of a piece.
pub const PIECE: usize = 128 << 10;

/// The bytes that are given back at once: in pieces of 16 MiB no sync took more than 9 ms, in these 3.
const GIVEN_BACK: usize = 4 << 20;

/// Called after each piece with how long it took: may rest, so that the disk is free for others.
pub type Rest<'a> = &'a mut dyn FnMut(Duration);

/// Writes a piece and makes it durable, then rests.
pub fn write(file: &dyn DiskFile, bytes: &[u8], offset: u64, rest: Rest<'_>) -> io::Result<()> {
    let begun = Instant::now();
    file.write_at(bytes, offset)?;
    file.sync()?;
    rest(begun.elapsed());
    Ok(())
}

/// Removes a file from its end on.
pub fn remove(disk: &dyn Disk, path: &Path, rest: Rest<'_>) -> Result<(), IoError> {
    let file = disk.open(path, Access::Write).map_err(IoError::at("open", path))?;
    let mut left = file.size().map_err(IoError::at("measure", path))?;
    while left > offset(GIVEN_BACK) {
        let begun = Instant::now();
        left -= offset(GIVEN_BACK);
        file.cut(left).and_then(|()| file.sync()).map_err(IoError::at("cut", path))?;
        rest(begun.elapsed());
    }
    disk.remove(path).map_err(IoError::at("remove", path))
}
