//! From a data directory to a running engine: newest snapshot, then the journal.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::thread::JoinHandle;
use std::time::Instant;

use lockstock_journal::disk::{Disk, RealDisk};
use lockstock_journal::snapshot::{self, Snapshot};
use lockstock_journal::{
    DirLock, IoError, LockError, Log, OpenError as Refused, Options, Proof, Recovered as Opened, Segments,
};
use lockstock_stock::codec::{Assembly, Part};
use lockstock_stock::ids::Sequence;
use lockstock_stock::machine::Machine;
use lockstock_stock::state::State;
use parking_lot::{Condvar, Mutex};
use serde::Serialize;

use crate::admission::Admission;
use crate::ahead::Reading;
use crate::buyer::{BuyerKey, KeyError};
use crate::clerk::{self, Clerk};
use crate::clock::{Clock, SlewedClock, SystemSource};
use crate::commit::{self, Committer};
use crate::config::{Config, Layout};
use crate::core::Core;
use crate::desk::{Desk, SnapshotInfo};
use crate::engine::{Engine, Owner};
use crate::failure::Health;
use crate::gate::Gate;
use crate::metrics::Meters;
use crate::periodic;
use crate::recall::Records;
use crate::replay::{ReplayError, replay};
use crate::shared::{Gauge, Shared};
use crate::snapshotter::Snapshotter;
use crate::status::hash_text;
use crate::stop::Stop;

/// Sentences about what was found and passed over.
type Notes = Vec<String>;

/// What recovery found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Recovery {
    /// The last sequence of the journal.
    pub sequence: Sequence,
    /// The sequence of the snapshot it began with; 0 for none.
    pub snapshot_sequence: Sequence,
    /// Events replayed after the snapshot.
    pub replayed: u64,
    /// Bytes of a torn batch, never acknowledged, that were cut off.
    pub torn_bytes: u64,
    /// How long it took.
    pub seconds: f64,
    /// What was passed over, in sentences: damaged snapshots.
    pub notes: Vec<String>,
}

/// Why an engine cannot start.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A setting cannot be.
    #[error("the settings cannot be used: {0}")]
    Config(String),
    /// The free disk cannot be measured.
    #[error("the free disk of {path} cannot be measured: {source}")]
    Gauge {
        /// Of which directory.
        path: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// Another process has the directory.
    #[error(transparent)]
    Locked(#[from] LockError),
    /// The journal is damaged, foreign or unreadable.
    #[error(transparent)]
    Journal(#[from] lockstock_journal::OpenError),
    /// Snapshots cannot be looked for.
    #[error(transparent)]
    Snapshots(#[from] lockstock_journal::SnapshotError),
    /// The journal is readable and does not give a state.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// The key of the buyers' hashes.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The database has seen what the journal does not have.
    #[error(
        "the database is at sequence {database}, which the journal does not have: its end is lost, or this is not \
         the journal the database was projected from ({why})"
    )]
    DatabaseAhead {
        /// What the database has.
        database: Sequence,
        /// What the journal says.
        why: String,
    },
    /// A snapshot has seen what the journal does not have.
    #[error(
        "the newest snapshot is at sequence {snapshot}, which the journal does not have: its end is lost ({why})"
    )]
    SnapshotAhead {
        /// The snapshot.
        snapshot: Sequence,
        /// What the journal says.
        why: String,
    },
    /// A thread cannot be started.
    #[error("the thread {name} cannot be started: {source}")]
    Thread {
        /// Which.
        name: &'static str,
        /// What the system says.
        source: std::io::Error,
    },
}

/// What an engine is made of; tests replace parts.
pub(crate) struct Parts {
    pub config: Config,
    pub state: State,
    pub log: Box<dyn Log>,
    pub clock: Box<dyn Clock>,
    pub gauge: Gauge,
    pub disk: Arc<dyn Disk>,
    pub buyers: BuyerKey,
    pub dir_lock: Option<DirLock>,
    pub newest: Option<SnapshotInfo>,
    /// Bytes of journal since that snapshot.
    pub unwritten: u64,
}

/// Opens with this machine's clock and disk.
pub(crate) fn open(config: Config) -> Result<(Engine, Recovery), OpenError> {
    let clock =
        |state: &State| Box::new(SlewedClock::new(SystemSource::default(), state.clock())) as Box<dyn Clock>;
    open_with(config, Arc::new(RealDisk), clock)
}

