//! Writing the journal: takes what is in the buffer, appends it, says that it is durable. While one batch is
//! being synced the next one fills: group commit forms by itself, nobody sleeps to fill one. It is the journal thread
//! that does so; where one caller waits alone, the thread that would wait for it ([`Engine::journal_here`]).
//!
//! [`Engine::journal_here`]: crate::Engine::journal_here

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use lockstock_journal::Log;
use lockstock_stock::ids::Sequence;
use parking_lot::Mutex;

use crate::core::{Buffer, Core};
use crate::desk::SnapshotError;
use crate::shared::Shared;

/// One frame carries at most so many bytes (more only if a single record is longer), so that a burst does not
/// make its first waiter wait for the last.
const FRAME_BYTES_MAX: usize = 2 << 20;
/// A frame's own bytes in the journal, rounded up: its header and its padding.
const FRAME_OVERHEAD: u64 = 48;
/// A segment's header.
const BLOCK: u64 = 4_096;
/// A segment is nearly full when less than this part of it is left; see [`Log::segment_is_full`].
const FULL_PART: u64 = 16;

/// One turn: what was in the buffer, on its way into the journal.
pub(crate) struct Turn {
    batch: Buffer,
    /// The checkpoint that begins the next batch: the segment is sealed between the two.
    checkpoint: Option<Sequence>,
    /// Requests for a snapshot that this checkpoint serves.
    requests: u64,
}

/// Makes durable what the engine's lock has buffered: on the journal thread, on one that has nothing else to do, or
/// a turn at a time.
pub(crate) struct Committer {
    shared: Arc<Shared>,
    log: Box<dyn Log>,
    spare: Buffer,
    /// Bytes in this segment since this engine began it.
    used: u64,
    /// Sealed, with the checkpoint of the next segment in the buffer: `segment_is_full` is old news.
    sealed: bool,
    frame_max: usize,
    /// How long the last frame took to become durable.
    took: Duration,
}

/// What the journal thread does until it is told to close or the log fails.
pub(crate) fn run(shared: &Shared, committer: &Mutex<Option<Committer>>) {
    let guard = Ended { shared };
    while is_work_left(shared) && committer.lock().as_mut().is_some_and(Committer::turn) {}
    // Nobody writes any more: the files are closed before the directory is another's.
    if let Some(mut committer) = committer.lock().take() {
        committer.end();
    }
    drop(guard);
}

/// Waits for records, or a wish to seal. False at the end: closed and empty, or failed.
fn is_work_left(shared: &Shared) -> bool {
    let mut core = shared.core.lock();
    loop {
        if shared.health.fatal().is_some() {
            return false;
        }
        if !core.buffer().is_empty() {
            return true;
        }
        if core.closing() || core.wants_seal() {
            return !core.closing();
        }
        shared.work.wait(&mut core);
    }
}

impl Committer {
    pub fn new(shared: Arc<Shared>, log: Box<dyn Log>) -> Self {
        let frame_max = frame_max(shared.config.segment_bytes);
        let (spare, used, sealed, took) = (Buffer::default(), BLOCK, false, Duration::ZERO);
        Self { shared, log, spare, used, sealed, frame_max, took }
    }

    /// How long the last frame took to become durable.
    pub const fn took(&self) -> Duration {
        self.took
    }

    /// One turn, if there is anything to do; whether the journal goes on.
    pub fn turn(&mut self) -> bool {
        let shared = Arc::clone(&self.shared);
        let guard = Unwinding { shared: &shared };
        let goes_on = self.begin().is_none_or(|turn| self.finish(turn));
        drop(guard);
        goes_on
    }

    /// Takes the buffer as it is. `None`: there is nothing to do, or the engine has failed.
    pub fn begin(&mut self) -> Option<Turn> {
        let shared = Arc::clone(&self.shared);
        let mut core = shared.core.lock();
        if core.buffer().is_empty() && !core.wants_seal() { None } else { self.take(&mut core) }
    }

    fn take(&mut self, core: &mut Core) -> Option<Turn> {
        let shared = &self.shared;
        if shared.health.fatal().is_some() || (core.buffer().is_empty() && core.closing()) {
            return None;
        }
        // The state is now exactly that after the batch: the one moment at which its hash may be journalled as
        // the first record after it.
        let full = self.log.segment_is_full() && !self.sealed;
        let seals = !core.closing() && (core.wants_seal() || full || self.fills_up(core.buffer()));
        let requests = shared.desk.requests();
        let batch = core.take(std::mem::take(&mut self.spare));
        let checkpoint = if seals { core.checkpoint(shared) } else { None };
        if seals && checkpoint.is_none() {
            shared.desk.served(
                requests,
                Err(SnapshotError::Failed("the state hash cannot be journalled".to_owned())),
            );
        }
        Some(Turn { batch, checkpoint, requests })
    }

    /// Whether the segment is nearly full after this batch, or the batch even goes on into another: so no
    /// segment's worth of records goes by without a checkpoint.
    fn fills_up(&self, batch: &Buffer) -> bool {
        let frames = (batch.bytes.len() / self.frame_max + 1) as u64;
        let segment = self.shared.config.segment_bytes;
        self.used + batch.bytes.len() as u64 + frames * FRAME_OVERHEAD >= segment - segment / FULL_PART
    }

