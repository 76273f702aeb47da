//! Random events, most of them bad.

use std::collections::BTreeSet;

use crate::event::{Change, Event};
use crate::movement::Kind;
use crate::state::State;
use crate::state::testing::{Random, random_event, shop};

fn bytes(state: &State) -> Vec<u8> {
    let mut bytes = Vec::new();
    state.write_snapshot(&mut bytes).unwrap();
    bytes
}

#[test]
fn a_random_event_is_applied_whole_or_changes_nothing() {
    let mut accepted: BTreeSet<Kind> = BTreeSet::new();
    let mut counts = [0, 0];
    for seed in 0..25 {
        let (mut random, mut state) = (Random(seed), shop());
        let mut history: Vec<Event> = Vec::new();
        for step in 0..1_500 {
            let event = random_event(&mut random, &state);
            let (before, hash) = (bytes(&state), state.hash());
            let applied = state.apply(&event);
            counts[usize::from(applied.is_ok())] += 1;
            if let Err(violation) = &applied {
                assert_eq!((bytes(&state) == before, state.hash()), (true, hash), "seed {seed}: {violation}");
            } else {
                accepted.extend(event.changes.iter().filter_map(|change| match change {
                    Change::Movement(movement) => Some(movement.kind),
                    _ => None,
                }));
                history.push(event);
            }
            let checked = state.check();
            assert_eq!(checked, Ok(()), "seed {seed}, step {step}, after {applied:?}");
        }
        let mut replayed = shop();
        for event in &history {
            let mut encoded = Vec::new();
            event.encode(&mut encoded);
            replayed.apply(&Event::decode(&encoded).unwrap()).unwrap();
        }
        assert_eq!(bytes(&replayed), bytes(&state), "seed {seed}: replay");
        let read = State::read_snapshot(&mut bytes(&state).as_slice()).unwrap();
        assert_eq!((read.check(), bytes(&read)), (Ok(()), bytes(&state)), "seed {seed}: snapshot");
    }
    let missed: Vec<&str> =
        Kind::ALL.iter().filter(|kind| !accepted.contains(kind)).map(|kind| kind.name()).collect();
    assert_eq!(missed, Vec::<&str>::new(), "kinds that no accepted event had");
    assert!(counts[0] > 1_000 && counts[1] > 1_000, "refused and accepted: {counts:?}");
}
