//! The node: one lock around the state machine, group commit, admission, recovery, snapshots.
//!
//! Whoever has commands takes the engine's lock and runs them; the journal thread makes durable what they
//! did; nothing leaves before what it saw is durable.

mod admission;
mod ahead;
mod buyer;
mod clerk;
pub mod clock;
mod commit;
pub mod config;
mod core;
mod desk;
mod engine;
mod event_json;
mod failure;
mod gate;
pub mod metrics;
pub mod offline;
mod periodic;
pub mod projection;
mod recall;
mod recovery;
mod replay;
pub mod rests;
mod shared;
mod snapshotter;
pub mod status;
#[cfg(any(test, feature = "testing"))]
pub mod stepped;
mod stop;

pub use admission::EARLY_PERCENT;
pub use buyer::KeyError;
pub use config::{Config, Layout};
pub use desk::{SnapshotError, SnapshotInfo};
pub use engine::{Engine, Executed};
pub use failure::Failed;
pub use lockstock_journal::Durability;
pub use metrics::Metrics;
pub use offline::{Offline, OfflineError};
pub use recall::RecallError;
pub use recovery::{OpenError, Recovery};
pub use replay::{Events, ReplayError};
pub use status::Status;

#[cfg(test)]
mod tests;