    /// Appends what was taken and says that it is durable; whether the journal goes on.
    pub fn finish(&mut self, turn: Turn) -> bool {
        if let Err(why) = self.write(&turn) {
            self.shared.fail(&format!("the journal cannot be written, nothing more is acknowledged: {why}"));
            return false;
        }
        self.spare = turn.batch;
        self.spare.clear();
        true
    }

    /// The last sync.
    pub fn end(&mut self) {
        if self.shared.health.fatal().is_none()
            && let Err(why) = self.log.sync()
        {
            self.shared.fail(&format!("the journal could not be synced at the end: {why}"));
        }
    }

    fn write(&mut self, turn: &Turn) -> Result<(), String> {
        for (first, last, records) in frames(&turn.batch, self.frame_max)? {
            let begun = Instant::now();
            self.log.append(first, last, records).map_err(|error| error.to_string())?;
            self.sealed = false;
            self.took = begun.elapsed();
            let bytes = records.len() as u64;
            self.used += bytes + FRAME_OVERHEAD;
            self.publish(first, last, bytes, begun);
        }
        if let Some(checkpoint) = turn.checkpoint {
            self.log.seal().map_err(|error| error.to_string())?;
            (self.used, self.sealed) = (BLOCK, true);
            let shared = &self.shared;
            shared.desk.sealed(checkpoint, turn.requests, shared.journal_bytes.load(Ordering::Relaxed));
            shared.sample_disk();
        }
        Ok(())
    }

    fn publish(&self, first: Sequence, last: Sequence, bytes: u64, begun: Instant) {
        let shared = &self.shared;
        shared.meters.sync.observe_since(begun);
        shared.meters.batch_records.observe(last - first + 1);
        shared.meters.batch_bytes.observe(bytes);
        shared.journal_bytes.fetch_add(bytes, Ordering::Relaxed);
        shared.bytes_in_flight.fetch_sub(bytes, Ordering::Relaxed);
        shared.gate.publish(last);
    }
}

fn frame_max(segment_bytes: u64) -> usize {
    usize::try_from(segment_bytes / 32).unwrap_or(FRAME_BYTES_MAX).min(FRAME_BYTES_MAX)
}

/// First and last sequence, and the records.
type Frame<'a> = (Sequence, Sequence, &'a [u8]);

/// Cuts a batch between records into frames of at most `most` bytes, a longer record alone.
fn frames(batch: &Buffer, most: usize) -> Result<Vec<Frame<'_>>, String> {
    if batch.is_empty() {
        return Ok(Vec::new());
    }
    if batch.bytes.len() <= most {
        return Ok(vec![(batch.first, batch.last, &batch.bytes)]);
    }
    let mut cut = Vec::new();
    let (mut start, mut first) = (0, batch.first);
    let (mut at, mut next) = (0, batch.first);
    while let Some(head) = batch.bytes[at..].first_chunk::<4>() {
        let end = at + 4 + u32::from_le_bytes(*head) as usize;
        if end - start > most && at > start {
            cut.push((first, next - 1, &batch.bytes[start..at]));
            (start, first) = (at, next);
        }
        (at, next) = (end, next + 1);
    }
    if at != batch.bytes.len() || next != batch.last + 1 {
        return Err(format!("the buffer of records {}..={} is not whole", batch.first, batch.last));
    }
    cut.push((first, batch.last, &batch.bytes[start..]));
    Ok(cut)
}

/// A panic of who writes the journal must not leave everybody waiting.
struct Unwinding<'a> {
    shared: &'a Shared,
}

impl Drop for Unwinding<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.shared.fail("a panic while the journal was being written: nothing more is acknowledged");
        }
    }
}

/// Without the journal thread nobody gets a snapshot any more.
struct Ended<'a> {
    shared: &'a Shared,
}

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.shared.desk.stop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(lengths: &[u32]) -> Buffer {
        let mut bytes = Vec::new();
        for length in lengths {
            bytes.extend_from_slice(&length.to_le_bytes());
            bytes.resize(bytes.len() + *length as usize, 7);
        }
        Buffer { first: 10, last: 9 + lengths.len() as u64, bytes }
    }

    #[test]
    fn a_small_batch_is_one_frame() {
        let batch = batch(&[1, 2, 3]);
        assert_eq!(frames(&batch, 100).unwrap(), vec![(10, 12, &batch.bytes[..])]);
    }

    #[test]
    fn a_large_batch_is_cut_between_records_and_a_long_record_stands_alone() {
        let batch = batch(&[6, 6, 50, 6]);
        let cut: Vec<_> = frames(&batch, 20)
            .unwrap()
            .into_iter()
            .map(|(first, last, bytes)| (first, last, bytes.len()))
            .collect();
        assert_eq!(cut, vec![(10, 11, 20), (12, 12, 54), (13, 13, 10)]);
    }

    #[test]
    fn a_buffer_that_is_not_whole_is_an_error() {
        let mut broken = batch(&[6, 6, 6]);
        broken.last += 1;
        assert!(frames(&broken, 20).is_err());
    }
}
