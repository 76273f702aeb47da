//! Tests of applying, hashing and checking: they need to see, and to break, the inside of a state.

mod applying;
mod breaking;
mod chance;
