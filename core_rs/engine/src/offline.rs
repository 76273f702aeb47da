//! A data directory read without an engine: for `verify`, `dump` and whoever compares with the journal.
//! Nothing is written and no lock is taken, so it also works beside a running engine, up to a sequence that
//! is durable.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lockstock_journal::disk::{Disk, RealDisk};
use lockstock_journal::{Recovered, inspect, journal_id, segments, snapshot};
use lockstock_stock::counters::Counter;
use lockstock_stock::event::Change;
use lockstock_stock::ids::Sequence;
use lockstock_stock::state::{Sku, State, Violation};
use serde::Serialize;

use crate::ahead::Reading;
use crate::config::Layout;
use crate::event_json::event_json;
use crate::recovery::read_state;
use crate::replay::{Events, ReplayError, replay};
use crate::status::{hash_text, uuid_text};

/// How long a replay goes on at least before it tells again how far it is.
const TELL_EVERY: Duration = Duration::from_millis(50);

/// Why a data directory cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum OfflineError {
    /// There is no journal.
    #[error("there is no journal in {0}")]
    Missing(String),
    /// The journal is damaged or unreadable.
    #[error(transparent)]
    Journal(#[from] lockstock_journal::OpenError),
    /// Snapshots cannot be looked for.
    #[error(transparent)]
    Snapshots(#[from] lockstock_journal::SnapshotError),
    /// The journal is readable and does not give a state.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// Every event could be applied, and yet an invariant over the whole state does not hold.
    #[error("an invariant does not hold: {0}")]
    Violation(#[from] Violation),
    /// The journal ends before the sequence that was asked for.
    #[error("the journal ends at sequence {last}, {until} was asked for")]
    Short {
        /// Where it ends.
        last: Sequence,
        /// What was asked for.
        until: Sequence,
    },
    /// Whoever watched it did not want it to go on.
    #[error("the replay was stopped at sequence {at}")]
    Stopped {
        /// Where it was.
        at: Sequence,
    },
}

/// A snapshot file, compared with the replay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SnapshotCheck {
    /// The sequence it stands at.
    pub sequence: Sequence,
    /// Its state hash, in hexadecimal; empty where it cannot be read.
    pub state_hash: String,
    /// Whether it equals the replay's at that sequence. `None`: the replay did not go so far.
    pub equal: Option<bool>,
    /// Why it cannot be read, if it cannot.
    pub problem: Option<String>,
}

/// What a replay of a data directory gives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// The journal's UUID.
    pub journal_id: String,
    /// The last sequence that was replayed.
    pub sequence: Sequence,
    /// The state hash there, in hexadecimal.
    pub state_hash: String,
    /// Events replayed.
    pub events: u64,
    /// Journalled state hashes that the replay was compared with.
    pub checkpoints: u64,
    /// Segments of the journal.
    pub segments: usize,
    /// Bytes of a torn batch at the end, never acknowledged.
    pub torn_bytes: u64,
    /// Reservations known.
    pub reservations: usize,
    /// SKUs known.
    pub skus: usize,
    /// Every counter of (SKU, warehouse), summed over both.
    pub totals: BTreeMap<&'static str, i128>,
    /// The snapshot files, oldest first.
    pub snapshots: Vec<SnapshotCheck>,
}

/// A data directory, replayed.
#[derive(Debug)]
pub struct Offline {
    state: State,
    summary: Summary,
}

impl Offline {
    /// Replays the journal from its first record up to `until` (its end by default). Every event is checked
    /// as it is applied, every journalled hash is compared, and at the end every invariant of the whole state.
    pub fn open(data_dir: &Path, until: Option<Sequence>) -> Result<Self, OfflineError> {
        Self::open_watched(data_dir, until, |_, _| true)
    }

