//! The next segment, prepared on a helper thread, so that the switch does not wait for zeros.

use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use crate::disk::{Disk, DiskFile};
use crate::{IoError, segment};

/// A prepared file and its length.
pub struct Prepared {
    pub file: Box<dyn DiskFile>,
    pub bytes: u64,
}

/// The segment that will be needed next, if it is being prepared.
#[derive(Default)]
pub struct Spare {
    work: Option<JoinHandle<Result<Prepared, IoError>>>,
}

impl Spare {
    /// Begins to prepare, unless that has begun.
    pub fn begin(&mut self, disk: &Arc<dyn Disk>, dir: &Path, index: u64, bytes: u64) {
        if self.work.is_some() {
            return;
        }
        let (disk, dir) = (Arc::clone(disk), dir.to_path_buf());
        let work =
            move || segment::prepare(disk.as_ref(), &dir, index, bytes).map(|file| Prepared { file, bytes });
        // Where no thread can be had, or its work fails, the switch prepares the segment itself and
        // reports what it meets.
        self.work = thread::Builder::new().name("journal-spare".into()).spawn(work).ok();
    }

    /// The prepared file, once it is ready; `None` where there is none of at least `bytes`.
    pub fn take(&mut self, bytes: u64) -> Option<Prepared> {
        let prepared = self.work.take()?.join().ok()?.ok()?;
        (prepared.bytes >= bytes).then_some(prepared)
    }
}

impl Drop for Spare {
    fn drop(&mut self) {
        // Nothing may write into the directory once the log is closed and its lock is released.
        drop(self.work.take().map(JoinHandle::join));
    }
}
