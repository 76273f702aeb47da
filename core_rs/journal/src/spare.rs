//! The next segment, prepared on a helper thread, so that the switch does not wait for zeros: at leisure where the
//! current one fills slowly, and never behind it where it fills fast.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::disk::{Disk, DiskFile};
use crate::pieces::PIECE;
use crate::{IoError, offset, segment};

/// How much longer it rests after a piece than the piece took: the disk is the journal's for three quarters of the
/// time.
const REST: u32 = 3;
/// This part of the current segment is used before the next is begun: a journal of a few megabytes needs one file.
const BEGIN_PART: u64 = 16;

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
    /// The bytes that should be prepared by now.
    due: Arc<AtomicU64>,
}

/// How long to rest after each piece.
struct Pace {
    made: u64,
    due: Arc<AtomicU64>,
}

impl Pace {
    fn rest_after_piece(&mut self, took: Duration) -> Duration {
        self.made += offset(PIECE);
        if self.made < self.due.load(Ordering::Relaxed) { Duration::ZERO } else { took * REST }
    }
}

impl Work {
    fn end(self) -> Option<Prepared> {
        drop(self.at_leisure);
        self.thread.join().ok()?.ok()
    }
}

/// Which segment is next.
pub struct Next<'a> {
    pub disk: &'a Arc<dyn Disk>,
    pub dir: &'a Path,
    pub index: u64,
    pub bytes: u64,
}

impl Next<'_> {
    /// Where no thread can be had, or its work fails, the switch prepares the segment itself and reports what it
    /// meets.
    fn begin(&self) -> Option<Work> {
        let (disk, dir) = (Arc::clone(self.disk), self.dir.to_path_buf());
        let (index, bytes) = (self.index, self.bytes);
        let due = Arc::new(AtomicU64::new(0));
        let mut pace = Pace { made: 0, due: Arc::clone(&due) };
        let (at_leisure, hurry) = mpsc::channel();
        let mut rest = move |took: Duration| {
            let _woken = hurry.recv_timeout(pace.rest_after_piece(took));
        };
        let work = move || {
            let file = segment::prepare(disk.as_ref(), &dir, index, bytes, &mut rest)?;
            Ok(Prepared { file, bytes })
        };
        let thread = thread::Builder::new().name("journal-spare".into()).spawn(work).ok()?;
        Some(Work { thread, at_leisure, due })
    }
}

impl Spare {
    /// Of the current segment of `full` bytes `used` are used. Once these are a part worth it the next begins to be
    /// prepared; it grows half as fast again as this one fills, so it is ready when less than three quarters are
    /// used.
    pub fn keep_up(&mut self, used: u64, full: u64, next: &Next<'_>) {
        let Some(since) = used.checked_sub(full / BEGIN_PART) else { return };
        if self.work.is_none() {
            self.work = next.begin();
        }
        if let Some(work) = &self.work {
            work.due.store(since + since / 2, Ordering::Relaxed);
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    const TOOK: Duration = Duration::from_millis(1);

    #[test]
    fn it_rests_after_each_piece_while_it_is_ahead_of_what_is_due() {
        let mut pace = Pace { made: 0, due: Arc::default() };
        assert_eq!([0; 4].map(|_| pace.rest_after_piece(TOOK)), [TOOK * REST; 4]);
    }

    #[test]
    fn it_does_not_rest_while_it_is_behind_what_is_due() {
        let due = Arc::new(AtomicU64::new(3 * offset(PIECE)));
        let mut pace = Pace { made: 0, due };
        let none = Duration::ZERO;
        assert_eq!([0; 4].map(|_| pace.rest_after_piece(TOOK)), [none, none, TOOK * REST, TOOK * REST]);
    }
}
