//! Bytes: of events, which the journal keeps for ever, and of snapshots.
//!
//! Both are versioned by their first byte and strict: what this program does not know, it refuses to read.
//! Checksums are the business of those who store the bytes.

mod bytes;
mod change;
mod error;
mod event;
mod owner;
mod snapshot;
mod stock;
#[cfg(test)]
mod tests;

pub use error::CodecError;
pub use snapshot::{Assembly, Part};
