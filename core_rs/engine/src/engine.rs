//! The face of the engine.

use std::path::Path;
use std::slice::IterMut;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use lockstock_journal::disk::Disk;
use lockstock_stock::answer::View;
use lockstock_stock::command::Request;
use lockstock_stock::event::{Event, Fingerprint};
use lockstock_stock::ids::{Micros, RequestKey, Sequence};
use lockstock_stock::limits::Limits;
use lockstock_stock::machine::Reply;
use lockstock_stock::refusal::Refusal;
use lockstock_stock::state::{State, TOGETHER};
use parking_lot::{Mutex, MutexGuard};

use crate::admission::Load;
use crate::clerk::Clerk;
use crate::commit::Committer;
use crate::config::Config;
use crate::core::Core;
use crate::desk::{SnapshotError, SnapshotInfo};
use crate::failure::Failed;
use crate::metrics::Metrics;
use crate::recall::{RecallError, first_difference};
use crate::recovery::{OpenError, Recovery};
use crate::shared::Shared;
use crate::status::Status;

/// Commands that one hold of the engine's lock runs at most ...
const HOLD_COMMANDS_MAX: usize = 256;
/// ... and how long it lasts at most: a large batch never stalls a buyer.
const HOLD_TIME_MAX: Duration = Duration::from_micros(100);

/// Records that may wait in the buffer for their caller to call [`Engine::journal`] ...
const QUIET_RECORDS_MAX: u64 = HOLD_COMMANDS_MAX as u64;
/// ... and how long, while other calls come: beyond either the journal thread is woken without it.
const QUIET_TIME_MAX: Duration = Duration::from_millis(1);

/// Holds that a read sweeps in before it looks, so that it shows no lock that has expired; with more due than
/// that it shows what there is.
const READ_SWEEPS_MAX: usize = 16;

/// What became of the requests of one call.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Executed {
    /// In the order of the requests.
    pub replies: Vec<Reply>,
    /// The newest sequence that any of the replies saw: none may be sent before it is durable. 0 where none
    /// saw anything.
    pub seen: Sequence,
}

/// The engine of one data directory. Cheap to clone; when the last clone is dropped it closes.
#[derive(Clone)]
pub struct Engine {
    pub(crate) owner: Arc<Owner>,
}

/// Ends the threads with the last handle; they themselves hold [`Shared`] only.
pub(crate) struct Owner {
    pub shared: Arc<Shared>,
    /// Whoever holds it writes the journal; none where there is no journal thread, or no longer.
    pub committer: Arc<Mutex<Option<Committer>>>,
    pub threads: Mutex<Vec<JoinHandle<()>>>,
    pub clerk: Clerk,
}

impl Owner {
    /// What is in the buffer becomes durable, then the threads end.
    fn close(&self) {
        self.shared.admission.drain();
        self.shared.core.lock().close();
        self.shared.work.notify_all();
        self.shared.stop.stop();
        self.clerk.dismiss();
        for thread in self.threads.lock().drain(..) {
            if thread.thread().id() == std::thread::current().id() {
                // The last handle was dropped by a hook: that thread ends by itself.
                continue;
            }
            if thread.join().is_err() {
                self.shared.fail("a thread of the engine has panicked");
            }
        }
        self.shared.unlock();
    }
}

/// Whether what a command is refused with may last: until somebody thaws the engine, or makes room on the disk.
const fn lasts(refusal: &Refusal) -> bool {
    matches!(refusal, Refusal::Frozen {} | Refusal::DiskLow { .. })
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.close();
    }
}

/// What one request is told. `Err`: it was refused before it got to the state, and waits for nothing.
pub type Told<'a> = Result<Reply<View<'a>>, Refusal>;

/// A command on its way to the lock: let in, or refused before it got there.
pub(crate) type Judged<'a> = Result<Request<'a>, Refusal>;

impl Engine {
    /// Opens or creates the data directory of `config` and recovers what is in it.
    pub fn open(config: Config) -> Result<(Self, Recovery), OpenError> {
        crate::recovery::open(config)
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.owner.shared
    }

    /// Runs requests in order, each its own step; what was refused before it came here is told in its place. `tell` is
    /// called once for each, in order, nearly always under the engine's lock: it must be short. What it is told may leave
    /// once the sequence that is returned is durable, the newest that any of them saw; 0 where none saw anything.
    /// Whoever does not wait with [`Engine::wait_durable`] calls [`Engine::journal`] when it has nothing more that could
    /// share the sync.
    pub fn run(&self, asked: &mut [Judged<'_>], mut tell: impl FnMut(Told<'_>)) -> Sequence {
        let mut seen = 0;
        for chunk in asked.chunks_mut(HOLD_COMMANDS_MAX) {
            self.admit(chunk);
            let mut chunk = chunk.iter_mut();
            while !chunk.as_slice().is_empty() {
                seen = seen.max(self.hold(&mut chunk, &mut tell));
            }
        }
        seen
    }

