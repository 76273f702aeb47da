//! The journal's records applied to a state: what recovery, the snapshotter and offline reading share.

use std::io;
use std::path::Path;
use std::sync::Arc;

use lockstock_journal::disk::{Disk, RealDisk};
use lockstock_journal::{ReadError, Reader};
use lockstock_stock::codec::CodecError;
use lockstock_stock::event::Event;
use lockstock_stock::ids::Sequence;
use lockstock_stock::state::{State, TOGETHER, Violation};

use crate::ahead::Reading;

/// Why a journal cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// A record cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A record is no event this release knows.
    #[error("the record of sequence {sequence} cannot be understood: {source}")]
    Decode {
        /// Which.
        sequence: Sequence,
        /// Why not.
        source: CodecError,
    },
    /// An event does not fit the state: an invariant, or the journalled state hash.
    #[error("the journal cannot be replayed: {0}")]
    Violation(#[from] Violation),
    /// Nothing can be read ahead.
    #[error("a thread to read the journal cannot be started: {0}")]
    Thread(#[source] io::Error),
    /// The journal ends before the sequence that was asked for.
    #[error("the journal ends at sequence {last}, {wanted} was asked for")]
    Short {
        /// Where it ends.
        last: Sequence,
        /// What was asked for.
        wanted: Sequence,
    },
}

/// The events of a journal, in order.
pub struct Events {
    reader: Reader,
    until: Sequence,
    next: Sequence,
    /// Bytes of the records so far.
    bytes: u64,
}

impl Events {
    /// Those after `after` up to and with `until`, all of which must be there.
    pub fn open(journal: &Path, after: Sequence, until: Sequence) -> Result<Self, ReplayError> {
        Self::open_on(Arc::new(RealDisk), journal, after, until)
    }

    /// The same, on a disk of choice.
    pub fn open_on(
        disk: Arc<dyn Disk>,
        journal: &Path,
        after: Sequence,
        until: Sequence,
    ) -> Result<Self, ReplayError> {
        // Followers of the database are further on, as long as it keeps up.
        let reader = Reader::open_on(disk, journal, after + 1)?.releasing();
        Ok(Self { reader, until, next: after + 1, bytes: 0 })
    }

    /// The same, with nothing read from the disk before it is needed.
    fn aside(self) -> Self {
        Self { reader: self.reader.aside(), ..self }
    }

    fn read(&mut self) -> Result<Event, ReplayError> {
        let Some((sequence, bytes)) = self.reader.next(self.until)? else {
            return Err(ReplayError::Short { last: self.next - 1, wanted: self.until });
        };
        self.next = sequence + 1;
        self.bytes += bytes.len() as u64;
        Event::decode(bytes).map_err(|source| ReplayError::Decode { sequence, source })
    }
}

/// Events that are handed over together.
const CHUNK: usize = 256;

impl Events {
    /// Hands over all of them, so many at a time, up to the first that cannot be read or is not wanted.
    fn hand(&mut self, hand: &mut dyn FnMut(Vec<Event>) -> bool) -> Result<(), ReplayError> {
        loop {
            let mut failed = Ok(());
            let read =
                self.by_ref().take(CHUNK).map_while(|event| event.map_err(|why| failed = Err(why)).ok());
            let chunk: Vec<Event> = read.collect();
            let ends = chunk.len() < CHUNK;
            let wanted = hand(chunk);
            if ends || !wanted {
                return failed;
            }
        }
    }
}

impl Iterator for Events {
    type Item = Result<Event, ReplayError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next > self.until {
            return None;
        }
        let event = self.read();
        if event.is_err() {
            // Nothing comes after an error.
            self.until = 0;
        }
        Some(event)
    }
}

/// How much was replayed, and the bytes of what was read for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Replayed {
    pub events: u64,
    pub bytes: u64,
}

/// Why a replay does not go on.
enum Stop {
    Failed(ReplayError),
    Enough,
}

impl From<io::Error> for Stop {
    fn from(why: io::Error) -> Self {
        Self::Failed(ReplayError::Thread(why))
    }
}

impl From<Violation> for Stop {
    fn from(violation: Violation) -> Self {
        Self::Failed(violation.into())
    }
}

/// Applies everything up to and with `until`; `visit` sees each event after it was applied and says whether
/// to go on.
pub(crate) fn replay(
    reading: Reading,
    state: &mut State,
    disk: &Arc<dyn Disk>,
    journal: &Path,
    until: Sequence,
    mut visit: impl FnMut(&State, &Event) -> bool,
) -> Result<Replayed, ReplayError> {
    if state.sequence() >= until {
        return Ok(Replayed::default());
    }
    let mut events = Events::open_on(Arc::clone(disk), journal, state.sequence(), until)?;
    if reading == Reading::Aside {
        events = events.aside();
    }
    let mut applied = 0;
    let read = reading.run(
        |hand| events.hand(hand),
        |chunk| {
            for events in chunk.chunks(TOGETHER) {
                state.prefetch(events);
                for event in events {
                    state.apply(event)?;
                    applied += 1;
                    if !visit(state, event) {
                        return Err(Stop::Enough);
                    }
                }
            }
            Ok(())
        },
    );
    match read {
        Ok(read) => read?,
        Err(Stop::Failed(why)) => return Err(why),
        Err(Stop::Enough) => {}
    }
    Ok(Replayed { events: applied, bytes: events.bytes })
}
