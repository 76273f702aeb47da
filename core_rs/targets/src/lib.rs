//! What reads bytes of anybody's making, each as one function of bytes. A target returns when all is well and
//! panics when it is not; what it reads may be refused, and must never be believed, lost or changed silently.
//!
//! - `journal`: a segment with anything in it, opened, inspected, read and written on
//! - `snapshot`: the file around a snapshot, and the state in it
//! - `event`: one record of the journal
//! - `replay`: records one after another, applied to a state
//! - `command`: any message to any method of the contract and of the planners' seam, through the door
//! - `stream`: such calls one after another, with time that passes and batches that become durable in between
//!
//! `fuzz/` runs them under libFuzzer (`make fuzz`), `tests/seeded.rs` over the committed corpus and seeded
//! mutations of it. An input that libFuzzer finds to fail is left in `fuzz/artifacts/`; made small (`cargo fuzz tmin`)
//! it goes into the corpus, which every `cargo test` reads, until the defect has a test of its own where it is.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a panic is how a target says no")]
#![allow(clippy::missing_panics_doc, reason = "the same")]

mod door;
mod events;
mod journal;
mod snapshot;

pub use door::{METHODS, TIME_PASSES, command, is_served, stream};
pub use events::{event, replay};
pub use journal::journal;
pub use snapshot::snapshot;

/// A target and the name of its corpus.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: [Target; 6] = [
    ("journal", journal),
    ("snapshot", snapshot),
    ("event", event),
    ("replay", replay),
    ("command", command),
    ("stream", stream),
];

/// Bytes in pieces, each a length (`u16`, little-endian) and as many bytes, the last as long as there are.
pub fn pieces(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut pieces = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<2>() {
        let length = usize::from(u16::from_le_bytes(*length)).min(rest.len());
        let (piece, rest) = rest.split_at(length);
        pieces.push(piece);
        bytes = rest;
    }
    pieces
}