    /// The same for whoever keeps the answers.
    pub fn execute(&self, requests: Vec<Request<'_>>) -> Executed {
        let mut replies = Vec::with_capacity(requests.len());
        let mut asked: Vec<_> = requests.into_iter().map(Ok).collect();
        let seen = self.run(&mut asked, |told| replies.push(told.map_or_else(Reply::Refused, Reply::kept)));
        Executed { replies, seen }
    }

    /// Judges a hold's worth of commands in order; those let in count as waiting until they had the lock.
    fn admit(&self, chunk: &mut [Judged<'_>]) {
        let shared = self.shared();
        let load = shared.load();
        let mut ahead = 0;
        for judged in chunk {
            let Ok(request) = judged else { continue };
            let load = Load { records: load.records.saturating_add(ahead), ..load };
            match shared.admission.judge(request.command.promises(), load) {
                Ok(()) => ahead += 1,
                Err(refusal) if lasts(&refusal) && self.knows(request.key) => ahead += 1,
                Err(refusal) => {
                    shared.meters.refusal(refusal.reason());
                    *judged = Err(refusal);
                }
            }
        }
        shared.waiting.fetch_add(ahead, Ordering::Relaxed);
    }

    /// Whether a command with this key was run before: what came of it is told whoever else is let in.
    fn knows(&self, key: RequestKey) -> bool {
        key != 0 && self.shared().core.lock().state().known_key(key).is_some()
    }

    /// One hold of the lock; the newest sequence it saw.
    fn hold(&self, chunk: &mut IterMut<'_, Judged<'_>>, tell: &mut impl FnMut(Told<'_>)) -> Sequence {
        while let [Err(refusal), ..] = chunk.as_slice() {
            tell(Err(refusal.clone()));
            chunk.next();
        }
        if chunk.as_slice().is_empty() {
            return 0;
        }
        let shared = self.shared();
        let mut core = shared.core.lock();
        let watch = Watch(shared);
        let begun = Instant::now();
        let (now, _) = core.begin(shared);
        let (mut steps, mut over) = (0, false);
        while !over && !chunk.as_slice().is_empty() {
            // One alone has nobody to share its waits for memory with.
            if chunk.len() > 1 {
                core.prefetch(chunk.as_slice());
            }
            // Run together, then told together: the code of either is long, and stays in the processor meanwhile.
            for judged in chunk.by_ref().take(TOGETHER) {
                match judged {
                    Err(refusal) => core.pass(refusal.clone()),
                    Ok(request) => {
                        steps += 1;
                        core.step(shared, request, now);
                    }
                }
                over = begun.elapsed() >= HOLD_TIME_MAX;
                if over {
                    break;
                }
            }
            core.tell(shared, tell);
        }
        shared.waiting.fetch_sub(steps, Ordering::Relaxed);
        drop(watch);
        self.leave(core, begun, !chunk.as_slice().is_empty())
    }

    /// Leaves the lock; the newest sequence seen. `more`: this thread comes again at once, so whoever waits goes first,
    /// and the journal thread need not wait for the end.
    fn leave(&self, mut core: MutexGuard<'_, Core>, begun: Instant, more: bool) -> Sequence {
        let shared = self.shared();
        let seen = core.state().sequence();
        let waiting = core.waiting(begun);
        let wake = waiting.records > 0
            && (more || waiting.records >= QUIET_RECORDS_MAX || waiting.time >= QUIET_TIME_MAX);
        if more {
            MutexGuard::unlock_fair(core);
        } else {
            drop(core);
        }
        if wake {
            shared.work.notify_one();
        }
        shared.meters.hold.observe_since(begun);
        seen
    }

    /// A read at one sequence, with the time: what it returns may leave once that sequence is durable. The
    /// engine's lock is held meanwhile, so `f` must be short.
    pub fn read<R>(&self, f: impl FnOnce(&State, Micros) -> R) -> (R, Sequence) {
        let mut rounds = 0;
        loop {
            let mut core = self.shared().core.lock();
            let begun = Instant::now();
            let (now, more) = core.begin(self.shared());
            if more && rounds < READ_SWEEPS_MAX {
                rounds += 1;
                self.leave(core, begun, true);
                continue;
            }
            let result = f(core.state(), now);
            return (result, self.leave(core, begun, false));
        }
    }

    /// A read for a thread that gives way to buyers and must not hold the engine's lock. What is due stays so.
    pub(crate) fn read_aside<R: Send + 'static>(
        &self,
        look: impl Fn(&State) -> R + Send + Sync + 'static,
    ) -> R {
        let look = Arc::new(look);
        let by_the_clerk = Arc::clone(&look);
        let found = self.owner.clerk.look(move |state| by_the_clerk(state));
        found.unwrap_or_else(|| look(self.shared().core.lock().state()))
    }

    /// The engine's time: microseconds since 1970-01-01 UTC.
    pub fn now(&self) -> Micros {
        self.shared().core.lock().now()
    }

    /// What a repeated key is answered with: the first answer, shown under the engine's lock. The sequence must be
    /// durable.
    pub fn recall<R>(
        &self,
        sequence: Sequence,
        fingerprint: &Fingerprint,
        show: impl FnOnce(View<'_>) -> R,
    ) -> Result<R, RecallError> {
        let event = self.event(sequence)?;
        if let Some(field) = first_difference(&event.fingerprint, fingerprint) {
            return Err(RecallError::Reused { field, sequence });
        }
        Ok(show(self.shared().core.lock().state().answer(&event)))
    }

    /// A durable event as it was journalled.
    pub fn event(&self, sequence: Sequence) -> Result<Event, RecallError> {
        if sequence == 0 || sequence > self.durable() {
            return Err(RecallError::NotDurable { sequence, durable: self.durable() });
        }
        self.shared().records.event(sequence)
    }

    /// The last sequence that is durable.
    pub fn durable(&self) -> Sequence {
        self.shared().durable()
    }

    /// Has the journal thread begin with what was applied. A caller who serves many at once calls it when there is
    /// nothing left to run, so that all of it is one write and one sync.
    pub fn journal(&self) {
        let shared = self.shared();
        if shared.applied.load(Ordering::Acquire) > shared.gate.durable() {
            shared.work.notify_one();
        }
    }

    /// Journals what was applied on this very thread, unless another is at it, or the last time took longer than
    /// `most`: then the disk is not one to wait for with nothing else served. It saves the way to the journal thread
    /// and back, for a thread that would only wait for it.
    pub fn journal_here(&self, most: Duration) {
        if let Some(mut committer) = self.owner.committer.try_lock()
            && let Some(committer) = committer.as_mut().filter(|committer| committer.took() <= most)
        {
            committer.turn();
        }
    }

    /// Waits until a sequence is durable.
    pub fn wait_durable(&self, sequence: Sequence) -> Result<(), Failed> {
        self.journal();
        self.shared().gate.wait(sequence, &self.shared().health)
    }

    /// Waits until a sequence is durable, or so long; whether it is.
    pub fn wait_durable_for(&self, sequence: Sequence, most: Duration) -> bool {
        self.journal();
        self.shared().gate.wait_for(sequence, &self.shared().health, most)
    }

    /// Called once after every sync, on the journal thread, with the durable sequence. It must not block.
    pub fn on_durable(&self, hook: Box<dyn Fn(Sequence) + Send + Sync>) {
        self.shared().gate.on_durable(hook);
    }

    /// Called once when the engine has failed for good, at once if it has already. It must not call back into
    /// the engine: the engine's lock may be held.
    pub fn on_failure(&self, hook: Box<dyn Fn(&str) + Send + Sync>) {
        self.shared().health.on_failure(hook);
    }

    /// Whether the engine has failed for good.
    pub fn failed(&self) -> Option<Failed> {
        self.shared().health.fatal().cloned()
    }

    /// Refuses every change until thawed; reads go on, nothing expires.
    pub fn freeze(&self) {
        self.shared().admission.set_frozen(true);
    }

    /// Ends a freeze.
    pub fn thaw(&self) {
        self.shared().admission.set_frozen(false);
    }

    /// Refuses new commands for good; what was let in is answered.
    pub fn drain(&self) {
        self.shared().admission.drain();
    }

    /// How the engine stands.
    pub fn status(&self) -> Status {
        Status::of(self.shared())
    }

    /// What the engine has counted.
    pub fn metrics(&self) -> Metrics {
        Metrics::read(&self.shared().meters, &self.status())
    }

    /// Seals the segment and writes a snapshot of at least everything applied before the call; blocks until
    /// it is on disk.
    pub fn snapshot_now(&self) -> Result<SnapshotInfo, SnapshotError> {
        let ticket = self.ask_for_snapshot()?;
        self.shared().desk.wait(ticket)
    }

    /// The first half: the journal thread will seal; the ticket to wait with.
    pub(crate) fn ask_for_snapshot(&self) -> Result<u64, SnapshotError> {
        let shared = self.shared();
        let ticket = shared.desk.ask();
        {
            let mut core = shared.core.lock();
            if !core.writable(shared) {
                return Err(SnapshotError::Stopped);
            }
            core.ask_to_seal();
        }
        shared.work.notify_all();
        Ok(ticket)
    }

    /// The disk the journal is on, for those who follow it.
    pub(crate) fn disk(&self) -> &Arc<dyn Disk> {
        &self.shared().disk
    }

    /// The keyed hash of a buyer; 0 for none.
    pub fn buyer_hash(&self, buyer: &str) -> u128 {
        self.shared().buyers.hash(buyer)
    }

    /// The journal's UUID.
    pub fn journal_id(&self) -> [u8; 16] {
        self.shared().journal_id
    }

    /// Where the segments are, for those who follow the journal.
    pub fn journal_dir(&self) -> &Path {
        &self.shared().layout.journal
    }

    /// The limits of the state machine.
    pub fn limits(&self) -> &Limits {
        &self.shared().config.limits
    }

    /// Refuses new commands, makes everything durable, ends the threads, releases the directory. Closing
    /// twice is no error.
    pub fn close(&self) -> Result<(), Failed> {
        self.owner.close();
        self.failed().map_or(Ok(()), Err)
    }
}

/// A panic while the engine's lock is held may leave half an event applied: the state cannot be trusted then.
struct Watch<'a>(&'a Shared);

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fail("a panic while the state was being changed: nothing more is acknowledged");
        }
    }
}
