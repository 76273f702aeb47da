//! The events' codec, and events applied one after another.

use lockstock_stock::event::Event;
use lockstock_stock::state::State;

use crate::pieces;

/// One record of the journal.
pub fn event(bytes: &[u8]) {
    let Ok(event) = Event::decode(bytes) else { return };
    let mut written = Vec::new();
    event.encode(&mut written);
    assert_eq!(Event::decode(&written).as_ref(), Ok(&event), "what was written is what was read");
}

/// Records of the journal in order, given the sequences and stamps that they need: whatever they say is applied
/// whole and adds up, or is refused and changes nothing.
pub fn replay(bytes: &[u8]) {
    let mut state = State::default();
    for record in pieces(bytes) {
        let Ok(mut event) = Event::decode(record) else { continue };
        event.sequence = state.sequence() + 1;
        event.at = event.at.max(state.clock());
        let before = (state.hash(), state.sequence());
        if state.apply(&event).is_err() {
            assert_eq!((state.hash(), state.sequence()), before, "what is refused changes nothing");
        } else {
            let _answer = state.answer(&event).kept();
        }
    }
    assert_eq!(state.hash(), state.hash_from_scratch(), "the hash is that of what the state holds");
    state.check().expect("what was applied adds up");
}
