//! Snapshots: the same state, the same bytes; anything else is refused.

use std::io;

use crate::codec::CodecError;
use crate::state::State;
use crate::state::testing::{Random, random_event, shop};

fn written(state: &State) -> Vec<u8> {
    let mut bytes = Vec::new();
    state.write_snapshot(&mut bytes).unwrap();
    bytes
}

fn read(mut bytes: &[u8]) -> Result<State, CodecError> {
    State::read_snapshot(&mut bytes)
}

/// A state after some history, with owners, documents and keys.
fn lived(seed: u64) -> State {
    let (mut random, mut state) = (Random(seed), shop());
    let mut accepted = 0;
    while accepted < 150 {
        let event = random_event(&mut random, &state);
        accepted += usize::from(state.apply(&event).is_ok());
    }
    state
}

#[test]
fn a_state_comes_back_from_its_snapshot_and_goes_on_the_same() {
    for seed in 0..10 {
        let mut state = lived(seed);
        let mut copy = read(&written(&state)).unwrap();
        assert_eq!((copy.check(), copy.hash(), written(&copy)), (Ok(()), state.hash(), written(&state)));
        let mut random = Random(seed + 100);
        for _ in 0..200 {
            let event = random_event(&mut random, &state);
            assert_eq!(state.apply(&event), copy.apply(&event));
        }
        assert_eq!((written(&copy), copy.hash()), (written(&state), state.hash()));
    }
}

#[test]
fn the_empty_state_has_a_snapshot() {
    let state = State::default();
    assert_eq!(read(&written(&state)).unwrap().hash(), state.hash());
}

#[test]
fn a_snapshot_that_ends_early_or_goes_on_is_refused() {
    let bytes = written(&lived(1));
    for end in 0..bytes.len() {
        assert!(read(&bytes[..end]).is_err(), "{end} of {}", bytes.len());
    }
    let longer = [bytes.as_slice(), &[0]].concat();
    assert!(matches!(read(&longer), Err(CodecError::Trailing { .. })));
}

#[test]
fn a_snapshot_with_any_byte_changed_is_refused() {
    let bytes = written(&lived(2));
    for at in 0..bytes.len() {
        let mut bytes = bytes.clone();
        bytes[at] ^= 1 << (at % 8);
        assert!(read(&bytes).is_err(), "byte {at} of {}", bytes.len());
    }
}

#[test]
fn a_state_that_was_changed_behind_the_hash_is_refused() {
    let mut state = shop();
    state.skus[0].cells.list_mut()[0].1.0[0] += 1;
    assert!(matches!(read(&written(&state)), Err(CodecError::HashMismatch { .. })));
}

/// Fails after some bytes.
struct Faulty(usize);

impl io::Write for Faulty {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.checked_sub(bytes.len()).ok_or_else(|| io::Error::other("the disk is full"))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_failure_of_the_disk_is_told() {
    let state = lived(3);
    assert!(state.write_snapshot(&mut Faulty(100)).is_err());
    assert!(matches!(read(&[]), Err(CodecError::Io { kind: io::ErrorKind::UnexpectedEof, .. })));
}

#[test]
fn a_length_of_4_gib_reserves_nothing() {
    assert_eq!(read(&[0xFF; 8]).err(), Some(CodecError::Truncated { at: 4 }));
}
