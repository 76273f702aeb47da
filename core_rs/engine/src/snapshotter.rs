//! Snapshots leave the live engine alone: whoever writes them keeps a state of its own, replays sealed segments onto
//! it, compares its hash with the one the engine journalled, and writes it down. The price is a second state
//! in memory.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use lockstock_journal::snapshot;
use lockstock_stock::ids::Sequence;
use lockstock_stock::state::State;

use crate::ahead::Reading;
use crate::desk::{Sealed, SnapshotError, SnapshotInfo};
use crate::recovery;
use crate::replay::{ReplayError, replay};
use crate::rests::{Rests, Unhurried};
use crate::shared::Shared;

/// How nice this thread is to the others, on Linux: it may take minutes, nobody waits for it.
#[cfg(target_os = "linux")]
const NICE: i32 = 10;
/// How much longer it rests after a piece of a snapshot than the piece took: the disk is the journal's for three
/// quarters of the time.
const REST: u32 = 3;

/// The thread's own state; loaded when it is first needed.
struct Copy {
    state: State,
    /// Bytes journalled when the last snapshot was written, counted from the start.
    written_at: u64,
    /// Bytes behind the last snapshot from before the start: restarts must not put the next one off for ever.
    unwritten: u64,
}

/// Writes snapshots of sealed segments: on its thread, or a turn at a time.
pub(crate) struct Snapshotter {
    shared: Arc<Shared>,
    copy: Option<Copy>,
    rests: Rests,
}

enum Trouble {
    Disagrees(ReplayError),
    Stopped,
}

impl Snapshotter {
    pub fn new(shared: Arc<Shared>) -> Self {
        Self { shared, copy: None, rests: Rests::never() }
    }

    /// What the thread does until the engine closes.
    pub fn run(mut self) {
        step_aside();
        self.rests = Rests::default();
        let shared = Arc::clone(&self.shared);
        while let Some(sealed) = shared.desk.next() {
            // The checkpoint that was journalled with the seal is in the next frame.
            if shared.gate.wait(sealed.checkpoint, &shared.health).is_err() || !self.turn(sealed) {
                return;
            }
        }
    }

    /// What there is to do now, without waiting or resting.
    #[cfg(any(test, feature = "testing"))]
    pub fn step(&mut self) -> bool {
        let sealed = self.shared.desk.next_if_durable(self.shared.durable());
        sealed.is_some_and(|sealed| self.turn(sealed))
    }

    /// One sealed run of the journal, its checkpoint durable; whether to go on.
    fn turn(&mut self, sealed: Sealed) -> bool {
        match self.replay_and_write(sealed) {
            Ok(()) => true,
            Err(Trouble::Disagrees(why)) => {
                self.shared.fail(&format!(
                    "a replay of the journal does not give the state the engine has, nothing more is acknowledged: {why}"
                ));
                false
            }
            Err(Trouble::Stopped) => false,
        }
    }

    fn replay_and_write(&mut self, sealed: Sealed) -> Result<(), Trouble> {
        let shared = &self.shared;
        let rests = &mut self.rests;
        let copy = self.copy.get_or_insert_with(|| load(shared, rests));
        // Applying the checkpoint compares the hashes.
        replay(
            Reading::Aside,
            &mut copy.state,
            &shared.disk,
            &shared.layout.journal,
            sealed.checkpoint,
            |_, _| {
                rests.if_due();
                !shared.desk.stopped()
            },
        )
        .map_err(Trouble::Disagrees)?;
        if copy.state.sequence() < sealed.checkpoint {
            return Err(Trouble::Stopped);
        }
        let bytes = sealed.bytes - copy.written_at + copy.unwritten;
        let due = bytes >= shared.config.snapshot_every_bytes;
        if due || shared.desk.is_asked(sealed.requests) {
            let outcome = write(shared, &copy.state, sealed.requests);
            match &outcome {
                Ok(_) => {
                    (copy.written_at, copy.unwritten) = (sealed.bytes, 0);
                    shared.meters.snapshots.fetch_add(1, Ordering::Relaxed);
                }
                Err(_) => {
                    shared.meters.snapshot_failures.fetch_add(1, Ordering::Relaxed);
                }
            }
            shared.desk.served(sealed.requests, outcome);
        }
        Ok(())
    }
}

/// What is wrong with a snapshot file was said at the start of the engine; here the whole journal does as well.
fn load(shared: &Shared, rests: &mut Rests) -> Copy {
    let newest = shared.desk.newest().0;
    let state = newest.and_then(|newest| reread(shared, newest.sequence, rests).ok()).unwrap_or_default();
    Copy { state, written_at: 0, unwritten: shared.unwritten }
}

/// The state of a snapshot that could be read at the start, from its file once more.
fn reread(
    shared: &Shared,
    sequence: Sequence,
    rests: &mut Rests,
) -> Result<State, lockstock_journal::SnapshotError> {
    let (disk, snapshots) = (shared.disk.as_ref(), &shared.layout.snapshots);
    snapshot::read_on(disk, snapshots, shared.journal_id, sequence, |file, body| {
        body.put_aside();
        let mut unhurried = Unhurried::new(body, rests, || shared.desk.stopped());
        recovery::read_state(Reading::Here, file, &mut unhurried)
    })
}

fn write(shared: &Shared, state: &State, requests: u64) -> Result<SnapshotInfo, SnapshotError> {
    let failed = |error: &dyn std::fmt::Display| SnapshotError::Failed(error.to_string());
    let mut size_bytes = 0;
    let disk = shared.disk.as_ref();
    snapshot::write_on(
        disk,
        &shared.layout.snapshots,
        shared.journal_id,
        state.sequence(),
        state.hash(),
        &mut |took| shared.desk.rest(requests, took * REST),
        |out| {
            let mut counted = Counted { out, bytes: 0 };
            state.write_snapshot(&mut counted)?;
            size_bytes = counted.bytes;
            Ok(())
        },
    )
    .map_err(|error| failed(&error))?;
    Ok(SnapshotInfo { sequence: state.sequence(), size_bytes })
}

/// Counts what is written.
struct Counted<'a> {
    out: &'a mut dyn Write,
    bytes: u64,
}

impl Write for Counted<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.out.flush()
    }
}

/// Gives the processor to buyers first.
fn step_aside() {
    #[cfg(target_os = "linux")]
    {
        // Refused or not, the work is the same; only its turn differs.
        let _unchanged = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICE);
    }
}
