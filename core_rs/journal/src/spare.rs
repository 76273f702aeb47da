//! The next segment, prepared on a helper thread, so that the switch does not wait for zeros.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::disk::{Disk, DiskFile};
use crate::{IoError, segment};

/// How much longer it rests after a piece than the piece took: the disk is the journal's for three quarters of the
/// time.
const REST: u32 = 3;

/// A prepared file and its length.
pub struct Prepared {
    pub file: Box<dyn DiskFile>,
    pub bytes: u64,
}

/// The segment that will be needed next, if it is being prepared.
#[derive(Default)]
pub struct Spare {
    work: Option<Work>,
}

struct Work {
    thread: JoinHandle<Result<Prepared, IoError>>,
    /// Dropped: no more rests.
    at_leisure: Sender<()>,
}

impl Work {
    fn end(self) -> Option<Prepared> {
        drop(self.at_leisure);
        self.thread.join().ok()?.ok()
    }
}

impl Spare {
    /// Begins to prepare, unless that has begun.
    pub fn begin(&mut self, disk: &Arc<dyn Disk>, dir: &Path, index: u64, bytes: u64) {
        if self.work.is_some() {
            return;
        }
        let (disk, dir) = (Arc::clone(disk), dir.to_path_buf());
        let (at_leisure, hurry) = mpsc::channel();
        let mut rest = move |took: Duration| {
            let _woken = hurry.recv_timeout(took * REST);
        };
        let work = move || {
            let file = segment::prepare(disk.as_ref(), &dir, index, bytes, &mut rest)?;
            Ok(Prepared { file, bytes })
        };
        // Where no thread can be had, or its work fails, the switch prepares the segment itself and
        // reports what it meets.
        let thread = thread::Builder::new().name("journal-spare".into()).spawn(work).ok();
        self.work = thread.map(|thread| Work { thread, at_leisure });
    }

    /// The prepared file, once it is ready; `None` where there is none of at least `bytes`.
    pub fn take(&mut self, bytes: u64) -> Option<Prepared> {
        self.work.take()?.end().filter(|prepared| prepared.bytes >= bytes)
    }
}

impl Drop for Spare {
    fn drop(&mut self) {
        // Nothing may write into the directory once the log is closed and its lock is released.
        drop(self.work.take().map(Work::end));
    }
}
