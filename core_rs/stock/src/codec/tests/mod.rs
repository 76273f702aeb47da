//! Tests of both formats.

mod golden;
mod round_trip;
mod snapshots;
