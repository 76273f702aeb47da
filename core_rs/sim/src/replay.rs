//! The straight replay: the journal from record 1, and nothing else.

use std::path::Path;
use std::sync::Arc;

use lockstock_engine::{Events, ReplayError};
use lockstock_journal::disk::faulty::FaultyDisk;
use lockstock_stock::event::Event;
use lockstock_stock::ids::Sequence;
use lockstock_stock::state::State;

/// What a replay gives.
pub struct Replayed {
    /// The state at the end.
    pub state: State,
    /// The state hash after each sequence, from 0.
    pub hashes: Vec<u64>,
    /// Every event.
    pub events: Vec<Event>,
}

/// Replays `1..=until`.
pub fn straight(disk: &FaultyDisk, journal: &Path, until: Sequence) -> Result<Replayed, ReplayError> {
    let mut state = State::default();
    let mut hashes = vec![state.hash()];
    let mut events = Vec::new();
    for event in Events::open_on(Arc::new(disk.clone()), journal, 0, until)? {
        let event = event?;
        state.apply(&event)?;
        hashes.push(state.hash());
        events.push(event);
    }
    Ok(Replayed { state, hashes, events })
}