/// Opens with a clock and a disk of the caller's. Lock and key are on the real disk in any case.
pub(crate) fn open_with(
    config: Config,
    disk: Arc<dyn Disk>,
    clock: impl FnOnce(&State) -> Box<dyn Clock>,
) -> Result<(Engine, Recovery), OpenError> {
    let layout = config.layout();
    config.check().map_err(OpenError::Config)?;
    let dir_lock = DirLock::acquire(&layout.data)?;
    let recovered = recover(&config, &disk, &Options::default())?;
    let buyers = BuyerKey::open(&layout.buyer_key, recovered.recovery.sequence == 0)?;
    let (parts, recovery) = recovered.parts(config, disk, clock, buyers, Some(dir_lock));
    Ok((assemble(parts)?, recovery))
}

/// What a data directory gives: the journal, and the state that stands in it.
pub(crate) struct Recovered {
    segments: Segments,
    state: State,
    newest: Option<SnapshotInfo>,
    /// Bytes of journal since that snapshot.
    unwritten: u64,
    pub recovery: Recovery,
}

impl Recovered {
    /// What an engine is made of, with what is not on that disk.
    pub fn parts(
        self,
        config: Config,
        disk: Arc<dyn Disk>,
        clock: impl FnOnce(&State) -> Box<dyn Clock>,
        buyers: BuyerKey,
        dir_lock: Option<DirLock>,
    ) -> (Parts, Recovery) {
        let Self { segments, state, newest, unwritten, recovery } = self;
        let clock = clock(&state);
        let (gauged, journal) = (Arc::clone(&disk), config.layout().journal);
        let gauge: Gauge = Box::new(move || gauged.free_bytes(&journal));
        let log: Box<dyn Log> = Box::new(segments);
        (Parts { config, state, log, clock, gauge, disk, buyers, dir_lock, newest, unwritten }, recovery)
    }
}

/// Newest snapshot, then the journal. `options` are those that no setting decides.
pub(crate) fn recover(
    config: &Config,
    disk: &Arc<dyn Disk>,
    options: &Options,
) -> Result<Recovered, OpenError> {
    let begun = Instant::now();
    // Who wants no thread for segments wants none here.
    let reading = if options.prepare_ahead { Reading::Ahead } else { Reading::Here };
    let layout = config.layout();
    disk.create_dir(&layout.snapshots)
        .map_err(|source| IoError { doing: "create", path: layout.snapshots.clone(), source })
        .map_err(lockstock_journal::SnapshotError::Io)?;
    let (segments, found) = open_segments(config, &layout, disk, options)?;
    let Found { mut state, info: newest, notes } =
        newest_snapshot(reading, disk.as_ref(), &layout, segments.journal_id())?;
    let snapshot_sequence = state.sequence();
    if snapshot_sequence > found.last {
        let why = format!("it ends at {}", found.last);
        return Err(OpenError::SnapshotAhead { snapshot: snapshot_sequence, why });
    }
    let replayed = replay(reading, &mut state, disk, &layout.journal, found.last, |_, _| true)?;
    let recovery = Recovery {
        sequence: state.sequence(),
        snapshot_sequence,
        replayed: replayed.events,
        torn_bytes: found.torn_bytes,
        seconds: begun.elapsed().as_secs_f64(),
        notes,
    };
    Ok(Recovered { segments, state, newest, unwritten: replayed.bytes, recovery })
}

/// Opens the journal; who has seen more than it holds is named.
fn open_segments(
    config: &Config,
    layout: &Layout,
    disk: &Arc<dyn Disk>,
    options: &Options,
) -> Result<(Segments, Opened), OpenError> {
    let database = config.proved_by_database;
    let snapshot = snapshot::newest_sequence_on(disk.as_ref(), &layout.snapshots)?;
    let options = Options {
        segment_bytes: config.segment_bytes,
        durability: config.durability,
        proved: snapshot.max(database),
        // Should the snapshot turn out unreadable, the replay reads those segments, and checks them then.
        trusted: snapshot,
        disk: Arc::clone(disk),
        ..options.clone()
    };
    Segments::open(&layout.journal, options).map_err(|source| {
        let lost = matches!(
            source,
            Refused::Damaged { proof: Proof::Proved { .. }, .. } | Refused::Beginning { first: 0, .. }
        );
        match (lost, database > snapshot) {
            (true, true) => OpenError::DatabaseAhead { database, why: source.to_string() },
            (true, false) => OpenError::SnapshotAhead { snapshot, why: source.to_string() },
            (false, _) => OpenError::Journal(source),
        }
    })
}

/// What a thread of the engine does.
type Work = Box<dyn FnOnce(Arc<Shared>) + Send>;

