//! Large files that nobody waits for (the next segment, a snapshot) are written and synced a piece at a time. The
//! journal's own syncs wait behind whatever the disk has in hand: 64 MiB synced at once held them up for 170 ms.

use std::io;
use std::time::{Duration, Instant};

use crate::disk::DiskFile;

/// The bytes of a piece.
pub const PIECE: usize = 128 << 10;

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
