//! The messages of the contract, made from the committed descriptor set by `build.rs`.

#![allow(missing_docs, reason = "the words stand in proto/; the descriptor set is committed without them")]
#![allow(clippy::pedantic, clippy::large_enum_variant, reason = "generated")]

include!(concat!(env!("OUT_DIR"), "/proto.rs"));

/// The contract as descriptors, for reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!("../lockstock.binpb");