    /// The same; `watch` is told how many events are done, of how many in all, at the start, some 20 times a
    /// second at most, and at the end. It says whether to go on.
    pub fn open_watched(
        data_dir: &Path,
        until: Option<Sequence>,
        mut watch: impl FnMut(Sequence, Sequence) -> bool,
    ) -> Result<Self, OfflineError> {
        let layout = Layout::of(data_dir);
        let found = until.map_or_else(|| find(&layout), |until| find_until(&layout, until))?;
        let until = found.last;
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        let mut snapshots = snapshots(&layout, &found)?;
        let mut state = State::default();
        let mut checkpoints = 0;
        let mut goes_on = watch(0, until);
        if !goes_on {
            return Err(OfflineError::Stopped { at: 0 });
        }
        let mut told = Instant::now();
        let replayed = replay(Reading::Here, &mut state, &disk, &layout.journal, until, |state, event| {
            for file in
                snapshots.iter_mut().filter(|file| file.sequence == event.sequence && file.problem.is_none())
            {
                file.equal = Some(file.state_hash == hash_text(state.hash()));
            }
            checkpoints +=
                u64::from(event.changes.iter().any(|change| matches!(change, Change::Checkpoint { .. })));
            if event.sequence == until || told.elapsed() >= TELL_EVERY {
                told = Instant::now();
                goes_on = watch(event.sequence, until);
            }
            goes_on
        })
        .map_err(|error| match find(&layout) {
            // Not damage: what was asked for was never there.
            Ok(found) if found.last < until => OfflineError::Short { last: found.last, until },
            _ => error.into(),
        })?;
        if !goes_on {
            return Err(OfflineError::Stopped { at: state.sequence() });
        }
        state.check()?;
        let summary = Summary {
            journal_id: uuid_text(found.journal_id),
            sequence: state.sequence(),
            state_hash: hash_text(state.hash()),
            events: replayed.events,
            checkpoints,
            segments: found.segments,
            torn_bytes: found.torn_bytes,
            reservations: state.reservation_count(),
            skus: state.skus().len(),
            totals: totals(&state),
            snapshots,
        };
        Ok(Self { state, summary })
    }

    /// The replayed state.
    #[must_use]
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// What was found.
    #[must_use]
    pub const fn summary(&self) -> &Summary {
        &self.summary
    }

    /// The events `first..=last`, all of which must be there.
    pub fn events(data_dir: &Path, first: Sequence, last: Sequence) -> Result<Events, OfflineError> {
        Ok(Events::open(&Layout::of(data_dir).journal, first.max(1) - 1, last)?)
    }

    /// At most `limit` events from `first` on, each as one line of JSON with names for indexes.
    pub fn dump(data_dir: &Path, first: Sequence, limit: usize) -> Result<Vec<String>, OfflineError> {
        let layout = Layout::of(data_dir);
        let first = first.max(1);
        let last = find(&layout)?.last.min(first.saturating_add(limit as u64).saturating_sub(1));
        let mut state = State::default();
        let mut lines = Vec::new();
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        replay(Reading::Here, &mut state, &disk, &layout.journal, last, |state, event| {
            if event.sequence >= first {
                lines.push(event_json(state, event).to_string());
            }
            true
        })?;
        Ok(lines)
    }
}

fn totals(state: &State) -> BTreeMap<&'static str, i128> {
    let sum = |counter: &Counter| {
        let cells = state.skus().iter().flat_map(Sku::cells);
        (counter.name(), cells.map(|(_, cell)| i128::from(cell.get(*counter))).sum())
    };
    Counter::ALL.iter().map(sum).collect()
}

/// What a scan that changes nothing finds of a journal.
fn find(layout: &Layout) -> Result<Recovered, OfflineError> {
    let missing = || OfflineError::Missing(layout.data.display().to_string());
    if !layout.journal.is_dir() {
        return Err(missing());
    }
    inspect(&layout.journal, 0)?.ok_or_else(missing)
}

/// The same, of the part that ends with `until` alone. Beside a running engine the end of the journal changes
/// while it is looked at, what is durable does not: the end is not looked at.
fn find_until(layout: &Layout, until: Sequence) -> Result<Recovered, OfflineError> {
    let missing = || OfflineError::Missing(layout.data.display().to_string());
    let journal_id = journal_id(&layout.journal)?.ok_or_else(missing)?;
    let segments = segments(&layout.journal)?;
    let first = segments.first().ok_or_else(missing)?.first;
    Ok(Recovered { journal_id, first, last: until, torn_bytes: 0, segments: segments.len() })
}

/// Every snapshot file, oldest first; not yet compared with the replay.
fn snapshots(layout: &Layout, found: &Recovered) -> Result<Vec<SnapshotCheck>, OfflineError> {
    let check = |sequence| {
        let read = snapshot::read(&layout.snapshots, found.journal_id, sequence, |file, body| {
            read_state(Reading::Here, file, body)
        });
        match read {
            Ok(state) => {
                SnapshotCheck { sequence, state_hash: hash_text(state.hash()), equal: None, problem: None }
            }
            Err(problem) => SnapshotCheck {
                sequence,
                state_hash: String::new(),
                equal: Some(false),
                problem: Some(problem.to_string()),
            },
        }
    };
    Ok(snapshot::list(&layout.snapshots)?.into_iter().map(check).collect())
}
