//! Following the durable journal, a batch at a time.

use std::path::PathBuf;
use std::sync::Arc;

use lockstock_journal::Reader;
use lockstock_stock::event::Event;
use lockstock_stock::ids::Sequence;

use super::error::ProjectionError;
use super::fold::Fold;
use super::format::{Format, Sheet};
use super::names::{Ask, Named, Names};
use super::rows;
use crate::Engine;
use crate::rests::Rests;

/// The bytes of records after which a batch ends, whatever number of events was asked for: on their way into the
/// database they stand in memory some twenty times over.
const BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Rows for one transaction: after it the database stands at `last`.
#[derive(Debug)]
pub struct Batch {
    /// The first event that was folded: the database must stand right before it.
    pub first: Sequence,
    /// The last one.
    pub last: Sequence,
    /// The rows, a sheet for each table that has any.
    pub sheets: Vec<Sheet>,
}

/// A follower of an engine's journal. It keeps its place, so that the next batch costs what is new.
#[derive(Default)]
pub struct Projection {
    place: Option<Place>,
}

struct Place {
    directory: PathBuf,
    after: Sequence,
    reader: Reader,
}

impl Projection {
    /// A follower that has read nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// The rows of the durable events after `after`, at most `max_events` of them (and at least one); `None`
    /// where there are none. Any `after` may be asked for; the one that the last batch ended at is cheapest.
    pub fn batch(
        &mut self,
        engine: &Engine,
        after: Sequence,
        max_events: usize,
        format: Format,
    ) -> Result<Option<Batch>, ProjectionError> {
        let durable = engine.durable();
        if after > durable {
            return Err(ProjectionError::Ahead { database: after, journal: durable });
        }
        if after == durable {
            return Ok(None);
        }
        let events = self.events(engine, after, durable, max_events.max(1))?;
        batch_of(&events, format, |asked| {
            let asked = asked.to_vec();
            // Whoever projects gives way to buyers.
            engine.read_aside(move |state| Named::of_all(&asked, state))
        })
    }

    fn events(
        &mut self,
        engine: &Engine,
        after: Sequence,
        durable: Sequence,
        max_events: usize,
    ) -> Result<Vec<Event>, ProjectionError> {
        let directory = engine.journal_dir();
        let mut place = match self.place.take() {
            Some(place) if place.after == after && place.directory == directory => place,
            _ => Place {
                directory: directory.to_path_buf(),
                after,
                reader: Reader::open_on(Arc::clone(engine.disk()), directory, after + 1)?.aside(),
            },
        };
        let mut events = Vec::new();
        let mut bytes = 0;
        let mut rests = Rests::default();
        while events.len() < max_events && bytes < BATCH_BYTES_MAX {
            let Some((sequence, record)) = place.reader.next(durable)? else { break };
            bytes += record.len();
            let event =
                Event::decode(record).map_err(|source| ProjectionError::Record { sequence, source })?;
            if event.sequence != place.after + 1 {
                return Err(ProjectionError::Gap { expected: place.after + 1, found: event.sequence });
            }
            place.after = event.sequence;
            events.push(event);
            rests.if_due();
        }
        // Kept only where it is known to be good: after an error the next batch opens the journal again.
        self.place = Some(place);
        Ok(events)
    }
}

/// The rows of some events; `look` asks a state that has applied them.
pub(super) fn batch_of(
    events: &[Event],
    format: Format,
    look: impl FnMut(&[Ask]) -> Vec<Option<Named>>,
) -> Result<Option<Batch>, ProjectionError> {
    let (Some(first), Some(last)) = (events.first(), events.last()) else { return Ok(None) };
    let sequence = last.sequence;
    let mut fold = Fold::of(events).ok_or(ProjectionError::Overflow { sequence })?;
    let names = Names::collect(sequence, std::mem::take(&mut fold.needs), look)?;
    let sheets = rows::of_fold(events, &fold, &names, format)?;
    Ok(Some(Batch { first: first.sequence, last: sequence, sheets }))
}