/// Puts the parts together and starts the threads.
pub(crate) fn assemble(parts: Parts) -> Result<Engine, OpenError> {
    let (shared, log) = share(parts)?;
    let committer = Arc::new(Mutex::new(Some(Committer::new(Arc::clone(&shared), log))));
    let (clerk, asked) = Clerk::hire();
    let owner = Owner { shared: Arc::clone(&shared), committer, threads: Mutex::new(Vec::new()), clerk };
    // Pushed one by one, so that where one cannot be started the others are ended by the owner's drop.
    let start = |name: &'static str, work: Work| {
        let shared = Arc::clone(&shared);
        let thread = spawn(name, move || work(shared))?;
        owner.threads.lock().push(thread);
        Ok::<(), OpenError>(())
    };
    let committer = Arc::clone(&owner.committer);
    start("journal", Box::new(move |shared| commit::run(&shared, &committer)))?;
    start("sweeper", Box::new(|shared| periodic::sweep(&shared)))?;
    start("disk", Box::new(|shared| periodic::watch_disk(&shared)))?;
    start("clerk", Box::new(move |shared| clerk::run(&shared, &asked)))?;
    start("snapshots", Box::new(|shared| Snapshotter::new(shared).run()))?;
    Ok(Engine { owner: Arc::new(owner) })
}

/// What the threads have in common, and the log, which is one thread's alone.
pub(crate) fn share(parts: Parts) -> Result<(Arc<Shared>, Box<dyn Log>), OpenError> {
    let Parts { config, state, log, clock, gauge, disk, buyers, dir_lock, newest, unwritten } = parts;
    let layout = config.layout();
    let free =
        gauge().map_err(|source| OpenError::Gauge { path: layout.journal.display().to_string(), source })?;
    let last = state.sequence();
    let shared = Shared {
        journal_id: log.journal_id(),
        buyers,
        core: Mutex::new(Core::new(Machine::new(state, config.limits), clock)),
        work: Condvar::new(),
        gate: Gate::at(last),
        admission: Admission::new(&config, free),
        health: Health::default(),
        meters: Meters::default(),
        desk: Desk::with_newest(newest),
        stop: Stop::default(),
        records: Records::of(Arc::clone(&disk), &layout),
        gauge,
        disk,
        dir_lock: Mutex::new(dir_lock),
        applied: AtomicU64::new(last),
        bytes_in_flight: AtomicU64::new(0),
        waiting: AtomicU64::new(0),
        journal_bytes: AtomicU64::new(0),
        unwritten,
        config,
        layout,
    };
    Ok((Arc::new(shared), log))
}

fn spawn(name: &'static str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, OpenError> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(work)
        .map_err(|source| OpenError::Thread { name, source })
}

/// What was found of snapshots.
struct Found {
    /// Of the newest that can be read; without one the empty state, before everything.
    state: State,
    info: Option<SnapshotInfo>,
    notes: Notes,
}

/// The newest snapshot that can be read; an unreadable one costs time, not data, and is noted.
fn newest_snapshot(
    reading: Reading,
    disk: &dyn Disk,
    layout: &Layout,
    journal_id: [u8; 16],
) -> Result<Found, lockstock_journal::SnapshotError> {
    let newest = snapshot::newest_on(disk, &layout.snapshots, journal_id, |file, body| {
        read_state(reading, file, body)
    })?;
    let skipped = newest.skipped.iter();
    let notes = skipped
        .map(|file| format!("snapshot {} is passed over: {}", file.path.display(), file.why))
        .collect();
    let (info, state) = newest.snapshot.map_or_else(Default::default, |(file, state)| {
        (Some(SnapshotInfo { sequence: file.sequence, size_bytes: file.length }), state)
    });
    Ok(Found { state, info, notes })
}

/// The state in the body of a snapshot, which is the one that its header names.
pub(crate) fn read_state(
    reading: Reading,
    file: &Snapshot,
    body: &mut (impl Read + Send),
) -> Result<State, String> {
    let mut assembly = Assembly::default();
    let read = reading.run(|hand| Part::read_all(body, hand), |part| assembly.put(part));
    let whole = read.flatten().and_then(|()| assembly.finish());
    let state = whole.map_err(|error| error.to_string())?;
    if (state.sequence(), state.hash()) == (file.sequence, file.state_hash) {
        Ok(state)
    } else {
        Err(format!(
            "it holds the state of sequence {} with hash {}, its header says {} and {}",
            state.sequence(),
            hash_text(state.hash()),
            file.sequence,
            hash_text(file.state_hash),
        ))
    }
}
